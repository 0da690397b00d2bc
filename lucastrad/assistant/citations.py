"""Citations that can be opened: passages held against their files, and numbers held against the passages.

Invariant: no text leaves `CitationFilter` with a citation, outside code, of a passage that there is not.
"""

import re
from collections.abc import Collection, Iterable, Sequence
from dataclasses import dataclass, replace

from lucastrad.types import Hit
from lucastrad.workspace.reader import ReadFile, read_file
from lucastrad.workspace.scanner import ScanRules

_RULES = ScanRules(max_file_bytes=67_108_864)
"""The most that `indexing.max_file_bytes` can be: a file that was indexed is read again, whatever it says now."""


@dataclass(frozen=True, slots=True)
class Checked:
    """A passage as its file has it now; `hit` is None where the file does not have it any more."""

    hit: Hit | None
    moved: bool = False


def check_passages(hits: Sequence[Hit]) -> list[Checked]:
    """Look each passage up in its file, one result per hit; reads files, so call it in a thread.

    One that is unsaved is none of its file's, and stays as it is.

    A passage whose text stands elsewhere in its file by now gets the lines where it stands, the nearest if it is
    there more than once. Secret files, links and what lies outside the workspace are not read.
    """
    texts: dict[tuple[str, str], str | None] = {}
    checked: list[Checked] = []
    for hit in hits:
        if hit.unsaved:
            checked.append(Checked(hit))
            continue
        key = (hit.workspace, hit.chunk.path)
        if key not in texts:
            found = read_file(hit.workspace, hit.chunk.path, _RULES, wanted=True)
            texts[key] = found.text if isinstance(found, ReadFile) else None
        checked.append(_check(hit, texts[key]))
    return checked


def _check(hit: Hit, text: str | None) -> Checked:
    chunk = hit.chunk
    wanted = chunk.text.removesuffix("\n")
    if text is None or not wanted.strip():
        return Checked(None)
    start = _offset_of_line(text, chunk.start_line)
    if start is not None and chunk.text in text[start : _line_end(text, start, chunk.end_line - chunk.start_line)]:
        return Checked(hit)
    at = _nearest(text, wanted, len(text) if start is None else start)
    if at is None:
        return Checked(None)
    first = text.count("\n", 0, at) + 1
    last = first + wanted.count("\n")
    moved = (first, last) != (chunk.start_line, chunk.end_line)
    return Checked(replace(hit, chunk=replace(chunk, start_line=first, end_line=last)), moved)


def _offset_of_line(text: str, line: int) -> int | None:
    """Where the 1-based `line` begins; None in a text with fewer lines."""
    offset = 0
    for _ in range(line - 1):
        offset = text.find("\n", offset) + 1
        if not offset:
            return None
    return offset


def _line_end(text: str, offset: int, lines_after: int) -> int:
    """The end, with its line feed, of the line that is `lines_after` below that of `offset`."""
    for _ in range(lines_after + 1):
        end = text.find("\n", offset)
        if end < 0:
            return len(text)
        offset = end + 1
    return offset


def _nearest(text: str, wanted: str, place: int) -> int | None:
    """The offset of `wanted` nearest to `place`, if it is in `text` at all."""
    after = text.find(wanted, place)
    before = text.rfind(wanted, 0, place + len(wanted))
    if after < 0 or before < 0:
        found = max(after, before)
        return None if found < 0 else found
    return before if place - before <= after - place else after


# A citation is `[1]`, `[1, 2]` or `[1-3]`; numbers begin at 1, so that `[0]` is code that lacks its backticks.
_GROUP = r"\[[ ]?[1-9][0-9]{0,5}(?:[ ]?[,;–-][ ]?[1-9][0-9]{0,5}){0,15}[ ]?\]"
_TOKEN = re.compile(rf"(?P<ticks>`+)|(?P<citation>[ ]?{_GROUP})|(?P<paragraph>\n[ \t]*\n)")
_UNFINISHED = re.compile(r"(?:(?<!`)`++|\n[ \t]*|[ ]?\[[0-9 ,;–-]{0,128}|[ ])\Z")
"""The end of a text that the next piece may make a token of. Bounded, so that no more than that is ever held back;
possessive, since a model that repeats itself may send 40,000 backticks."""
_NUMBERS = re.compile(r"([1-9][0-9]*)(?:[ ]?[–-][ ]?([1-9][0-9]*))?")
_FENCE_TICKS = 3


class CitationFilter:
    """Takes an answer in pieces and gives it out without citations of passages that there are not.

    In Markdown code (spans and fenced blocks) brackets are code, and stay. A number is given out as soon as its
    bracket is closed; nothing but the beginning of a bracket, a blank before it, or backticks is held back.
    """

    def __init__(self, numbers: Collection[int]) -> None:
        self.cited: set[int] = set()
        """Numbers that were given out."""
        self.removed = 0
        """Citations that were taken out."""
        self._numbers = frozenset(numbers)
        self._held = ""
        self._ticks = 0
        """Backticks that opened the code that the text stands in; 0 outside code."""

    def feed(self, piece: str) -> str:
        """What may be shown of the answer after `piece`, beyond what was given out before."""
        text = self._held + piece
        unfinished = _UNFINISHED.search(text)
        cut = len(text) if unfinished is None else unfinished.start()
        self._held = text[cut:]
        return self._filter(text[:cut])

    def finish(self) -> str:
        """The rest."""
        held, self._held = self._held, ""
        return self._filter(held)

    def _filter(self, text: str) -> str:
        return _TOKEN.sub(self._replace, text)

    def _replace(self, token: re.Match[str]) -> str:
        whole = token[0]
        if token["ticks"]:
            self._take_ticks(len(whole))
        elif token["paragraph"]:
            if self._ticks < _FENCE_TICKS:  # a span of code ends with its paragraph: that backtick was a plain one
                self._ticks = 0
        elif not self._ticks:
            return self._citation(whole)
        return whole

    def _take_ticks(self, count: int) -> None:
        if not self._ticks:
            self._ticks = count
        elif count == self._ticks or (count > self._ticks >= _FENCE_TICKS):
            self._ticks = 0

    def _citation(self, whole: str) -> str:
        spans = [_span(int(first), int(last or first)) for first, last in _NUMBERS.findall(whole)]
        claimed = [number for span in spans for number in span]
        valid = [number for number in claimed if number in self._numbers]
        self.cited.update(valid)
        if len(valid) == len(claimed):
            return whole
        self.removed += 1
        blank = " " if whole[0] == " " else ""
        return f"{blank}[{', '.join(map(str, valid))}]" if valid else ""


def _span(first: int, last: int) -> Iterable[int]:
    """The numbers of `first-last`; a long one stands for its ends, neither of which will exist."""
    return range(first, last + 1) if first <= last <= first + 100 else (first, last)


def without_citations(text: str) -> str:
    """An earlier answer as a later prompt may quote it: its numbers are those of other passages."""
    plain = CitationFilter(())
    return plain.feed(text) + plain.finish()
