"""What the vectors start from: how a small language model understands each piece on its own.

The teacher is all-MiniLM-L6-v2 (Apache-2.0), as the extra `rerank` brings it; its vectors of the pieces are turned onto
their principal axes, the widest first, and brought to one length (after model2vec: Tulkens and van Dongen, 2024).
Contrastive training then changes them all, but pieces that it sees seldom keep this sense of what they mean.
"""

from pathlib import Path
from typing import Final

import numpy as np
from numpy.typing import NDArray
from tokenizers import Tokenizer

from lucastrad.embeddings.minilm import MiniLmModel

_CONTINUATION: Final = "##"


def teacher_vectors(tokenizer: Tokenizer, kept: Path) -> NDArray[np.float32]:
    """The teacher's unit vector of each piece, shape (pieces, 384); kept in a file, since they take two minutes."""
    if not kept.exists():
        model = MiniLmModel.load()
        pieces = [tokenizer.id_to_token(piece) or "" for piece in range(tokenizer.get_vocab_size())]
        np.save(kept, np.stack([model.embed(piece.removeprefix(_CONTINUATION)) for piece in pieces]))
    vectors: NDArray[np.float32] = np.load(kept)
    return vectors


def start_of(taught: NDArray[np.float32], dimensions: int, length: float) -> NDArray[np.float32]:
    """Vectors of `length`, shape (pieces, dimensions), along the principal axes of the teacher's."""
    centred = taught - taught.mean(axis=0)
    axes = np.linalg.svd(centred.T @ centred)[0][:, :dimensions]
    turned = centred @ axes
    norms = np.linalg.norm(turned, axis=1, keepdims=True)
    start: NDArray[np.float32] = (turned * (length / np.maximum(norms, 1e-6))).astype(np.float32)
    return start
