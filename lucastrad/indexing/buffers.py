"""The job that cuts an open buffer in a worker, as the file that it stands for would be cut.

Invariant: what keeps a file out of the index keeps its buffer out: ignore rules, secrets, generated and minified text,
size. Writes nothing.
"""

import hashlib
import os

import msgspec

from lucastrad.embeddings.cache import passage_key
from lucastrad.indexing.analysis import chunk_terms, passage, path_terms
from lucastrad.indexing.chunking import chunk_file
from lucastrad.storage.records import ChunkTerms
from lucastrad.types import Chunk
from lucastrad.workspace.reader import BINARY, HASH_BYTES, ReadFile, content_reason, read_file
from lucastrad.workspace.scanner import ScanRules, Skipped, judge, too_large

BYTE_ORDER_MARK = "\ufeff"


class BufferRequest(msgspec.Struct, frozen=True, array_like=True):
    root: bytes
    path: str
    """Relative to the root."""
    content: bytes
    """The buffer as UTF-8, without byte order mark."""
    rules: ScanRules


class BufferReply(msgspec.Struct, frozen=True, array_like=True):
    skipped: str = ""
    """Why the buffer is not to be searched; the other fields are empty then."""
    file_hash: bytes = b""
    """The content hash of the file where it holds what the buffer holds, and nothing was cut therefore."""
    own_hash: bytes = b""
    """The content hash that a file with the bytes of the buffer has."""
    language: str = ""
    chunks: list[Chunk] = []
    keys: list[bytes] = []
    """The embedding key of each chunk."""
    terms: list[ChunkTerms] = []
    """The keyword terms of each chunk."""
    path_terms: str = ""


_encode = msgspec.msgpack.Encoder().encode
_buffer_request = msgspec.msgpack.Decoder(BufferRequest).decode
decode_buffer_reply = msgspec.msgpack.Decoder(BufferReply).decode


def buffer_job(request: bytes) -> bytes:
    """BufferRequest to BufferReply. Raises OSError when the root is gone."""
    return _encode(_cut(_buffer_request(request)))


def _cut(request: BufferRequest) -> BufferReply:
    root, path, content, rules = os.fsdecode(request.root), request.path, request.content, request.rules
    wanted = judge(root, rules, path)
    if isinstance(wanted, Skipped):
        return BufferReply(wanted.reason)
    if len(content) > rules.max_file_bytes:
        return BufferReply(too_large(rules.max_file_bytes))
    if b"\0" in content:
        return BufferReply(BINARY)
    if content and (reason := content_reason(content, rules, wanted=wanted)):
        return BufferReply(reason)
    text = content.decode()
    own_hash = hashlib.blake2b(content, digest_size=HASH_BYTES).digest()
    read = read_file(root, path, rules, wanted=True)
    if isinstance(read, ReadFile) and _same_lines(read.text, text):
        return BufferReply(file_hash=read.content_hash, own_hash=own_hash)
    cut = chunk_file(path, text)
    return BufferReply(
        own_hash=own_hash,
        language=cut.language,
        chunks=cut.chunks,
        keys=[passage_key(passage(path, chunk.symbol, chunk.text)) for chunk in cut.chunks],
        terms=[chunk_terms(chunk.symbol, chunk.text) for chunk in cut.chunks],
        path_terms=path_terms(path),
    )


def _same_lines(one: str, other: str) -> bool:
    """Editors show mixed line ends as one kind, and some end the last line of every file: neither is an edit."""
    return one == other or _lines(one) == _lines(other)


def _lines(text: str) -> str:
    return text.replace("\r\n", "\n").replace("\r", "\n").rstrip("\n")
