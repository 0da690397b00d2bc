"""Questions that a repository answers for itself: what its authors say of definitions, and of changes.

Invariant: pure, and the same input gives the same questions.
"""

import random
import re
from collections.abc import Callable, Iterable, Sequence
from dataclasses import dataclass
from typing import TypeVar

from lucastrad.evaluation.history import Commit
from lucastrad.evaluation.metrics import Target
from lucastrad.evaluation.report import Question, Source
from lucastrad.indexing.chunking import TEXT, language_of
from lucastrad.indexing.chunking.documented import Documented, first_sentence
from lucastrad.search.names import FileName

_T = TypeVar("_T")

SEED = 20_251_122
_WORDS = range(4, 41)
"""A question with fewer words could mean anything; one with more is an account."""
_MOST_CHARACTERS = 4096
"""Of a query, by the contract."""
_LEAST_LINES = 3
"""Shorter definitions are left out, as in CodeSearchNet (Husain et al., 2019): they say little besides their names."""
_MOST_FILES = 3
"""A commit that changed more does not tell which of them its subject is about."""

_NOT_SOURCE = frozenset(
    (
        TEXT, "asciidoc", "csv", "diff", "gitignore", "html", "ini", "json", "json5", "jsonc", "markdown", "org", "po",
        "properties", "rst", "toml", "xml", "yaml",
    )
)  # fmt: skip
"""Prose and data: what a commit says is rarely about these alone."""

_TICKET = r"(?:(?-i:[A-Z][A-Z\d]+-\d+)|#\d+|(?:gh|bpo|issue|pr|bug)?[-_ ]?#?\d{2,})"
_PREFIX = re.compile(
    r"^(?:\[[^\]]{1,40}\]\s*"  # [3.2.x]
    rf"|(?:(?:fixed|fixes|fix|refs|closes|closed|see)\s+)?{_TICKET}(?:,\s*{_TICKET})*\s*(?:--|[-:–—])\s+"  # Fixed #1 --
    r"|(?:feat|fix|docs?|perf|refactor|style|tests?|build|ci|chore)(?:\([^)]{0,40}\))?!?:\s+)",  # fix(parser):
    re.IGNORECASE,
)
_SUFFIX = re.compile(rf"\s*\({_TICKET}(?:,\s*{_TICKET})*\)\s*$", re.IGNORECASE)
_SAYS_NOTHING = re.compile(
    r"^(?:merge|revert|bump|wip|fixup!|squash!|initial commit|first commit|apply suggestions|address review|v?\d+\.\d+"
    r"|(?:prepar(?:e|ed|ing) (?:for )?(?:the )?)?releas(?:e|ed|ing) (?:v?\d|version|notes)|version \d"
    r"|fix(?:e[sd])? (?:\w+ )?(?:typos?|lint\w*|tests?|build|ci|formatting)\b"
    r"|(?:update|upgrade)d? (?:the )?(?:change-?log|changes|readme|dependenc|version|copyright|translation|authors))",
    re.IGNORECASE,
)
_TRAILER = re.compile(r"^[A-Z][\w-]+(?:-by|-id)?: ", re.IGNORECASE)
_GENERIC = frozenset({"__init__", "__repr__", "__str__", "constructor", "init", "main", "new", "run", "setup"})


@dataclass(frozen=True, slots=True)
class CommitQuestions:
    """What commits ask."""

    questions: list[Question]
    out_of_reach: dict[str, int]
    """Reason → commits that could have been asked if files were not skipped for it."""


def definition_question(definition: Documented) -> Question | None:
    """What the documentation of a definition asks; None where it says too little, or the definition is too small."""
    name = re.split(r"[.:#]", definition.symbol)[-1]
    if not definition.doc or name in _GENERIC or FileName.of(definition.path).is_test:
        return None
    if definition.code.count("\n") + 1 < _LEAST_LINES:
        return None
    sentence = first_sentence(definition.doc)
    first, _, rest = sentence.partition(" ")
    # Go's comments begin with the name, which would make every one of them a search for a symbol.
    text = _usable(rest if first.strip("`*:,") == name else sentence)
    if text is None:
        return None
    target = Target(definition.path, definition.start_line, definition.head_line)
    return Question(Source.DEFINITIONS, text, (target,), definition.language)


def unambiguous(questions: Iterable[Question]) -> list[Question]:
    """Those whose text no other has: what several definitions say of themselves has no one answer."""
    by_text: dict[str, list[Question]] = {}
    for question in questions:
        by_text.setdefault(question.text.casefold(), []).append(question)
    return [found[0] for found in by_text.values() if len(found) == 1]


def commit_questions(commits: Iterable[Commit], reason_of: Callable[[str], str | None]) -> CommitQuestions:
    """What commits say, answered by the one to three sources that each changed and that are still there.

    `reason_of` tells of a path why it is skipped: "" where it is indexed, None where there is no such file. Tests count
    only where nothing else was changed.
    """
    by_text: dict[str, Question] = {}
    out_of_reach: dict[str, int] = {}
    for commit in commits:
        text = _said(commit)
        sources = [path for path in commit.paths if language_of(path) not in _NOT_SOURCE]
        sources = [path for path in sources if not FileName.of(path).is_test] or sources
        if text is None or not 1 <= len(sources) <= _MOST_FILES or text.casefold() in by_text:
            continue
        reasons = {path: reason_of(path) for path in sources}
        targets = tuple(Target(path) for path in sources if reasons[path] == "")
        if targets:
            by_text[text.casefold()] = Question(Source.COMMITS, text, targets, language_of(targets[0].path))
        elif reason := next((reason for reason in reasons.values() if reason), None):
            out_of_reach[reason] = out_of_reach.get(reason, 0) + 1
    return CommitQuestions(list(by_text.values()), out_of_reach)


def drawn(definitions: Sequence[Question], commits: Sequence[Question], count: int) -> list[Question]:
    """At most `count` questions by a fixed seed, half of each kind where there are enough of both."""
    from_commits = min(len(commits), count // 2)
    from_definitions = min(len(definitions), count - from_commits)
    from_commits = min(len(commits), count - from_definitions)
    chance = random.Random(SEED)  # noqa: S311 - a sample, no secret
    return chance.sample(list(definitions), from_definitions) + chance.sample(list(commits), from_commits)


def sampled(items: Sequence[_T], cost: Callable[[_T], int], budget: int) -> list[_T]:
    """Items in their order, drawn by a fixed seed until their costs reach `budget`; all where they do not."""
    order = list(range(len(items)))
    random.Random(SEED).shuffle(order)  # noqa: S311 - a sample, no secret
    taken: list[int] = []
    for at in order:
        budget -= cost(items[at])
        if budget < 0 and taken:
            break
        taken.append(at)
    return [items[at] for at in sorted(taken)]


def _said(commit: Commit) -> str | None:
    """The subject, or the first line of the body where the subject says too little."""
    for line in (commit.subject, commit.body_line):
        if _TRAILER.match(line) and line is commit.body_line:
            continue
        text = _SUFFIX.sub("", line.strip())
        while (shorter := _PREFIX.sub("", text)) != text:
            text = shorter
        if not _SAYS_NOTHING.match(text) and (usable := _usable(text)) is not None:
            return usable
    return None


def _usable(text: str) -> str | None:
    text = " ".join(text.split())
    words = re.findall(r"\w*[^\W\d]\w*", text)
    return text if len(words) in _WORDS and len(text) <= _MOST_CHARACTERS else None
