"""The daemon's side of a merge: what the job is told, and taking in what it built."""

import secrets
import shutil
from dataclasses import dataclass
from pathlib import Path

import msgspec
import numpy as np
from numpy.typing import NDArray

from lucastrad.storage.vectors.merge import MergeInput, MergeReply, MergeRequest, pack_mask
from lucastrad.storage.vectors.opening import IndexFiles
from lucastrad.storage.vectors.parts import Part
from lucastrad.storage.vectors.policy import Policy
from lucastrad.storage.vectors.segment import Segment
from lucastrad.storage.vectors.spans import consecutive


@dataclass(frozen=True, slots=True, eq=False)
class PlannedMerge:
    """A Merge, with what is to be compared when its job is done."""

    request: bytes
    folder: Path
    """Where the job writes."""
    name: str
    """Of the new segment."""
    inputs: tuple[Part, ...]
    alive: tuple[NDArray[np.bool_], ...]
    """Of each input, when the merge was planned."""

    @classmethod
    def of(cls, inputs: tuple[Part, ...], files: IndexFiles, policy: Policy) -> "PlannedMerge":
        """Of frozen logs and segments."""
        name = files.new_name("segment")
        # Of its own: the worker of a daemon that was killed may go on for a while, and names are given again.
        folder = files.folder / f"{name}.{secrets.token_hex(4)}.part"
        alive = tuple(part.alive[: part.size].copy() for part in inputs)
        request = MergeRequest(
            str(folder),
            files.space.dimensions,
            [MergeInput(str(part.path), part.size, pack_mask(m)) for part, m in zip(inputs, alive, strict=True)],
            native=files.kernel is not None,
            trees=policy.annoy_trees,
            m=policy.m,
            ef_construction=policy.ef_construction,
        )
        return cls(msgspec.msgpack.encode(request), folder, name, inputs, alive)

    def take_in(self, files: IndexFiles, reply: bytes) -> Segment | None:
        """The new segment, without what was deleted while it was built; None where no row was left.

        May be called again after StoreUnavailable. Raises StoreCorrupt, too.
        """
        built = msgspec.msgpack.decode(reply, type=MergeReply)
        if not built.rows:
            self.drop(files)
            return None
        segment = files.take_in(self.folder, self.name, built)
        for part, alive in zip(self.inputs, self.alive, strict=True):
            died = np.sort(part.ids[: len(alive)][alive & ~part.alive[: len(alive)]])
            segment.kill(segment.select(consecutive(died)))
        return segment

    def drop(self, files: IndexFiles) -> None:
        """Remove what the job wrote."""
        shutil.rmtree(self.folder, ignore_errors=True)
        shutil.rmtree(files.folder / self.name, ignore_errors=True)
