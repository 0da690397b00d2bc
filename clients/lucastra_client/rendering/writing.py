"""Answers on the screen while they are written.

Invariant: what has been written stays as it stands when the block ends, however it ends.
"""

from collections.abc import Iterator
from contextlib import AbstractContextManager
from types import TracebackType
from typing import TYPE_CHECKING, Protocol, Self, TextIO

from lucastra_protocol.answers import AnswerEvent, DeltaEvent, PassagesEvent

from lucastra_client.rendering.text import count, printable

if TYPE_CHECKING:
    from rich.console import Console, ConsoleOptions, RenderableType
    from rich.live import Live
    from rich.segment import Segment

_FRAMES_PER_SECOND = 12.0


class Writing(AbstractContextManager["Writing"], Protocol):
    """Takes the events of one answer."""

    written: bool
    """Whether text of the answer was shown."""

    def take(self, event: AnswerEvent) -> None:
        """Show what came."""
        ...


class Unshown:
    """Shows nothing before the whole answer is there."""

    written = False

    def take(self, event: AnswerEvent) -> None:
        """Leave it."""

    def __enter__(self) -> Self:
        return self

    def __exit__(
        self, kind: type[BaseException] | None, value: BaseException | None, traceback: TracebackType | None
    ) -> None:
        pass


class PlainWriting:
    """Writes each piece as it comes."""

    def __init__(self, out: TextIO) -> None:
        self._out = out
        self._held = ""
        self._last = "\n"
        self.written = False

    def take(self, event: AnswerEvent) -> None:
        """Write the text, flushed."""
        if not isinstance(event, DeltaEvent):
            return
        self.written = True
        text = self._held + event.text
        self._held = "\r" if text.endswith("\r") else ""  # the first half of a line's end, perhaps
        self._write(text.removesuffix(self._held))

    def _write(self, text: str) -> None:
        if text:
            self._out.write(printable(text))
            self._last = text[-1]
            self._out.flush()

    def __enter__(self) -> Self:
        return self

    def __exit__(
        self, kind: type[BaseException] | None, value: BaseException | None, traceback: TracebackType | None
    ) -> None:
        self._write(self._held)
        if self._last != "\n":
            self._write("\n")


class MarkdownWriting:
    """Renders Markdown at a terminal: finished blocks for good, the block that is being written again and again.

    Only that block is redrawn, and no more of it than fits: a terminal cannot take back what has scrolled away.
    """

    def __init__(self, console: "Console") -> None:
        self._console = console
        self._live: Live | None = None
        self._waiting = ""
        self._open = ""
        """The text that does not stand for good."""
        self._blocks = 0
        self.written = False

    def take(self, event: AnswerEvent) -> None:
        """Add the text, and print the blocks that it finishes."""
        if isinstance(event, PassagesEvent):
            self._waiting = f"reading {count(len(event.citations), 'passage')} …" if event.citations else ""
        elif isinstance(event, DeltaEvent):
            self.written = True
            self._open += event.text
            if "\n" in event.text:
                finished, self._open = finished_blocks(self._open)
                self._print(finished)

    def _print(self, text: str) -> None:
        if text.strip():
            if self._blocks:
                self._console.print()
            self._blocks += 1
            self._console.print(markdown(text))

    def _tail(self) -> "RenderableType":
        from rich.text import Text

        if self._open.strip():
            return _Tail(markdown(self._open), gap=bool(self._blocks))
        return Text("" if self.written else self._waiting, style="dim")

    def __enter__(self) -> Self:
        if self._console.is_terminal:
            from rich.live import Live

            self._live = Live(
                console=self._console,
                get_renderable=self._tail,
                refresh_per_second=_FRAMES_PER_SECOND,
                transient=True,
                redirect_stdout=False,
                redirect_stderr=False,
            )
            self._live.start()
        return self

    def __exit__(
        self, kind: type[BaseException] | None, value: BaseException | None, traceback: TracebackType | None
    ) -> None:
        rest, self._open = self._open, ""
        if self._live is not None:
            self._live.stop()
        self._print(rest)


class _Tail:
    """The last lines of what is rendered, as many as the terminal can redraw."""

    def __init__(self, rendered: "RenderableType", *, gap: bool) -> None:
        self._rendered = rendered
        self._gap = gap

    def __rich_console__(self, console: "Console", options: "ConsoleOptions") -> "Iterator[Segment]":
        from rich.segment import Segment

        lines = console.render_lines(self._rendered, options, pad=False)
        if self._gap:
            lines.insert(0, [])
        for line in lines[-max(1, console.size.height - 2) :]:
            yield from line
            yield Segment.line()


def markdown(text: str) -> "RenderableType":
    """Markdown of a model, fit to be shown."""
    from rich.markdown import Markdown

    # hyperlinks=False: an answer can repeat text of indexed files, whose links stay unclickable.
    return Markdown(printable(text), hyperlinks=False)


def finished_blocks(text: str) -> tuple[str, str]:
    """Split Markdown before its last block, which the lines to come may still belong to.

    Only whole lines are judged: `-` begins a list, a rule or a word.
    """
    from markdown_it import MarkdownIt

    lines = text.split("\n")
    whole = "\n".join(lines[:-1]) + "\n"
    blocks = MarkdownIt().enable("table").parse(whole)
    starts = [token.map[0] for token in blocks if token.level == 0 and token.map is not None and token.nesting >= 0]
    if len(starts) < 2:
        return "", text
    return "\n".join(lines[: starts[-1]]) + "\n", "\n".join(lines[starts[-1] :])
