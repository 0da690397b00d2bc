"""Fusion and the features of code search, case by case."""

import pytest

from lucastrad.search.query import WordFamilies, names_of, parse
from lucastrad.search.ranking import (
    AS_CODE,
    CANDIDATES,
    COSINE_FLOOR,
    Candidate,
    Holders,
    Ranked,
    Weights,
    best,
    candidates_of,
    neighbours,
    pair_rarities,
    phrases,
    rank,
    rare_words,
    rarities,
)
from lucastrad.types import Outline, SearchMode

HYBRID, VECTOR, KEYWORD = SearchMode.HYBRID, SearchMode.VECTOR, SearchMode.KEYWORD
Found = tuple[str, str, str, float | None, float | None]
"""(path, language, symbol, cosine, BM25)."""


def ranked(query: str, found: list[Found], mode: SearchMode = HYBRID) -> list[Ranked]:
    outlines = {n: Outline(*shown) for n, (*shown, _, _) in enumerate(found)}
    candidates = [Candidate(n, cosine, bm25) for n, (*_, cosine, bm25) in enumerate(found)]
    best = max((found.bm25 for found in candidates if found.bm25 is not None), default=1.0)
    return rank(parse(query), mode, candidates, outlines, best_bm25=best)


def check(query: str, found: list[Found], expected: list[str], mode: SearchMode = HYBRID) -> None:
    assert [item.path for item in ranked(query, found, mode)] == expected


def test_found_by_both_beats_found_by_one() -> None:
    check(
        "how it is done",
        [("a.py", "python", "", 0.8, None), ("b.py", "python", "", None, 9.0), ("c.py", "python", "", 0.8, 9.0)],
        ["c.py", "a.py", "b.py"],
    )


def test_a_match_beyond_those_that_are_ranked_still_tells_a_near_passage_its_score() -> None:
    near, far, last = 1, 7, 1_000 + CANDIDATES
    matching = [(1_000 + place, 9.0) for place in range(CANDIDATES)] + [(near, 2.0), (last, 1.0)]
    evidence = {"rare": {far: 0.5}, "phrase": {near: 0.2}, "place": {far: 1.0}}
    found = {one.chunk: one for one in candidates_of([(near, 0.8), (far, 0.7)], matching, evidence)}
    assert found[near] == Candidate(near, cosine=0.8, bm25=2.0, evidence={"phrase": 0.2})
    assert found[far] == Candidate(far, cosine=0.7, evidence={"rare": 0.5, "place": 1.0})
    assert found[1_000] == Candidate(1_000, bm25=9.0)
    assert last not in found


def test_the_passage_that_holds_the_rare_word_comes_before_nearer_ones() -> None:
    outlines = {n: Outline(path, "python", "") for n, path in enumerate(("near.py", "holds.py"))}
    found = [Candidate(0, cosine=0.8, bm25=9.0), Candidate(1, cosine=0.5, bm25=5.0, evidence={"rare": 1.0})]
    first = rank(parse("where is max_retries read"), HYBRID, found, outlines, best_bm25=9.0)[0]
    assert (first.path, first.components["rare"]) == ("holds.py", Weights().rare)


def test_a_far_passage_is_a_hit_where_the_query_points_at_it_or_says_it() -> None:
    outlines = {1: Outline("a.py", "python", "")}
    for found, hits in (
        (Candidate(1, 0.1), 0),
        (Candidate(1, 0.1, evidence={"place": 1.0}), 1),
        (Candidate(1, 0.1, evidence={"phrase": 0.5}), 1),
    ):
        assert len(rank(parse("a.py:7 zzzqqq"), HYBRID, [found], outlines, best_bm25=1.0)) == hits


def test_the_passage_that_says_it_word_by_word_comes_before_nearer_ones() -> None:
    outlines = {n: Outline(path, "python", "") for n, path in enumerate(("near.py", "says.py"))}
    found = [Candidate(0, cosine=0.7, bm25=9.0), Candidate(1, cosine=0.5, bm25=8.0, evidence={"phrase": 1.0})]
    for query, weight in (
        ("why is the cache full", Weights().phrase),
        ("return the oldest", Weights().phrase_of_action),
    ):
        first = rank(parse(query), HYBRID, found, outlines, best_bm25=9.0)[0]
        assert (first.path, first.components["phrase"]) == ("says.py", weight)


def test_the_passage_that_holds_what_is_quoted_comes_before_one_that_is_like_it_in_all_else() -> None:
    outlines = {n: Outline(path, "python", "") for n, path in enumerate(("like.py", "holds.py"))}
    found = [
        Candidate(0, 0.9, 9.0, {"phrase": 0.8}),
        Candidate(1, 0.4, 3.0, {"phrase": 0.8, "verbatim": 1.0}),
    ]
    first = rank(parse("x = basket.total(1);"), HYBRID, found, outlines, best_bm25=9.0)[0]
    assert (first.path, first.components["verbatim"]) == ("holds.py", Weights().verbatim)


def test_neighbours_count_by_how_rare_they_are_and_values_that_are_nowhere_not_at_all() -> None:
    pairs = neighbours(parse("cache of 'zzyzx' overflowed its quota"), HYBRID)
    assert set(pairs) == {("cach", "zzyzx"), ("zzyzx", "overflow"), ("overflow", "quota")}
    held = {"cach": 1_000, "overflow": 2, "quota": 1, "zzyzx": 0}
    rare = pair_rarities(pairs, held, 2_000)
    assert rare.keys() == {("overflow", "quota")}
    often = pair_rarities([("cach", "quota")], held, 2_000)
    assert often["cach", "quota"] < rare["overflow", "quota"] <= 1.0
    assert pair_rarities([("cach", "quota")], {"cach": 2_000, "quota": 2_000}, 2_000) == {}


@pytest.mark.parametrize(("query", "mode"), [("max_retries", HYBRID), ("cache quota overflowed", VECTOR)])
def test_neighbours_are_looked_up_for_more_than_a_name_unless_words_do_not_count(query: str, mode: SearchMode) -> None:
    assert neighbours(parse(query), mode) == ()
    assert neighbours(parse("cache quota overflowed"), KEYWORD)


def test_the_neighbours_of_a_long_query_are_those_of_both_its_ends() -> None:
    words = [f"q{one}{other}" for one in "bcdfghjk" for other in "lmnpqrtvwxz"]
    pairs = neighbours(parse(" ".join(words)), HYBRID)
    assert pairs[0] == (words[0], words[1])
    assert pairs[-1] == (words[-2], words[-1])
    middle = len(words) // 2
    assert (words[middle], words[middle + 1]) not in pairs


def test_more_of_the_query_word_by_word_counts_more_and_a_single_pair_little() -> None:
    pairs = {("a", "b"): 0.5, ("b", "c"): 1.0, ("c", "d"): 1.0, ("d", "e"): 1.0}
    shares = phrases([(1, 3.5), (2, 2.5), (3, 0.5)], pairs)
    assert shares[1] == 1.0
    assert 1.0 > shares[2] > 0.5
    assert shares[3] < 0.05
    assert phrases([(1, 1.0)], {("a", "b"): 1.0})[1] < 0.5  # all of a query of two words: it may be chance


def held_by(*chunks: int, count: int | None = None) -> Holders:
    return Holders(len(chunks) if count is None else count, chunks)


def test_rarity_is_that_of_the_rarest_word() -> None:
    query = parse("once thrice everywhere")
    found = rarities(query, {"once": held_by(7), "thrice": held_by(7, 8, 9), "nowhere": held_by()}, passages=2_000)
    assert found[7] == pytest.approx(1.0)
    assert 0.0 < found[8] == found[9] < 1.0
    assert found.keys() == {7, 8, 9}
    assert rarities(query, {"everywhere": held_by(1, 2)}, passages=2) == {1: 0.0, 2: 0.0}


def test_a_filter_makes_no_word_rarer_and_a_small_workspace_none_rare() -> None:
    query = parse("rare once")
    (filtered,) = rarities(query, {"rare": held_by(7, count=80)}, passages=2_000).values()
    (small,) = rarities(query, {"once": held_by(7)}, passages=5).values()
    (alone,) = rarities(query, {"once": held_by(7)}, passages=2_000).values()
    assert filtered < 0.1 * alone
    assert small < 0.1 * alone


def test_a_word_that_is_written_as_code_counts_more_than_one_that_is_as_rare() -> None:
    query = parse("where is maxRetries or _max_delay read politely")
    found = rarities(query, {"maxretries": held_by(1), "max_delay": held_by(2), "polit": held_by(3)}, passages=2_000)
    assert found[1] == found[2] == pytest.approx(AS_CODE[query.shape] * found[3])
    assert found[1] > found[3]


@pytest.mark.parametrize(
    ("query", "mode"), [("max_retries", SearchMode.HYBRID), ("where is max_retries read", SearchMode.VECTOR)]
)
def test_rare_words_are_looked_up_for_more_than_a_name_unless_words_do_not_count(query: str, mode: SearchMode) -> None:
    assert rare_words(parse(query), mode) == ()
    for other in (SearchMode.HYBRID, SearchMode.KEYWORD):
        assert "max_retries" in rare_words(parse("where is max_retries read"), other)


def test_the_scale_of_bm25_does_not_matter() -> None:
    def order(scale: float) -> list[str]:
        bm25 = {"a.py": 3.0, "b.py": 2.0, "c.py": 1.0}
        return [
            item.path
            for item in ranked("how", [(p, "python", "", 0.1 * n, scale * bm25[p]) for n, p in enumerate(bm25)])
        ]

    assert order(1.0) == order(1000.0)


@pytest.mark.parametrize(("mode", "first"), [(VECTOR, "near.py"), (KEYWORD, "worded.py")])
def test_a_single_mode_ranks_by_its_own_side(mode: SearchMode, first: str) -> None:
    found: list[Found] = [("near.py", "python", "", 0.9, None), ("worded.py", "python", "", None, 5.0)]
    side = [item for item in found if (item[3] if mode is VECTOR else item[4]) is not None]
    check("how", side, [first], mode)


def test_the_definition_of_what_was_asked_for_comes_before_its_uses() -> None:
    check(
        "load_config",
        [("use.py", "python", "main", 0.8, 9.0), ("defined.py", "python", "load_config", 0.6, 6.0)],
        ["defined.py", "use.py"],
    )


def test_the_whole_symbol_beats_its_last_part_which_beats_a_mention() -> None:
    check(
        "total_price",
        [("a.py", "python", "Order.total_price", 0.5, 5.0), ("b.py", "python", "total_price", 0.5, 5.0),
         ("c.py", "python", "total_price_of", 0.5, 5.0)],
        ["b.py", "a.py", "c.py"],
    )  # fmt: skip


def test_a_qualified_name_finds_its_own_class() -> None:
    check(
        "Basket.total_price",
        [("a.py", "python", "Order.total_price", 0.5, 5.0), ("b.py", "python", "Basket.total_price", 0.5, 5.0)],
        ["b.py", "a.py"],
    )


def test_words_of_the_path_and_of_the_symbol_count() -> None:
    same = (0.5, 5.0)
    check(
        "retry policy",
        [("a.py", "python", "", *same), ("net/retry.py", "python", "", *same)],
        ["net/retry.py", "a.py"],
    )
    check("retry policy", [("a.py", "python", "f", *same), ("b.py", "python", "retryPolicy", *same)], ["b.py", "a.py"])


@pytest.mark.parametrize(
    "path",
    ["tests/unit/retry.py", "test_retry.py", "pkg/retry_test.go", "src/__tests__/retry.ts", "src/retry.spec.ts",
     "conftest.py", "testdata/retry.py", "src/RetryTest.java"],
)  # fmt: skip
def test_tests_come_after_what_they_test_unless_asked_for(path: str) -> None:
    found: list[Found] = [(path, "python", "", 0.5, 5.0), ("zzz.py", "python", "", 0.5, 5.0)]
    check("how", found, ["zzz.py", path])
    assert "test" not in ranked("how are tests", found)[0].components


@pytest.mark.parametrize("path", ["latest/retry.py", "attestation.py", "contest_rules.py", "protest.go"])
def test_names_that_only_look_like_tests_are_none(path: str) -> None:
    assert "test" not in ranked("how", [(path, "python", "", 0.5, 5.0)])[0].components


def test_examples_and_prose_come_after_code() -> None:
    same = (0.5, 5.0)
    check(
        "how",
        [("guide.md", "markdown", "", *same), ("examples/a.py", "python", "", *same), ("z.py", "python", "", *same)],
        ["z.py", "examples/a.py", "guide.md"],
    )


def test_a_score_is_the_sum_of_its_components_and_ties_are_broken_by_place() -> None:
    for item in ranked("load_config tests", [("tests/load.md", "markdown", "load", 0.5, 5.0)]):
        assert item.score == pytest.approx(sum(item.components.values()))
    check("how", [(path, "python", "", 0.5, 5.0) for path in ("c.py", "a.py", "b.py")], ["a.py", "b.py", "c.py"])


def test_what_was_deleted_meanwhile_is_left_out() -> None:
    assert rank(parse("x"), HYBRID, [Candidate(1, cosine=0.5)], {}, best_bm25=1.0) == []


def test_the_best_of_each_file_comes_first_and_nothing_else_moves() -> None:
    def item(path: str, chunk: int) -> Ranked:
        return Ranked(chunk, path, 1.0 / chunk, {})

    given = [item("a", 1), item("a", 2), item("b", 3), item("a", 4), item("c", 5), item("b", 6)]

    def firsts(limit: int) -> list[int]:
        return [found.chunk for found in best(parse("how"), given, limit, lambda found: found.path)]

    assert firsts(10) == [1, 3, 5, 2, 4, 6]
    assert firsts(4) == [1, 3, 5, 2]
    assert best(parse("return the number of rows"), given, 3, lambda found: found.path) == given[:3]


def test_who_says_what_a_function_does_is_given_passages_whatever_their_files() -> None:
    once: Found = ("rows.py", "python", "", 0.62, 5.0)
    often: list[Found] = [("many.py", "python", "", 0.6, 5.0)] * 3
    assert ranked("how rows are counted", [once, *often])[0].path == "many.py"
    assert ranked("return the number of rows", [once, *often])[0].path == "rows.py"


def test_a_query_that_nothing_shares_a_word_with_or_is_near_finds_nothing() -> None:
    far: list[Found] = [("a.py", "python", "", COSINE_FLOOR - 0.01, None), ("b.py", "python", "", 0.3, None)]
    check("zzzzqqq", far, [])
    check("zzzzqqq", far, ["a.py", "b.py"], VECTOR)
    assert len(ranked("how", [*far, ("worded.py", "python", "", None, 5.0)])) == 3
    assert len(ranked("how", [*far, ("near.py", "python", "", COSINE_FLOOR, None)])) == 3


def test_scores_of_several_workspaces_are_measured_by_the_best_of_all() -> None:
    def keyword(best_bm25: float) -> float:
        outlines = {1: Outline("a.py", "python", "")}
        (item,) = rank(parse("how"), KEYWORD, [Candidate(1, bm25=5.0)], outlines, best_bm25=best_bm25)
        return item.components["keyword"]

    assert keyword(10.0) == keyword(5.0) / 2


def test_words_of_one_family_name_each_other() -> None:
    families = WordFamilies(["hash", "password", "in"])
    assert families.share_named(["hasher"]) == pytest.approx(1 / 3)
    assert families.share_named(names_of("passwordHasher")) == pytest.approx(2 / 3)
    assert families.share_named(["index"]) == 0.0
    assert WordFamilies(["hasher"]).share_named(["hash"]) == 1.0
    assert WordFamilies([]).share_named(["hash"]) == 0.0
    assert families.share_naming(names_of("password_file")) == pytest.approx(1 / 2)
    assert families.share_naming([]) == 0.0


def test_a_file_that_is_named_by_the_query_comes_first() -> None:
    same = (0.5, 5.0)
    check(
        "tty terminal raw mode",
        [("unix/signal.c", "c", "", *same), ("unix/tty.c", "c", "", *same), ("unix/tty-common.c", "c", "", *same)],
        ["unix/tty.c", "unix/tty-common.c", "unix/signal.c"],
    )


def test_the_spelling_of_a_symbol_tells_a_class_from_a_function() -> None:
    found: list[Found] = [("api.py", "python", "session", 0.7, 5.0), ("sessions.py", "python", "Session", 0.6, 5.0)]
    check("Session", found, ["sessions.py", "api.py"])


def test_a_name_is_found_by_its_letters_before_its_meaning() -> None:
    found: list[Found] = [("meant.py", "python", "", 0.9, 2.0), ("spelled.py", "python", "", 0.5, 5.0)]
    check("fetch_rows", found, ["spelled.py", "meant.py"])
    check("how rows are fetched", found, ["meant.py", "spelled.py"])


@pytest.mark.parametrize("symbol", ["$Widget", "_Widget", "ui.$Widget"])
def test_marks_before_a_name_do_not_hide_it(symbol: str) -> None:
    found: list[Found] = [("other.ts", "typescript", "WidgetList", 0.5, 5.0), ("z.ts", "typescript", symbol, 0.5, 5.0)]
    check("Widget", found, ["z.ts", "other.ts"])


def test_a_definition_comes_before_what_it_is_continued_in() -> None:
    outlines = {
        1: Outline("a.py", "python", "Session", 40),
        2: Outline("a.py", "python", "Session", 1),
    }
    candidates = [Candidate(1, 0.6, 5.0), Candidate(2, 0.5, 5.0)]
    first, second = rank(parse("Session"), HYBRID, candidates, outlines, best_bm25=5.0)
    assert (first.chunk, second.chunk) == (2, 1)
    assert "part" in second.components
    assert "part" not in first.components


@pytest.mark.parametrize(
    ("later", "component"),
    [("win/pipe.c", "platform"), ("src/pipe_windows.go", "platform"), ("v3/a.ts", "old"), ("a.h", "header")],
)
def test_what_is_seldom_meant_comes_later_and_says_why(later: str, component: str) -> None:
    same = (0.5, 5.0)
    found: list[Found] = [(later, "c", "", *same), ("v4/zzz.ts", "c", "", *same)]
    assert [item.path for item in ranked("how", found)] == ["v4/zzz.ts", later]
    assert component in ranked("how", found)[1].components


@pytest.mark.parametrize(
    ("query", "path"), [("how are pipes done on windows", "win/pipe.c"), ("what was it in v3", "v3/a.ts")]
)
def test_what_was_asked_for_is_not_put_back(query: str, path: str) -> None:
    (item,) = (
        item for item in ranked(query, [(path, "c", "", 0.5, 5.0), ("v4/b.ts", "c", "", 0.5, 5.0)]) if item.path == path
    )
    assert not {"platform", "old"} & item.components.keys()


@pytest.mark.parametrize("path", ["window/manager.py", "winner.c", "v3/only.ts", "darwin/a.c"])
def test_names_that_only_look_foreign_or_old_are_neither(path: str) -> None:
    (item,) = ranked("how", [(path, "c", "", 0.5, 5.0)])
    assert not {"platform", "old"} & item.components.keys()


def test_a_file_that_speaks_of_it_repeatedly_comes_before_a_single_mention() -> None:
    found: list[Found] = [("once.py", "python", "", 0.6, 5.0)] + [("often.py", "python", "", 0.5, 5.0)] * 3
    best = ranked("how", found)[0]
    assert best.path == "often.py"
    assert best.components["file"] > 0


def test_a_weight_of_nothing_takes_its_feature_out() -> None:
    outlines = {1: Outline("tests/a.py", "python", "")}
    (item,) = rank(parse("how"), HYBRID, [Candidate(1, 0.5, 5.0)], outlines, best_bm25=5.0, weights=Weights(test=0.0))
    assert "test" not in item.components


@pytest.mark.parametrize("query", ["how do I run the tests", "How to run the tests?", "how can we run tests"])
def test_who_asks_how_to_do_a_thing_gets_instructions_and_neither_tests_nor_change_logs(query: str) -> None:
    check(
        query,
        [
            ("tests/test_pool.py", "python", "test_pool", 0.75, 5.0),
            ("CHANGELOG.md", "markdown", "Changes", 0.75, 5.0),
            ("src/loop.py", "python", "start", 0.75, 5.0),
            ("CONTRIBUTING.md", "markdown", "Contributing", 0.75, 5.0),
        ],
        ["CONTRIBUTING.md", "src/loop.py", "CHANGELOG.md", "tests/test_pool.py"],
    )


def test_who_asks_how_a_thing_is_done_gets_the_code() -> None:
    found = [("README.md", "markdown", "", 0.8, 5.0), ("src/pool.py", "python", "", 0.8, 5.0)]
    check("how are connections closed", found, ["src/pool.py", "README.md"])
