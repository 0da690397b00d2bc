"""Results for people at a terminal: highlighted passages under a place that can be clicked."""

import json
from collections.abc import Iterable
from datetime import datetime

from lucastra_protocol.types import AskResult, Hit, SearchResult
from rich.console import Console
from rich.style import Style
from rich.syntax import Syntax
from rich.table import Table as Grid
from rich.text import Text

from lucastra_client.rendering import View
from lucastra_client.rendering.plain import explanation
from lucastra_client.rendering.reports import Block, Facts, Prose, Report, Table
from lucastra_client.rendering.text import (
    count,
    display_path,
    printable_line,
    snippet,
)
from lucastra_client.rendering.writing import MarkdownWriting, Writing, markdown

_LEXERS = {
    "astro": "html",
    "embedded_template": "erb",
    "jinja2": "jinja",
    "jsonc": "json",
    "markdown_inline": "markdown",
    "php_only": "php",
    "svelte": "html",
}
"""Languages whose pygments lexer has another name; one without a lexer is shown as it is."""

_STYLES = {
    "ok": "green",
    "ready": "green",
    "indexed": "green",
    "warning": "yellow",
    "skipped": "yellow",
    "missing": "yellow",
    "error": "bold red",
    "failed": "bold red",
    "critical": "bold red",
}


class HumanRenderer:
    """Writes with rich. Texts are passed as `Text`, so markup inside them means nothing."""

    def __init__(self, console: Console, view: View) -> None:
        self._console = console
        self._view = view

    def search(self, query: str, result: SearchResult) -> None:
        """Every hit, best first."""
        for number, hit in enumerate(result.hits):
            if number:
                self._print(Text())
            self._print(self._head(hit))
            if self._view.explain:
                self._print(Text(explanation(hit), style="dim"))
            self._snippet(hit)

    def writing(self) -> Writing:
        """Markdown, rendered while it comes."""
        return MarkdownWriting(self._console)

    def answer(
        self, question: str, result: AskResult, *, conversation: str | None = None, written: bool = False
    ) -> None:
        """The answer, its citations and who gave it; without one, the cited passages."""
        if result.answer is not None:
            if not written:
                self._console.print(markdown(result.answer))
            self._print(Text())
        for number, citation in enumerate(result.citations):
            if number and result.answer is None:
                self._print(Text())
            self._print(Text.assemble((f"[{citation.number}] ", "bold"), self._head(citation.hit)))
            if result.answer is None:
                self._snippet(citation.hit)
        if result.provider is not None:
            self._print(Text(_answerer(result), style="dim"))

    def report(self, report: Report) -> None:
        """Facts and tables, aligned."""
        for number, block in enumerate(report.blocks):
            if number:
                self._print(Text())
            self._block(block)

    def log(self, lines: Iterable[str]) -> None:
        """Local time, level, what happened, and its particulars."""
        for line in lines:
            self._print(_log_line(line))

    def _block(self, block: Block) -> None:
        if isinstance(block, Facts):
            facts = Grid.grid(padding=(0, 2))
            for name, value in block.rows:
                facts.add_row(Text(name, style="dim"), Text(value))
            self._console.print(facts)
        elif isinstance(block, Table):
            table = Grid(box=None, pad_edge=False, padding=(0, 2, 0, 0), header_style="dim")
            for column in block.columns:
                numeric = column in block.numeric
                table.add_column(
                    column,
                    justify="right" if numeric else "left",
                    no_wrap=numeric or column in ("state", "status"),
                    overflow="fold",
                )
            for row in block.rows:
                table.add_row(*(Text(cell, style=_STYLES.get(cell, "")) for cell in row))
            self._console.print(table)
        elif isinstance(block, Prose):
            self._console.print(markdown(block.markdown))
        else:
            for line in block.lines:
                self._print(Text(line))

    def _head(self, hit: Hit) -> Text:
        start_line, end_line = hit.range.lines()
        head = Text()
        link = Style(link=f"{printable_line(hit.uri)}#{start_line}")
        head.append(f"{display_path(hit, self._view.cwd)}:{start_line}", Style.parse("bold cyan") + link)
        head.append(f"-{end_line}", "cyan")
        if hit.symbol:
            head.append(f"  {printable_line(hit.symbol)}", "bold")
        if hit.kind:
            head.append(f"  {printable_line(hit.kind)}", "dim")
        head.append(f"  {hit.score:.4g}", "dim")
        if hit.unsaved:
            head.append("  unsaved", "yellow")
        return head

    def _snippet(self, hit: Hit) -> None:
        lines, left_out = snippet(hit.content, full=self._view.full)
        self._console.print(
            Syntax(
                "\n".join(lines),
                _LEXERS.get(hit.language, hit.language) or "text",
                theme="ansi_dark",
                background_color="default",
                line_numbers=True,
                start_line=hit.range.lines()[0],
                word_wrap=self._view.full,
            )
        )
        if left_out:
            self._print(Text(f"     … {count(left_out, 'more line')}", style="dim"))

    def _print(self, text: Text) -> None:
        # soft_wrap: a path broken over two lines cannot be clicked.
        self._console.print(text, soft_wrap=True)


def _answerer(result: AskResult) -> str:
    """Who gave an answer, and what it took."""
    told = [f"{result.provider}/{result.model}"]
    if result.usage.input_tokens is not None:
        told.append(f"{count(result.usage.input_tokens, 'token')} read")
    if result.usage.output_tokens is not None:
        told.append(f"{result.usage.output_tokens:,} written")
    return printable_line(", ".join(told))


def _log_line(line: str) -> Text:
    """One JSON line of the log for people; any other line as it is."""
    try:
        entry = json.loads(line)
        when = datetime.fromisoformat(entry.pop("time")).astimezone()
        level, event = str(entry.pop("level")), str(entry.pop("event"))
    except (ValueError, KeyError, TypeError, AttributeError):
        return Text(printable_line(line))
    entry.pop("logger", None)
    shown = Text(f"{when:%m-%d %H:%M:%S} ", style="dim")
    shown.append(f"{printable_line(level):<8}", _STYLES.get(level, ""))
    shown.append(printable_line(event))
    for name, value in entry.items():
        text = value if isinstance(value, str) else json.dumps(value, ensure_ascii=False)
        shown.append(printable_line(f"  {name}={text}"), "dim")
    return shown
