"""From sources to examples: a question, and the passage that answers it.

A question is the first sentence of a definition's documentation, of a module's, or a section's heading. Everything
is sampled by hashes of the examples themselves, so that the same packages give the same examples in the same order.
"""

import hashlib
import os
import re
from collections import Counter
from collections.abc import Iterable, Iterator
from concurrent.futures import ProcessPoolExecutor
from functools import partial
from pathlib import Path
from typing import Final

import msgspec

from lucastrad.indexing.analysis import passage
from lucastrad.indexing.chunking import chunk_file
from lucastrad.indexing.chunking.documented import Documented, documented, first_sentence
from training.corpora import Package, SourceFile, sources

_MAX_PER_PACKAGE: Final = 5_000
_MAX_SECTIONS: Final = 60
_MAX_BYTES_PER_PACKAGE: Final = 8_000_000
"""Of source text read: no package shall be the model's whole idea of its language."""
_MAX_SAME_QUESTION: Final = 2
_PASSAGE_CHARACTERS: Final = 2_600
"""About what the chunker keeps in one chunk."""
_LONGEST_DOC: Final = 600

_WORDS: Final = re.compile(r"[A-Za-z][A-Za-z_]+")
_BOILERPLATE: Final = re.compile(
    r"(?:see (?:the )?(?:help|base|parent|super)|initiali[sz]e self|return repr|todo|deprecated|copyright|inherit"
    r"|\(?non-javadoc|auto-?generated|noinspection|eslint|nolint|internal use|override)",
    re.IGNORECASE,
)


class Example(msgspec.Struct, frozen=True, array_like=True):
    """One thing to learn; `question` is empty for a passage that is only a neighbour."""

    question: str
    doc: str
    """What else its documentation says."""
    path: str
    symbol: str
    text: str
    language: str


class Examples(msgspec.Struct, frozen=True, array_like=True):
    """A package's examples, those of one file together and in the order of the text."""

    package: str
    held_back: bool
    examples: list[Example]


_encode = msgspec.msgpack.Encoder().encode
_decode = msgspec.msgpack.Decoder(Examples).decode


def extract(found: Iterable[Package], cache: Path, processes: int) -> Iterator[Examples]:
    """Every package's examples, in the packages' order; what was extracted before is read from the cache."""
    with ProcessPoolExecutor(processes) as pool:
        for file in pool.map(partial(_extracted, cache=cache), found, chunksize=1):
            yield _decode(file.read_bytes())


def extracted(package: Package, cache: Path) -> Examples:
    """One package's examples."""
    return _decode(_extracted(package, cache).read_bytes())


def _extracted(package: Package, cache: Path) -> Path:
    target = cache / "examples" / f"{package.sha256[:24]}.msgpack"
    if not target.exists():
        target.parent.mkdir(parents=True, exist_ok=True)
        found = Examples(package.name, package.held_back, examples_of(package.name, sources(package, cache)))
        unfinished = target.with_suffix(f".{os.getpid()}")
        unfinished.write_bytes(_encode(found))
        unfinished.replace(target)
    return target


def examples_of(package: str, files: Iterable[SourceFile]) -> list[Example]:
    """The examples of one package's files, at most some thousands of them."""
    chosen = sorted(files, key=lambda file: _hash(package + file.path))
    asked: Counter[str] = Counter()
    found: list[Example] = []
    sections = read = 0
    for file in chosen:
        if file.path.endswith((".md", ".rst", ".markdown")):
            if sections < _MAX_SECTIONS:
                below = list(_sections(package, file))
                sections += len(below)
                found += below
            continue
        read += len(file.text)
        for example in _from_file(package, file):
            asked[example.question] += 1
            if asked[example.question] <= _MAX_SAME_QUESTION:
                found.append(example)
        if len(found) >= _MAX_PER_PACKAGE or read >= _MAX_BYTES_PER_PACKAGE:
            break
    return found


def _from_file(package: str, file: SourceFile) -> Iterator[Example]:
    definitions = list(documented(file.path, file.text))
    if definitions and definitions[0].language == "python" and (overview := _module_question(file.text)):
        definition = definitions[_hash(package + file.path) % len(definitions)]
        yield _example(overview, "", definition)
    for definition in definitions:
        question = question_of(definition)
        if question and _is_code(definition.code):
            rest = definition.doc[len(first_sentence(definition.doc)) :]
            yield _example(question, rest[:_LONGEST_DOC], definition)


def _example(question: str, rest: str, definition: Documented) -> Example:
    seen = passage(definition.path, definition.symbol, _cut(definition.code))
    return Example(question, rest, seen.path, seen.symbol, seen.text, definition.language)


def question_of(definition: Documented) -> str:
    """The first sentence of the documentation where it says something; else empty."""
    question = first_sentence(definition.doc)
    name = definition.symbol.rpartition(".")[2]
    if definition.language == "go" and question.startswith(name + " "):
        question = question[len(name) + 1 :]
    words = _WORDS.findall(question)
    if not 3 <= len(words) <= 60 or not question.isascii() or _BOILERPLATE.match(question):
        return ""
    return question


def _is_code(code: str) -> bool:
    return sum(bool(line.strip()) for line in code.splitlines()) >= 2


def _module_question(text: str) -> str:
    match = re.match(r"\s*(?:#[^\n]*\n|\s)*[rR]?\"\"\"(.+?)\"\"\"", text[:4000], re.DOTALL)
    question = first_sentence(match[1]) if match else ""
    return question if 4 <= len(_WORDS.findall(question)) <= 30 and question.isascii() else ""


def _sections(package: str, file: SourceFile) -> Iterator[Example]:
    for chunk in chunk_file(file.path, file.text).chunks:
        heading = chunk.symbol.rpartition(".")[2]
        body = chunk.text.partition("\n")[2].strip()
        if len(_WORDS.findall(heading)) >= 2 and len(_WORDS.findall(body)) >= 12 and heading.isascii():
            seen = passage(f"{package}/{file.path}", "", _cut(body))
            yield Example(heading, "", seen.path, "", seen.text, "markdown")


def _cut(code: str) -> str:
    if len(code) <= _PASSAGE_CHARACTERS:
        return code
    return code[: code.rfind("\n", 0, _PASSAGE_CHARACTERS) + 1] or code[:_PASSAGE_CHARACTERS]


def _hash(text: str) -> int:
    return int.from_bytes(hashlib.blake2b(text.encode("utf-8", "replace"), digest_size=8).digest(), "big")
