"""Write the trained table as the files that `lucastrad.embeddings.static` loads."""

import hashlib
import tempfile
from pathlib import Path
from typing import Final

import msgspec
import numpy as np
from numpy.typing import NDArray
from tokenizers import Tokenizer

from lucastrad.embeddings.static import (
    FIELDS,
    MANIFEST,
    SPACE,
    TOKENIZER,
    VECTORS,
    WEIGHTS,
    Manifest,
    PackagedFile,
)

LARGEST_BYTES: Final = 15_000_000
"""What the packaged files may take together."""


class TooLarge(Exception):
    """The model would not fit into the package."""


def export(tokenizer: Tokenizer, vectors: NDArray[np.float32], weights: NDArray[np.float32], folder: Path) -> Manifest:
    """Write all files, each by rename, the manifest last; raises TooLarge.

    `vectors` has the shape (pieces, dimensions), `weights` (fields, pieces). Each vector is scaled so that its
    largest component is 127; what a step stands for goes into the piece's weights.
    """
    steps = np.abs(vectors).max(axis=1) / 127
    steps[steps == 0] = 1
    table = np.rint(vectors / steps[:, None]).astype(np.int8)
    if weights.shape != (len(FIELDS), len(vectors)) or vectors.shape[1] != SPACE.dimensions:
        raise ValueError(f"not a table of {SPACE.identity}: {vectors.shape} and {weights.shape}")
    folder.mkdir(parents=True, exist_ok=True)
    with tempfile.TemporaryDirectory(dir=folder.parent) as scratch:
        made = Path(scratch)
        np.save(made / VECTORS, table)
        np.save(made / WEIGHTS, (weights * steps).astype(np.float32))
        tokenizer.save(str(made / TOKENIZER), pretty=False)
        files = {name: _described(made / name) for name in (TOKENIZER, VECTORS, WEIGHTS)}
        if sum(file.bytes for file in files.values()) > LARGEST_BYTES:
            raise TooLarge(f"the files take more than {LARGEST_BYTES:,} bytes: use fewer pieces")
        manifest = Manifest(SPACE.model, SPACE.dimensions, len(vectors), files)
        text = msgspec.json.format(msgspec.json.encode(manifest), indent=2)
        (made / MANIFEST).write_bytes(text + b"\n")
        for name in (*files, MANIFEST):
            (made / name).replace(folder / name)
    return manifest


def _described(path: Path) -> PackagedFile:
    data = path.read_bytes()
    return PackagedFile(len(data), hashlib.sha256(data).hexdigest())
