"""What the daemon asks of an embedding model."""

from collections.abc import Sequence
from typing import Protocol, runtime_checkable

import numpy as np
from lucastra_protocol.errors import ErrorCode, LucAstraError
from numpy.typing import NDArray

from lucastrad.types import Passage, VectorSpace


class EmbeddingFailed(LucAstraError):
    """The model gave no vectors.

    `passing`: the same texts may be embedded a little later. `refused`: it was reached and did not take these texts;
    others it may take.
    """

    def __init__(
        self,
        message: str,
        *,
        passing: bool,
        refused: bool = False,
        code: ErrorCode = ErrorCode.PROVIDER_FAILED,
    ) -> None:
        super().__init__(message, code=code)
        self.passing = passing
        self.refused = refused


class Embedder(Protocol):
    """A model that turns passages and queries into unit vectors of one space."""

    @property
    def space(self) -> VectorSpace:
        """The identity of every vector that this embedder returns."""
        ...

    @property
    def batch_size(self) -> int:
        """How many passages one call should carry."""
        ...

    async def embed_passages(self, passages: Sequence[Passage]) -> NDArray[np.float32]:
        """Unit vectors, shape (len(passages), space.dimensions); a zero row where there is no word.

        Raises EmbeddingFailed where the model cannot be asked.
        """
        ...

    async def embed_query(self, text: str) -> NDArray[np.float32]:
        """One unit vector, shape (space.dimensions,); zero where there is no word. Raises EmbeddingFailed."""
        ...


@runtime_checkable
class Metered(Protocol):
    """An embedder whose work is counted by somebody, in tokens."""

    def tokens(self, passages: Sequence[Passage]) -> int:
        """About how many tokens these take; rather too many than too few."""
        ...


def fitting(vectors: NDArray[np.float32], space: VectorSpace) -> NDArray[np.float32]:
    """One vector, or one a row, as they are. Raises LucAstraError (SPACE_MISMATCH) unless they are of `space`."""
    if vectors.shape[-1] != space.dimensions:
        raise LucAstraError(
            f"the model returned vectors of {vectors.shape[-1]} dimensions where the space {space.identity} has"
            f" {space.dimensions}; they are not mixed: name the model that the endpoint serves, or its dimensions, in"
            " `embeddings`",
            code=ErrorCode.SPACE_MISMATCH,
        )
    return vectors
