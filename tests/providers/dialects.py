"""The recorded wire formats: for each API, how it streams an answer and how it reports failures."""

import json
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from random import Random
from typing import Any

from lucastrad.config.schema import LlmConfig, Secret
from lucastrad.llm.build import build_provider
from lucastrad.llm.protocol import CompletionRequest, Message, Provider, Role

KEY = "opaque0123456789abcdefTAIL"
"""Of a form that no pattern knows, so that only knowing the key itself can keep it out of messages."""
QUESTION = CompletionRequest(messages=(Message(Role.USER, "what does load() do?"),), system="Be brief.")


def event(data: Any, *, name: str = "") -> bytes:
    text = data if isinstance(data, str) else json.dumps(data, ensure_ascii=False)
    return (f"event: {name}\n" if name else "").encode() + f"data: {text}\n\n".encode()


def named(data: dict[str, Any]) -> bytes:
    return event(data, name=data["type"])


def chat_stream(texts: Sequence[str]) -> list[bytes]:
    """As OpenAI sends it: a role first, then the text, the reason, the usage, and `[DONE]`."""

    def chunk(choices: list[dict[str, Any]], **more: Any) -> bytes:
        base = {"id": "chatcmpl-1", "object": "chat.completion.chunk", "created": 1, "model": "gpt-4o-mini-2024-07-18"}
        return event(base | {"choices": choices} | more)

    def choice(delta: dict[str, Any], reason: str | None = None) -> list[dict[str, Any]]:
        return [{"index": 0, "delta": delta, "logprobs": None, "finish_reason": reason}]

    usage = {
        "prompt_tokens": 25,
        "completion_tokens": 7,
        "total_tokens": 32,
        "prompt_tokens_details": {"cached_tokens": 5},
    }
    return [
        chunk(choice({"role": "assistant", "content": "", "refusal": None}), usage=None),
        *(chunk(choice({"content": text}), usage=None) for text in texts),
        chunk(choice({}, "stop"), usage=None),
        chunk([], usage=usage),
        event("[DONE]"),
    ]


def responses_stream(texts: Sequence[str]) -> list[bytes]:
    """As OpenAI sends it: named events, the last of which repeats the whole response."""
    response = {"id": "resp_1", "object": "response", "model": "gpt-4o-mini-2024-07-18", "error": None}
    usage = {"input_tokens": 25, "input_tokens_details": {"cached_tokens": 5}, "output_tokens": 7, "total_tokens": 32}
    item = {"item_id": "msg_1", "output_index": 0, "content_index": 0}
    whole = "".join(texts)
    content = [{"type": "output_text", "text": whole, "annotations": []}]
    done = {
        **response, "status": "completed", "usage": usage, "incomplete_details": None,
        "output": [{"type": "message", "id": "msg_1", "role": "assistant", "content": content}],
    }  # fmt: skip
    return [
        named({"type": "response.created", "response": {**response, "status": "in_progress", "usage": None}}),
        named({"type": "response.output_item.added", "output_index": 0, "item": {"type": "message", "id": "msg_1"}}),
        named({"type": "response.content_part.added", **item, "part": {"type": "output_text", "text": ""}}),
        *(named({"type": "response.output_text.delta", **item, "delta": text}) for text in texts),
        named({"type": "response.output_text.done", **item, "text": whole}),
        named({"type": "response.completed", "response": done}),
    ]


def messages_stream(texts: Sequence[str]) -> list[bytes]:
    """As Anthropic sends it, with a ping."""
    usage = {"input_tokens": 20, "cache_creation_input_tokens": 0, "cache_read_input_tokens": 5, "output_tokens": 1}
    message = {"id": "msg_1", "type": "message", "role": "assistant", "content": [], "model": "claude-sonnet-4-5"}
    start = {"type": "content_block_start", "index": 0, "content_block": {"type": "text", "text": ""}}
    return [
        named({"type": "message_start", "message": message | {"stop_reason": None, "usage": usage}}),
        named(start),
        named({"type": "ping"}),
        *(
            named({"type": "content_block_delta", "index": 0, "delta": {"type": "text_delta", "text": text}})
            for text in texts
        ),
        named({"type": "content_block_stop", "index": 0}),
        named({"type": "message_delta", "delta": {"stop_reason": "end_turn"}, "usage": {"output_tokens": 7}}),
        named({"type": "message_stop"}),
    ]


def ollama_stream(texts: Sequence[str]) -> list[bytes]:
    """As Ollama sends it: one line of JSON per piece."""

    def line(content: str, **more: Any) -> bytes:
        message = {"role": "assistant", "content": content}
        tree = {"model": "llama3.2", "created_at": "2025-01-01T00:00:00Z", "message": message, "done": False}
        return json.dumps(tree | more, ensure_ascii=False).encode() + b"\n"

    counts = {"prompt_eval_count": 25, "eval_count": 7, "total_duration": 1}
    return [*(line(text) for text in texts), line("", done=True, done_reason="stop", **counts)]


@dataclass(frozen=True)
class Dialect:
    """One API, as the tests speak it."""

    name: str
    settings: dict[str, Any]
    path: str
    stream: Callable[[Sequence[str]], list[bytes]]
    key_header: str
    content_type: str = "text/event-stream"
    prefix: str = ""
    """What stands before the path in `endpoint`."""

    def provider(self, origin: str, *, offline: bool = False, **settings: Any) -> Provider:
        """A provider of this API at `origin`, with a key and without chance."""
        values = {"api_key": Secret(KEY, "${TEST_KEY}"), "endpoint": f"{origin}{self.prefix}", "retry_attempts": 0}
        config = LlmConfig(**(self.settings | values | settings))
        return build_provider(config, environ={}, offline=offline, random=Random(0), epoch_seconds=lambda: 1_000_000.0)


CHAT = Dialect("chat", {"provider": "openai", "model": "m"}, "/v1/chat/completions", chat_stream, "authorization")
RESPONSES = Dialect(
    "responses",
    {"provider": "openai", "model": "m", "api": "responses"},
    "/v1/responses",
    responses_stream,
    "authorization",
)
AZURE = Dialect(
    "azure", {"provider": "azure", "model": "m", "api_version": "2024-10-21"},
    "/openai/deployments/m/chat/completions", chat_stream, "api-key",
)  # fmt: skip
ANTHROPIC = Dialect("anthropic", {"provider": "anthropic", "model": "m"}, "/v1/messages", messages_stream, "x-api-key")
LLAMAFILE = Dialect("llamafile", {"provider": "llamafile"}, "/v1/chat/completions", chat_stream, "authorization")
OLLAMA = Dialect(
    "ollama", {"provider": "ollama", "model": "m"}, "/api/chat", ollama_stream, "authorization", "application/x-ndjson"
)  # fmt: skip
DIALECTS = (CHAT, RESPONSES, AZURE, ANTHROPIC, LLAMAFILE, OLLAMA)
FORMATS = (CHAT, RESPONSES, ANTHROPIC, OLLAMA)
"""One per wire format."""
