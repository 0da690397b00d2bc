"""Whatever is overwritten in a catalog: it opens, or says that it is damaged; nothing else is raised."""

import random
import shutil
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

import msgspec
import pytest

from lucastrad.indexing.worker import ScanRequest, scan_job
from lucastrad.storage.catalog import Catalog
from lucastrad.storage.records import IndexedFile
from lucastrad.storage.sqlite import StoreCorrupt
from lucastrad.types import Chunk, FileState, Stat
from lucastrad.workspace.scanner import ScanRules


@pytest.fixture(scope="module")
def original(tmp_path_factory: pytest.TempPathFactory) -> Path:
    path = tmp_path_factory.mktemp("original") / "catalog.sqlite3"
    catalog = Catalog(path)
    for n in range(120):
        chunks = [Chunk(i, i, 0, 9, f"größe {n} " * 20, f"symbol{i}", "function") for i in range(3)]
        file = IndexedFile(f"module{n}.py", FileState.INDEXED, "", "python", Stat(1, 2, 3, 4), b"h", chunks, [b"k"] * 3)
        catalog.commit([file], gone=[f"module{n - 40}.py"] if n % 3 == 0 else [])
    catalog.close()
    return path


@contextmanager
def mutated(original: Path, folder: Path, seed: int) -> Iterator[Path]:
    path = folder / "catalog.sqlite3"
    shutil.copy(original, path)
    moment = random.Random(seed)
    data = bytearray(path.read_bytes())
    for _ in range(moment.choice([1, 4, 16])):
        at = moment.randrange(len(data))
        length = moment.choice([1, 16, 256])
        data[at : at + length] = moment.randbytes(len(data[at : at + length]))
    path.write_bytes(data)
    yield path


@pytest.mark.parametrize("seed", range(100))
def test_a_mutated_catalog_is_readable_or_known_as_damaged(original: Path, tmp_path: Path, seed: int) -> None:
    with mutated(original, tmp_path, seed) as path:
        try:
            catalog = Catalog(path)
        except StoreCorrupt:
            return
        reads = (
            catalog.counts,
            catalog.seq,
            catalog.spans,
            lambda: catalog.chunks(list(range(1, 361))),
            lambda: catalog.outlines(list(range(1, 361))),
            lambda: catalog.pending(0, 1000),
            lambda: catalog.chunk_at("module7.py", 2),
            lambda: catalog.files_named("module7.py"),
            lambda: catalog.file_reports(skipped_only=False, offset=0, limit=1000),
            lambda: catalog.embedded_after(0),
            lambda: catalog.deletions_after(0),
            lambda: scan_job(msgspec.msgpack.encode(ScanRequest(bytes(tmp_path), str(path), ScanRules(), []))),
            lambda: catalog.commit([], gone=["module1.py", "module119.py"]),
        )
        for read in reads:
            try:
                read()
            except StoreCorrupt:
                continue
        catalog.close()
