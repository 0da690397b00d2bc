"""Results as plain text for pipes: one stable line a hit, tabs between the columns of tables."""

from collections.abc import Iterable
from typing import TextIO

from lucastra_protocol.types import AskResult, Hit, SearchResult

from lucastra_client.rendering import View
from lucastra_client.rendering.reports import Block, Facts, Prose, Report, Table
from lucastra_client.rendering.text import count, display_path, printable, printable_line, snippet
from lucastra_client.rendering.writing import PlainWriting, Writing


class PlainRenderer:
    """Writes `path:start-end  symbol  score` and the passage's first lines, indented."""

    def __init__(self, out: TextIO, view: View) -> None:
        self._out = out
        self._view = view

    def search(self, query: str, result: SearchResult) -> None:
        """Every hit, best first."""
        for number, hit in enumerate(result.hits):
            if number:
                self._line("")
            self._line(self._head(hit))
            if self._view.explain:
                self._line("    score: " + explanation(hit))
            self._snippet(hit)

    def writing(self) -> Writing:
        """The text as it comes."""
        return PlainWriting(self._out)

    def answer(
        self, question: str, result: AskResult, *, conversation: str | None = None, written: bool = False
    ) -> None:
        """The answer and its citations; without one, the cited passages."""
        if result.answer is not None:
            if not written:
                self._line(printable(result.answer).rstrip("\n"))
            if result.citations:
                self._line("")
        for citation in result.citations:
            self._line(f"[{citation.number}] {self._head(citation.hit)}")
            if result.answer is None:
                self._snippet(citation.hit)

    def report(self, report: Report) -> None:
        """Facts as `name: value`, tables with a title row and tabs."""
        for block in report.blocks:
            self._block(block)

    def log(self, lines: Iterable[str]) -> None:
        """The lines as they were written."""
        for line in lines:
            self._line(printable_line(line))
            self._out.flush()

    def _block(self, block: Block) -> None:
        if isinstance(block, Facts):
            for name, value in block.rows:
                self._line(f"{name}: {value}")
        elif isinstance(block, Table):
            for row in (block.columns, *block.rows):
                self._line("\t".join(row))
        elif isinstance(block, Prose):
            self._line(printable(block.markdown).rstrip("\n"))
        else:
            for line in block.lines:
                self._line(line)

    def _head(self, hit: Hit) -> str:
        start_line, end_line = hit.range.lines()
        place = f"{display_path(hit, self._view.cwd)}:{start_line}-{end_line}"
        mark = "  unsaved" if hit.unsaved else ""
        return f"{place}  {printable_line(hit.symbol) or '-'}  {hit.score:.4g}{mark}"

    def _snippet(self, hit: Hit) -> None:
        lines, left_out = snippet(hit.content, full=self._view.full)
        for line in lines:
            self._line(f"    {line}" if line else "")
        if left_out:
            self._line(f"    … {count(left_out, 'more line')}")

    def _line(self, text: str) -> None:
        self._out.write(text + "\n")


def explanation(hit: Hit) -> str:
    """The score's components, largest first."""
    parts = sorted(hit.components.items(), key=lambda part: -abs(part[1]))
    return ", ".join(f"{printable_line(name)} {value:.4g}" for name, value in parts)
