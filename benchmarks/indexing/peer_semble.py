"""Index a tree with semble, without its embeddings: run by the benchmark in semble's own environment.

    python peer_semble.py TREE

This is semble's own indexing (`semble.index.create.create_index_from_path`: its file rules, chunker, tokens and BM25,
in one process) with a model that returns one zero per chunk, since its weights come in no package. Prints JSON.
"""

import importlib
import json
import sys
import time
from collections.abc import Sequence
from pathlib import Path
from typing import Any


class NoModel:
    """Stands where semble's embedding model goes, and costs nothing."""

    dim = 1

    def encode(self, texts: Sequence[str], **options: object) -> list[list[float]]:
        """One zero for each text."""
        return [[0.0]] * len(texts)


def main() -> None:
    tree = Path(sys.argv[1]).resolve()
    create: Any = importlib.import_module("semble.index.create")
    types: Any = importlib.import_module("semble.types")
    began = time.perf_counter()
    _, _, chunks, manifest = create.create_index_from_path(
        tree, NoModel(), content=list(types.ContentType), display_root=tree
    )
    seconds = time.perf_counter() - began
    text_bytes = sum(len(chunk.content.encode("utf-8", "surrogatepass")) for chunk in chunks)
    print(json.dumps({"files": len(manifest), "chunks": len(chunks), "text_bytes": text_bytes, "seconds": seconds}))


if __name__ == "__main__":
    main()
