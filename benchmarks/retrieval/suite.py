"""Which sets are asked, of which systems, and in which order."""

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from functools import partial
from pathlib import Path

from benchmarks.command import step
from benchmarks.corpora import Sdist
from benchmarks.distribution import Distribution
from benchmarks.errors import BenchmarkError
from benchmarks.machine import Machine
from benchmarks.retrieval import (
    ablation,
    bars,
    callers,
    docstrings,
    lines,
    messages,
    names,
    rare_words,
    same,
    semble,
    speed,
    tuning,
)
from benchmarks.retrieval.minilm import MiniLM
from benchmarks.retrieval.questions import DJANGO_SET, HELD_OUT_SETS
from benchmarks.retrieval.results import TUNING, Cost, Judged, RetrievalReport, summarise
from benchmarks.retrieval.scoring import Question, Target, score
from benchmarks.retrieval.searcher import MODES, Searcher
from benchmarks.retrieval.stores import pool, stores_of_trees
from benchmarks.retrieval.systems import RIPGREP, Corpus, Dense, Ours, PlainBM25, Ripgrep, System, find_ripgrep
from lucastrad.embeddings.static import SPACE

HELD_OUT_QUESTIONS = "questions about other packages"
_ASKED_OF_DAEMON = 4
_REBUILT_QUICK = 4


@dataclass(frozen=True, slots=True)
class Settings:
    """What was asked for, beyond what all benchmarks take."""

    tuning: Path | None
    repositories: Path | None
    only: Sequence[str] = ()
    """Cells; none for all."""
    ablation: bool = False
    peers: bool = True


@dataclass(slots=True)
class Run:
    """One run: where things are, and the report that it fills."""

    cache: Path
    scratch: Path
    quick: bool
    settings: Settings
    report: RetrievalReport

    def left_out(self, what: str) -> None:
        """Note what is not measured, and why."""
        self.report.notes.append(what)
        step(f"left out: {what}")


def ask(run: Run, name: str, corpora: Sequence[Corpus], systems: Sequence[System]) -> None:
    """Ask the questions of a set of every system."""
    for system in systems:
        step(f"{name}: {system.name}")
        seconds: list[float] = []
        passages = 0
        indexing: list[float | None] = []
        for corpus in corpora:
            with Searcher(corpus.store) as searcher:
                answers = system.answer(corpus, searcher)
            if answers is None:
                continue
            seconds += answers.query_seconds
            passages += answers.passages
            indexing.append(answers.index_seconds)
            for question, hits in zip(corpus.questions, answers.hits, strict=True):
                shown = [hit.path if corpus.by_file else f"{hit.path}:{hit.start_line}" for hit in hits]
                run.report.judged.append(
                    Judged(name, corpus.name, corpus.language, question.category, system.name, question.text,
                           score(question, hits), shown)
                )  # fmt: skip
        if len(indexing) < len(corpora):
            run.left_out(f"{name}: {system.name} over {len(corpora) - len(indexing)} of {len(corpora)} corpora")
        if seconds:
            total = None if None in indexing else sum(one for one in indexing if one is not None)
            latency = Distribution.of([one * 1000 for one in seconds])
            run.report.costs.append(Cost(name, system.name, passages, total, latency))


def _tuning_corpora(run: Run) -> list[Corpus]:
    folder = run.settings.tuning
    if folder is None:
        run.left_out(f"the tuning set: {tuning.HOW}")
        return []
    found = tuning.load(folder, run.settings.repositories, run.cache)
    for missing in found.missing:
        run.left_out(missing)
    step(f"{TUNING}: {len(found.repositories)} repositories")
    folders = stores_of_trees([one.tree for one in found.repositories], run.cache)
    return [
        Corpus(one.name, one.language, store, one.tree, one.questions)
        for one, store in zip(found.repositories, folders, strict=True)
    ]


def _tuning(run: Run) -> None:
    corpora = _tuning_corpora(run)
    if corpora:
        ask(run, TUNING, corpora, [*map(Ours, MODES), Dense(), *_file_peers(run, corpora)])
        if run.settings.ablation:
            run.report.ablated, run.report.cross_validated = ablation.measure(corpora, quick=run.quick)


def _question_corpora(run: Run, questions: Mapping[Sdist, Mapping[str, frozenset[str]]]) -> list[Corpus]:
    trees = [one.tree(run.cache.parent) for one in questions]
    folders = stores_of_trees(trees, run.cache)
    return [
        Corpus(one.name, "python", store, tree, [_question(text, files) for text, files in asked.items()])
        for (one, asked), tree, store in zip(questions.items(), trees, folders, strict=True)
    ]


def _question(text: str, files: frozenset[str]) -> Question:
    return Question(text, tuple(Target(path) for path in sorted(files)))


def _questions(run: Run) -> None:
    for name, questions in ((bars.DJANGO_FIRST, DJANGO_SET), (HELD_OUT_QUESTIONS, HELD_OUT_SETS)):
        corpora = _question_corpora(run, questions)
        ask(run, name, corpora, [*map(Ours, MODES), Dense(), *_file_peers(run, corpora)])


def _looked_up(run: Run, name: str, ask_of: Callable[[Corpus], Corpus]) -> None:
    corpora = [ask_of(one) for one in _question_corpora(run, {**DJANGO_SET, **HELD_OUT_SETS})]
    ask(run, name, corpora, [*map(Ours, MODES), Dense()])


def _speed(run: Run) -> None:
    step("the embedding model's speed")
    run.report.speed = speed.measure(run.cache.parent, quick=run.quick)


def _sample(run: Run) -> list[Corpus]:
    """Corpora that are indexed once more: of the tuning set where there is one."""
    corpora = [] if run.settings.tuning is None else _tuning_corpora(run)
    return corpora or _question_corpora(run, HELD_OUT_SETS)


def _daemon(run: Run) -> None:
    corpora = _sample(run)[:_ASKED_OF_DAEMON]
    step(f"the same of {same.DAEMON}")
    run.report.agreements.append(same.with_daemon(corpora, run.scratch))


def _stability(run: Run) -> None:
    corpora = _sample(run)
    step(f"the same of {same.REBUILT}")
    run.report.agreements.append(same.when_rebuilt(corpora[:_REBUILT_QUICK] if run.quick else corpora, run.scratch))


def _docstrings(run: Run, one: docstrings.DocstringSet) -> None:
    step(f"{one.name}: collecting functions")
    try:
        with pool(run.cache) as workers:
            corpus = docstrings.corpus(one, run.cache, workers)
    except BenchmarkError as error:
        run.left_out(f"{one.name}: {error}")
        return
    ask(run, one.name, [corpus], [*map(Ours, MODES), Dense(), *_passage_peers(run)])


def _passage_peers(run: Run) -> list[System]:
    """Peers that search passages."""
    return [PlainBM25(), MiniLM(run.cache, cached_only=run.quick)] if run.settings.peers else []


def _file_peers(run: Run, corpora: Sequence[Corpus]) -> list[System]:
    """Peers that search files."""
    if not run.settings.peers:
        return []
    peers = _passage_peers(run)
    program = find_ripgrep(run.cache)
    if program is None:
        run.left_out(f"{RIPGREP}: there is no `rg`; install ripgrep")
    else:
        peers.append(Ripgrep(program))
    step("semble")
    try:
        peers += semble.systems(corpora, run.cache.parent)
    except BenchmarkError as error:
        run.left_out(f"semble: {error}")
    return peers


CELLS: dict[str, Callable[[Run], None]] = {
    "tuning": _tuning,
    "questions": _questions,
    "rare-words": partial(_looked_up, name=bars.RARE_WORDS, ask_of=rare_words.corpus),
    "messages": partial(_looked_up, name=bars.MESSAGES, ask_of=messages.corpus),
    "lines": partial(_looked_up, name=bars.LINES, ask_of=lines.corpus),
    "names": partial(_looked_up, name=bars.NAMES, ask_of=names.corpus),
    "callers": partial(_looked_up, name=bars.CALLERS, ask_of=callers.corpus),
    **{name: partial(_docstrings, one=one) for name, one in docstrings.SETS.items()},
    "speed": _speed,
    "daemon": _daemon,
    "stability": _stability,
}


def measure(cache: Path, scratch: Path, *, quick: bool, settings: Settings) -> RetrievalReport:
    """Run the chosen cells. Raises BenchmarkError."""
    unknown = [name for name in settings.only if name not in CELLS]
    if unknown:
        raise BenchmarkError(f"no cell is named {', '.join(unknown)}; there are: {' '.join(CELLS)}")
    report = RetrievalReport(Machine.here(), quick, SPACE.identity)
    run = Run(cache, scratch, quick, settings, report)
    for name, cell in CELLS.items():
        if not settings.only or name in settings.only:
            cell(run)
    report.summaries += summarise(report.judged)
    report.verdicts += bars.verdicts(report)
    return report
