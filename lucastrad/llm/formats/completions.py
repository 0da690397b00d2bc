"""Text between a prefix and a suffix: OpenAI's older Completions API, and llama.cpp's `/infill`.

Both are streamed, though the text is short: llama.cpp works on after a cancelled request that is not (seen with
build 10434), since it looks at the connection only when it writes. Ends are `[DONE]`, and an event with `"stop": true`.
"""

from typing import Any

import msgspec

from lucastrad.llm.protocol import FillRequest, FinishReason, Usage
from lucastrad.llm.refusals import report_from
from lucastrad.llm.streaming import EventDecoder, ReportedFailure


class _Infilled(msgspec.Struct, frozen=True):
    content: str = ""
    stop: bool = False
    stop_type: str = ""
    stopped_limit: bool = False
    """What older servers, llamafile's among them, say instead of `stop_type`."""
    model: str = ""
    tokens_predicted: int | None = None
    tokens_evaluated: int | None = None
    error: Any = None


def suffix_body(request: FillRequest) -> dict[str, Any]:
    """A streamed request to `/completions`."""
    fields: dict[str, Any] = {
        "prompt": request.prefix,
        "suffix": request.suffix,
        "max_tokens": request.max_tokens,
        "temperature": request.temperature,
        "stream": True,
        "stream_options": {"include_usage": True},
    }
    return _with_options(fields, request)


def infill_body(request: FillRequest) -> dict[str, Any]:
    """A streamed request to `/infill`."""
    fields: dict[str, Any] = {
        "input_prefix": request.prefix,
        "input_suffix": request.suffix,
        "input_extra": [{"filename": file.path, "text": file.text} for file in request.context],
        "n_predict": request.max_tokens,
        "temperature": request.temperature,
        "stream": True,
    }
    return _with_options(fields, request)


def _with_options(fields: dict[str, Any], request: FillRequest) -> dict[str, Any]:
    if request.model:
        fields["model"] = request.model
    if request.stop:
        fields["stop"] = list(request.stop)
    return fields


class InfillDecoder(EventDecoder):
    """Decodes one stream of `/infill`."""

    def apply(self, data: str) -> str:
        event = msgspec.json.decode(data, type=_Infilled)
        if event.error:
            raise ReportedFailure(report_from({"error": event.error}))
        self.model = event.model or self.model
        if event.stop:
            self.finished = True
            self.usage = Usage(event.tokens_evaluated, event.tokens_predicted)
            if event.stop_type == "limit" or event.stopped_limit:
                self.finish = FinishReason.LENGTH
        return event.content
