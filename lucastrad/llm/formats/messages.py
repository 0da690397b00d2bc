"""Anthropic's Messages API, https://docs.anthropic.com/en/api/messages-streaming. A stream ends with `message_stop`."""

from typing import Any

import msgspec

from lucastrad.llm.protocol import CompletionRequest, FinishReason, Usage
from lucastrad.llm.refusals import report_from
from lucastrad.llm.streaming import EventDecoder, ReportedFailure

VERSION = "2023-06-01"
"""What `anthropic-version` names; the newest there is."""


class _Usage(msgspec.Struct, frozen=True):
    input_tokens: int | None = None
    output_tokens: int | None = None
    cache_read_input_tokens: int | None = None
    cache_creation_input_tokens: int | None = None


class _Message(msgspec.Struct, frozen=True):
    model: str = ""
    usage: _Usage | None = None


class _Delta(msgspec.Struct, frozen=True):
    type: str = ""
    text: str | None = None
    stop_reason: str | None = None


class _Event(msgspec.Struct, frozen=True):
    type: str
    message: _Message | None = None
    delta: _Delta | None = None
    usage: _Usage | None = None
    error: Any = None


_FINISH = {
    "max_tokens": FinishReason.LENGTH,
    "model_context_window_exceeded": FinishReason.LENGTH,
    "refusal": FinishReason.FILTERED,
}


def prompt(request: CompletionRequest) -> dict[str, Any]:
    """The fields that hold the prompt; `/v1/messages/count_tokens` takes them alone."""
    messages = [{"role": str(message.role), "content": message.text} for message in request.messages]
    fields: dict[str, Any] = {"messages": messages}
    if request.model:
        fields["model"] = request.model
    if request.system:
        fields["system"] = request.system
    return fields


def body(request: CompletionRequest) -> dict[str, Any]:
    """A streamed request; this API wants `max_tokens` always."""
    fields = prompt(request) | {"stream": True, "max_tokens": request.max_tokens}
    if request.temperature is not None:
        fields["temperature"] = min(request.temperature, 1.0)  # this API's highest
    if request.stop:
        fields["stop_sequences"] = list(request.stop)
    return fields


class Decoder(EventDecoder):
    """Decodes one streamed answer."""

    def apply(self, data: str) -> str:
        event = msgspec.json.decode(data, type=_Event)
        match event.type:
            case "message_start" if event.message is not None:
                self.model = event.message.model
                self._count(event.message.usage)
            case "content_block_delta" if event.delta is not None and event.delta.type == "text_delta":
                return event.delta.text or ""
            case "message_delta":
                if event.delta is not None and event.delta.stop_reason:
                    self.finish = _FINISH.get(event.delta.stop_reason, FinishReason.STOP)
                self._count(event.usage)
            case "message_stop":
                self.finished = True
            case "error":
                raise ReportedFailure(report_from({"error": event.error or {}}))
        return ""

    def _count(self, usage: _Usage | None) -> None:
        """`message_start` counts the prompt, `message_delta` the answer so far, and newer ones both."""
        if usage is None:
            return
        prompt_tokens, cached = self.usage.input_tokens, self.usage.cached_input_tokens
        if usage.input_tokens is not None:
            cached = usage.cache_read_input_tokens or 0
            prompt_tokens = usage.input_tokens + cached + (usage.cache_creation_input_tokens or 0)
        answered = self.usage.output_tokens if usage.output_tokens is None else usage.output_tokens
        self.usage = Usage(prompt_tokens, answered, cached)
