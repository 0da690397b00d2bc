"""Tells files that a program wrote, and minified ones, from files that people read.

By name where the tool's naming is fixed, else by the marker that the tool leaves in a comment near
the top (`go help generate` fixes Go's; the at-sign form is the one that Phabricator and GitHub honour).
"""

import re

GENERATED = "generated"
MINIFIED = "minified"

LONG_LINE_BYTES = 5_000
_HEAD_BYTES = 4_096

_MINIFIED_SUFFIXES = (".min.js", ".min.mjs", ".min.cjs", ".min.css", "-min.js", "-min.css", ".bundle.js")
_GENERATED_SUFFIXES = (
    "_pb2.py", "_pb2.pyi", "_pb2_grpc.py", ".pb.go", ".pb.gw.go", "_grpc.pb.go", ".pb.h", ".pb.cc", ".pb.swift",
    "_pb.js", "_pb.d.ts", "_pb.ts", "_pb.rb", ".g.dart", ".freezed.dart", ".gr.dart", ".mocks.dart", ".pb.dart",
    ".g.cs", ".g.i.cs", ".designer.cs", ".generated.cs", ".generated.ts", ".generated.go", "_generated.go",
    ".gen.go", ".gen.ts", ".js.snap", ".ts.snap", ".tsx.snap", ".jsx.snap",
)  # fmt: skip

_MARKERS = re.compile(
    rb"""^[ \t]*(?://|/\*+|\*|\#|--|;|<!--|%|"|')     # a comment begins
    [^\n]*?(?:
        (?<![\w`'"])@generated(?![\w`'"])
      | Code[ ]generated[ ][^\n]*DO[ ]NOT[ ]EDIT
      | Generated[ ]by[ ]the[ ]protocol[ ]buffer[ ]compiler
      | (?i:generated[ ](?:by|from|with|using)\b[^\n]*(?:\n[^\n]*){0,3}?do[ ]not[ ](?:edit|modify))
      | (?i:do[ ]not[ ](?:edit|modify)\b[^\n]*(?:\n[^\n]*){0,3}?generated[ ](?:by|from|with|using)\b)
    )""",
    re.MULTILINE | re.VERBOSE,
)


def name_reason(name: str) -> str | None:
    """Why a file called `name` counts as generated or minified; None if its name does not say so."""
    name = name.lower()
    if name.endswith(_MINIFIED_SUFFIXES):
        return MINIFIED
    if name.endswith(_GENERATED_SUFFIXES):
        return GENERATED
    return None


def content_reason(content: bytes) -> str | None:
    """Why a file with these bytes counts as generated or minified; None if it does not."""
    if len(content) > LONG_LINE_BYTES and _mostly_long_lines(content):
        return MINIFIED
    head = content[:_HEAD_BYTES]
    # the cheap look first: one search of the expression costs 100 times as much
    lowered = head.lower()
    if b"generated" in lowered and _MARKERS.search(head):
        return GENERATED
    return None


def _mostly_long_lines(content: bytes) -> bool:
    """Whether more than half of the bytes stand in lines longer than `LONG_LINE_BYTES`."""
    long_bytes = start = 0
    while start < len(content):
        # most lines are short: a look at the next window settles it without splitting the whole file
        end = content.rfind(b"\n", start, start + LONG_LINE_BYTES + 1)
        if end < 0:
            end = content.find(b"\n", start)
            end = len(content) if end < 0 else end
            if end - start > LONG_LINE_BYTES:
                long_bytes += end - start
        start = end + 1
    return long_bytes * 2 > len(content)
