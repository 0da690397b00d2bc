"""Whether a ranking is the same again: by a daemon, and by another process over an index that was built otherwise."""

import random
import subprocess
import sys
from collections.abc import Sequence
from pathlib import Path

import msgspec
import trio

from benchmarks.daemon import open_daemon
from benchmarks.errors import BenchmarkError, within
from benchmarks.retrieval.results import Agreement
from benchmarks.retrieval.scoring import DEPTH, Place
from benchmarks.retrieval.searcher import MODES, Searcher, build, files_of_tree
from benchmarks.retrieval.systems import Corpus

DAEMON = "a real daemon"
REBUILT = "an index built in another order, by another process"
_SEED = 20_250_402
_FILES_A_COMMIT = 7
_INDEX_SECONDS = 300.0

Rankings = dict[str, list[Place]]
"""By mode and question."""


class Rebuild(msgspec.Struct, frozen=True):
    """What the other process is asked to do."""

    tree: str
    folder: str
    questions: list[str]


def of_store(store: Path, questions: Sequence[str]) -> Rankings:
    """The first ten places of every question in every mode."""
    with Searcher(store) as searcher:
        return {
            f"{mode}: {question}": searcher.shown(searcher.find(question, mode))
            for mode in MODES
            for question in questions
        }


def with_daemon(corpora: Sequence[Corpus], scratch: Path) -> Agreement:
    """Ask a daemon everything, over its socket."""
    expected: Rankings = {}
    found: Rankings = {}

    async def run() -> None:
        async with open_daemon(scratch) as daemon, daemon.client() as client:
            for corpus in corpora:
                assert corpus.tree is not None
                with within(_INDEX_SECONDS, f"indexing {corpus.name}"):
                    await client.index(corpus.tree)
                expected.update(_of(corpus, of_store(corpus.store, _texts(corpus))))
                for question in _texts(corpus):
                    for mode in MODES:
                        result = await client.search(question, mode=mode.value, limit=DEPTH, workspaces=[corpus.tree])
                        hits = [Place(hit.path, *hit.range.lines()) for hit in result.hits]
                        found[f"{corpus.name}, {mode}: {question}"] = hits

    trio.run(run)
    return _compared(DAEMON, expected, found)


def when_rebuilt(corpora: Sequence[Corpus], scratch: Path) -> Agreement:
    """Build every store anew, files shuffled and a few a commit, and ask it in a process whose hashes differ."""
    expected: Rankings = {}
    found: Rankings = {}
    for number, corpus in enumerate(corpora):
        assert corpus.tree is not None
        expected |= _of(corpus, of_store(corpus.store, _texts(corpus)))
        request = Rebuild(str(corpus.tree), str(scratch / f"rebuilt-{number}"), _texts(corpus))
        done = subprocess.run(
            [sys.executable, "-m", "benchmarks.retrieval.same"],
            input=msgspec.json.encode(request).decode(),
            capture_output=True,
            text=True,
            check=False,
        )
        if done.returncode != 0:
            raise BenchmarkError(f"{corpus.name} could not be indexed again:\n{done.stderr}")
        found |= _of(corpus, msgspec.json.decode(done.stdout, type=Rankings))
    return _compared(REBUILT, expected, found)


def _texts(corpus: Corpus) -> list[str]:
    return list(dict.fromkeys(question.text for question in corpus.questions))


def _of(corpus: Corpus, rankings: Rankings) -> Rankings:
    return {f"{corpus.name}, {key}": places for key, places in rankings.items()}


def _compared(what: str, expected: Rankings, found: Rankings) -> Agreement:
    return Agreement(what, len(expected), [key for key, places in expected.items() if found[key] != places])


def main() -> None:
    """`python -m benchmarks.retrieval.same`: a Rebuild as JSON in, Rankings out."""
    request = msgspec.json.decode(sys.stdin.buffer.read(), type=Rebuild)
    folder = Path(request.folder)
    shuffle = random.Random(_SEED).shuffle
    build(folder, lambda: files_of_tree(Path(request.tree), order=shuffle), files_a_commit=_FILES_A_COMMIT)
    sys.stdout.write(msgspec.json.encode(of_store(folder, request.questions)).decode())


if __name__ == "__main__":
    main()
