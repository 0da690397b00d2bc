"""Results as Markdown, for editors that have no view of ours.

A place is a link whose text is `/path:line`: Neovim's `gF` and Helix's `gf` go there, and so does a click in VS Code.
"""

import re
from collections.abc import Iterable, Sequence

from lucastra_protocol.types import AskResult, Citation, Hit, SearchResult

_MOST_LINES = 12
"""Of a passage: the place is one key away."""
_FENCES = re.compile(r"`{3,}")


def search_page(title: str, result: SearchResult) -> str:
    """What was found."""
    parts = [f"# {_one_line(title)}", *_notices(result.notices)]
    for number, hit in enumerate(result.hits, 1):
        parts += [f"## {number}. {hit.symbol or hit.path}", *_passage(hit)]
    return "\n\n".join(parts) + "\n"


def answer_page(question: str, result: AskResult) -> str:
    """An answer with the places that it cites; without a model, the passages that would have been its sources."""
    parts = [f"# {_one_line(question)}", *_notices(result.notices)]
    if result.answer is not None:
        parts.append(result.answer.strip())
    parts += _sources("Sources" if result.answer is not None else "Passages", result.citations)
    parts += _sources("Also read", result.uncited)
    return "\n\n".join(parts) + "\n"


def _sources(title: str, citations: Sequence[Citation]) -> list[str]:
    parts = [f"## {title}"] if citations else []
    for citation in citations:
        parts += [f"[{citation.number}] {_named(citation.hit)}", *_passage(citation.hit)]
    return parts


def _named(hit: Hit) -> str:
    return f"**{hit.symbol}**" if hit.symbol else ""


def _passage(hit: Hit) -> list[str]:
    if hit.unsaved:  # a page is a file, and nothing of an unsaved buffer is written to one
        return [place(hit), "(not saved yet: see the editor)"]
    lines = hit.content.rstrip().split("\n")
    shown = "\n".join(lines[:_MOST_LINES])
    longest = max(map(len, _FENCES.findall(shown)), default=2)
    fence = "`" * (longest + 1)
    left_out = len(lines) - _MOST_LINES
    rest = [f"({left_out} more lines)"] if left_out > 0 else []
    return [place(hit), f"{fence}{hit.language}\n{shown}\n{fence}", *rest]


def place(hit: Hit) -> str:
    """A link to where a passage begins."""
    line = hit.range.start.line + 1
    return f"[{hit.workspace.rstrip('/')}/{hit.path}:{line}]({hit.uri}#L{line})"


def _notices(notices: Iterable[str]) -> list[str]:
    return [f"> {_one_line(notice)}" for notice in notices]


def _one_line(text: str) -> str:
    return " ".join(text.split())
