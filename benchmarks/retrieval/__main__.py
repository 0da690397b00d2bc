"""`python -m benchmarks.retrieval [--quick] [--check] [--json FILE]`"""

import sys
from dataclasses import dataclass, field
from pathlib import Path

import trio

from benchmarks.bars import Bar, Demand, Verdict
from benchmarks.command import Options, main, step
from benchmarks.corpora import DJANGO
from benchmarks.daemon import open_daemon
from benchmarks.machine import Machine
from benchmarks.retrieval.questions import DJANGO_QUESTIONS

FIRST = 3
ANSWERED = Bar("questions with the right file among the first three passages", Demand.AT_LEAST, 8)


@dataclass(slots=True)
class RetrievalReport:
    """Rank of the right file for each question; None where it is not among the first ten."""

    machine: Machine
    corpus: str
    ranks: dict[str, int | None] = field(default_factory=dict)
    verdicts: list[Verdict] = field(default_factory=list)

    def lines(self) -> list[str]:
        """The report as text, without the bars."""
        rows = [f"  {rank or '-':>4}  {question}" for question, rank in self.ranks.items()]
        return [str(self.machine), f"{self.corpus}: rank of the right file", "", *rows]


def measure(options: Options) -> RetrievalReport:
    """Ask every question as `lucastra-client ask` would."""
    report = RetrievalReport(Machine.here(), DJANGO.name)

    async def run(scratch: Path) -> None:
        tree = await trio.to_thread.run_sync(DJANGO.tree, options.cache)
        step(f"{DJANGO.name}: indexing")
        async with open_daemon(scratch) as daemon, daemon.client() as client:
            await client.index(tree)
            for question, files in DJANGO_QUESTIONS.items():
                answer = await client.ask(question, limit=10, workspaces=[tree])
                paths = [citation.hit.path for citation in answer.citations]
                report.ranks[question] = next((n for n, path in enumerate(paths, 1) if path in files), None)
        answered = sum(rank is not None and rank <= FIRST for rank in report.ranks.values())
        report.verdicts.append(ANSWERED.hold(answered, DJANGO.name))

    options.run(run)
    return report


if __name__ == "__main__":
    sys.exit(main("benchmarks.retrieval", "Measure whether the right file comes first.", measure))
