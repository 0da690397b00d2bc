"""Seals and compacts one workspace's vector index, in a worker process, when there is nothing more urgent.

Invariant: a merge that fails, dies or is cancelled costs its work only: what it would have replaced stays.
"""

import logging
from collections.abc import Callable

import trio

from lucastrad.indexing.backfill import Persist
from lucastrad.indexing.signals import Broadcast
from lucastrad.indexing.store import WorkspaceStore
from lucastrad.memory import release_freed
from lucastrad.storage.vectors.merge import merge_job
from lucastrad.storage.vectors.protocol import Merge
from lucastrad.workers import WorkerPool

_log = logging.getLogger(__name__)

_PAUSE_SECONDS = 5.0
"""Between two looks at the index while things change."""
_IDLE_SECONDS = 60.0
"""And while nothing does: what changed during a look is met by the next."""
_RETRY_SECONDS = 600.0
_MERGE_SECONDS = 6 * 3600.0
"""261,000 rows took 97 s on a busy core; this only ends a job that hangs."""


class Compaction:
    """The maintenance of one workspace's vectors."""

    def __init__(self, builders: WorkerPool, *, persist: Persist, busy: Callable[[], bool], changed: Broadcast) -> None:
        """`busy` tells whether files are being indexed; `changed` is notified when that, or the store, may change."""
        self._builders = builders
        self._persist = persist
        self._busy = busy
        self._changed = changed

    async def run(self, store: WorkspaceStore) -> None:
        """Keep the index in shape until cancelled."""
        while True:
            merge: Merge | None = await self._persist("planning a merge", store.plan_merge, busy=self._busy())
            if merge is None:
                with trio.move_on_after(_IDLE_SECONDS):
                    await self._changed.wait()
                await trio.sleep(_PAUSE_SECONDS)
                continue
            started = trio.current_time()
            try:
                reply = await self._builders.run(merge_job, merge.request, timeout_seconds=_MERGE_SECONDS)
            # Whatever becomes of the job (a full disk, the system's out-of-memory killer), the index stays as it is.
            except Exception as error:
                _log.warning("vectors could not be merged, which is tried again later: %s", error)
                await self._persist("abandoning a merge", store.abandon_merge, merge)
                await trio.sleep(_RETRY_SECONDS)
                continue
            if not await self._persist("merging vectors", store.finish_merge, merge, reply):
                await trio.sleep(_RETRY_SECONDS)
                continue
            await trio.to_thread.run_sync(release_freed)
            _log.info("vectors were merged in %.1f s", trio.current_time() - started)
