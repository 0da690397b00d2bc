"""Ollama's own API, https://docs.ollama.com/api. A stream of JSON lines ends with one that has `"done": true`."""

from typing import Any

import msgspec

from lucastrad.llm.protocol import CompletionRequest, FillRequest, FinishReason, Usage
from lucastrad.llm.refusals import report_from
from lucastrad.llm.streaming import LineDecoder, ReportedFailure


class _Message(msgspec.Struct, frozen=True):
    content: str | None = None


class _Line(msgspec.Struct, frozen=True):
    model: str = ""
    message: _Message | None = None
    response: str | None = None
    """The text in a reply of `/api/generate`."""
    done: bool = False
    done_reason: str | None = None
    prompt_eval_count: int | None = None
    eval_count: int | None = None
    error: Any = None


class Embedded(msgspec.Struct, frozen=True):
    """The reply of `/api/embed`."""

    embeddings: list[list[float]]
    model: str = ""
    prompt_eval_count: int | None = None


class _Installed(msgspec.Struct, frozen=True):
    name: str


class Installed(msgspec.Struct, frozen=True):
    """The reply of `/api/tags`."""

    models: list[_Installed] | None = None


WHOLE = {"truncate": False, "shift": False}
"""By default Ollama drops the beginning of a prompt that is too long, and of an answer's context, without a word."""


def _options(*, max_tokens: int | None, temperature: float | None, stop: tuple[str, ...]) -> dict[str, Any]:
    options: dict[str, Any] = {}
    if max_tokens is not None:
        options["num_predict"] = max_tokens
    if temperature is not None:
        options["temperature"] = temperature
    if stop:
        options["stop"] = list(stop)
    return options


def chat_body(request: CompletionRequest) -> dict[str, Any]:
    """A streamed request to `/api/chat`."""
    messages = [{"role": str(message.role), "content": message.text} for message in request.messages]
    if request.system:
        messages.insert(0, {"role": "system", "content": request.system})
    options = _options(max_tokens=request.max_tokens, temperature=request.temperature, stop=request.stop)
    return {"model": request.model, "messages": messages, "stream": True, "options": options, **WHOLE}


def fill_body(request: FillRequest) -> dict[str, Any]:
    """A streamed request to `/api/generate` for the text before a suffix."""
    options = _options(max_tokens=request.max_tokens, temperature=request.temperature, stop=request.stop)
    return {
        "model": request.model,
        "prompt": request.prefix,
        "suffix": request.suffix,
        "stream": True,
        "options": options,
        **WHOLE,
    }


class Decoder(LineDecoder):
    """Decodes one streamed answer of `/api/chat` or `/api/generate`."""

    def apply(self, line: bytes) -> str:
        event = msgspec.json.decode(line, type=_Line)
        if event.error:
            raise ReportedFailure(report_from({"error": event.error}))
        self.model = event.model or self.model
        if event.done:
            self.finished = True
            self.finish = FinishReason.LENGTH if event.done_reason == "length" else FinishReason.STOP
            self.usage = Usage(event.prompt_eval_count, event.eval_count)
        return (event.message.content if event.message is not None else event.response) or ""
