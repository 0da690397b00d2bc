"""Lines of code as users paste them: the passage that holds the line is the answer, as it is for grep.

They are drawn from the code itself, with a fixed seed; each stands in one passage only.
"""

import random
from collections import defaultdict
from dataclasses import replace

from benchmarks.retrieval import bars
from benchmarks.retrieval.scoring import Question, Target
from benchmarks.retrieval.searcher import Searcher
from benchmarks.retrieval.systems import Corpus
from lucastrad.text.words import terms
from lucastrad.types import StoredChunk

_SEED = 20_261_125
_OF_EACH = 60
_LEAST_TERMS = 3
_LENGTHS = range(25, 111)


def corpus(one: Corpus) -> Corpus:
    """The same corpus with lines of it: a third alone, a third with the next one, a third in a question."""
    held: defaultdict[str, list[tuple[StoredChunk, int]]] = defaultdict(list)
    """Line → passages, and its number there."""
    with Searcher(one.store) as searcher:
        for chunk in searcher.chunks():
            for number, line in enumerate(chunk.text.split("\n")):
                held["".join(line.lower().split())].append((chunk, number))
    once = [places[0] for _, places in sorted(held.items()) if len(places) == 1]
    once = [(chunk, number) for chunk, number in once if _is_telling(chunk, number, one.language)]
    chosen = random.Random(_SEED).sample(once, min(_OF_EACH, len(once)))
    return replace(one, questions=[_question(*place, index) for index, place in enumerate(chosen)])


def _is_telling(chunk: StoredChunk, number: int, language: str) -> bool:
    lines = chunk.text.split("\n")
    line = lines[number].strip()
    has_next = number + 1 < len(lines) and bool(lines[number + 1].strip())
    is_comment = line.startswith(("#", "//", "*", '"""'))
    return (
        chunk.language == language
        and has_next
        and not is_comment
        and len(line) in _LENGTHS
        and len(terms(line)) >= _LEAST_TERMS
    )


def _question(chunk: StoredChunk, number: int, index: int) -> Question:
    lines = chunk.text.split("\n")
    line = lines[number].strip()
    text, category = (
        (line, bars.LINE),
        ("\n".join(lines[number : number + 2]), bars.TWO_LINES),
        (f"where is `{line}`", bars.ASKED),
    )[index % 3]
    at = chunk.start_line + number
    return Question(text, (Target(chunk.path, at, at),), category)
