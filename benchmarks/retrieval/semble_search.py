"""Search trees with semble's lexical half: run by the benchmark in semble's own environment.

    python semble_search.py < REQUEST

The request is JSON: a list of {"tree": ..., "questions": [...]}. semble's own indexing, BM25, boosts and penalties; a
model that costs nothing stands in place of its embeddings, whose weights come in no package, and its fusion is told to
give that no weight. Prints JSON: for each tree the seconds of indexing, the number of chunks, and for each question the
hits (path, first line, last line) without and with its ranking rules, and the seconds of both.
"""

import importlib
import json
import sys
import time
from collections.abc import Sequence
from pathlib import Path
from typing import Any

import numpy as np

POOL = 50


class NoModel:
    """Stands where semble's embedding model goes."""

    dim = 1

    def encode(self, texts: Sequence[str], **options: object) -> Any:
        """A one for each text."""
        return np.ones((len(texts), 1), np.float32)


def main() -> None:
    create: Any = importlib.import_module("semble.index.create")
    search: Any = importlib.import_module("semble.search").search
    answers = []
    for one in json.load(sys.stdin):
        tree = Path(one["tree"]).resolve()
        began = time.perf_counter()
        bm25, dense, chunks, _ = create.create_index_from_path(tree, NoModel(), display_root=tree)
        answer: dict[str, Any] = {"index_seconds": time.perf_counter() - began, "chunks": len(chunks), "answers": []}
        for question in one["questions"]:
            found: dict[str, Any] = {}
            for kind, rerank in (("raw", False), ("ranked", True)):
                began = time.perf_counter()
                hits = search(question, NoModel(), dense, bm25, chunks, POOL, alpha=0.0, rerank=rerank)
                found[f"{kind}_seconds"] = time.perf_counter() - began
                found[kind] = [(hit.chunk.file_path, hit.chunk.start_line, hit.chunk.end_line) for hit in hits]
            answer["answers"].append(found)
        answers.append(answer)
    json.dump(answers, sys.stdout)


if __name__ == "__main__":
    main()
