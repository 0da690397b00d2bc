"""How results are shown: with colours on a terminal, as plain text in a pipe, as JSON on request."""

from collections.abc import Iterable
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Literal, Protocol, TextIO

from lucastra_protocol.types import AskResult, SearchResult

from lucastra_client.rendering.reports import Report
from lucastra_client.rendering.writing import Writing

if TYPE_CHECKING:
    from rich.console import Console


class Renderer(Protocol):
    """Writes one result to standard output."""

    def search(self, query: str, result: SearchResult) -> None: ...

    def writing(self) -> Writing:
        """Shows an answer while it is written; `answer` then shows what belongs to it."""
        ...

    def answer(
        self, question: str, result: AskResult, *, conversation: str | None = None, written: bool = False
    ) -> None:
        """The whole answer with its sources; those only where its text has been `written` already."""
        ...

    def report(self, report: Report) -> None: ...

    def log(self, lines: Iterable[str]) -> None:
        """Lines of the daemon's log, JSON objects, each shown as it comes."""
        ...


@dataclass(frozen=True, slots=True)
class View:
    """What of a result is shown, and from where."""

    cwd: Path
    full: bool = False
    explain: bool = False


Color = Literal["auto", "always", "never"]


def renderer(out: TextIO, view: View, *, json: bool, color: Color, events: bool = False) -> Renderer:
    """The renderer for an output: JSON when asked for, rich on a terminal or with `always`, else plain.

    `events` asks for JSON too, of an answer's events as they come.
    """
    if json or events:
        from lucastra_client.rendering.document import DocumentRenderer, EventRenderer

        return EventRenderer(out, view) if events else DocumentRenderer(out, view)
    if color == "always" or out.isatty():
        from lucastra_client.rendering.human import HumanRenderer

        return HumanRenderer(console(out, color), view)
    from lucastra_client.rendering.plain import PlainRenderer

    return PlainRenderer(out, view)


def console(out: TextIO, color: Color) -> "Console":
    """A rich console; `auto` leaves the decision to the terminal, NO_COLOR and TERM."""
    from rich.console import Console

    if color == "never":
        return Console(file=out, color_system=None, highlight=False)
    if color == "always":
        return Console(file=out, force_terminal=True, no_color=False, highlight=False)
    return Console(file=out, highlight=False)
