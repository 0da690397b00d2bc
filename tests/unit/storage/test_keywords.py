"""The keyword index: ranked by BM25, published as a whole, rebuilt when damaged."""

import random
from pathlib import Path

import pytest

from lucastrad.storage.keywords import Field, KeywordChunk, KeywordIndex, verified_seq
from lucastrad.storage.records import ChunkSpan

BOOSTS = {Field.BODY: 1.0, Field.SYMBOL: 2.0, Field.PATH: 1.0}


def chunk(i: int, body: str, *, group: int | None = None, symbol: str = "", path: str = "") -> KeywordChunk:
    return KeywordChunk(i, group or i, body, symbol, path, "")


def found(index: KeywordIndex, *terms: str) -> list[int]:
    return [i for i, _ in index.search([(term, 1.0) for term in terms], BOOSTS, 10)]


@pytest.fixture
def index(tmp_path: Path) -> KeywordIndex:
    return KeywordIndex(tmp_path / "keywords")


def test_more_matching_terms_rank_higher_and_symbols_count_more(index: KeywordIndex) -> None:
    index.add([chunk(1, "load"), chunk(2, "load config"), chunk(3, "other", symbol="load config")])
    index.commit(1)
    assert found(index, "load", "config") == [3, 2, 1]


def test_a_search_within_spans_finds_what_is_there_with_the_scores_it_has_without(index: KeywordIndex) -> None:
    index.add([chunk(i, "load " * (1 + i % 3)) for i in range(1, 41)])
    index.commit(1)
    terms = [("load", 1.0)]
    everywhere = dict(index.search(terms, BOOSTS, 100))
    spans = [ChunkSpan(3, 5), ChunkSpan(20, 20)]
    within = dict(index.search(terms, BOOSTS, 100, spans))
    assert within == {i: everywhere[i] for i in (3, 4, 5, 20)}
    assert len(index.search(terms, BOOSTS, 2, spans)) == 2
    assert index.search(terms, BOOSTS, 100, [ChunkSpan(50, 60)]) == []


def test_pairs_count_where_they_stand_side_by_side_and_in_their_order(index: KeywordIndex) -> None:
    bodies = ("cache is full now", "full cache", "cache full", "full now then cache full", "cache now full", "other")
    index.add([chunk(i, body, symbol="cache full") for i, body in enumerate(bodies, 1)])
    index.commit(1)
    weights = {("cache", "full"): 0.5, ("full", "now"): 0.25, ("no", "where"): 9.0}
    assert dict(index.adjacent(weights, 10)) == {1: 0.25, 3: 0.5, 4: 0.75}
    assert index.adjacent(weights, 2) == [(4, 0.75), (3, 0.5)]
    assert dict(index.adjacent(weights, 10, [ChunkSpan(1, 3)])) == {1: 0.25, 3: 0.5}
    assert index.adjacent({}, 10) == []


def test_a_phrase_is_found_where_all_its_words_stand_in_a_row(index: KeywordIndex) -> None:
    bodies = ("cache is full now", "cache full is", "is full now", "now cache is full", "full is cache")
    index.add([chunk(i, body, symbol="cache is full") for i, body in enumerate(bodies, 1)])
    index.commit(1)
    assert {id_ for id_, _ in index.phrase(("cache", "is", "full"), 10)} == {1, 4}
    assert len(index.phrase(("is", "full"), 2)) == 2
    assert [id_ for id_, _ in index.phrase(("is", "full"), 10, [ChunkSpan(3, 3)])] == [3]
    assert index.phrase(("no", "where"), 10) == []


@pytest.mark.parametrize(
    ("typed", "found"),
    [
        ("parseledger", {1}),
        ("parselegder", {1, 2}),
        ("parsel", {1, 2}),
        ("parsecart", set()),
        ("pay", {3}),
        ("pai", set()),
        ("par", set()),
    ],
)
def test_a_name_is_found_exactly_or_else_by_its_beginning_or_with_a_wrong_letter(
    index: KeywordIndex, typed: str, found: set[int]
) -> None:
    names = {1: "parseledger", 2: "parseledgers", 3: "pay", 4: ""}
    index.add([KeywordChunk(id_, id_, "parse ledger pay", "", "", name) for id_, name in names.items()])
    index.commit(1)
    exactly = {id_ for id_, _ in index.named(typed, 10)}
    assert (exactly or {id_ for id_, _ in index.named_alike(typed, 10)}) == found
    assert {id_ for id_, _ in index.named_alike(typed, 10, [ChunkSpan(4, 9)])} == set()
    assert {id_ for id_, _ in index.named_alike("parseledge", 10, [ChunkSpan(2, 9)])} == {2}


def test_frequencies_count_bodies(index: KeywordIndex) -> None:
    index.add([chunk(1, "load load", path="budget"), chunk(2, "load budget")])
    index.commit(1)
    assert index.frequencies(["load", "budget", "nowhere"]) == {"load": 2, "budget": 1, "nowhere": 0}


def test_rare_words_tell_who_holds_them_in_the_body(index: KeywordIndex) -> None:
    index.add([chunk(i, "load budget" if i in (2, 5) else "load", path="budget") for i in range(1, 7)])
    index.commit(1)
    held = index.holders(["load", "budget", "nowhere"], most=2)
    assert {term: sorted(chunks) for term, chunks in held.items()} == {"nowhere": [], "budget": [2, 5]}


def test_the_rarest_words_take_what_room_there_is(index: KeywordIndex) -> None:
    index.add([chunk(i, " ".join(f"w{width}" for width in (1, 2, 3) if i <= width)) for i in range(1, 7)])
    index.commit(1)
    assert index.holders(["w3", "w2", "w1"], most=3).keys() == {"w1", "w2"}


def test_deleted_chunks_make_no_word_more_common(index: KeywordIndex) -> None:
    index.add([chunk(i, "budget") for i in (1, 2)])
    index.commit(1)
    index.delete([1, 2])
    index.add([chunk(i, "budget") for i in (3, 4)])
    index.commit(2)
    assert sorted(index.holders(["budget"], most=2)["budget"]) == [3, 4]


def test_nothing_is_visible_before_the_commit(index: KeywordIndex) -> None:
    index.add([chunk(1, "load")])
    assert found(index, "load") == []
    index.commit(1)
    assert found(index, "load") == [1]


def test_a_deleted_version_of_a_file_goes_with_all_its_chunks(index: KeywordIndex) -> None:
    index.add([chunk(1, "load", group=1), chunk(2, "load", group=1), chunk(3, "load", group=3)])
    index.commit(1)
    index.delete([1])
    index.commit(2)
    assert found(index, "load") == [3]


def test_applying_a_transaction_twice_leaves_it_as_once(index: KeywordIndex) -> None:
    for _ in range(2):
        index.delete([1])
        index.add([chunk(1, "load", group=1)])
    index.commit(1)
    assert found(index, "load") == [1]
    assert len(index) == 1


def test_a_reopened_index_stands_where_it_was_committed(index: KeywordIndex, tmp_path: Path) -> None:
    index.add([chunk(1, "load")])
    index.commit(7)
    index.add([chunk(2, "load")])
    index.close()
    again = KeywordIndex(tmp_path / "keywords")
    assert again.reached == 7
    assert found(again, "load") == [1]


def test_an_empty_query_and_an_unknown_word_find_nothing(index: KeywordIndex) -> None:
    index.add([chunk(1, "load")])
    index.commit(1)
    assert found(index) == []
    assert found(index, "zebra") == []


def test_a_segment_that_has_lost_a_file_is_noticed(tmp_path: Path) -> None:
    folder = tmp_path / "keywords"
    index = KeywordIndex(folder)
    index.add([chunk(1, "load config", symbol="sym", path="a")])
    index.commit(5)
    index.close()
    names = [path.name for path in folder.iterdir() if path.suffix in {".idx", ".pos", ".term", ".store", ".fast"}]
    assert len(names) == 5
    for name in names:
        content = (folder / name).read_bytes()
        (folder / name).unlink()
        with pytest.raises(ValueError, match="has lost files"):
            verified_seq(folder)
        (folder / name).write_bytes(content)
    assert verified_seq(folder) == 5


def test_every_mutated_file_is_noticed_and_the_index_starts_anew(tmp_path: Path) -> None:
    folder = tmp_path / "keywords"
    index = KeywordIndex(folder)
    index.add([chunk(i, f"word{i} load config", symbol="sym", path="a b") for i in range(1, 200)])
    index.commit(5)
    index.delete([3])
    index.commit(6)
    index.close()
    good = {path.name: path.read_bytes() for path in folder.iterdir() if path.suffix != ".lock"}
    draw = random.Random(1)
    checked = 0
    for name, data in sorted(good.items()):
        if name in ("meta.json", "state.json", ".managed.json") or not data:
            continue
        for _ in range(8):
            for other, content in good.items():
                (folder / other).write_bytes(content)
            at = draw.randrange(len(data))
            mutated = bytearray(data)
            mutated[at] ^= 1 << draw.randrange(8)
            (folder / name).write_bytes(bytes(mutated) if draw.random() < 0.7 else data[:at])
            reopened = KeywordIndex(folder)
            assert (reopened.reached, len(reopened)) in ((0, 0), (6, 198)), name
            if reopened.reached == 6:
                assert 3 not in found(reopened, "word3", "sym")
            reopened.close()
            checked += 1
    assert checked >= 40


@pytest.mark.parametrize("name", ["meta.json", "state.json"])
@pytest.mark.parametrize("content", [b"", b"{", b"[]", b'{"segments": 3}', b"\x00" * 100])
def test_a_damaged_description_starts_the_index_anew(tmp_path: Path, name: str, content: bytes) -> None:
    folder = tmp_path / "keywords"
    index = KeywordIndex(folder)
    index.add([chunk(1, "load")])
    index.commit(5)
    index.close()
    (folder / name).write_bytes(content)
    again = KeywordIndex(folder)
    assert again.reached == 0
    again.add([chunk(2, "load")])
    again.commit(6)
    assert found(again, "load") == [2]
