"""Ollama's own API; its imitation of OpenAI's has no suffix and drops what does not fit without a word."""

from typing import Any

from lucastrad.llm.errors import UnknownModel
from lucastrad.llm.formats import ollama
from lucastrad.llm.http import Endpoint
from lucastrad.llm.protocol import (
    Capabilities,
    CompletionRequest,
    EmbeddingRequest,
    Embeddings,
    FillRequest,
    Model,
    Usage,
)
from lucastrad.llm.providers.base import HEALTH_SECONDS, Defaults, Exchange, HttpProvider
from lucastrad.llm.tokens import estimate_texts

ENDPOINT = "http://127.0.0.1:11434"
DEFAULT_EMBEDDING_MODEL = "nomic-embed-text"


class OllamaProvider(HttpProvider):
    """A request that names no model, where none is configured, gets the one that was installed last."""

    def __init__(self, endpoint: Endpoint, defaults: Defaults) -> None:
        super().__init__(endpoint, defaults)
        self._newest_model: str | None = None

    @property
    def capabilities(self) -> Capabilities:
        return Capabilities(
            embed=True, choose_dimensions=True, fill_in_the_middle=True, local=self._endpoint.is_local
        )  # fmt: skip

    def _exchange(self, request: CompletionRequest) -> Exchange:
        return Exchange("/api/chat", ollama.chat_body(request), ollama.Decoder())

    async def embed(self, request: EmbeddingRequest) -> Embeddings:
        model = request.model or self._defaults.embedding_model or DEFAULT_EMBEDDING_MODEL
        fields: dict[str, Any] = {"model": model, "input": list(request.texts), "truncate": False}
        if request.dimensions is not None:
            fields["dimensions"] = request.dimensions
        expected = estimate_texts(request.texts).tokens
        reply = await self._endpoint.call(
            "POST", "/api/embed", fields,
            reply=ollama.Embedded, model=model, tokens=expected, retry_attempts=request.retry_attempts,
        )  # fmt: skip
        usage = Usage(reply.prompt_eval_count)
        self._account(usage, expected)
        return Embeddings(self._vectors(reply.embeddings, request), reply.model or model, usage)

    def _fill_exchange(self, request: FillRequest) -> Exchange | None:
        return Exchange("/api/generate", ollama.fill_body(request), ollama.Decoder())

    async def models(self) -> tuple[Model, ...]:
        reply = await self._endpoint.call(
            "GET", "/api/tags", reply=ollama.Installed, retry_attempts=0, stall_seconds=HEALTH_SECONDS
        )
        return tuple(Model(one.name) for one in reply.models or ())

    async def _only_model(self) -> str:
        if self._newest_model is None:
            # The newest may be one for embeddings, which answers nothing.
            installed = [model for model in await self.models() if "embed" not in model.id.lower()]
            if not installed:
                raise UnknownModel(
                    f"{self._endpoint.target.title} has no model yet: run `ollama pull qwen2.5-coder:1.5b`",
                    provider=self.name,
                )
            self._newest_model = installed[0].id
        return self._newest_model
