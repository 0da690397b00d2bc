"""BM25 of chunks beside an index is that of tantivy within it."""

import random
from collections import Counter
from pathlib import Path

import pytest

from lucastrad.storage.bm25 import bm25
from lucastrad.storage.keywords import Field, KeywordChunk, KeywordIndex

_WORDS = ("load", "config", "parse", "x1", "42")
_BOOSTS = {Field.BODY: 1.0, Field.SYMBOL: 2.5, Field.PATH: 1.2}
_QUERY = [("load", 1.0), ("42", 2.0)]


def _filled(folder: Path) -> tuple[KeywordIndex, dict[int, dict[Field, list[str]]]]:
    """An index of chunks of all lengths, with a segment that has lost some."""
    choice = random.Random(1)
    index = KeywordIndex(folder)
    chunks: dict[int, dict[Field, list[str]]] = {}
    for seq in (1, 2):
        for number in range(seq * 100, seq * 100 + 60):
            lengths = {Field.BODY: choice.randrange(1, 3000), Field.SYMBOL: choice.randrange(3), Field.PATH: 3}
            chunks[number] = {field: choice.choices(_WORDS, k=length) for field, length in lengths.items()}
        added = [(number, chunk) for number, chunk in chunks.items() if number >= seq * 100]
        index.add(
            KeywordChunk(number, number, *(" ".join(chunk[field]) for field in Field), "") for number, chunk in added
        )
        index.commit(seq)
    index.delete([100, 101, 102])
    index.commit(3)
    return index, chunks


def test_a_score_is_the_one_that_the_index_gives(tmp_path: Path) -> None:
    index, chunks = _filled(tmp_path)
    statistics = index.statistics([term for term, _ in _QUERY])
    found = index.search(_QUERY, _BOOSTS, 1000)
    assert len(found) == 117
    for number, score in found:
        ours = 0.0
        for field, words in chunks[number].items():
            counts = Counter(words)
            for term, weight in _QUERY:
                if counts[term]:
                    ours += weight * _BOOSTS[field] * bm25(statistics[field], term, counts[term], len(words))
        assert ours == pytest.approx(score, rel=1e-4)
    index.close()


def test_statistics_follow_each_commit(tmp_path: Path) -> None:
    index = KeywordIndex(tmp_path)
    empty = index.statistics(["load"])[Field.BODY]
    assert (empty.documents, empty.average_length, empty.frequencies["load"]) == (0, 0.0, 0)
    assert bm25(empty, "load", 1, 7) > 0
    index.add([KeywordChunk(1, 1, "load load zzz", "", "a", "")])
    index.commit(1)
    one = index.statistics(["load"])
    assert (one[Field.BODY].documents, one[Field.BODY].average_length) == (1, 3.0)
    assert one[Field.SYMBOL].average_length == 0.0
    index.add([KeywordChunk(2, 2, "x", "load", "b", "load")])
    index.commit(2)
    two = index.statistics(["load", "none"])
    assert two[Field.BODY].average_length == 2.0
    assert two[Field.BODY].frequencies == {"load": 1, "none": 0}
    assert two[Field.SYMBOL].frequencies["load"] == 1
    index.close()


def test_a_rare_term_is_worth_more_than_a_common_one_and_a_new_one_most(tmp_path: Path) -> None:
    index, _ = _filled(tmp_path)
    index.add([KeywordChunk(999, 999, "rare", "", "a", "")])
    index.commit(4)
    body = index.statistics(["load", "rare", "new"])[Field.BODY]
    assert bm25(body, "load", 1, 50) < bm25(body, "rare", 1, 50) < bm25(body, "new", 1, 50)
    index.close()
