"""What a completion may draw on beside its own file: like passages of other open files, and neighbours in the index.

Words are compared, not meanings: passages that use the same names are what a completion needs next (RepoCoder,
arXiv:2303.12570, finds word overlap as good as embeddings here), and to compare them takes no worker process.
"""

import re
from collections import OrderedDict
from collections.abc import Sequence
from dataclasses import dataclass

from lucastrad.completion.cursor import Cursor, OpenDocument, Window, name_within
from lucastrad.llm.protocol import ContextFile
from lucastrad.types import Hit, SearchMode, SearchQuery
from lucastrad.workspace.secrets import redact, secret_content, secret_file

_QUERY_LINES = 12
_QUERY_CHARS = 1500
_WORD = re.compile(r"[^\W\d]\w{2,}")
_SNIPPET_LINES = 24
_STEP_LINES = 12
_MAX_DOCUMENTS = 6
_MAX_DOCUMENT_CHARS = 65_536
"""A longer one would take longer than 15 ms to redact and to cut; the index knows its passages."""
_NEIGHBOURS = 6
_LEAST_LIKENESS = 0.05


def query_text(window: Window) -> str:
    """What is searched for: the lines above the cursor's.

    Not the cursor's own: while it is typed the query stays the same, so the search is not repeated, and neither is the
    model's reading of the context, which servers keep as long as a prompt begins as the last one did.
    """
    lines = [line for line in window.prefix.split("\n")[:-1] if line.strip()]
    return "\n".join(lines[-_QUERY_LINES:])[-_QUERY_CHARS:]


def neighbour_query(cursor: Cursor, text: str) -> SearchQuery | None:
    """The search for neighbours; None where there is no folder to search or nothing to search for."""
    if cursor.root is None or not text.strip():
        return None
    return SearchQuery(text, mode=SearchMode.KEYWORD, limit=_NEIGHBOURS, folders=(str(cursor.root),))


def may_be_sent(document: OpenDocument) -> bool:
    """Whether a document is other than one that exists to hold secrets."""
    name = document.path.name if document.path is not None else document.uri
    if secret_file(name) is not None:
        return False
    return "PRIVATE KEY" not in document.text or secret_content(document.text.encode("utf-8", "replace")) is None


@dataclass(frozen=True, slots=True)
class _Snippet:
    text: str
    words: frozenset[str]


class OpenFiles:
    """Finds like passages in open documents; one that has not changed is cut into them only once.

    For one thread at a time.
    """

    def __init__(self) -> None:
        self._cut: OrderedDict[str, tuple[OpenDocument, list[_Snippet]]] = OrderedDict()

    def alike(self, cursor: Cursor, text: str) -> list[ContextFile]:
        """The passage of each open document, those edited last first, that shares most words with `text`."""
        wanted = frozenset(_WORD.findall(text))
        found: list[tuple[float, ContextFile]] = []
        for document in cursor.others[:_MAX_DOCUMENTS]:
            likenesses = [(_likeness(wanted, snippet.words), snippet.text) for snippet in self._snippets(document)]
            likeness, snippet = max(likenesses, key=lambda item: item[0], default=(0.0, ""))
            if likeness >= _LEAST_LIKENESS:
                found.append((likeness, ContextFile(name_within(cursor.root, document), snippet)))
        found.sort(key=lambda item: -item[0])  # stable: of two alike, the one edited last
        return [file for _, file in found]

    def _snippets(self, document: OpenDocument) -> list[_Snippet]:
        kept = self._cut.get(document.uri)
        if kept is None or kept[0].text != document.text:
            kept = (document, _cut(document))
            self._cut[document.uri] = kept
        self._cut.move_to_end(document.uri)
        while len(self._cut) > _MAX_DOCUMENTS:
            self._cut.popitem(last=False)
        return kept[1]


def _cut(document: OpenDocument) -> list[_Snippet]:
    if len(document.text) > _MAX_DOCUMENT_CHARS or not may_be_sent(document):
        return []
    lines = redact(document.text).splitlines()  # whole, so that no secret is cut in two and then not known
    starts = range(0, max(1, len(lines) - _STEP_LINES), _STEP_LINES)
    texts = ["\n".join(lines[start : start + _SNIPPET_LINES]) for start in starts]
    return [_Snippet(text, frozenset(_WORD.findall(text))) for text in texts if text.strip()]


def _likeness(wanted: frozenset[str], words: frozenset[str]) -> float:
    """Jaccard's: shared words over all words."""
    shared = len(wanted & words)
    return shared / (len(wanted) + len(words) - shared) if shared else 0.0


def neighbours(hits: Sequence[Hit], cursor: Cursor) -> list[ContextFile]:
    """Passages of files that are not open: of those that are, the editor's text is newer than the index."""
    opened = {str(document.path) for document in (cursor.document, *cursor.others) if document.path is not None}
    return [
        ContextFile(hit.chunk.path, redact(hit.chunk.text))
        for hit in hits
        if f"{hit.workspace.rstrip('/')}/{hit.chunk.path}" not in opened
    ]


def within(files: Sequence[ContextFile], limit: int) -> tuple[ContextFile, ...]:
    """The first files that fit `limit` characters, each whole."""
    kept: list[ContextFile] = []
    for file in files:
        limit -= len(file.text)
        if limit < 0:
            break
        kept.append(file)
    return tuple(kept)
