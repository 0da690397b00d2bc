"""OpenAI's Responses API, https://platform.openai.com/docs/api-reference/responses-streaming.

A stream ends with `response.completed`, `response.incomplete` or `response.failed`.
"""

from typing import Any

import msgspec

from lucastrad.llm.protocol import CompletionRequest, FinishReason, Role, Usage
from lucastrad.llm.refusals import report_from
from lucastrad.llm.streaming import EventDecoder, ReportedFailure


class _Details(msgspec.Struct, frozen=True):
    cached_tokens: int | None = None


class _Usage(msgspec.Struct, frozen=True):
    input_tokens: int | None = None
    output_tokens: int | None = None
    input_tokens_details: _Details | None = None


class _Incomplete(msgspec.Struct, frozen=True):
    reason: str | None = None


class _Response(msgspec.Struct, frozen=True):
    model: str = ""
    usage: _Usage | None = None
    incomplete_details: _Incomplete | None = None
    error: Any = None


class _Event(msgspec.Struct, frozen=True):
    type: str = ""
    delta: Any = None
    response: _Response | None = None


def prompt(request: CompletionRequest) -> dict[str, Any]:
    """The fields that hold the prompt; `/responses/input_tokens` takes them alone."""
    fields: dict[str, Any] = {"input": [_item(message.role, message.text) for message in request.messages]}
    if request.system:
        fields["instructions"] = request.system
    if request.model:
        fields["model"] = request.model
    return fields


def _item(role: Role, text: str) -> dict[str, Any]:
    # Earlier answers have a content type of their own: llama.cpp refuses plain text there.
    kind = "output_text" if role is Role.ASSISTANT else "input_text"
    return {"type": "message", "role": str(role), "content": [{"type": kind, "text": text}]}


def body(request: CompletionRequest) -> dict[str, Any]:
    """A streamed request that the provider is asked not to store."""
    fields = prompt(request) | {"stream": True, "store": False}
    if request.max_tokens is not None:
        fields["max_output_tokens"] = request.max_tokens
    if request.temperature is not None:
        fields["temperature"] = request.temperature
    return fields


class Decoder(EventDecoder):
    """Decodes one streamed answer."""

    def apply(self, data: str) -> str:
        if data.strip() == "[DONE]":  # sent by some imitations after the terminal event, and never instead of it
            return ""
        event = msgspec.json.decode(data, type=_Event)
        match event.type:
            case "response.output_text.delta" | "response.refusal.delta":
                if event.type == "response.refusal.delta":
                    self.finish = FinishReason.FILTERED
                return msgspec.convert(event.delta, str)
            case "response.completed" | "response.incomplete":
                self._end(event)
            case "response.failed":
                failed = event.response.error if event.response is not None else None
                raise ReportedFailure(report_from({"error": failed or {}}))
            case "error":
                raise ReportedFailure(report_from(_reported(msgspec.json.decode(data))))
        return ""

    def _end(self, event: _Event) -> None:
        if event.response is None:
            raise msgspec.ValidationError("a terminal event without its response")
        response, self.finished = event.response, True
        self.model = response.model or self.model
        if response.usage is not None:
            details = response.usage.input_tokens_details
            cached = (details and details.cached_tokens) or 0
            self.usage = Usage(response.usage.input_tokens, response.usage.output_tokens, cached)
        if event.type == "response.incomplete":
            reason = response.incomplete_details.reason if response.incomplete_details else None
            self.finish = FinishReason.FILTERED if reason == "content_filter" else FinishReason.LENGTH


def _reported(event: dict[str, Any]) -> dict[str, Any]:
    """The error of an `error` event, whose fields stand beside its `type` or under `error`."""
    inner = event.get("error")
    return {"error": inner if inner else {"code": event.get("code"), "message": event.get("message")}}
