"""How large chunks are.

The measure is a *cost*: a line's non-blank bytes plus LINE_COST. Counting characters alone would let a
list of numbers, one per line, run to hundreds of lines; counting lines alone would let long lines
through. At the 35 non-blank characters of an average line, 40 lines cost 1,880.
"""

from dataclasses import dataclass
from typing import Final

LINE_COST: Final = 12
MAX_CHUNK_BYTES: Final = 8192
"""No chunk is larger: a longer line is cut, at a character boundary, into several chunks."""


@dataclass(frozen=True, slots=True)
class Limits:
    """Sizes in cost units (see the module), except where the name says lines."""

    target: int = 2000
    """About 1,500 characters: what an embedding of one passage still describes well."""
    whole_function: int = 2600
    """A definition up to this stays whole: cutting 45 lines into 40 and 5 helps nobody."""
    whole_class: int = 900
    """A class up to this (some 20 lines) stays whole; in a larger one each method is a chunk."""
    small: int = 160
    """A gap up to this (3 lines) joins its neighbour."""
    solo_lines: int = 3
    """A definition of so many non-blank lines gets a chunk of its own."""


DEFAULT: Final = Limits()
