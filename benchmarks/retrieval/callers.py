"""Questions for the places that call a function: these are the answer, not its definition.

The functions are those of the code itself, drawn with a fixed seed; each is defined once, and called in a few places.
"""

import ast
import random
from collections import defaultdict
from dataclasses import replace

from benchmarks.errors import BenchmarkError
from benchmarks.retrieval import bars
from benchmarks.retrieval.scoring import Question, Target
from benchmarks.retrieval.systems import Corpus

_SEED = 20_261_127
_OF_EACH = 60
_MOST_CALLS = 3
_SHORTEST = 6
_FORMS = ((bars.CALLS, "who calls {}"), (bars.USAGES, "usages of {}"), (bars.USED, "where is {} used"))


def corpus(one: Corpus) -> Corpus:
    """The same corpus with questions for the callers of its functions."""
    if one.tree is None:
        raise BenchmarkError("calls are read from files")
    defined: defaultdict[str, int] = defaultdict(int)
    called: defaultdict[str, list[Target]] = defaultdict(list)
    for path in sorted(one.tree.rglob("*.py")):
        relative = path.relative_to(one.tree).as_posix()
        try:
            tree = ast.parse(path.read_bytes())
        except (SyntaxError, ValueError):
            continue
        for node in ast.walk(tree):
            if isinstance(node, ast.FunctionDef | ast.AsyncFunctionDef | ast.ClassDef):
                defined[node.name] += 1
            elif isinstance(node, ast.Call) and (name := _called(node.func)):
                called[name].append(Target(relative, node.lineno, node.lineno))
    few = [name for name, places in sorted(called.items()) if defined[name] == 1 and len(places) <= _MOST_CALLS]
    telling = [name for name in few if len(name) >= _SHORTEST]
    chosen = random.Random(_SEED).sample(telling, min(_OF_EACH, len(telling)))
    questions = []
    for index, name in enumerate(chosen):
        category, form = _FORMS[index % len(_FORMS)]
        questions.append(Question(form.format(name), tuple(called[name]), category))
    return replace(one, questions=questions)


def _called(function: ast.expr) -> str:
    if isinstance(function, ast.Name):
        return function.id
    return function.attr if isinstance(function, ast.Attribute) else ""
