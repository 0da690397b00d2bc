"""What is advised, and what not: every line rests on a number."""

from collections.abc import Sequence

from lucastrad.evaluation.advice import advise
from lucastrad.evaluation.metrics import Place, Target
from lucastrad.evaluation.report import Advice, Corpus, Question, Source, Topic
from lucastrad.evaluation.scoring import Measured, measured
from lucastrad.types import SearchMode

KEYWORD, VECTOR, HYBRID = SearchMode.KEYWORD, SearchMode.VECTOR, SearchMode.HYBRID


def result(first: str = "a.py", *, keyword: int = 1, hybrid: int = 1, language: str = "python") -> Measured:
    """A question about `a.py`; another answer of hybrid search stands first where `first` says so."""

    def shown(rank: int) -> list[Place]:
        return [Place("b.py", 1, 9)] * (rank - 1) + [Place("a.py", 1, 9)]

    found = [Place(first, 1, 9), *shown(hybrid)] if first != "a.py" else shown(hybrid)
    question = Question(Source.COMMITS, "what is asked", (Target("a.py"),), language)
    return measured(question, {KEYWORD: shown(keyword), VECTOR: found, HYBRID: found})


def on(topic: Topic, results: Sequence[Measured] = (), corpus: Corpus | None = None) -> list[Advice]:
    return [advice for advice in advise(results, corpus or Corpus()) if advice.topic is topic]


def test_where_all_is_well_nothing_is_advised() -> None:
    corpus = Corpus(chunks=90, embedded=90, files=30, definitions=40, documented=30, commits=50)
    assert advise([result()] * 40, corpus) == ()


def test_missing_embeddings_are_counted() -> None:
    (advice,) = on(Topic.EMBEDDING, corpus=Corpus(chunks=200, embedded=150))
    assert "50 of 200 passages (25 %) have no embedding yet" in advice.text


def test_the_mode_that_is_better_beyond_chance_is_named() -> None:
    results = [result(keyword=1, hybrid=1 + n % 3) for n in range(40)]
    (advice,) = on(Topic.MODE, results)
    assert advice.text.startswith("keyword search finds more than hybrid here: NDCG@10 1.000 to 0.")
    assert "40 questions" in advice.text
    assert "`--mode keyword`" in advice.text
    assert on(Topic.MODE, results[:19]) == [], "too few to say so"


def test_a_mode_that_is_better_in_one_language_only_is_named_with_it() -> None:
    worse = [result(keyword=1, hybrid=1 + n % 2, language="rust") for n in range(20)]
    better = [result(keyword=8) for _ in range(60)]
    (advice,) = on(Topic.MODE, worse + better)
    assert "`--mode keyword --language rust`" in advice.text


def test_commits_that_only_changed_skipped_files_are_counted_by_reason() -> None:
    corpus = Corpus(commits=20, out_of_reach={"minified": 1, "larger than 1,000,000 bytes": 3})
    (advice,) = on(Topic.SKIPPED, corpus=corpus)
    assert "4 of 20 commits (20 %)" in advice.text
    assert "(larger than 1,000,000 bytes: 3, minified: 1)" in advice.text
    assert on(Topic.SKIPPED, corpus=Corpus(commits=100, out_of_reach={"minified": 4})) == []


def test_a_vendored_folder_that_takes_first_places_gets_a_line_for_the_ignore_file() -> None:
    results = [result("src/third_party/zip/[x].c")] * 3 + [result()] * 17
    (advice,) = on(Topic.NOISE, results)
    assert "src/third_party/ takes the first place of 3 of 20 questions (15 %)" in advice.text
    assert advice.ignore == ("/src/third_party/",)


def test_a_log_of_changes_is_named_with_its_file_and_glob_characters_are_escaped() -> None:
    (advice,) = on(Topic.NOISE, [result("docs[old]/CHANGELOG.md")] * 2 + [result()] * 8)
    assert advice.ignore == (r"/docs\[old]/CHANGELOG.md",)


def test_what_answers_is_no_noise_and_neither_is_what_is_rare() -> None:
    vendored = Question(Source.COMMITS, "what is asked", (Target("vendor/a.c"),), "c")
    answers = measured(vendored, {mode: [Place("vendor/a.c", 1, 2)] for mode in (KEYWORD, VECTOR, HYBRID)})
    assert on(Topic.NOISE, [answers] * 20) == []
    assert on(Topic.NOISE, [result("vendor/a.c")] + [result()] * 30) == []


def test_tests_that_outrank_sources_are_counted() -> None:
    (advice,) = on(Topic.TESTS, [result("tests/test_a.py")] * 2 + [result()] * 18)
    assert "tests take the first place of 2 of 20 questions (10 %)" in advice.text


def test_missing_documentation_is_told_from_half_of_the_definitions_on() -> None:
    (advice,) = on(Topic.DOCUMENTATION, corpus=Corpus(definitions=1_000, documented=400))
    assert "600 of 1,000 definitions (60 %) have no documentation" in advice.text
    assert on(Topic.DOCUMENTATION, corpus=Corpus(definitions=1_000, documented=600)) == []
    assert on(Topic.DOCUMENTATION, corpus=Corpus(definitions=10)) == [], "too few to say so"


def test_languages_without_a_grammar_are_named_with_their_files() -> None:
    (advice,) = on(Topic.GRAMMARS, corpus=Corpus(files=50, uncut={"*.foo": 3, "cobol": 12, "*.bar": 1}))
    assert "15 of 50 files (cobol: 12, *.foo: 3) are cut by lines" in advice.text
    assert on(Topic.GRAMMARS, corpus=Corpus(files=2_000, uncut={"cobol": 12})) == []
