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
from lucastrad.text.words import terms

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
    """By term, as an index has it."""
    words: set[str] = set()
    defined: set[str] = set()
    with Searcher(one.store) as searcher:
        for chunk in searcher.chunks():
            for term in set(terms(chunk.text)):
                files[term].add(chunk.path)
            if chunk.language == one.language:
                defined.update(_SPLIT.split(chunk.symbol))
                words.update(_SAID.findall(chunk.text))
    answers = {word: files[found[0]] for word in sorted(words - defined) if (found := terms(word))}
    rare = [word for word, paths in answers.items() if 0 < len(paths) <= _MOST_FILES]
    drawn = random.Random(_SEED)
    kinds = {
        bars.IDENTIFIER: [word for word in rare if _IDENTIFIER.search(word)],
        bars.WORD: [word for word in rare if _WORD.fullmatch(word)],
    }
    questions = [
        Question(drawn.choice(_FORMS).format(word), tuple(map(Target, sorted(answers[word]))), category)
        for category, words in kinds.items()
        for word in drawn.sample(words, min(_OF_EACH, len(words)))
    ]
    return replace(one, questions=questions)
