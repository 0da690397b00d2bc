"""Each API's recorded wire format, replayed over real HTTP, becomes the same answer."""

import base64
from typing import Any

import numpy as np
import pytest
import trio
from dialects import (
    ANTHROPIC,
    AZURE,
    CHAT,
    DIALECTS,
    KEY,
    LLAMAFILE,
    OLLAMA,
    QUESTION,
    RESPONSES,
    Dialect,
    event,
    named,
)
from replay import Received, Reply, serving
from trio.testing import wait_all_tasks_blocked

from lucastrad.config.schema import Secret
from lucastrad.llm.errors import ProviderError, RequestRejected, Truncated, Unsupported
from lucastrad.llm.protocol import (
    Completion,
    CompletionRequest,
    ContextFile,
    EmbeddingRequest,
    FillRequest,
    FinishReason,
    Message,
    Model,
    Provider,
    Role,
    TokenCount,
    Usage,
)

pytestmark = pytest.mark.trio
every_dialect = pytest.mark.parametrize("dialect", DIALECTS, ids=lambda dialect: dialect.name)


async def ask(
    dialect: Dialect, pieces: list[bytes], request: CompletionRequest = QUESTION, **settings: Any
) -> Completion:
    async def answer(_: Received, reply: Reply) -> None:
        await reply.stream(pieces, kind=dialect.content_type)

    async with serving(answer) as server:
        provider = server.provider(dialect, **settings)
        return await provider.complete(request)


@every_dialect
async def test_an_answer_arrives_piece_by_piece_and_ends_with_model_reason_and_usage(dialect: Dialect) -> None:
    async def answer(_: Received, reply: Reply) -> None:
        await reply.stream(dialect.stream(["It reads ", "the “file”", " 🙂."]), kind=dialect.content_type)

    async with serving(answer) as server:
        provider = server.provider(dialect)
        async with provider.stream(QUESTION) as stream:
            pieces = [piece async for piece in stream]
            completion = stream.completion
        assert pieces == ["It reads ", "the “file”", " 🙂."]
        assert completion.text == "It reads the “file” 🙂."
        assert completion.model
        assert completion.finish is FinishReason.STOP
        assert completion.usage == Usage(25, 7, 0 if dialect is OLLAMA else 5)
        assert server.received[0].path == dialect.path


@every_dialect
async def test_the_request_carries_prompt_limits_and_key_where_the_api_has_them(dialect: Dialect) -> None:
    async def answer(_: Received, reply: Reply) -> None:
        await reply.stream(dialect.stream(["ok"]), kind=dialect.content_type)

    request = CompletionRequest(
        (Message(Role.USER, "q1"), Message(Role.ASSISTANT, "a1"), Message(Role.USER, "q2")),
        system="S", max_tokens=50, temperature=0.25, stop=() if dialect is RESPONSES else ("END",),
    )  # fmt: skip
    async with serving(answer) as server:
        await server.provider(dialect).complete(request)
        (received,) = server.received
    turns = [
        {"role": "user", "content": "q1"},
        {"role": "assistant", "content": "a1"},
        {"role": "user", "content": "q2"},
    ]
    with_system = [{"role": "system", "content": "S"}, *turns]
    limits = {"temperature": 0.25, "stop": ["END"], "stream": True}
    usage = {"stream_options": {"include_usage": True}}
    expected: dict[str, dict[str, Any]] = {
        "chat": {"model": "m", "messages": with_system, "max_tokens": 50, **limits, **usage},
        "azure": {"model": "m", "messages": with_system, "max_completion_tokens": 50, **limits, **usage},
        "llamafile": {"messages": with_system, "max_tokens": 50, **limits, **usage},
        "anthropic": {
            "model": "m", "messages": turns, "system": "S", "max_tokens": 50,
            "temperature": 0.25, "stop_sequences": ["END"], "stream": True,
        },
        "ollama": {
            "model": "m", "messages": with_system, "stream": True, "truncate": False, "shift": False,
            "options": {"temperature": 0.25, "num_predict": 50, "stop": ["END"]},
        },
        "responses": {
            "model": "m", "instructions": "S", "max_output_tokens": 50, "temperature": 0.25, "stream": True,
            "store": False,
            "input": [
                {"type": "message", "role": "user", "content": [{"type": "input_text", "text": "q1"}]},
                {"type": "message", "role": "assistant", "content": [{"type": "output_text", "text": "a1"}]},
                {"type": "message", "role": "user", "content": [{"type": "input_text", "text": "q2"}]},
            ],
        },
    }  # fmt: skip
    assert received.body == expected[dialect.name]
    sent = received.headers[dialect.key_header]
    assert sent == (f"Bearer {KEY}" if dialect.key_header == "authorization" else KEY)
    if dialect is ANTHROPIC:
        assert received.headers["anthropic-version"] == "2023-06-01"
    if dialect is AZURE:
        assert received.target.endswith("?api-version=2024-10-21")


async def test_azure_without_a_dated_version_names_the_deployment_in_the_body() -> None:
    async def answer(_: Received, reply: Reply) -> None:
        await reply.stream(AZURE.stream(["ok"]))

    async with serving(answer) as server:
        await server.provider(AZURE, api_version=None, model="my-gpt").complete(QUESTION)
        assert (server.received[0].target, server.received[0].body["model"]) == (
            "/openai/v1/chat/completions", "my-gpt",
        )  # fmt: skip


async def test_an_entra_token_is_sent_as_a_bearer_token() -> None:
    part = base64.urlsafe_b64encode(b'{"alg":"RS256"}').decode().rstrip("=")
    token = f"{part}.{part}.c2ln"

    async def answer(_: Received, reply: Reply) -> None:
        await reply.stream(AZURE.stream(["ok"]))

    async with serving(answer) as server:
        await server.provider(AZURE, api_key=Secret(token, "${T}")).complete(QUESTION)
        headers = server.received[0].headers
        assert (headers["authorization"], "api-key" in headers) == (f"Bearer {token}", False)


@pytest.mark.parametrize(
    ("dialect", "pieces", "finish"),
    [
        (CHAT, [event({"choices": [{"delta": {}, "finish_reason": "length"}]}), event("[DONE]")], FinishReason.LENGTH),
        (CHAT, [event({"choices": [{"delta": {"refusal": "No."}}]}), event("[DONE]")], FinishReason.FILTERED),
        (
            RESPONSES,
            [
                named(
                    {"type": "response.incomplete", "response": {"incomplete_details": {"reason": "max_output_tokens"}}}
                )
            ],
            FinishReason.LENGTH,
        ),
        (
            RESPONSES,
            [named({"type": "response.incomplete", "response": {"incomplete_details": {"reason": "content_filter"}}})],
            FinishReason.FILTERED,
        ),
        (
            ANTHROPIC,
            [named({"type": "message_delta", "delta": {"stop_reason": "max_tokens"}}), named({"type": "message_stop"})],
            FinishReason.LENGTH,
        ),
        (
            ANTHROPIC,
            [named({"type": "message_delta", "delta": {"stop_reason": "refusal"}}), named({"type": "message_stop"})],
            FinishReason.FILTERED,
        ),
        (OLLAMA, [b'{"done":true,"done_reason":"length"}\n'], FinishReason.LENGTH),
    ],
)
async def test_why_an_answer_ended_is_told(dialect: Dialect, pieces: list[bytes], finish: FinishReason) -> None:
    assert (await ask(dialect, pieces)).finish is finish


async def test_azures_first_event_about_filters_and_reasoning_hold_no_text() -> None:
    pieces = [
        event({"choices": [], "prompt_filter_results": [{"prompt_index": 0}]}),
        event({"choices": [{"delta": {"reasoning_content": "hmm", "content": None}}]}),
        b": keep-alive\n\n",
        *AZURE.stream(["ok"]),
    ]
    assert (await ask(AZURE, pieces)).text == "ok"


async def test_thinking_of_claude_is_not_part_of_the_answer() -> None:
    thinking = named({"type": "content_block_delta", "delta": {"type": "thinking_delta", "thinking": "hmm"}})
    assert (await ask(ANTHROPIC, [thinking, *ANTHROPIC.stream(["ok"])])).text == "ok"


async def test_a_model_that_refuses_a_temperature_is_asked_without_one_from_then_on() -> None:
    asked = []

    async def answer(received: Received, reply: Reply) -> None:
        asked.append("temperature" in received.body)
        if "temperature" in received.body:
            message = "Unsupported value: 'temperature' does not support 0.7 with this model."
            await reply.json({"error": {"message": message, "type": "invalid_request_error"}}, status=400)
        else:
            await reply.stream(CHAT.stream(["ok"]))

    async with serving(answer) as server:
        provider = server.provider(CHAT)
        assert (await provider.complete(QUESTION)).text == "ok"
        assert (await provider.complete(QUESTION)).text == "ok"
    assert asked == [True, False, False]


async def test_connections_are_used_again() -> None:
    async def answer(_: Received, reply: Reply) -> None:
        await reply.stream(CHAT.stream(["ok"]))

    async with serving(answer) as server:
        provider = server.provider(CHAT)
        for _ in range(10):
            await provider.complete(QUESTION)
        assert (len(server.received), server.accepted) == (10, 1)
        await provider.aclose()
        with trio.fail_after(5):
            await server.all_closed()


async def test_at_most_max_concurrent_requests_are_under_way() -> None:
    running = most = 0

    async def answer(_: Received, reply: Reply) -> None:
        nonlocal running, most
        running += 1
        most = max(most, running)
        *before, end = CHAT.stream(["ok"])
        await reply.start()
        await reply.send(b"".join(before))
        await wait_all_tasks_blocked()
        running -= 1
        await reply.send(end)
        await reply.end()

    async with serving(answer) as server:
        provider = server.provider(CHAT, max_concurrent=3)
        async with trio.open_nursery() as nursery:
            for _ in range(20):
                nursery.start_soon(provider.complete, QUESTION)
        assert (len(server.received), most) == (20, 3)


@pytest.mark.parametrize("dialect", [CHAT, AZURE, LLAMAFILE], ids=lambda dialect: dialect.name)
async def test_embeddings_of_openais_form_come_in_the_order_of_the_texts(dialect: Dialect) -> None:
    async def answer(_: Received, reply: Reply) -> None:
        data = [{"index": 1, "embedding": [0.5, 1.0]}, {"index": 0, "embedding": [0.25, -1.0]}]
        await reply.json({"data": data, "model": "e", "usage": {"prompt_tokens": 9, "total_tokens": 9}})

    async with serving(answer) as server:
        found = await server.provider(dialect).embed(EmbeddingRequest(("a", "b"), model="e", dimensions=2))
        assert server.received[0].body == {
            "input": ["a", "b"],
            "model": "e",
            "dimensions": 2,
            "encoding_format": "float",
        }
    np.testing.assert_array_equal(found.vectors, np.array([[0.25, -1.0], [0.5, 1.0]], dtype=np.float32))
    assert (found.model, found.usage.input_tokens) == ("e", 9)


async def test_ollama_embeds_and_refuses_to_cut_a_text_short() -> None:
    async def answer(_: Received, reply: Reply) -> None:
        await reply.json({"model": "e", "embeddings": [[0.25, -1.0]], "prompt_eval_count": 3})

    async with serving(answer) as server:
        found = await server.provider(OLLAMA).embed(EmbeddingRequest(("a",), model="e"))
        assert server.received[0].body == {"model": "e", "input": ["a"], "truncate": False}
    assert found.vectors.shape == (1, 2)


@pytest.mark.parametrize(
    "data",
    [
        [],
        [{"index": 0, "embedding": [1.0]}],
        [{"index": 0, "embedding": [1.0]}, {"index": 1, "embedding": [1.0, 2.0]}],
        [{"index": 0, "embedding": []}, {"index": 1, "embedding": []}],
        [{"index": 0, "embedding": [1e300]}, {"index": 1, "embedding": [1.0]}],
        [{"index": 0, "embedding": ["x"]}, {"index": 1, "embedding": [1.0]}],
    ],
)
async def test_vectors_that_do_not_fit_the_texts_are_refused(data: list[dict[str, Any]]) -> None:
    async def answer(_: Received, reply: Reply) -> None:
        await reply.json({"data": data})

    async with serving(answer) as server:
        with pytest.raises(ProviderError) as refused:
            await server.provider(CHAT).embed(EmbeddingRequest(("a", "b")))
        assert refused.value.reason == "malformed_event"


FILL = FillRequest("def f(", "):\n    pass", context=(ContextFile("b.py", "x = 1"),), max_tokens=9, stop=("\n\n",))


@pytest.mark.parametrize(
    ("dialect", "path", "body", "pieces"),
    [
        (
            LLAMAFILE, "/infill",
            {
                "input_prefix": "def f(", "input_suffix": "):\n    pass",
                "input_extra": [{"filename": "b.py", "text": "x = 1"}],
                "n_predict": 9, "temperature": 0.0, "stop": ["\n\n"], "stream": True,
            },
            [
                event({"content": "a,", "stop": False}),
                event({"content": " b", "stop": False}),
                event({"stop": True, "stop_type": "limit", "tokens_evaluated": 8, "tokens_predicted": 3}),
            ],
        ),
        (
            OLLAMA, "/api/generate",
            {
                "model": "m", "prompt": "def f(", "suffix": "):\n    pass", "stream": True, "truncate": False,
                "shift": False, "options": {"num_predict": 9, "temperature": 0.0, "stop": ["\n\n"]},
            },
            [
                b'{"response": "a,", "done": false}\n{"response": " b", "done": false}\n',
                b'{"response": "", "done": true, "done_reason": "length", "prompt_eval_count": 8, "eval_count": 3}\n',
            ],
        ),
        (
            CHAT, "/v1/completions",
            {
                "model": "m", "prompt": "def f(", "suffix": "):\n    pass", "max_tokens": 9, "temperature": 0.0,
                "stop": ["\n\n"], "stream": True, "stream_options": {"include_usage": True},
            },
            [
                event({"choices": [{"text": "a,", "index": 0, "finish_reason": None}]}),
                event({"choices": [{"text": " b", "index": 0, "finish_reason": "length"}]}),
                event({"choices": [], "usage": {"prompt_tokens": 8, "completion_tokens": 3}}),
                event("[DONE]"),
            ],
        ),
    ],
    ids=["llamafile", "ollama", "openai"],
)  # fmt: skip
async def test_the_middle_of_a_text_is_filled(
    dialect: Dialect, path: str, body: dict[str, Any], pieces: list[bytes]
) -> None:
    async def answer(_: Received, reply: Reply) -> None:
        await reply.stream(pieces, kind=dialect.content_type)

    async with serving(answer) as server:
        provider = server.provider(dialect)
        assert provider.capabilities.fill_in_the_middle
        completion = await provider.fill_in_the_middle(FILL)
        assert (server.received[0].path, server.received[0].body) == (path, body)
    assert (completion.text, completion.finish, completion.usage) == ("a, b", FinishReason.LENGTH, Usage(8, 3))


@pytest.mark.parametrize(
    ("dialect", "pieces"),
    [
        (LLAMAFILE, [event({"content": "a,", "stop": False})]),
        (OLLAMA, [b'{"response": "a,", "done": false}\n']),
        (CHAT, [event({"choices": [{"text": "a,", "finish_reason": "stop"}]})]),
    ],
    ids=["llamafile", "ollama", "openai"],
)
async def test_a_middle_that_is_cut_short_is_an_error(dialect: Dialect, pieces: list[bytes]) -> None:
    async def answer(_: Received, reply: Reply) -> None:
        await reply.stream(pieces, kind=dialect.content_type)

    async with serving(answer) as server:
        with pytest.raises(Truncated) as cut:
            await server.provider(dialect).fill_in_the_middle(FILL)
        assert cut.value.partial_text == "a,"


async def test_what_an_api_does_not_have_is_refused_without_a_request() -> None:
    async def answer(_: Received, reply: Reply) -> None:
        raise AssertionError("asked")

    async with serving(answer) as server:
        claude = server.provider(ANTHROPIC)
        for call in (
            claude.embed(EmbeddingRequest(("a",))),
            claude.fill_in_the_middle(FILL),
            server.provider(RESPONSES).complete(CompletionRequest(QUESTION.messages, stop=("x",))),
        ):
            with pytest.raises(Unsupported, match="choose another provider"):
                await call


async def _count(dialect: Dialect, replies: dict[str, Any]) -> tuple[TokenCount, list[str]]:
    async def answer(received: Received, reply: Reply) -> None:
        if received.path in replies:
            await reply.json(replies[received.path])
        else:
            await reply.json({"error": {"message": "File Not Found", "type": "not_found_error"}}, status=404)

    async with serving(answer) as server:
        counted = await server.provider(dialect).count_tokens(QUESTION)
        return counted, [received.path for received in server.received]


async def test_tokens_are_counted_by_the_provider_where_it_can() -> None:
    assert await _count(ANTHROPIC, {"/v1/messages/count_tokens": {"input_tokens": 14}}) == (
        TokenCount(14, True), ["/v1/messages/count_tokens"],
    )  # fmt: skip
    assert await _count(RESPONSES, {"/v1/responses/input_tokens": {"input_tokens": 14}}) == (
        TokenCount(14, True), ["/v1/responses/input_tokens"],
    )  # fmt: skip
    whole = {"/apply-template": {"prompt": "<|user|>…"}, "/tokenize": {"tokens": [1, 2, 3]}}
    assert await _count(LLAMAFILE, whole) == (TokenCount(3, True), ["/apply-template", "/tokenize"])


async def test_a_count_without_the_models_template_is_marked_as_an_estimate() -> None:
    counted, _ = await _count(LLAMAFILE, {"/tokenize": {"tokens": [1, 2, 3]}})
    assert counted == TokenCount(3 + 2 * 8, exact=False)


@pytest.mark.parametrize("dialect", [ANTHROPIC, RESPONSES], ids=lambda dialect: dialect.name)
async def test_an_imitation_that_cannot_count_gets_an_estimate(dialect: Dialect) -> None:
    counted, paths = await _count(dialect, {})
    assert (counted.exact, len(paths)) == (False, 1)


async def test_where_no_one_can_count_the_size_gives_an_estimate_from_above() -> None:
    counted, paths = await _count(OLLAMA, {})
    assert not counted.exact
    assert counted.tokens >= len(QUESTION.messages[0].text + QUESTION.system) / 3.5
    assert paths == []


@pytest.mark.parametrize(
    ("dialect", "path", "reply_body", "expected"),
    [
        (CHAT, "/v1/models", {"data": [{"id": "a"}, {"id": "b", "context_length": 9}]}, (Model("a"), Model("b", 9))),
        (ANTHROPIC, "/v1/models", {"data": [{"id": "claude", "type": "model"}]}, (Model("claude"),)),
        (OLLAMA, "/api/tags", {"models": [{"name": "llama3.2:latest", "size": 1}]}, (Model("llama3.2:latest"),)),
        (OLLAMA, "/api/tags", {"models": None}, ()),
    ],
)
async def test_models_are_listed(dialect: Dialect, path: str, reply_body: Any, expected: tuple[Model, ...]) -> None:
    async def answer(_: Received, reply: Reply) -> None:
        await reply.json(reply_body)

    async with serving(answer) as server:
        assert await server.provider(dialect).models() == expected
        assert server.received[0].path == path


async def test_a_llamafile_tells_its_context() -> None:
    async def answer(received: Received, reply: Reply) -> None:
        if received.path == "/props":
            await reply.json({"default_generation_settings": {"n_ctx": 4096}, "model_path": "/x/a.gguf"})
        else:
            await reply.json({"data": [{"id": "a.gguf"}]})

    async with serving(answer) as server:
        assert await server.provider(LLAMAFILE).models() == (Model("a.gguf", 4096),)
        health = await server.provider(LLAMAFILE).health()
        assert (health.ok, "a.gguf" in health.detail) == (True, True)


async def test_ollama_without_a_configured_model_uses_the_newest_installed_one() -> None:
    async def answer(received: Received, reply: Reply) -> None:
        if received.path == "/api/tags":
            await reply.json({"models": [{"name": "new:1b"}, {"name": "old:1b"}]})
        else:
            await reply.stream(OLLAMA.stream(["ok"]), kind=OLLAMA.content_type)

    async with serving(answer) as server:
        provider = server.provider(OLLAMA, model=None)
        await provider.complete(QUESTION)
        await provider.complete(QUESTION)
        assert [received.path for received in server.received] == ["/api/tags", "/api/chat", "/api/chat"]
        assert server.received[1].body["model"] == "new:1b"


async def test_health_says_what_is_wrong_instead_of_raising() -> None:
    async def answer(_: Received, reply: Reply) -> None:
        await reply.json({"error": {"message": "Loading model", "type": "unavailable_error", "code": 503}}, status=503)

    async with serving(answer) as server:
        providers: list[Provider] = [server.provider(dialect) for dialect in DIALECTS]
        for provider in providers:
            health = await provider.health()
            assert not health.ok
            assert "Loading model" in health.detail


async def test_an_address_that_is_another_servers_is_named_as_the_likely_cause() -> None:
    async def answer(_: Received, reply: Reply) -> None:
        await reply.whole(b"<html>404</html>", status=404, kind="text/html")

    async with serving(answer) as server:
        with pytest.raises(RequestRejected, match=r"check `llm\.endpoint`"):
            await server.provider(CHAT).complete(QUESTION)
