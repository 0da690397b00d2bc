"""Error messages as users paste them: the passage that raises one is the answer.

They are taken from the code itself, with a fixed seed: exceptions that are raised with a message of several words, each
raised in one place only. Values stand where the code has `{…}`.
"""

import ast
import random
from collections import defaultdict
from collections.abc import Iterator
from dataclasses import replace

from benchmarks.errors import BenchmarkError
from benchmarks.retrieval import bars
from benchmarks.retrieval.scoring import Question, Target
from benchmarks.retrieval.systems import Corpus

_SEED = 20_261_124
_OF_EACH = 40
_LEAST_WORDS = 4
_VALUES = ("'frobnicate'", "42", "<object at 0x7f2a>", "foo.bar", "None")


def corpus(one: Corpus) -> Corpus:
    """The same corpus with its messages, half of them behind the name of the exception."""
    if one.tree is None:
        raise BenchmarkError("messages are read from files")
    drawn = random.Random(_SEED)
    raised: defaultdict[str, list[tuple[str, Target]]] = defaultdict(list)
    for path in sorted(one.tree.rglob("*.py")):
        try:
            tree = ast.parse(path.read_bytes())
        except (SyntaxError, ValueError):
            continue
        for name, message in _raised(tree):
            said = _said(message, drawn)
            place = Target(path.relative_to(one.tree).as_posix(), message.lineno, message.end_lineno)
            raised[said].append((name, place))
    once = [said for said, places in sorted(raised.items()) if len(places) == 1 and len(said.split()) >= _LEAST_WORDS]
    questions = []
    for number, said in enumerate(drawn.sample(once, min(_OF_EACH, len(once)))):
        ((name, place),) = raised[said]
        asked, category = (f"{name}: {said}", bars.TYPED) if number % 2 else (said, bars.BARE)
        questions.append(Question(asked, (place,), category))
    return replace(one, questions=questions)


def _raised(tree: ast.AST) -> Iterator[tuple[str, ast.Constant | ast.JoinedStr]]:
    """The name of each exception that is raised with a message, and that message."""
    for node in ast.walk(tree):
        if not isinstance(node, ast.Raise) or not isinstance(node.exc, ast.Call) or not node.exc.args:
            continue
        called, message = node.exc.func, node.exc.args[0]
        name = called.id if isinstance(called, ast.Name) else called.attr if isinstance(called, ast.Attribute) else ""
        if isinstance(message, ast.JoinedStr) or (isinstance(message, ast.Constant) and isinstance(message.value, str)):
            yield name, message


def _said(message: ast.Constant | ast.JoinedStr, drawn: random.Random) -> str:
    """What a user sees."""
    if isinstance(message, ast.Constant):
        return str(message.value).strip()
    parts = (str(part.value) if isinstance(part, ast.Constant) else drawn.choice(_VALUES) for part in message.values)
    return "".join(parts).strip()
