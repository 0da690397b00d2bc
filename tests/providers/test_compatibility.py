"""v1.1's blocking face of a model, against a server that speaks HTTP for real."""

from collections.abc import Callable, Mapping
from typing import Any

import msgspec
import pytest
import trio
from lucastra_protocol.errors import ErrorCode, LucAstraError
from replay import Received, Reply, serving

from lucastrad.config.schema import Config, LlmConfig
from lucastrad.llm import LLMService

ANSWER = {"choices": [{"index": 0, "delta": {"content": "Bonjour."}, "finish_reason": None}]}
END = {"choices": [{"index": 0, "delta": {}, "finish_reason": "stop"}]}


async def asked(use: Callable[[str], str]) -> tuple[str, list[Received]]:
    """What `use` returns, in a thread as programs without an event loop have it; and what was sent."""

    async def handler(request: Received, reply: Reply) -> None:
        events = [b"data: " + msgspec.json.encode(event) + b"\n\n" for event in (ANSWER, END)]
        await reply.stream([*events, b"data: [DONE]\n\n"])

    async with serving(handler) as server:
        text = await trio.to_thread.run_sync(use, server.origin)
        return text, server.received


@pytest.mark.trio
async def test_an_endpoint_answers_a_prompt() -> None:
    def use(origin: str) -> str:
        with pytest.deprecated_call(match="BlockingClient"):
            service = LLMService(origin)
        return service.infer("Say hello in French.", system="Be brief.", max_tokens=7) + service.infer("Again.")

    text, received = await asked(use)
    assert text == "Bonjour.Bonjour."
    assert [request.path for request in received] == ["/v1/chat/completions"] * 2
    assert received[0].body["messages"][-1] == {"role": "user", "content": "Say hello in French."}
    assert received[0].body["max_tokens"] == 7


@pytest.mark.trio
@pytest.mark.parametrize(
    "config_of",
    [
        lambda origin: {"endpoint": origin},
        lambda origin: {"llm": {"endpoint": origin, "temperature": 0.5}},
        lambda origin: {"llm": {"provider": "openai", "endpoint": f"{origin}/v1", "model": "m", "api_key": "k-1"}},
        lambda origin: Config(llm=LlmConfig(provider="llamafile", endpoint=origin)),
    ],
)
async def test_a_configuration_of_any_version_names_the_model(
    config_of: Callable[[str], Config | Mapping[str, Any]],
) -> None:
    def use(origin: str) -> str:
        with pytest.deprecated_call():
            service = LLMService.from_config(config_of(origin))
        return service.infer("Say hello.")

    text, received = await asked(use)
    assert (text, len(received)) == ("Bonjour.", 1)


def test_a_setting_that_is_wrong_and_a_configuration_without_a_model_are_errors() -> None:
    with pytest.deprecated_call(), pytest.raises(LucAstraError, match="temperature") as caught:
        LLMService("http://127.0.0.1:9", temperature=7)
    assert caught.value.code is ErrorCode.CONFIG_INVALID
    with pytest.deprecated_call():
        service = LLMService.from_config(Config())
    with pytest.raises(LucAstraError, match="names no language model"):
        service.infer("Say hello.")
