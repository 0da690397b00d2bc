"""What every program is asked for: the same project, queries, lines and questions."""

import itertools
from collections.abc import Callable, Iterable, Iterator, Mapping
from dataclasses import dataclass, field
from pathlib import Path
from typing import TYPE_CHECKING, Any

from benchmarks.editors.results import Model, Program

if TYPE_CHECKING:
    from model_server import ModelServer

PATIENCE_SECONDS = 60.0
"""What is not shown by then counts as never shown."""
COMPLETION_SECONDS = 15.0
"""The same for completions: longer than the daemon's own deadline."""
_FIRST_SEARCHES = 10
HEADER = 'def doubled(number):\n    """Twice the number."""\n    return number * 2\n\n\n'
"""What stands above the lines that are completed, so that a model has something to go on with."""


@dataclass(frozen=True, slots=True)
class Counts:
    """How often a model is asked."""

    completions: int
    questions: int


@dataclass(frozen=True, slots=True)
class Plan:
    """How often each is measured."""

    searches: int
    instant: Counts
    real: Counts
    neovim_kills: int
    vscode_kills: int

    def of(self, model: Model) -> Counts:
        """How often that model is asked."""
        return self.real if model is Model.REAL else self.instant


QUICK = Plan(15, Counts(20, 10), Counts(5, 3), neovim_kills=27, vscode_kills=3)
FULL = Plan(100, Counts(100, 50), Counts(30, 10), neovim_kills=80, vscode_kills=20)


@dataclass(frozen=True, slots=True)
class Scene:
    """One run, as the programs see it."""

    project: Path
    names: list[str]
    """Of functions and classes of the project: what the editors' own searches can find too."""
    questions: list[str]
    plan: Plan
    instant: "ModelServer"
    use: Callable[[Model], None]
    """Changes the daemon's model, from the thread in which an editor is driven."""
    _numbers: Iterator[int] = field(default_factory=lambda: itertools.count(1))

    def probe(self, program: Program) -> Path:
        """The file of the project in which a program completes lines; never saved."""
        return self.project / f"probe_{program.lower().replace(' ', '_')}.py"

    @property
    def first_names(self) -> list[str]:
        """Names that no program is measured with, for the searches with which a daemon becomes warm."""
        return self.names[-_FIRST_SEARCHES:]

    def names_of(self, program: Program) -> list[str]:
        """The names that a program searches for; other ones than the others', as the daemon might remember them."""
        first = list(Program).index(program) * self.plan.searches
        return self.names[first : first + self.plan.searches]

    def lines(self, count: int) -> "Iterator[Line]":
        """So many lines that no program has completed yet."""
        return (Line(number) for number in itertools.islice(self._numbers, count))

    def asked(self, count: int) -> Iterator[str]:
        """So many questions, again from the first after the last."""
        return itertools.islice(itertools.cycle(self.questions), count)


@dataclass(frozen=True, slots=True)
class Line:
    """A line to complete; a new one each time, since the daemon keeps what it has completed."""

    number: int

    @property
    def typed(self) -> str:
        """All but the space, which is the key that is measured."""
        return f"doubled_{self.number} ="

    @property
    def mark(self) -> str:
        """A name in the completion, by which it is told from an earlier one."""
        return f"measured_{self.number}"

    @property
    def fill(self) -> str:
        """What the instant model offers."""
        return f"doubled({self.mark})"

    def is_in(self, requests: Iterable[Mapping[str, Any]]) -> bool:
        """Whether a model was asked to go on from what is typed."""
        return any(str(value).endswith(self.typed) for request in list(requests) for value in request.values())
