"""llamafile and llama.cpp's own server: OpenAI's APIs, and `/infill`, `/tokenize`, `/props` and `/health` beside them.

https://github.com/ggml-org/llama.cpp/tree/master/tools/server
"""

from typing import Any

import msgspec

from lucastrad.llm.errors import ProviderError, RequestRejected, ServerFailed, Unsupported
from lucastrad.llm.formats import chat_completions, completions
from lucastrad.llm.http import Endpoint
from lucastrad.llm.protocol import (
    Capabilities,
    CompletionRequest,
    FillRequest,
    Health,
    Model,
    TokenCount,
)
from lucastrad.llm.providers.base import HEALTH_SECONDS, Defaults, Exchange
from lucastrad.llm.providers.openai import OpenAiProvider

ENDPOINT = "http://127.0.0.1:8080"

_MESSAGE_MARKER_TOKENS = 8


class _Tokens(msgspec.Struct, frozen=True):
    tokens: list[Any]


class _Applied(msgspec.Struct, frozen=True):
    prompt: str


class _Settings(msgspec.Struct, frozen=True):
    n_ctx: int | None = None


class _Properties(msgspec.Struct, frozen=True):
    default_generation_settings: _Settings | None = None
    model_path: str = ""


class _HealthReply(msgspec.Struct, frozen=True):
    status: str = ""


class LlamafileProvider(OpenAiProvider):
    """`endpoint` is the server's root, without `/v1`. A request that names no model gets the one that is loaded."""

    def __init__(self, endpoint: Endpoint, defaults: Defaults) -> None:
        super().__init__(endpoint, defaults)
        self._applies_templates = True

    @property
    def capabilities(self) -> Capabilities:
        return Capabilities(
            embed=True,
            fill_in_the_middle=True,
            fill_context=True,
            count_tokens=True,
            local=self._endpoint.is_local,
        )

    def _path(self, path: str, model: str | None) -> str:
        return f"/v1{path}"

    def _exchange(self, request: CompletionRequest) -> Exchange:
        return Exchange("/v1/chat/completions", chat_completions.body(request), chat_completions.Decoder())

    async def _only_model(self) -> str | None:
        return None

    def _fill_exchange(self, request: FillRequest) -> Exchange | None:
        return Exchange("/infill", completions.infill_body(request), completions.InfillDecoder())

    async def _count(self, request: CompletionRequest) -> TokenCount:
        """By the model's own template and tokenizer; servers without `/apply-template` count the texts alone."""
        messages = chat_completions.body(request)["messages"]
        prompt = await self._templated(messages, request) if self._applies_templates else None
        if prompt is not None:
            return TokenCount(await self._tokenized(prompt, request), exact=True)
        text = "\n".join(message["content"] for message in messages)
        markers = _MESSAGE_MARKER_TOKENS * len(messages)
        return TokenCount(await self._tokenized(text, request) + markers, exact=False)

    async def _templated(self, messages: list[dict[str, str]], request: CompletionRequest) -> str | None:
        try:
            reply = await self._endpoint.call(
                "POST", "/apply-template", {"messages": messages},
                reply=_Applied, model=request.model, retry_attempts=request.retry_attempts,
            )  # fmt: skip
        except (RequestRejected, Unsupported):
            self._applies_templates = False
            return None
        return reply.prompt

    async def _tokenized(self, text: str, request: CompletionRequest) -> int:
        reply = await self._endpoint.call(
            "POST", "/tokenize", {"content": text, "add_special": True, "parse_special": True},
            reply=_Tokens, model=request.model, retry_attempts=request.retry_attempts,
        )  # fmt: skip
        return len(reply.tokens)

    async def models(self) -> tuple[Model, ...]:
        found = await super().models()
        try:
            properties = await self._properties()
        except ProviderError:
            return found  # older servers have no /props; the names are known all the same
        settings = properties.default_generation_settings
        context = settings.n_ctx if settings is not None else None
        return tuple(Model(model.id, model.context_tokens or context) for model in found)

    async def _properties(self) -> _Properties:
        return await self._endpoint.call(
            "GET", "/props", reply=_Properties, retry_attempts=0, stall_seconds=HEALTH_SECONDS
        )

    async def health(self) -> Health:
        """`/health` says whether the model is loaded, `/props` whether the key is right: the first needs none."""
        title = self._endpoint.target.title
        try:
            await self._endpoint.call(
                "GET", "/health", reply=_HealthReply, retry_attempts=0, stall_seconds=HEALTH_SECONDS
            )
            properties = await self._properties()
        except ServerFailed as error:
            return Health(False, f"{title} is not ready: {error.message}")
        except RequestRejected:
            return await super().health()
        except ProviderError as error:
            return Health(False, error.message)
        return Health(True, f"{title} answers with {properties.model_path.rpartition('/')[2] or 'its model'}")
