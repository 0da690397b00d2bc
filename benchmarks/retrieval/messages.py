"""Errors as users paste them: the passage that raises one is the answer.

They are taken from the code itself, with a fixed seed: exceptions that are raised with a message of several words, each
raised in one place only. Values stand where the code has `{…}`.
"""

import ast
import random
from collections import defaultdict
from collections.abc import Iterator
from dataclasses import dataclass, replace
from pathlib import Path

from benchmarks.errors import BenchmarkError
from benchmarks.retrieval import bars
from benchmarks.retrieval.scoring import Question, Target
from benchmarks.retrieval.systems import Corpus

_SEED = 20_261_124
_OF_EACH = 60
_LEAST_WORDS = 4
_FUNCTIONS = (ast.FunctionDef, ast.AsyncFunctionDef)
_VALUES = ("'frobnicate'", "42", "<object at 0x7f2a>", "foo.bar", "None")


@dataclass(frozen=True, slots=True)
class _Raised:
    """A place that raises."""

    path: str
    function: str
    line: int
    last_line: int
    source: str
    """The line, stripped."""
    exception: str
    message: str

    def traceback(self) -> str:
        """What Python prints, below a user's own frame."""
        return (
            "Traceback (most recent call last):\n"
            '  File "/home/ada/app/main.py", line 12, in <module>\n'
            "    main()\n"
            f'  File "/usr/lib/python3.11/site-packages/{self.path}", line {self.line}, in {self.function}\n'
            f"    {self.source}\n"
            f"{self.exception}: {self.message}"
        )


def corpus(one: Corpus) -> Corpus:
    """The same corpus with its errors: a third as messages, a third behind the exception's name, a third as
    tracebacks."""
    if one.tree is None:
        raise BenchmarkError("messages are read from files")
    drawn = random.Random(_SEED)
    said: defaultdict[str, list[_Raised]] = defaultdict(list)
    for path in sorted(one.tree.rglob("*.py")):
        for raised in _in_file(path, path.relative_to(one.tree).as_posix(), drawn):
            said[raised.message].append(raised)
    once = [places[0] for _, places in sorted(said.items()) if len(places) == 1]
    chosen = drawn.sample(once, min(_OF_EACH, len(once)))
    return replace(one, questions=[_question(raised, number) for number, raised in enumerate(chosen)])


def _question(raised: _Raised, number: int) -> Question:
    text, category = (
        (raised.message, bars.BARE),
        (f"{raised.exception}: {raised.message}", bars.TYPED),
        (raised.traceback(), bars.TRACEBACK),
    )[number % 3]
    return Question(text, (Target(raised.path, raised.line, raised.last_line),), category)


def _in_file(path: Path, relative: str, drawn: random.Random) -> Iterator[_Raised]:
    content = path.read_bytes()
    try:
        tree = ast.parse(content)
    except (SyntaxError, ValueError):
        return
    lines = content.decode("utf-8", "replace").split("\n")
    for function in [tree, *(node for node in ast.walk(tree) if isinstance(node, _FUNCTIONS))]:
        for node in _own(function):
            if not isinstance(node, ast.Raise) or not isinstance(node.exc, ast.Call) or not node.exc.args:
                continue
            message = _said(node.exc.args[0], drawn)
            if len(message.split()) >= _LEAST_WORDS:
                called = node.exc.func
                exception = called.id if isinstance(called, ast.Name) else getattr(called, "attr", "Exception")
                name = function.name if isinstance(function, _FUNCTIONS) else "<module>"
                source = lines[node.lineno - 1].strip()
                last = node.end_lineno or node.lineno
                yield _Raised(relative, name, node.lineno, last, source, exception, message)


def _own(function: ast.AST) -> Iterator[ast.AST]:
    """Its nodes, without those of functions in it."""
    for child in ast.iter_child_nodes(function):
        yield child
        if not isinstance(child, _FUNCTIONS):
            yield from _own(child)


def _said(message: ast.expr, drawn: random.Random) -> str:
    """What a user sees; empty where the code does not spell it."""
    if isinstance(message, ast.Constant):
        return message.value.strip() if isinstance(message.value, str) else ""
    if not isinstance(message, ast.JoinedStr):
        return ""
    parts = (str(part.value) if isinstance(part, ast.Constant) else drawn.choice(_VALUES) for part in message.values)
    return "".join(parts).strip()
