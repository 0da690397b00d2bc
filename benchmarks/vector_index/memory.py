"""`python -m benchmarks.vector_index.memory REQUEST`: load one saved index, ask it queries, print what it took.

The libraries are imported and the queries read before the first reading, so that the growth is the index's own.
"""

import importlib
import json
import sys
from pathlib import Path

from benchmarks.vector_index import data, peers
from benchmarks.vector_index.data import Asked
from benchmarks.vector_index.indexes import Index, Sealed
from benchmarks.vector_index.measure import pin

KINDS: tuple[type[Index], ...] = (
    Sealed, peers.Hnswlib, peers.Faiss, peers.UsearchHalf, peers.Usearch, peers.Voyager, peers.Annoy, peers.Numpy,
    peers.SqliteVec,
)  # fmt: skip
_QUERIES = 500


def main() -> None:
    request = json.loads(sys.argv[1])
    pin()
    kind = next(kind for kind in KINDS if kind.name == request["index"])
    rows, file = request["rows"], Path(request["file"])
    found = data.load(Path(request["cache"]), dimensions=request["dimensions"], rows=rows, quick=request["quick"])
    queries = found.queries[Asked.CHUNK][:_QUERIES]
    for module in kind.modules:
        importlib.import_module(module)
    before = resident()
    index = kind.load(found, rows, file)
    index.many(queries[: index.most_queries], request["effort"])
    after = resident()
    print(json.dumps({name: max(0, after[name] - before[name]) for name in before}))


def resident() -> dict[str, int]:
    """Bytes of this process's memory that are its own, and of the file pages that it has mapped."""
    names = {"RssAnon:": "anonymous_bytes", "RssFile:": "mapped_bytes"}
    lines = (line.split() for line in Path("/proc/self/status").read_text("utf-8").splitlines())
    return {names[words[0]]: int(words[1]) * 1024 for words in lines if words and words[0] in names}


if __name__ == "__main__":
    main()
