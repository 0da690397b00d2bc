"""The command line that the benchmarks share."""

import argparse
import dataclasses
import json
import signal
import sys
import tempfile
from collections.abc import Awaitable, Callable, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Protocol

import trio

from benchmarks.bars import Verdict, shortfalls
from benchmarks.corpora import DEFAULT_CACHE
from benchmarks.errors import reasons


@dataclass(frozen=True, slots=True)
class Options:
    """What was asked for."""

    quick: bool
    check: bool
    json: Path | None
    cache: Path

    def run(self, measure: Callable[[Path], Awaitable[None]]) -> None:
        """Run `measure` with a folder of its own; SIGTERM ends it as Ctrl-C does, so that its daemons end too."""
        self.cache.mkdir(parents=True, exist_ok=True)
        # On the disk of the cache folder: /tmp may be memory, which flatters a store.
        with tempfile.TemporaryDirectory(prefix="run-", dir=self.cache, ignore_cleanup_errors=True) as folder:
            trio.run(_until_terminated, measure, Path(folder).resolve())


async def _until_terminated(measure: Callable[[Path], Awaitable[None]], scratch: Path) -> None:
    async def watch(*, task_status: trio.TaskStatus[None] = trio.TASK_STATUS_IGNORED) -> None:
        with trio.open_signal_receiver(signal.SIGTERM) as signals:
            task_status.started()
            async for _ in signals:
                raise KeyboardInterrupt

    async with trio.open_nursery() as nursery:
        await nursery.start(watch)
        await measure(scratch)
        nursery.cancel_scope.cancel()


class Report(Protocol):
    """What a benchmark returns: a dataclass, all of which `--json` writes."""

    @property
    def verdicts(self) -> list[Verdict]: ...

    def lines(self) -> list[str]:
        """The report as text, without the bars."""
        ...


def main(
    program: str, description: str, measure: Callable[[Options], Report], arguments: Sequence[str] | None = None
) -> int:
    """Measure and print; returns 0, 1 when `--check` finds a bar that is not met, 2 when it cannot be measured."""
    options = parse(program, description, arguments)
    try:
        report = measure(options)
    except BaseException as error:
        if (messages := reasons(error)) is None:
            raise
        print(*(f"{program}: {message}" for message in messages), sep="\n", file=sys.stderr)
        return 2
    print("\n".join(report.lines()))
    print("\nBars")
    for verdict in report.verdicts:
        print(f"  {verdict}")
    if options.json is not None:
        options.json.write_text(to_json(report), encoding="utf-8")
    short = shortfalls(report.verdicts)
    if options.check and short:
        names = "; ".join(f"{verdict.subject}: {verdict.name}" for verdict in short)
        print(f"\n{len(short)} of {len(report.verdicts)} bars are not met: {names}", file=sys.stderr)
        return 1
    return 0


def parse(program: str, description: str, arguments: Sequence[str] | None = None) -> Options:
    """Parse the command line; leaves the process for --help and errors."""
    parser = argparse.ArgumentParser(prog=f"python -m {program}", description=description)
    parser.add_argument("--quick", action="store_true", help="fewer repetitions, the smallest corpus; under 5 minutes")
    parser.add_argument("--check", action="store_true", help="exit with 1 when a bar is not met")
    parser.add_argument("--json", type=Path, metavar="FILE", help="write everything that was measured")
    parser.add_argument(
        "--cache", type=Path, metavar="FOLDER", default=DEFAULT_CACHE, help="corpora and tools (default: %(default)s)"
    )
    found = parser.parse_args(arguments)
    return Options(quick=found.quick, check=found.check, json=found.json, cache=found.cache.absolute())


def to_json(report: Report) -> str:
    """The report as a JSON document."""
    assert dataclasses.is_dataclass(report) and not isinstance(report, type)
    return json.dumps(dataclasses.asdict(report), indent=2) + "\n"


def step(text: str) -> None:
    """Tell what is measured now, on standard error."""
    print(f"... {text}", file=sys.stderr, flush=True)
