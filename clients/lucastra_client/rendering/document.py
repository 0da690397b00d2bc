"""Results as one JSON document: snake_case names, every field present, lines 1-based and inclusive."""

import json
import re
from collections.abc import Callable, Iterable, Mapping, Sequence
from typing import Any, TextIO

import msgspec
from lucastra_protocol.answers import AnswerEvent, DeltaEvent, PassagesEvent, UsageEvent
from lucastra_protocol.types import AskResult, Citation, Hit, SearchResult

from lucastra_client.rendering import View
from lucastra_client.rendering.reports import Report
from lucastra_client.rendering.text import UNSAFE, absolute_path
from lucastra_client.rendering.writing import Unshown, Writing

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

    def writing(self) -> Writing:
        """One document cannot be shown before it is whole."""
        return Unshown()

    def answer(
        self, question: str, result: AskResult, *, conversation: str | None = None, written: bool = False
    ) -> None:
        """`{"question", "answer", "citations", …}`; a citation is a numbered hit."""
        self._write(self._answered(question, result, conversation))

    def _answered(self, question: str, result: AskResult, conversation: str | None) -> dict[str, Any]:
        return {
            "question": question,
            "answer": result.answer,
            "found": result.found,
            "citations": self._citations(result.citations),
            "uncited": self._citations(result.uncited),
            "provider": result.provider,
            "model": result.model,
            "finish": result.finish,
            "usage": plain_values(result.usage),
            "conversation": conversation,
            "freshness": result.freshness,
            "notices": result.notices,
        }

    def _citations(self, citations: Sequence[Citation]) -> list[dict[str, Any]]:
        return [{"number": citation.number, **self._hit(citation.hit)} for citation in citations]

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
            "unsaved": hit.unsaved,
        }
        if self._view.explain:
            fields |= {"kind": hit.kind, "workspace": hit.workspace, "components": hit.components}
        return fields

    def _write(self, document: Any, *, indent: int | None = 2) -> None:
        encoding = getattr(self._out, "encoding", None) or "utf-8"
        ascii_only = encoding.lower() not in ("utf-8", "utf8")  # JSON is UTF-8, whatever the locale
        text = json.dumps(document, ensure_ascii=ascii_only, indent=indent)
        self._out.write(_UNSAFE.sub(lambda match: f"\\u{ord(match[0]):04x}", text) + "\n")


class EventRenderer(DocumentRenderer):
    """Writes an answer as JSON documents, one a line and at once; the last has the kind `result`."""

    def writing(self) -> Writing:
        """`{"kind": "passages" | "delta" | "usage", …}`."""
        return _EventWriting(self._event)

    def answer(
        self, question: str, result: AskResult, *, conversation: str | None = None, written: bool = False
    ) -> None:
        """`{"kind": "result"}` with the fields of the one document."""
        self._event({"kind": "result", **self._answered(question, result, conversation)})

    def _event(self, event: AnswerEvent | dict[str, Any]) -> None:
        if isinstance(event, PassagesEvent):
            fields = {**plain_values(event), "citations": self._citations(event.citations)}
            event = {"kind": event.__struct_config__.tag, **fields}
        elif isinstance(event, DeltaEvent | UsageEvent):
            event = {"kind": event.__struct_config__.tag, **plain_values(event)}
        self._write(event, indent=None)
        self._out.flush()


class _EventWriting(Unshown):
    def __init__(self, take: Callable[[AnswerEvent], None]) -> None:
        self._take = take

    def take(self, event: AnswerEvent) -> None:
        self._take(event)


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
