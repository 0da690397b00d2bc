"""Questions about a word that one or two files of a corpus hold: these files are the answer, whatever else is near.

The words are drawn from the code itself, with a fixed seed; none is defined there as a symbol, since a definition is
found by its name.
"""

import random
import re
from collections import defaultdict
from dataclasses import replace

from benchmarks.retrieval import bars
from benchmarks.retrieval.scoring import Question, Target
from benchmarks.retrieval.searcher import Searcher
from benchmarks.retrieval.systems import Corpus

_SEED = 20_261_123
_OF_EACH = 20
_FORMS = ("where is {} used", "how is {} handled in the code", "{} and its default value", "what sets {}")
_MOST_FILES = 2
_SPLIT = re.compile(r"\W+")
_SAID = re.compile(r"\b[A-Za-z_]\w{4,39}\b")
_IDENTIFIER = re.compile(r"[a-z0-9][A-Z]|[^\W_]_[^\W_]")
_WORD = re.compile(r"[a-z]{6,}")


def corpus(one: Corpus) -> Corpus:
    """The same corpus with questions about its rare words."""
    files: defaultdict[str, set[str]] = defaultdict(set)
    defined: set[str] = set()
    with Searcher(one.store) as searcher:
        for chunk in searcher.chunks():
            if chunk.language == one.language:
                defined.update(_SPLIT.split(chunk.symbol))
                for word in set(_SAID.findall(chunk.text)):
                    files[word].add(chunk.path)
    rare = sorted(word for word, paths in files.items() if len(paths) <= _MOST_FILES and word not in defined)
    drawn = random.Random(_SEED)
    kinds = {
        bars.IDENTIFIER: [word for word in rare if _IDENTIFIER.search(word)],
        bars.WORD: [word for word in rare if _WORD.fullmatch(word)],
    }
    questions = [
        Question(drawn.choice(_FORMS).format(word), tuple(map(Target, sorted(files[word]))), category)
        for category, words in kinds.items()
        for word in drawn.sample(words, min(_OF_EACH, len(words)))
    ]
    return replace(one, questions=questions)
