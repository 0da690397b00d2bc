"""Mutate one kind of file of a vector index many times, and open it each time: a program of its own, which may crash.

    python vector_index_mutations.py <scratch folder> <kind> <times> <native | plain>

It prints the number of each mutation before it is opened.
"""

import os
import random
import sys
from pathlib import Path

sys.path.insert(0, str(Path(__file__).parent.parent / "unit" / "storage"))

from vector_case import DamagedFiles

from lucastrad.storage.vectors.native import kernel_or_none


def main(folder: str, kind: str, times: str, native: str) -> None:
    for name in ("fsync", "fdatasync"):  # no power is cut here
        setattr(os, name, lambda _descriptor: None)
    kernel = kernel_or_none() if native == "native" else None
    damaged = DamagedFiles(Path(folder), kernel, kind, random.Random(f"{kind} {native}"))
    for number in range(int(times)):
        print(number, flush=True)
        damaged.check_next()


if __name__ == "__main__":
    main(*sys.argv[1:])
