"""What long work shows on standard error while it runs.

Invariant: nothing here writes to standard output.
"""

import re
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from typing import TextIO

from lucastra_protocol.types import WorkDone

from lucastra_client.rendering import Color, console
from lucastra_client.rendering.text import printable_line

OnProgress = Callable[[WorkDone], None]

_PHASE = re.compile(r"[^\d:(]*")
"""A message up to its numbers: `embedding 120/300` and `embedding 240/300` are one phase."""


@contextmanager
def progress(err: TextIO, title: str, *, quiet: bool, color: Color) -> Iterator[OnProgress]:
    """Yield the function that shows what the daemon reports of one piece of work.

    On a terminal that is a bar, which is gone when the work ends; elsewhere one line per phase.
    """
    if quiet:
        yield lambda _: None
    elif err.isatty() and color != "never":
        with _bar(err, title, color) as show:
            yield show
    else:
        yield PhaseLines(err, title)


class PhaseLines:
    """Writes a line when the work enters a phase for the first time."""

    def __init__(self, err: TextIO, title: str) -> None:
        self._err = err
        self._title = title
        self._seen: set[str] = set()

    def __call__(self, report: WorkDone) -> None:
        """Show one report."""
        if report.kind == "end" or not report.message:
            return
        phase = _PHASE.match(report.message)
        name = phase[0].strip() if phase is not None else ""
        if name and name not in self._seen:
            self._seen.add(name)
            print(printable_line(f"{self._title}: {name}"), file=self._err, flush=True)


@contextmanager
def _bar(err: TextIO, title: str, color: Color) -> Iterator[OnProgress]:
    from rich.markup import escape
    from rich.progress import BarColumn, Progress, TaskProgressColumn, TextColumn, TimeElapsedColumn

    columns = (
        TextColumn("{task.description}"),
        BarColumn(bar_width=30),
        TaskProgressColumn(),
        TextColumn("{task.fields[message]}", style="dim", markup=False),
        TimeElapsedColumn(),
    )
    with Progress(*columns, console=console(err, color), transient=True) as bar:
        # Without a total the bar pulses: the daemon cannot tell a percentage before it has scanned.
        task = bar.add_task(escape(printable_line(title)), total=None, message="")

        def show(report: WorkDone) -> None:
            if report.message is not None:
                bar.update(task, message=printable_line(report.message))
            if report.percentage is not None:
                bar.update(task, total=100, completed=report.percentage)

        yield show
