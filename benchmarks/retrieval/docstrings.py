"""Questions that code answers for itself: a docstring's first sentence has to find its function, which is indexed
without its documentation among all other functions of its set.

Each function is one passage, analysed and embedded as a chunk of the daemon is.
"""

import hashlib
import random
import re
import sys
from collections.abc import Iterator, Sequence
from concurrent.futures import ProcessPoolExecutor
from dataclasses import dataclass
from pathlib import Path

import msgspec

import lucastrad.indexing.chunking
from benchmarks.queries import first_sentence, is_telling_name
from benchmarks.retrieval import bars, packages
from benchmarks.retrieval.packages import NpmTarball, Package
from benchmarks.retrieval.scoring import Question, Target
from benchmarks.retrieval.searcher import store_of
from benchmarks.retrieval.systems import Corpus
from lucastrad.embeddings.cache import passage_key
from lucastrad.indexing.analysis import chunk_terms, passage, path_terms
from lucastrad.indexing.chunking import documented
from lucastrad.storage.records import IndexedFile
from lucastrad.types import Chunk, FileState, Stat

SEED = 20_250_402
_LEAST_LINES = 3
"""Shorter functions are left out, as in CodeSearchNet (Husain et al., 2019): they say little besides their names."""
_LEFT_OUT = frozenset(
    (
        "test", "tests", "testing", "__tests__", "idle_test", "spec", "specs", "doc", "docs", "example", "examples",
        "bench", "benchmarks", "locale", "locales", "lang", "node_modules", "vendor",
        "cjs", "amd", "es", "umd", "min", "alt", "_virtual",
    )
)  # fmt: skip
"""Folders of tests and documents, and those that hold a package once more in another module format."""
_BUNDLE = re.compile(r"[.-](min|umd|slim|all)\b|-umd\b|\.cjs$")
_CLASS = re.compile(r"\s*(export\s+)?(default\s+)?(abstract\s+)?(class\b|(const|let|var)\s+\w+\s*=\s*class\b)")


@dataclass(frozen=True, slots=True)
class DocstringSet:
    """Which packages, and how many questions about them."""

    name: str
    language: str
    packages: tuple[Package, ...]
    questions: int
    endings: tuple[str, ...]


SETS = {
    "python": DocstringSet(bars.PYTHON, "python", packages.FIRST, 1_000, (".py",)),
    "python2": DocstringSet(bars.PYTHON_2, "python", packages.SECOND, 700, (".py",)),
    "javascript": DocstringSet(bars.JAVASCRIPT, "javascript", packages.NPM, 600, (".js", ".mjs", ".jsx")),
}


class Function(msgspec.Struct, frozen=True, array_like=True):
    """One passage of a set."""

    path: str
    symbol: str
    language: str
    doc: str
    code: str
    line: int


def corpus(one: DocstringSet, cache: Path, workers: ProcessPoolExecutor) -> Corpus:
    """The set's functions in a store, with its questions. Raises BenchmarkError where a package cannot be had."""
    functions = _functions(one, cache, workers)
    identity = hashlib.sha256(msgspec.msgpack.encode(functions)).hexdigest()
    name = one.name.partition(": ")[2].lower().replace(" ", "")
    store = store_of(f"docstrings-{name}", identity, cache / "stores", lambda: _files(functions))
    return Corpus(one.name, one.language, store, None, questions(functions, one.questions))


def questions(functions: Sequence[Function], count: int) -> list[Question]:
    """Drawn with a fixed seed from the functions whose first sentence no other function has."""
    said: dict[str, list[Function]] = {}
    for function in functions:
        if (sentence := first_sentence(function.doc)) is not None:
            said.setdefault(sentence, []).append(function)
    asked = [
        Question(sentence, (Target(found[0].path, found[0].line, found[0].line),))
        for sentence, found in said.items()
        if len(found) == 1 and _may_be_asked(found[0])
    ]
    return random.Random(SEED).sample(asked, min(count, len(asked)))


def _may_be_asked(function: Function) -> bool:
    return is_telling_name(function.symbol.rpartition(".")[2])


def _functions(one: DocstringSet, cache: Path, workers: ProcessPoolExecutor) -> list[Function]:
    """As `_collected`, kept in the cache folder."""
    identity = [_recipe(), sys.version, *(package.name for package in one.packages)]
    kept = cache / "functions" / f"{hashlib.sha256(msgspec.msgpack.encode(identity)).hexdigest()[:16]}.msgpack"
    if not kept.is_file():
        found = _collected(one, cache, workers)
        kept.parent.mkdir(parents=True, exist_ok=True)
        unfinished = kept.with_suffix(".part")
        unfinished.write_bytes(msgspec.msgpack.encode(found))
        unfinished.rename(kept)
    return msgspec.msgpack.decode(kept.read_bytes(), type=list[Function])


def _recipe() -> str:
    """A digest of the code that decides what a function is."""
    digest = hashlib.sha256()
    chunking = sorted(Path(lucastrad.indexing.chunking.__file__).parent.glob("*.py"))
    for path in (*chunking, Path(documented.__file__), Path(__file__)):
        digest.update(path.read_bytes())
    return digest.hexdigest()


def _collected(one: DocstringSet, cache: Path, workers: ProcessPoolExecutor) -> list[Function]:
    """Every function of the packages; what several of them hold is taken once."""
    trees = [(_package_name(package), package.tree(cache.parent)) for package in one.packages]
    tasks = [
        (name, tree, path)
        for name, tree in trees
        for path in sorted(tree.rglob("*"))
        if path.suffix in one.endings and _is_source(path.relative_to(tree)) and path.is_file()
    ]
    found: list[Function] = []
    seen: set[tuple[str, ...]] = set()
    for functions in workers.map(functions_of, tasks, chunksize=64):
        for function in functions:
            keys = _identities(function)
            if seen.isdisjoint(keys):
                found.append(function)
            seen |= keys
    return found


def _package_name(package: Package) -> str:
    return package.project if isinstance(package, NpmTarball) else package.name.partition(" ")[0].lower()


def _is_source(path: Path) -> bool:
    folders = {part.lower() for part in path.parts[:-1]}
    return not folders & _LEFT_OUT and not _BUNDLE.search(path.name) and not path.name.startswith("test_")


def functions_of(task: tuple[str, Path, Path]) -> list[Function]:
    """(package, its tree, a file) to the file's functions, without classes."""
    name, tree, file = task
    path = f"{name}/{file.relative_to(tree).as_posix()}"
    source = file.read_text("utf-8", "replace")
    return [
        Function(path, found.symbol, found.language, found.doc, found.code, found.start_line)
        for found in documented.documented(path, source, undocumented=True)
        if found.code.count("\n") + 1 >= _LEAST_LINES and not _is_class(found.code)
    ]


def _is_class(code: str) -> bool:
    """By its first line after decorators."""
    head = next((line for line in code.splitlines() if not line.lstrip().startswith(("@", "#", "/", "*"))), "")
    return _CLASS.match(head) is not None


def _identities(function: Function) -> set[tuple[str, ...]]:
    """What tells that two are the same: the code without blanks, or the name with what is said of it."""
    package = function.path.partition("/")[0]
    same: set[tuple[str, ...]] = {(package, "".join(function.code.split()))}
    if (sentence := first_sentence(function.doc)) is not None:
        same.add((package, function.symbol.rpartition(".")[2], sentence))
    return same


def _files(functions: Sequence[Function]) -> Iterator[IndexedFile]:
    by_path: dict[str, list[Function]] = {}
    for function in functions:
        by_path.setdefault(function.path, []).append(function)
    for path, found in sorted(by_path.items()):
        yield IndexedFile(
            path=path,
            state=FileState.INDEXED,
            reason="",
            language=found[0].language,
            stat=Stat(1, 1, 1, 1),
            hash=path.encode()[:16],
            # One line each, so that a function within another is told from it.
            chunks=[Chunk(f.line, f.line, 0, 0, f.code, f.symbol, "function") for f in found],
            keys=[passage_key(passage(path, f.symbol, f.code)) for f in found],
            terms=[chunk_terms(f.symbol, f.code) for f in found],
            path_terms=path_terms(path),
        )
