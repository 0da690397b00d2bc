"""The job of a worker process: files without their documentation, cut as the index cuts them, and what it said.

Invariant: reads the workspace as indexing does (no link is followed, no secret is read) and writes nothing.
"""

import os

import msgspec

from lucastrad.evaluation.questions import definition_question
from lucastrad.evaluation.report import Question
from lucastrad.indexing.analysis import chunk_terms, passage, path_terms
from lucastrad.indexing.chunking import chunk_file
from lucastrad.indexing.chunking.documented import documented, without_docs
from lucastrad.search.names import FileName
from lucastrad.storage.records import ChunkTerms
from lucastrad.types import Passage
from lucastrad.workspace.reader import ReadFile, read_file
from lucastrad.workspace.scanner import ScanRules


class StripRequest(msgspec.Struct, frozen=True, array_like=True):
    """Files that the index holds, by their paths relative to the root."""

    root: bytes
    rules: ScanRules
    paths: list[str]


class StrippedChunk(msgspec.Struct, frozen=True, array_like=True):
    """One passage; its lines are those of the file with its documentation."""

    symbol: str
    kind: str
    start_line: int
    end_line: int
    terms: ChunkTerms
    passage: Passage


class StrippedFile(msgspec.Struct, frozen=True, array_like=True):
    path: str
    language: str
    uncut: bool
    """Cut by lines, though its language has definitions: its grammar is missing, or fails."""
    path_terms: str
    chunks: list[StrippedChunk]
    questions: list[Question]
    definitions: int
    """None of a file of tests."""
    documented: int


_encode = msgspec.msgpack.Encoder().encode
_request = msgspec.msgpack.Decoder(StripRequest).decode
decode_reply = msgspec.msgpack.Decoder(list[StrippedFile]).decode


def strip_job(request: bytes) -> bytes:
    """StripRequest to a list of StrippedFile; files that are gone, or not to be read any more, are left out."""
    asked = _request(request)
    files = []
    for path in asked.paths:
        # `wanted`: that it is none of the generated files to leave out was decided when it was indexed.
        read = read_file(os.fsdecode(asked.root), path, asked.rules, wanted=True)
        if isinstance(read, ReadFile):
            files.append(stripped(path, read.text))
    return _encode(files)


def stripped(path: str, source: str) -> StrippedFile:
    """One file without its documentation."""
    definitions = list(documented(path, source, undocumented=True))
    cut = chunk_file(path, without_docs(source, definitions))
    told = [] if FileName.of(path).is_test else definitions  # nobody documents tests
    questions = [question for one in told if (question := definition_question(one)) is not None]
    return StrippedFile(
        path,
        cut.language,
        bool(cut.problem),
        path_terms(path),
        [
            StrippedChunk(
                chunk.symbol,
                chunk.kind,
                chunk.start_line,
                chunk.end_line,
                chunk_terms(chunk.symbol, chunk.text),
                passage(path, chunk.symbol, chunk.text),
            )
            for chunk in cut.chunks
        ],
        questions,
        len(told),
        sum(bool(one.doc) for one in told),
    )
