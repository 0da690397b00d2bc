"""What the indexes are given of a chunk: keyword terms, and the passage that is embedded."""

from lucastrad.storage.records import ChunkTerms
from lucastrad.text.words import spelling, terms
from lucastrad.types import Passage

_PATH_COMPONENTS = 3


def chunk_terms(symbol: str, text: str) -> ChunkTerms:
    """Keyword terms of a chunk."""
    return ChunkTerms(" ".join(terms(text)), " ".join(terms(symbol)), spelling(symbol))


def path_terms(path: str) -> str:
    """Keyword terms of a file's path."""
    return " ".join(terms(path))


def passage(path: str, symbol: str, text: str) -> Passage:
    """What an embedder is given: the path's tail only, so that a file keeps its vectors when a folder moves."""
    return Passage("/".join(path.split("/")[-_PATH_COMPONENTS:]), symbol, text)
