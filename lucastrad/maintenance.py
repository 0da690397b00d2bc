"""`lucastrad doctor` and `lucastrad rebuild`: verify and rebuild what stands on disk, with no daemon.

Invariant: `examine` writes nothing, so that it may run beside a daemon; `rebuild` owns the store while it runs.
Neither embeds anything.
"""

import shutil
import time
from collections.abc import Callable, Iterator, Sequence
from contextlib import ExitStack, closing
from dataclasses import dataclass
from functools import cache
from pathlib import Path

import numpy as np
from lucastra_protocol.errors import ErrorCode, LucAstraError
from lucastra_protocol.paths import Paths

from lucastrad.config.schema import EmbeddingsConfig
from lucastrad.embeddings.cache import EmbeddingCache, cache_file, verify_cache
from lucastrad.embeddings.spaces import cache_folder, open_cache
from lucastrad.indexing.store import WorkspaceStore, examine_vectors
from lucastrad.indexing.workspaces import StoreFolder, store_folders, workspace_files
from lucastrad.storage.catalog_reader import CatalogReader
from lucastrad.storage.keywords import verified_seq
from lucastrad.storage.lock import own_store
from lucastrad.storage.records import Spaces
from lucastrad.storage.sqlite import StoreCorrupt, StoreUnavailable
from lucastrad.storage.vectors.spans import covered
from lucastrad.types import CheckReport, CheckStatus, VectorSpace

_READINGS = 3
_PAUSE_SECONDS = 0.1


# --- doctor --------------------------------------------------------------------------------------


def examine(home: Path, settings: EmbeddingsConfig) -> list[CheckReport]:
    """Read and check every file of every workspace's index, and the embedding caches that they use."""
    findings: list[CheckReport] = []
    spaces: set[VectorSpace] = set()
    for file in workspace_files(home):
        try:
            store = StoreFolder.of(file)
        except ValueError as error:
            if file.exists():
                cure = "run `lucastra-client index FOLDER` on the project's folder"
                findings.append(CheckReport(str(file), CheckStatus.ERROR, f"damaged: {error}", cure))
            continue
        found, used = _examine_store(store)
        if file.exists():  # else it was removed meanwhile
            findings += found
            spaces |= used
    for space in sorted(spaces, key=lambda space: space.identity):
        findings.append(_examine_cache(cache_folder(home, settings), space))
    return findings or [CheckReport("store", CheckStatus.OK, f"{home} holds no workspace yet")]


def _examine_store(store: StoreFolder) -> tuple[list[CheckReport], set[VectorSpace]]:
    path = store.folder / "catalog.sqlite3"
    name = f"workspace {store.root}"
    if not path.exists():
        return [CheckReport(name, CheckStatus.OK, "not indexed yet")], set()
    with closing(CatalogReader(path)) as catalog:
        findings = [_examine_catalog(catalog, f"{name}: catalog")]
        whole = findings[0].status is CheckStatus.OK
        spaces = catalog.spaces() if whole else Spaces(None, None)
        findings.append(_examine_keywords(catalog if whole else None, store, f"{name}: keyword index"))
        used = [space for space in (spaces.current, spaces.replaced) if space is not None]
        for space in used:
            title = f"{name}: vectors of {space.identity}"
            findings.append(_examine_vectors(catalog, store, space, title, replaced=space == spaces.replaced))
        return findings, set(used)


def _examine_catalog(catalog: CatalogReader, name: str) -> CheckReport:
    def check() -> list[str]:
        try:
            return catalog.verify()
        except StoreCorrupt as error:
            return [str(error)]
        except StoreUnavailable as error:
            return [error.message]

    if problems := _confirmed(check):
        cure = "run `lucastra-client stop` and any command: the daemon indexes the files anew, and embeds nothing again"
        return CheckReport(name, CheckStatus.ERROR, "; ".join(problems), cure)
    counts = catalog.counts()
    detail = f"{counts.files} files, {counts.chunks} passages, {counts.embedded} with a vector"
    return CheckReport(name, CheckStatus.OK, detail)


def _examine_keywords(catalog: CatalogReader | None, store: StoreFolder, name: str) -> CheckReport:
    reached = 0

    def check() -> list[str]:
        nonlocal reached
        try:
            reached = verified_seq(store.folder / "keywords")
        except (ValueError, OSError) as error:
            return [str(error)]
        if catalog is not None and reached > catalog.seq():
            return ["it holds more than the catalog"]
        return []

    if problems := _confirmed(check):
        return CheckReport(name, CheckStatus.ERROR, "; ".join(problems), _rebuild_with("--keywords", store))
    if not reached:
        return CheckReport(name, CheckStatus.OK, "none yet: the daemon builds it from the catalog")
    return CheckReport(name, CheckStatus.OK, f"whole, up to change {reached}")


def _examine_vectors(
    catalog: CatalogReader, store: StoreFolder, space: VectorSpace, name: str, *, replaced: bool
) -> CheckReport:
    detail = ""

    def check() -> list[str]:
        nonlocal detail
        try:
            index = examine_vectors(store.folder, space)
            if index is None:
                detail = "not there: where the daemon needs them, it takes them from the embedding cache"
                return []
            chunks, deleted = catalog.ledger(index.reached)
        except (StoreCorrupt, StoreUnavailable, ValueError, OSError) as error:
            return [str(error)]
        held = index.ids[~covered(index.ids, sorted(deleted, key=lambda span: span.first))]
        noted = np.array([(chunk, seq) for chunk, seq in chunks], np.int64).reshape(-1, 2)
        expected = noted[(noted[:, 1] > 0) & (noted[:, 1] <= index.reached), 0]
        lost = 0 if replaced else len(np.setdiff1d(expected, held, assume_unique=True))
        strange = len(np.setdiff1d(held, noted[:, 0], assume_unique=True))
        detail = f"whole, {len(held)} vectors, up to change {index.reached}"
        problems = list(index.problems)
        problems += [f"{lost} of {len(expected)} vectors are missing"] if lost else []
        problems += [f"{strange} vectors are of passages that do not exist"] if strange else []
        return problems

    if problems := _confirmed(check):
        return CheckReport(name, CheckStatus.ERROR, "; ".join(problems), _rebuild_with("--vectors", store))
    return CheckReport(name, CheckStatus.OK, detail)


def _examine_cache(folder: Path, space: VectorSpace) -> CheckReport:
    name, held = f"embedding cache {space.identity}", 0

    def check() -> list[str]:
        nonlocal held
        try:
            held, problems = verify_cache(folder, space)
        except StoreUnavailable as error:
            return [error.message]
        return problems

    if problems := _confirmed(check):
        cure = f"run `lucastra-client stop`, and remove {cache_file(folder, space)}: what it held is embedded again"
        return CheckReport(name, CheckStatus.ERROR, "; ".join(problems), cure)
    return CheckReport(name, CheckStatus.OK, f"whole, {held} vectors")


def _confirmed(check: Callable[[], list[str]]) -> list[str]:
    """What several readings find alike: a daemon may be replacing the files, and the next reading then meets whole
    ones."""
    found = check()
    for _ in range(_READINGS - 1):
        if found:
            time.sleep(_PAUSE_SECONDS)
            again = check()
            found = [problem for problem in found if problem in again]
    return found


def _rebuild_with(option: str, store: StoreFolder) -> str:
    return f"run `lucastra-client stop`, then `lucastrad rebuild {option} {store.root}`"


# --- rebuild -------------------------------------------------------------------------------------


@dataclass(frozen=True, slots=True)
class Rebuilt:
    """What stands in a workspace's indexes now."""

    root: Path
    chunks: int
    vectors: int
    """Chunks whose vector the embedding cache knew; the others are embedded by the next run of the daemon."""


def rebuild(
    paths: Paths, settings: EmbeddingsConfig, folders: Sequence[Path], *, keywords: bool, vectors: bool
) -> Iterator[Rebuilt]:
    """Build the named indexes of these workspaces (of all, where none is named) anew from catalogs and cache.

    Raises LucAstraError: INDEX_LOCKED while a daemon owns the store, WORKSPACE_NOT_FOUND, STORE_UNAVAILABLE for a
    catalog that is damaged.
    """
    derived = [name for name, wanted in (("keywords", keywords), ("vectors", vectors)) if wanted]
    with own_store(paths.lock):
        for store in _chosen(store_folders(paths.home), folders):
            yield _rebuild_store(store, paths.home, settings, derived)


def _chosen(stores: list[StoreFolder], folders: Sequence[Path]) -> list[StoreFolder]:
    """The workspaces that are or hold these folders, each once."""
    if not folders:
        return stores
    by_root = {store.root: store for store in stores}
    chosen: dict[Path, StoreFolder] = {}
    for folder in (folder.resolve() for folder in folders):
        root = next((path for path in (folder, *folder.parents) if path in by_root), None)
        if root is None:
            known = ", ".join(map(str, by_root)) or "none"
            raise LucAstraError(f"{folder} is in no workspace; known: {known}", code=ErrorCode.WORKSPACE_NOT_FOUND)
        chosen[root] = by_root[root]
    return list(chosen.values())


def _rebuild_store(store: StoreFolder, home: Path, settings: EmbeddingsConfig, derived: list[str]) -> Rebuilt:
    path = store.folder / "catalog.sqlite3"
    if not path.exists():
        return Rebuilt(store.root, 0, 0)
    with closing(CatalogReader(path)) as catalog:
        examined = _examine_catalog(catalog, "")
        if examined.status is not CheckStatus.OK:
            raise LucAstraError(
                f"the catalog of {store.root} is damaged ({examined.detail}), so nothing can be rebuilt from it;"
                " run any command of `lucastra-client`: the daemon indexes the files anew, and embeds nothing again",
                code=ErrorCode.STORE_UNAVAILABLE,
            )
        space = catalog.spaces().current
    if space is None:
        return Rebuilt(store.root, 0, 0)
    for name in derived:  # what is missing is replayed when the store is opened, as after any loss
        if (store.folder / name).exists():
            shutil.rmtree(store.folder / name)
    with ExitStack() as opened:

        @cache
        def cache_of(space: VectorSpace) -> EmbeddingCache:
            return opened.enter_context(closing(open_cache(home, settings, space)))

        rebuilt = opened.enter_context(closing(WorkspaceStore(store.folder, space, cache_of(space), cache_of=cache_of)))
        rebuilt.replay_vectors()
        if "keywords" in derived:
            rebuilt.publish()
        counts = rebuilt.catalog.counts()
    return Rebuilt(store.root, counts.chunks, counts.embedded)
