"""What would improve retrieval, said only where the evaluation has a number for it.

Invariant: pure; every line holds the number that it rests on.
"""

import re
from collections import Counter
from collections.abc import Callable, Sequence
from itertools import groupby

from lucastrad.evaluation.metrics import standard_error
from lucastrad.evaluation.report import Advice, Corpus, Topic
from lucastrad.evaluation.scoring import Measured
from lucastrad.search.names import FileName
from lucastrad.types import SearchMode

_NOTICEABLE = 0.05
"""Share of the questions from which a cause is told."""
_MOST_LINES = 3
_ERRORS = 2.0
"""A difference between modes counts when it is over twice its standard error (about 95 % sure)."""
_LEAST_FOR_MODE = 20
_UNDOCUMENTED = 0.5
_LEAST_DEFINITIONS = 20
_UNCUT = 0.01
_LEAST_UNCUT = 3

_NOT_OURS = re.compile(
    r"(?:_?vendor(?:ed)?|third[_-]?party|3rdparty|externals?|extern|bundled|node_modules|dist|generated|__generated__"
    r"|autogen|gen|__snapshots__|snapshots|i18n|locales?)",
    re.IGNORECASE,
)
"""Names of folders for code that others, or programs, wrote."""
_LOG = re.compile(r"(?:change-?log|changes|history|news|release-?notes|releases)(?:\.\w+)?", re.IGNORECASE)
_GLOB = re.compile(r"([\\*?\[])")


def advise(results: Sequence[Measured], corpus: Corpus) -> tuple[Advice, ...]:
    """The most telling first."""
    found: list[Advice] = []
    for look in (_embedding, _modes, _skipped, _noise, _tests, _documentation, _grammars):
        found += look(results, corpus)
    return tuple(found)


def _embedding(_: Sequence[Measured], corpus: Corpus) -> list[Advice]:
    missing = corpus.chunks - corpus.embedded
    if missing <= 0:
        return []
    text = (
        f"{missing:,} of {corpus.chunks:,} passages ({_percent(missing, corpus.chunks)}) have no embedding yet, and"
        " can be found by their words only; let `lucastra-client index` finish, and evaluate again"
    )
    return [Advice(Topic.EMBEDDING, text)]


def _modes(results: Sequence[Measured], _: Corpus) -> list[Advice]:
    """Where one half alone beats both: over all questions, else in a language."""
    if overall := _better_than_hybrid(results, ""):
        return [overall]
    by_language = sorted(results, key=lambda one: one.question.language)
    parts = [(name, list(part)) for name, part in groupby(by_language, key=lambda one: one.question.language)]
    found = [_better_than_hybrid(part, f" --language {name}") for name, part in parts]
    return [advice for advice in found if advice is not None][:_MOST_LINES]


def _better_than_hybrid(results: Sequence[Measured], option: str) -> Advice | None:
    if len(results) < _LEAST_FOR_MODE:
        return None
    hybrid = [one.scores[SearchMode.HYBRID].ndcg for one in results]
    for mode in (SearchMode.KEYWORD, SearchMode.VECTOR):
        alone = [one.scores[mode].ndcg for one in results]
        gains = [ours - theirs for ours, theirs in zip(alone, hybrid, strict=True)]
        gain, error = sum(gains) / len(gains), standard_error(gains)
        if gain > _ERRORS * error and gain > 0:
            text = (
                f"{mode} search finds more than hybrid here: NDCG@10 {_mean(alone):.3f} to {_mean(hybrid):.3f}"
                f" (+{gain:.3f} ± {error:.3f}, {len(results)} questions); search with `--mode {mode}{option}`"
            )
            return Advice(Topic.MODE, text)
    return None


def _skipped(_: Sequence[Measured], corpus: Corpus) -> list[Advice]:
    count = sum(corpus.out_of_reach.values())
    if not count or count < _NOTICEABLE * corpus.commits:
        return []
    ranked = sorted(corpus.out_of_reach.items(), key=lambda item: (-item[1], item[0]))
    reasons = ", ".join(f"{reason}: {number}" for reason, number in ranked[:_MOST_LINES])
    text = (
        f"{count} of {corpus.commits} commits ({_percent(count, corpus.commits)}) changed only files that are not"
        f" indexed ({reasons}); `lucastra-client status --files --skipped` lists them, and a line `!PATH` in"
        " .lucastraignore brings one back"
    )
    return [Advice(Topic.SKIPPED, text)]


def _noise(results: Sequence[Measured], _: Corpus) -> list[Advice]:
    """Vendored and generated folders, and logs of changes, that stand where the answer should."""
    found: list[Advice] = []
    for line, count in _taken(results, _noise_line):
        text = (
            f"{line.lstrip('/')} takes the first place of {count} of {len(results)} questions"
            f" ({_percent(count, len(results))}) that it does not answer; if it is nothing to search in, leave it out"
        )
        found.append(Advice(Topic.NOISE, text, (_GLOB.sub(r"\\\1", line),)))
    return found[:_MOST_LINES]


def _noise_line(path: str) -> str | None:
    *folders, name = path.split("/")
    for depth, folder in enumerate(folders, 1):
        if _NOT_OURS.fullmatch(folder):
            return "".join(f"/{part}" for part in folders[:depth]) + "/"
    return f"/{path}" if _LOG.fullmatch(name) else None


def _tests(results: Sequence[Measured], _: Corpus) -> list[Advice]:
    taken = _taken(results, lambda path: "tests" if FileName.of(path).is_test else None)
    return [
        Advice(
            Topic.TESTS,
            f"tests take the first place of {count} of {len(results)} questions ({_percent(count, len(results))}) that"
            " something else answers; search with `--path '!tests/'`, or the folder that they are in",
        )
        for _, count in taken
    ]


def _taken(results: Sequence[Measured], name_of: Callable[[str], str | None]) -> list[tuple[str, int]]:
    """(name, questions whose first hit in hybrid search has that name and is no answer) from `_NOTICEABLE` on."""
    counts: Counter[str] = Counter()
    for one in results:
        first = one.first.get(SearchMode.HYBRID)
        if first is None or any(target.path == first for target in one.question.targets):
            continue
        if name := name_of(first):
            counts[name] += 1
    ranked = sorted(counts.items(), key=lambda item: (-item[1], item[0]))
    return [(name, count) for name, count in ranked if count >= _NOTICEABLE * len(results)]


def _documentation(_: Sequence[Measured], corpus: Corpus) -> list[Advice]:
    without = corpus.definitions - corpus.documented
    if corpus.definitions < _LEAST_DEFINITIONS or without < _UNDOCUMENTED * corpus.definitions:
        return []
    text = (
        f"{without:,} of {corpus.definitions:,} definitions ({_percent(without, corpus.definitions)}) have no"
        " documentation: only names and code can be matched with a question about them; a sentence each would be found"
    )
    return [Advice(Topic.DOCUMENTATION, text)]


def _grammars(_: Sequence[Measured], corpus: Corpus) -> list[Advice]:
    ranked = sorted(corpus.uncut.items(), key=lambda item: (-item[1], item[0]))
    told = [(name, count) for name, count in ranked if count >= _LEAST_UNCUT][:_MOST_LINES]
    count = sum(count for _, count in told)
    if not told or count < _UNCUT * corpus.files:
        return []
    named = ", ".join(f"{name}: {count:,}" for name, count in told)
    text = (
        f"{count:,} of {corpus.files:,} files ({named}) are cut by lines, not along"
        " definitions: their language has no grammar here, or they do not parse; their symbols are unknown to ranking"
    )
    return [Advice(Topic.GRAMMARS, text)]


def _mean(values: Sequence[float]) -> float:
    return sum(values) / len(values)


def _percent(part: int, whole: int) -> str:
    return f"{100 * part / whole:.0f} %"
