"""Real vectors: the chunks of Python sources, cut and embedded as the daemon does it.

There is no packaged model of 384 dimensions, so those vectors join two views of the same chunk: the 256 of its code
and the first 128 of its path and symbol, brought to unit length again.

The first sentence of a docstring becomes a question about the chunk that it documents; that chunk is embedded without
its docstring, so that no question finds its own words.
"""

import ast
import hashlib
import os
import textwrap
import warnings
import zlib
from collections.abc import Iterable
from concurrent.futures import ProcessPoolExecutor
from dataclasses import dataclass
from multiprocessing import get_context
from pathlib import Path

import numpy as np
from numpy.typing import NDArray

import lucastrad.indexing.chunking
from benchmarks.queries import first_sentence
from lucastrad.embeddings.static import SPACE, StaticModel
from lucastrad.indexing.analysis import passage
from lucastrad.indexing.chunking import chunk_file
from lucastrad.types import Chunk, Passage

JOINED = 384
DIMENSIONS = (SPACE.dimensions, JOINED)

_ASKED_ONE_IN = 6
"""Chunks that may become a question's target; the others keep their docstrings, as in an index of real code."""
_FILES_A_TASK = 64
_ENCODING = "utf-8"

_model: StaticModel | None = None


@dataclass(frozen=True, slots=True)
class Vectors:
    """What one tree gives: unit rows by number of dimensions."""

    chunks: dict[int, NDArray[np.float32]]
    questions: dict[int, NDArray[np.float32]]


def recipe() -> str:
    """A digest of the code that decides what the vectors are: chunker, model revision, and this file."""
    digest = hashlib.sha256(SPACE.identity.encode())
    sources = Path(lucastrad.indexing.chunking.__file__).parent.glob("*.py")
    for path in (*sorted(sources), Path(__file__)):
        digest.update(path.read_bytes())
    return digest.hexdigest()[:12]


def embed_tree(tree: Path, grammars: Path) -> Vectors:
    """Chunk and embed every Python file of a tree, on all cores; the same tree gives the same vectors."""
    files = sorted(path for path in tree.rglob("*.py") if path.is_file() and not path.is_symlink())
    tasks = [(tree, files[start : start + _FILES_A_TASK]) for start in range(0, len(files), _FILES_A_TASK)]
    with ProcessPoolExecutor(
        os.cpu_count(), mp_context=get_context("spawn"), initializer=_prepare, initargs=(grammars,)
    ) as pool:
        found = list(pool.map(_embed_files, tasks))
    return Vectors(
        chunks={size: _stack((part.chunks[size] for part in found), size) for size in DIMENSIONS},
        questions={size: _stack((part.questions[size] for part in found), size) for size in DIMENSIONS},
    )


def without_docstring(text: str) -> tuple[str, str] | None:
    """(a definition's text without its docstring, the docstring's first sentence); None for any other text."""
    if not text.lstrip().startswith(("def ", "async def ", "class ", "@")) or not ('"""' in text or "'''" in text):
        return None
    text = textwrap.dedent(text)
    try:
        with warnings.catch_warnings():
            warnings.simplefilter("ignore")  # invalid escapes in test data
            module = ast.parse(text)
    except (SyntaxError, ValueError, RecursionError):
        return None
    definition = module.body[0]
    if not isinstance(definition, ast.FunctionDef | ast.AsyncFunctionDef | ast.ClassDef):
        return None
    sentence = first_sentence(ast.get_docstring(definition) or "")
    if sentence is None:
        return None
    docstring = definition.body[0]
    lines = text.splitlines(keepends=True)
    del lines[docstring.lineno - 1 : docstring.end_lineno]
    return "".join(lines), sentence


def _prepare(grammars: Path) -> None:
    global _model  # noqa: PLW0603 - one model a worker process
    os.environ["SEMBLE_GRAMMARS_CACHE_DIR"] = str(grammars)
    _model = StaticModel.load(for_passages=True)


def _embed_files(task: tuple[Path, list[Path]]) -> Vectors:
    tree, files = task
    assert _model is not None
    passages: list[Passage] = []
    sentences: list[str] = []
    for file in files:
        path = str(file.relative_to(tree))
        for chunk in chunk_file(path, file.read_text(_ENCODING, "replace")).chunks:
            found = without_docstring(chunk.text) if _may_be_asked(path, chunk) else None
            text, sentence = found or (chunk.text, "")
            passages.append(passage(path, chunk.symbol, text))
            if sentence:
                sentences.append(sentence)
    return Vectors(_embed_passages(_model, passages), _embed_questions(_model, sentences))


def _may_be_asked(path: str, chunk: Chunk) -> bool:
    return zlib.crc32(f"{path}:{chunk.start_byte}".encode()) % _ASKED_ONE_IN == 0


def _embed_passages(model: StaticModel, passages: list[Passage]) -> dict[int, NDArray[np.float32]]:
    code = model.embed_passages([Passage("", "", one.text) for one in passages])
    place = model.embed_passages([Passage(one.path, one.symbol, "") for one in passages])
    return {SPACE.dimensions: model.embed_passages(passages), JOINED: _joined(code, place)}


def _embed_questions(model: StaticModel, sentences: list[str]) -> dict[int, NDArray[np.float32]]:
    rows = _stack((model.embed_query(sentence) for sentence in sentences), SPACE.dimensions)
    return {SPACE.dimensions: rows, JOINED: _joined(rows, rows)}


def _joined(first: NDArray[np.float32], second: NDArray[np.float32]) -> NDArray[np.float32]:
    rows = np.hstack([first, second[:, : JOINED - SPACE.dimensions]])
    norms = np.linalg.norm(rows, axis=1, keepdims=True)
    unit: NDArray[np.float32] = np.divide(rows, norms, out=np.zeros_like(rows), where=norms > 0)
    return unit


def _stack(parts: Iterable[NDArray[np.float32]], size: int) -> NDArray[np.float32]:
    return np.vstack([np.empty((0, size), np.float32), *parts])
