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
_TOKEN = re.compile(rf"(?P<ticks>`+)|(?P<citation>[ ]?{_GROUP})")
_CITATION = re.compile(rf"[ ]?{_GROUP}")
_PARAGRAPH = re.compile(r"\n[ \t]*\n")
_TICKS = re.compile(r"`+")
_UNFINISHED = re.compile(r"(?:(?<!`)`++|\n[ \t]*|[ ]?\[[0-9 ,;–-]{0,128}|[ ])\Z")
"""The end of a text that the next piece may make a token of. Bounded, so that no more than that is ever held back;
possessive, since a model that repeats itself may send 40,000 backticks."""
_NUMBERS = re.compile(r"([1-9][0-9]*)(?:[ ]?[–-][ ]?([1-9][0-9]*))?")
_FENCE_TICKS = 3
_LONGEST_SPAN = 200
"""Characters of code between backticks. Where none closes it within these, nor in its paragraph, one was a plain sign:
else all citations behind it would count as code."""


class CitationFilter:
    """Takes an answer in pieces and gives it out without citations of passages that there are not.

    In Markdown code (spans and fenced blocks) brackets are code, and stay. A number is given out as soon as its
    bracket is closed. Held back is only the beginning of a bracket, a blank before it, backticks, and, behind one that
    may open a span of code, a citation until that is told: `_LONGEST_SPAN` characters at most.
    """

    def __init__(self, numbers: Collection[int]) -> None:
        self.cited: set[int] = set()
        """Numbers that were given out."""
        self.removed = 0
        """Citations that were taken out."""
        self._numbers = frozenset(numbers)
        self._text = ""
        """What is not decided yet …"""
        self._shown = 0
        """… and how many characters of it were given out all the same, as they are no citation either way."""
        self._fence = 0
        """Backticks that opened the block that the text stands in; 0 outside one."""

    def feed(self, piece: str) -> str:
        """What may be shown of the answer after `piece`, beyond what was given out before."""
        self._text += piece
        unfinished = _UNFINISHED.search(self._text)
        return self._decide(len(self._text) if unfinished is None else unfinished.start(), finished=False)

    def finish(self) -> str:
        """The rest."""
        return self._decide(len(self._text), finished=True)

    def _decide(self, end: int, *, finished: bool) -> str:
        """Decide what stands before `end`; tokens there are whole."""
        text, at, out = self._text, 0, []
        while token := _TOKEN.search(text, at, end):
            out.append(text[max(at, self._shown) : token.start()])
            shown = token[0]
            at = token.end()
            if token["ticks"] and (self._fence or len(shown) >= _FENCE_TICKS):
                self._take_fence(len(shown))
            elif token["ticks"]:
                closed = _span_end(text, at, end, len(shown), finished=finished)
                if closed is None:
                    return "".join(out) + self._hold(token.start(), at, end)
                at = max(at, closed)
                shown = text[token.start() : at]
            elif token["citation"] and not self._fence:
                shown = self._citation(shown)
            out.append(shown[max(0, self._shown - token.start()) :])
        out.append(text[max(at, self._shown) : end])
        self._text, self._shown = text[end:], 0
        return "".join(out)

    def _hold(self, start: int, opened: int, end: int) -> str:
        """Keep what stands from `start` on, a span that may close yet; its text up to a citation can be shown."""
        citation = _CITATION.search(self._text, opened, end)
        until = max(self._shown, end if citation is None else citation.start())
        shown = self._text[max(start, self._shown) : until]
        self._text, self._shown = self._text[start:], until - start
        return shown

    def _take_fence(self, count: int) -> None:
        if not self._fence:
            self._fence = count
        elif count >= self._fence:
            self._fence = 0

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


def _span_end(text: str, opened: int, end: int, ticks: int, *, finished: bool) -> int | None:
    """Where the span of code ends that `ticks` backticks before `opened` open: there where they open none; None where
    `end` is too near to tell."""
    last = min(end, opened + _LONGEST_SPAN)
    if paragraph := _PARAGRAPH.search(text, opened, last):
        last = paragraph.start()
    for found in _TICKS.finditer(text, opened, end):
        if found.start() >= last:
            break
        if len(found[0]) == ticks:
            return found.end()
    return opened if finished or last < end else None


def _span(first: int, last: int) -> Iterable[int]:
    """The numbers of `first-last`; a long one stands for its ends, neither of which will exist."""
    return range(first, last + 1) if first <= last <= first + 100 else (first, last)


def without_citations(text: str) -> str:
    """An earlier answer as a later prompt may quote it: its numbers are those of other passages."""
    plain = CitationFilter(())
    return plain.feed(text) + plain.finish()
