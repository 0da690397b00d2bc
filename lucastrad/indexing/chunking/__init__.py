"""Cut files into chunks along their definitions.

Pure and synchronous: text in, chunks out. Runs in worker processes; the first file of a language loads its
grammar, which `semble_grammars` unpacks into `SEMBLE_GRAMMARS_CACHE_DIR`.
"""

from lucastrad.indexing.chunking.chunker import ChunkedFile, chunk_file
from lucastrad.indexing.chunking.languages import TEXT, language_of
from lucastrad.indexing.chunking.limits import Limits

__all__ = ["TEXT", "ChunkedFile", "Limits", "chunk_file", "language_of"]
