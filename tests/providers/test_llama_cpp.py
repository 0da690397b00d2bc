"""The adapters against a real llama.cpp server, through each API that it really speaks.

Answers of so small a model are not judged; that they arrive, end, are counted and can be cancelled is.
"""

from collections.abc import Iterator
from random import Random
from typing import Any

import numpy as np
import pytest
import trio
from llama_server import KEY, LlamaServer, Unavailable, llama_server

from lucastrad.config.schema import LlmConfig, Secret
from lucastrad.llm.build import build_provider
from lucastrad.llm.errors import AuthenticationFailed, ContextOverflow, Unsupported
from lucastrad.llm.protocol import (
    CompletionRequest,
    ContextFile,
    EmbeddingRequest,
    FillRequest,
    FinishReason,
    Message,
    Provider,
    Role,
)

pytestmark = [pytest.mark.slow, pytest.mark.timeout(900)]

APIS: dict[str, dict[str, Any]] = {
    "openai chat": {"provider": "openai"},
    "openai responses": {"provider": "openai", "api": "responses"},
    "anthropic": {"provider": "anthropic"},
    "llamafile": {"provider": "llamafile"},
}
every_api = pytest.mark.parametrize("api", APIS)

CONVERSATION = CompletionRequest(
    (
        Message(Role.USER, "My name is Ada."),
        Message(Role.ASSISTANT, "Hello Ada!"),
        Message(Role.USER, "Say hello to me again."),
    ),
    system="You are brief.",
    max_tokens=12,
    temperature=0.0,
)
LONG = CompletionRequest((Message(Role.USER, "Count from 1 to 1000."),), max_tokens=1500, temperature=0.0)


def started(weights: str, *arguments: str) -> Iterator[LlamaServer]:
    try:
        with llama_server(weights, *arguments) as server:
            yield server
    except Unavailable as reason:
        pytest.skip(f"ran without a real llama.cpp server: {reason}")


@pytest.fixture(scope="module")
def chat() -> Iterator[LlamaServer]:
    yield from started("smollm2")


@pytest.fixture(scope="module")
def embedder() -> Iterator[LlamaServer]:
    yield from started("smollm2", "--embeddings", "--pooling", "mean")


@pytest.fixture(scope="module")
def coder() -> Iterator[LlamaServer]:
    yield from started("qwen")


def provider_of(server: LlamaServer, api: str, **settings: Any) -> Provider:
    values = {"endpoint": server.origin, "api_key": Secret(KEY, "${KEY}"), "timeout_secs": 120, "retry_attempts": 0}
    return build_provider(LlmConfig(**(APIS[api] | values | settings)), environ={}, random=Random(0))


async def until_busy(server: LlamaServer, slots: int) -> None:
    """Wait until the server works on that many answers: it notices a closed connection at the next token."""
    with trio.fail_after(20):
        while True:
            if await trio.to_thread.run_sync(server.slots_busy) == slots:
                return
            await trio.sleep(0.02)


@every_api
@pytest.mark.trio
async def test_a_conversation_is_answered_and_counted(chat: LlamaServer, api: str) -> None:
    provider = provider_of(chat, api)
    async with provider.stream(CONVERSATION) as stream:
        pieces = [piece async for piece in stream]
        completion = stream.completion
    assert len(pieces) > 1
    assert completion.text == "".join(pieces) != ""
    assert completion.usage.output_tokens is not None
    assert 1 <= completion.usage.output_tokens <= 12
    assert completion.usage.input_tokens is not None
    assert completion.usage.input_tokens > 20
    again = await provider.complete(CONVERSATION)
    assert again.text
    assert again.finish in set(FinishReason)
    await provider.aclose()


@pytest.mark.parametrize("api", ["openai responses", "anthropic", "llamafile"])
@pytest.mark.trio
async def test_the_count_before_is_the_count_that_the_answer_reports(chat: LlamaServer, api: str) -> None:
    provider = provider_of(chat, api)
    counted = await provider.count_tokens(CONVERSATION)
    completion = await provider.complete(CONVERSATION)
    assert counted.exact
    assert completion.usage.input_tokens is not None
    # The template and the server may differ by the marker that begins a text.
    assert abs(counted.tokens - completion.usage.input_tokens) <= 1
    await provider.aclose()


@every_api
@pytest.mark.trio
async def test_the_bound_on_an_answer_is_told_as_its_reason(chat: LlamaServer, api: str) -> None:
    provider = provider_of(chat, api)
    request = CompletionRequest(LONG.messages, max_tokens=3, temperature=0.0)
    completion = await provider.complete(request)
    # Its Responses API says "completed" of an answer that max_output_tokens cut short.
    assert completion.finish is (FinishReason.STOP if api == "openai responses" else FinishReason.LENGTH)
    assert completion.usage.output_tokens == 3
    await provider.aclose()


@every_api
@pytest.mark.trio
async def test_a_cancelled_answer_frees_the_servers_slot(chat: LlamaServer, api: str) -> None:
    provider = provider_of(chat, api)
    for _ in range(3):
        async with provider.stream(LONG) as stream:
            await anext(stream)
            assert await trio.to_thread.run_sync(chat.slots_busy) == 1
        await until_busy(chat, 0)
    await provider.aclose()


@every_api
@pytest.mark.trio
async def test_a_wrong_key_is_refused_and_not_shown(chat: LlamaServer, api: str) -> None:
    provider = provider_of(chat, api, api_key=Secret("sk-wrong-key-0123456789", "${KEY}"))
    with pytest.raises(AuthenticationFailed, match=r"\$\{KEY\}") as refused:
        await provider.complete(CONVERSATION)
    assert "wrong-key" not in refused.value.message
    await provider.aclose()


@every_api
@pytest.mark.trio
async def test_a_prompt_beyond_the_context_is_an_overflow(chat: LlamaServer, api: str) -> None:
    provider = provider_of(chat, api)
    with pytest.raises(ContextOverflow):
        await provider.complete(CompletionRequest((Message(Role.USER, "word " * 5000),), max_tokens=5))
    await provider.aclose()


@every_api
@pytest.mark.trio
async def test_models_and_health_are_told(chat: LlamaServer, api: str) -> None:
    provider = provider_of(chat, api)
    health = await provider.health()
    assert health.ok, health.detail
    (model,) = await provider.models()
    assert "smollm2" in model.id
    if api == "llamafile":
        assert model.context_tokens == 2048
        assert not (await provider_of(chat, api, api_key=Secret("sk-wrong", "${KEY}")).health()).ok
    await provider.aclose()


@pytest.mark.parametrize("api", ["openai chat", "llamafile"])
@pytest.mark.trio
async def test_texts_are_embedded(embedder: LlamaServer, api: str) -> None:
    provider = provider_of(embedder, api)
    texts = ("def load_config(path): ...", "read the configuration file", "a recipe for onion soup")
    found = await provider.embed(EmbeddingRequest(texts))
    assert found.vectors.shape == (3, 576)
    assert found.vectors.dtype == np.float32
    single = await provider.embed(EmbeddingRequest(texts[1:2]))
    rows = [row / np.linalg.norm(row) for row in (found.vectors[1], single.vectors[0])]
    assert float(rows[0] @ rows[1]) > 0.999
    await provider.aclose()


@pytest.mark.trio
async def test_a_model_without_the_tokens_cannot_fill_in_the_middle(chat: LlamaServer) -> None:
    provider = provider_of(chat, "llamafile")
    with pytest.raises(Unsupported, match="not supported by this model"):
        await provider.fill_in_the_middle(FillRequest("def f(", "):"))
    with pytest.raises(Unsupported, match="--embeddings"):
        await provider.embed(EmbeddingRequest(("a",)))
    await provider.aclose()


@pytest.mark.trio
async def test_the_middle_of_a_function_is_filled(coder: LlamaServer) -> None:
    provider = provider_of(coder, "llamafile")
    completion = await provider.fill_in_the_middle(
        FillRequest(
            "def add(a, b):\n    return ", "\n\nprint(add(1, 2))\n", max_tokens=4,
            context=(ContextFile("sub.py", "def sub(a, b):\n    return a - b\n"),),
        )
    )  # fmt: skip
    assert completion.text.startswith("a + b")
    assert completion.usage.output_tokens is not None
    assert completion.usage.output_tokens <= 4
    await provider.aclose()


@pytest.mark.trio
async def test_a_cancelled_completion_in_the_middle_frees_the_servers_slot(coder: LlamaServer) -> None:
    provider = provider_of(coder, "llamafile")
    request = FillRequest("def f():\n    names = [", "]\n", max_tokens=1500)
    for _ in range(2):
        async with trio.open_nursery() as nursery:
            nursery.start_soon(provider.fill_in_the_middle, request)
            await until_busy(coder, 1)
            nursery.cancel_scope.cancel()
        await until_busy(coder, 0)
    await provider.aclose()
