"""BM25 as tantivy counts it, for chunks that stand beside an index and must be ranked among its own.

Invariant: a chunk scores here what it would in the index: the same formula, constants and rounding of lengths, and the
index's own counts. Tantivy's: `query/bm25.rs` and `fieldnorm/code.rs`.
"""

import json
import math
from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any

_K1 = 1.2
_B = 0.75
_EXACT_LENGTHS = 24
"""Lengths keep four binary digits above this."""


@dataclass(frozen=True, slots=True)
class FieldStatistics:
    """What an index tells of one text field and the terms of a query."""

    documents: int
    average_length: float
    """In terms; 0 where no document has the field."""
    frequencies: Mapping[str, int]
    """Term → in how many documents it is; one that is missing is in none."""


def bm25(statistics: FieldStatistics, term: str, count: int, length: int) -> float:
    """What `count` occurrences of `term` are worth in a field of `length` terms."""
    frequency = statistics.frequencies.get(term, 0)
    rarity = math.log(1 + (statistics.documents - frequency + 0.5) / (frequency + 0.5))
    # In an index without the field there is no length to compare with: this one is the average.
    share = _rounded(length) / statistics.average_length if statistics.average_length else 1.0
    return rarity * (1 + _K1) * count / (count + _K1 * (1 - _B + _B * share))


def counts_of(explanation: str) -> tuple[int, float] | None:
    """(documents, average length) that tantivy says it used for a term, from its explanation of a score as JSON."""
    found: dict[str, float] = {}
    _collect(json.loads(explanation), found)
    if "N" not in found or "avgdl" not in found:
        return None
    return int(found["N"]), found["avgdl"]


def _collect(detail: dict[str, Any], into: dict[str, float]) -> None:
    name, comma, _ = detail["description"].partition(",")
    if comma:
        into[name] = detail["value"]
    for inner in detail.get("details", ()):
        _collect(inner, into)


def _rounded(length: int) -> int:
    """A length as an index keeps it, in one byte."""
    rest = length - _EXACT_LENGTHS
    if rest < 16:
        return length
    dropped = rest.bit_length() - 4
    return _EXACT_LENGTHS + (rest >> dropped << dropped)
