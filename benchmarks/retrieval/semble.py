"""The peer that publishes the tuning questions: semble's chunker, BM25 and ranking rules, without its vectors."""

import json
import os
import subprocess
from collections.abc import Sequence
from pathlib import Path
from typing import Any

from benchmarks.errors import BenchmarkError
from benchmarks.indexing.peer import VERSION, install
from benchmarks.retrieval.scoring import Place
from benchmarks.retrieval.searcher import Searcher
from benchmarks.retrieval.systems import Answers, Corpus, System, reduced

_SCRIPT = Path(__file__).with_name("semble_search.py")
_RUN_SECONDS = 1_800


class Semble:
    """What one run of the script has said, with or without semble's ranking rules."""

    def __init__(self, answers: dict[Path, dict[str, Any]], *, rules: bool) -> None:
        self.name = "semble ranked" if rules else "semble BM25"
        self._answers = answers
        self._rules = rules

    def answer(self, corpus: Corpus, searcher: Searcher) -> Answers | None:
        if corpus.tree is None:
            return None
        found = self._answers[corpus.tree]
        kind = "ranked" if self._rules else "raw"
        hits = [
            reduced([Place(*where) for where in answer[kind]], by_file=corpus.by_file) for answer in found["answers"]
        ]
        seconds = [answer[f"{kind}_seconds"] for answer in found["answers"]]
        return Answers(hits, seconds, found["chunks"], found["index_seconds"])


def systems(corpora: Sequence[Corpus], cache: Path) -> list[System]:
    """Both ways, after one run over all corpora that are trees. Raises BenchmarkError."""
    python = install(cache)
    asked = [(one.tree, [question.text for question in one.questions]) for one in corpora if one.tree is not None]
    request = [{"tree": str(tree), "questions": questions} for tree, questions in asked]
    done = subprocess.run(
        [str(python), "-P", str(_SCRIPT)],
        env={name: value for name, value in os.environ.items() if not name.startswith(("PYTHON", "SEMBLE_"))},
        input=json.dumps(request),
        capture_output=True,
        text=True,
        timeout=_RUN_SECONDS,
        check=False,
    )
    if done.returncode != 0:
        raise BenchmarkError(f"semble {VERSION} failed:\n{done.stderr}")
    answers = {tree: answer for (tree, _), answer in zip(asked, json.loads(done.stdout), strict=True)}
    return [Semble(answers, rules=False), Semble(answers, rules=True)]
