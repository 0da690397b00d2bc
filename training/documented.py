"""Definitions with their documentation: see `lucastrad.indexing.chunking.documented`, which this names again."""

from lucastrad.indexing.chunking.documented import LANGUAGES, Documented, documented, first_sentence

__all__ = ["LANGUAGES", "Documented", "documented", "first_sentence"]
