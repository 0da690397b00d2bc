"""Names as users type them: with a letter wrong, all in lower case, or not to the end. Where the name is defined is the
answer.

They are the symbols of the code itself, drawn with a fixed seed; each is defined once, and has two words at least.
"""

import random
import re
from collections import defaultdict
from collections.abc import Callable
from dataclasses import replace

from benchmarks.retrieval import bars
from benchmarks.retrieval.scoring import Question, Target
from benchmarks.retrieval.searcher import Searcher
from benchmarks.retrieval.systems import Corpus
from lucastrad.text.words import last_part, spelling
from lucastrad.types import StoredChunk

_SEED = 20_261_126
_OF_EACH = 60
_NAME = re.compile(r"[A-Za-z]\w*(?:[a-z][A-Z]|[^\W_]_[^\W_])\w*")
_SHORTEST = 9
_TYPED = 2 / 3
"""Of the letters of a name that is not typed to its end."""


def corpus(one: Corpus) -> Corpus:
    """The same corpus with questions for its names."""
    defined: defaultdict[str, list[tuple[str, StoredChunk]]] = defaultdict(list)
    with Searcher(one.store) as searcher:
        for chunk in searcher.chunks():
            name = last_part(chunk.symbol)
            defined[name.lower()].append((name, chunk))
    once = [found[0] for _, found in sorted(defined.items()) if len(found) == 1]
    telling = [found for found in once if len(found[0]) >= _SHORTEST and _NAME.fullmatch(found[0])]
    drawn = random.Random(_SEED)
    chosen = drawn.sample(telling, min(_OF_EACH, len(telling)))
    kinds: tuple[tuple[str, Callable[[str], str]], ...] = (
        (bars.WRONG_LETTER, lambda name: misspelt(name, drawn)),
        (bars.LOWER_CASE, lambda name: name.replace("_", "").lower()),
        (bars.BEGINNING, lambda name: name[: round(len(name) * _TYPED)]),
    )
    questions = []
    for index, (name, chunk) in enumerate(chosen):
        category, typed = kinds[index % len(kinds)]
        target = Target(chunk.path, chunk.start_line, chunk.end_line)
        questions.append(Question(typed(name), (target,), category))
    return replace(one, questions=questions)


def misspelt(name: str, drawn: random.Random) -> str:
    """With two letters swapped, one left out, or one twice; a separator is no letter."""
    while True:
        at = drawn.randrange(1, len(name) - 2)
        typed = drawn.choice(
            [
                name[:at] + name[at + 1] + name[at] + name[at + 2 :],
                name[:at] + name[at + 1 :],
                name[:at] + name[at] + name[at:],
            ]
        )
        if spelling(typed) != spelling(name):
            return typed
