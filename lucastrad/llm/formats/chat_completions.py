"""OpenAI's Chat Completions API, which llama.cpp, vLLM, LM Studio and many others speak too.

https://platform.openai.com/docs/api-reference/chat. A stream ends with `data: [DONE]`.
"""

from typing import Any

import msgspec

from lucastrad.llm.protocol import CompletionRequest, FinishReason, Usage
from lucastrad.llm.refusals import report_from
from lucastrad.llm.streaming import EventDecoder, ReportedFailure


class _Details(msgspec.Struct, frozen=True):
    cached_tokens: int | None = None


class TokenUsage(msgspec.Struct, frozen=True):
    """`usage` of a reply of this API, and of the embeddings and completions beside it."""

    prompt_tokens: int | None = None
    completion_tokens: int | None = None
    prompt_tokens_details: _Details | None = None

    def to_usage(self) -> Usage:
        details = self.prompt_tokens_details
        return Usage(self.prompt_tokens, self.completion_tokens, (details and details.cached_tokens) or 0)


class _Delta(msgspec.Struct, frozen=True):
    content: str | None = None
    refusal: str | None = None


class _Choice(msgspec.Struct, frozen=True):
    delta: _Delta | None = None
    text: str | None = None
    """Of the older Completions API, which streams the same otherwise."""
    finish_reason: str | None = None


class _Chunk(msgspec.Struct, frozen=True):
    choices: list[_Choice] | None = None
    model: str = ""
    usage: TokenUsage | None = None
    error: Any = None


_FINISH = {"length": FinishReason.LENGTH, "content_filter": FinishReason.FILTERED}


def _finish_reason(reason: str) -> FinishReason:
    """What `finish_reason` says."""
    return _FINISH.get(reason, FinishReason.STOP)


def body(request: CompletionRequest, *, limit_key: str = "max_tokens") -> dict[str, Any]:
    """A streamed request. `limit_key` names the bound on the answer: OpenAI itself wants `max_completion_tokens`."""
    messages = [{"role": str(message.role), "content": message.text} for message in request.messages]
    if request.system:
        messages.insert(0, {"role": "system", "content": request.system})
    fields: dict[str, Any] = {"messages": messages, "stream": True, "stream_options": {"include_usage": True}}
    if request.model:
        fields["model"] = request.model
    if request.max_tokens is not None:
        fields[limit_key] = request.max_tokens
    if request.temperature is not None:
        fields["temperature"] = request.temperature
    if request.stop:
        fields["stop"] = list(request.stop)
    return fields


class Decoder(EventDecoder):
    """Decodes one streamed answer of this API or of the older one."""

    def apply(self, data: str) -> str:
        if data.strip() == "[DONE]":
            self.finished = True
            return ""
        chunk = msgspec.json.decode(data, type=_Chunk)
        if chunk.error:
            raise ReportedFailure(report_from({"error": chunk.error}))
        self.model = chunk.model or self.model
        if chunk.usage is not None:
            self.usage = chunk.usage.to_usage()
        text = ""
        for choice in chunk.choices or ():
            if choice.finish_reason:
                self.finish = _finish_reason(choice.finish_reason)
            if choice.delta is not None and choice.delta.refusal:
                self.finish = FinishReason.FILTERED
                text += choice.delta.refusal
            elif choice.delta is not None:
                text += choice.delta.content or ""
            text += choice.text or ""
        return text
