"""Results as one JSON document: snake_case names, every field present, lines 1-based and inclusive."""

import json
import re
from collections.abc import Iterable, Mapping
from typing import Any, TextIO

import msgspec
from lucastra_protocol.types import AskResult, Hit, SearchResult

from lucastra_client.rendering import View
from lucastra_client.rendering.reports import Report
from lucastra_client.rendering.text import UNSAFE, absolute_path

_UNSAFE = re.compile(f"[{UNSAFE}]")


class DocumentRenderer:
    """Writes JSON; characters that a terminal would act on are escaped, which changes no value."""

    def __init__(self, out: TextIO, view: View) -> None:
        self._out = out
        self._view = view

    def search(self, query: str, result: SearchResult) -> None:
        """`{"query", "hits", "freshness", "elapsed_ms", "notices"}`."""
        self._write(
            {
                "query": query,
                "hits": [self._hit(hit) for hit in result.hits],
                "freshness": result.freshness,
                "elapsed_ms": result.elapsed_ms,
                "notices": result.notices,
            }
        )

    def answer(self, question: str, result: AskResult) -> None:
        """`{"question", "answer", "citations", "freshness", "notices"}`; a citation is a numbered hit."""
        self._write(
            {
                "question": question,
                "answer": result.answer,
                "citations": [{"number": citation.number, **self._hit(citation.hit)} for citation in result.citations],
                "freshness": result.freshness,
                "notices": result.notices,
            }
        )

    def report(self, report: Report) -> None:
        """The report's document."""
        self._write(plain_values(report.document))

    def log(self, lines: Iterable[str]) -> None:
        """`{"entries"}`: the objects; a line that is none is a string."""
        self._write({"entries": [_entry(line) for line in lines]})

    def _hit(self, hit: Hit) -> dict[str, Any]:
        start_line, end_line = hit.range.lines()
        fields = {
            "file_path": str(absolute_path(hit)),
            "start_line": start_line,
            "end_line": end_line,
            "content": hit.content,
            "score": hit.score,
            "language": hit.language,
            "symbol": hit.symbol,
        }
        if self._view.explain:
            fields |= {"kind": hit.kind, "workspace": hit.workspace, "components": hit.components}
        return fields

    def _write(self, document: Any) -> None:
        encoding = getattr(self._out, "encoding", None) or "utf-8"
        ascii_only = encoding.lower() not in ("utf-8", "utf8")  # JSON is UTF-8, whatever the locale
        text = json.dumps(document, ensure_ascii=ascii_only, indent=2)
        self._out.write(_UNSAFE.sub(lambda match: f"\\u{ord(match[0]):04x}", text) + "\n")


def _entry(line: str) -> Any:
    try:
        return json.loads(line)
    except ValueError:
        return line


def plain_values(value: Any) -> Any:
    """Structs as dictionaries under their Python names, at every depth."""
    if isinstance(value, msgspec.Struct):
        return {name: plain_values(getattr(value, name)) for name in value.__struct_fields__}
    if isinstance(value, Mapping):
        return {key: plain_values(item) for key, item in value.items()}
    if isinstance(value, list | tuple):
        return [plain_values(item) for item in value]
    return value
