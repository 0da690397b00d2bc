"""Whatever an endpoint does, one typed error comes out: it names the cure, keeps the text so far, and holds no key."""

import logging
from collections.abc import Iterator
from itertools import pairwise
from typing import Any

import pytest
import trio
from dialects import (
    ANTHROPIC,
    AZURE,
    CHAT,
    DIALECTS,
    FORMATS,
    KEY,
    LLAMAFILE,
    OLLAMA,
    QUESTION,
    RESPONSES,
    Dialect,
    event,
    named,
)  # fmt: skip
from replay import Handler, Received, Reply, serving

from lucastrad.llm.errors import (
    AuthenticationFailed,
    ContextOverflow,
    DeadlineExceeded,
    MalformedEvent,
    OfflineRefused,
    ProviderError,
    QuotaExhausted,
    RateLimited,
    Redirected,
    RequestRejected,
    ServerFailed,
    Stalled,
    Truncated,
    UnknownModel,
    Unreachable,
    Unsupported,
)
from lucastrad.llm.protocol import CompletionRequest, EmbeddingRequest, FillRequest

pytestmark = pytest.mark.trio
every_dialect = pytest.mark.parametrize("dialect", DIALECTS, ids=lambda dialect: dialect.name)
every_format = pytest.mark.parametrize("dialect", FORMATS, ids=lambda dialect: dialect.name)


@pytest.fixture(autouse=True)
def no_key_is_logged(caplog: pytest.LogCaptureFixture) -> Iterator[None]:
    """Every logger at its most talkative, httpx's among them, and nothing redacted afterwards."""
    caplog.set_level(logging.DEBUG)
    yield
    lines = [f"{record.getMessage()} {vars(record)}" for record in caplog.records]
    assert not [line for line in lines if KEY in line or "TAIL" in line]


async def failure(dialect: Dialect, handler: Handler, **settings: Any) -> ProviderError:
    """The error that asking ends with."""
    async with serving(handler) as server:
        provider = server.provider(dialect, **settings)
        with pytest.raises(ProviderError) as failed:
            await provider.complete(QUESTION)
        await provider.aclose()
        with trio.fail_after(5):
            await server.all_closed()
    error = failed.value
    shown = f"{error.message} {error!r} {error.__cause__!r} {error.__context__!r}"
    assert KEY not in shown
    assert "TAIL" not in shown
    assert error.provider == "llm"
    return error


def refusing(status: int, body: Any, headers: dict[str, str] | None = None) -> Handler:
    async def answer(_: Received, reply: Reply) -> None:
        await reply.json(body, status=status, headers=headers)

    return answer


def openai_error(message: str, kind: str = "invalid_request_error", code: str | None = None) -> dict[str, Any]:
    return {"error": {"message": message, "type": kind, "param": None, "code": code}}


def anthropic_error(kind: str, message: str) -> dict[str, Any]:
    return {"type": "error", "error": {"type": kind, "message": message}, "request_id": "req_1"}


KEY_REFUSED = [
    (CHAT, 401, openai_error(f"Incorrect API key provided: {KEY[:6]}****TAIL.", code="invalid_api_key")),
    (RESPONSES, 401, openai_error(f"Incorrect API key provided: {KEY}.", code="invalid_api_key")),
    (AZURE, 401, {"error": {"code": "401", "message": "Access denied due to invalid subscription key."}}),
    (ANTHROPIC, 401, anthropic_error("authentication_error", "invalid x-api-key")),
    (LLAMAFILE, 401, {"error": {"message": "Invalid API Key", "type": "authentication_error", "code": 401}}),
    (OLLAMA, 401, {"error": "unauthorized"}),
    (CHAT, 403, openai_error(f"no access with {KEY}")),
]


@pytest.mark.parametrize(("dialect", "status", "body"), KEY_REFUSED)
async def test_a_wrong_key_is_said_to_be_wrong_and_where_it_comes_from(
    dialect: Dialect, status: int, body: Any
) -> None:
    error = await failure(dialect, refusing(status, body))
    assert isinstance(error, AuthenticationFailed)
    assert "${TEST_KEY}" in error.message


async def test_a_missing_key_is_told_with_the_setting_that_takes_one() -> None:
    error = await failure(CHAT, refusing(401, openai_error("You didn't provide an API key.")), api_key=None)
    assert isinstance(error, AuthenticationFailed)
    assert '`llm.api_key` to "${OPENAI_API_KEY}"' in error.message


UNKNOWN = [
    (CHAT, 404, openai_error("The model `m` does not exist or you do not have access to it.", code="model_not_found")),
    (CHAT, 403, openai_error("Project `p` does not have access to model `m`", code="model_not_found")),
    (RESPONSES, 400, openai_error("The requested model 'm' does not exist.", code="model_not_found")),
    (AZURE, 404, {"error": {"code": "DeploymentNotFound", "message": "The API deployment does not exist."}}),
    (ANTHROPIC, 404, anthropic_error("not_found_error", "model: m")),
    (OLLAMA, 404, {"error": "model 'm' not found"}),
    (OLLAMA, 404, {"error": 'model "m" not found, try pulling it first'}),
]


@pytest.mark.parametrize(("dialect", "status", "body"), UNKNOWN)
async def test_an_unknown_model_is_told_with_the_way_to_a_known_one(dialect: Dialect, status: int, body: Any) -> None:
    error = await failure(dialect, refusing(status, body))
    assert isinstance(error, UnknownModel)
    cure = {"ollama": "ollama pull m", "azure": "name of a deployment"}.get(dialect.name, "lucastra-client models")
    assert cure in error.message


OVERFLOW = [
    (CHAT, 400, openai_error("This model's maximum context length is 128000 tokens.", code="context_length_exceeded")),
    (RESPONSES, 400, openai_error("Your input exceeds the context window.", code="context_length_exceeded")),
    (ANTHROPIC, 400, anthropic_error("invalid_request_error", "prompt is too long: 205000 tokens > 200000 maximum")),
    (ANTHROPIC, 413, anthropic_error("request_too_large", "Request exceeds the maximum size")),
    (
        LLAMAFILE, 400,
        {"error": {"code": 400, "message": "request (5031 tokens) exceeds the available context size (2048 tokens)",
                   "type": "exceed_context_size_error", "n_prompt_tokens": 5031, "n_ctx": 2048}},
    ),
    (LLAMAFILE, 500, {"error": {"code": 500, "message": "input is too large to process", "type": "server_error"}}),
    (OLLAMA, 400, {"error": "the input length exceeds the context length"}),
]  # fmt: skip


@pytest.mark.parametrize(("dialect", "status", "body"), OVERFLOW)
async def test_a_prompt_beyond_the_context_is_told_with_what_makes_it_shorter(
    dialect: Dialect, status: int, body: Any
) -> None:
    error = await failure(dialect, refusing(status, body))
    assert isinstance(error, ContextOverflow)
    assert "conversation.max_context_tokens" in error.message


async def test_an_empty_account_is_no_rate_limit_to_wait_for() -> None:
    body = openai_error("You exceeded your current quota.", kind="insufficient_quota", code="insufficient_quota")
    error = await failure(CHAT, refusing(429, body), retry_attempts=3)
    assert isinstance(error, QuotaExhausted)
    message = "Your credit balance is too low to access the Anthropic API."
    assert isinstance(await failure(ANTHROPIC, refusing(400, anthropic_error("x", message))), QuotaExhausted)


async def test_a_function_that_the_server_lacks_is_unsupported_and_not_its_failure() -> None:
    message = "This server does not support embeddings. Start it with `--embeddings`"
    async with serving(refusing(501, {"error": {"code": 501, "message": message}})) as server:
        with pytest.raises(Unsupported, match="--embeddings"):
            await server.provider(LLAMAFILE).embed(EmbeddingRequest(("a",)))
        with pytest.raises(Unsupported):
            await server.provider(LLAMAFILE).fill_in_the_middle(FillRequest("a", "b"))


@every_dialect
async def test_a_key_that_the_endpoint_repeats_is_not_shown(dialect: Dialect) -> None:
    error = await failure(dialect, refusing(400, openai_error(f"bad header Authorization: Bearer {KEY} \x1b[31m")))
    assert isinstance(error, RequestRejected)
    assert "\x1b" not in error.message


# Storms.


def storming(times: int, status: int, headers: dict[str, str], dialect: Dialect) -> Handler:
    """Refuses that many requests, then answers."""
    refused = 0

    async def answer(_: Received, reply: Reply) -> None:
        nonlocal refused
        if refused < times:
            refused += 1
            await reply.json(openai_error("slow down", "x"), status=status, headers=headers)
        else:
            await reply.stream(dialect.stream(["ok"]), kind=dialect.content_type)

    return answer


@every_dialect
@pytest.mark.parametrize("status", [429, 500, 502, 503, 504, 529])
async def test_a_passing_failure_is_tried_again(dialect: Dialect, status: int, autojump_clock: Any) -> None:
    async with serving(storming(2, status, {}, dialect)) as server:
        completion = await server.provider(dialect, retry_attempts=3).complete(QUESTION)
        assert completion.text == "ok"
        assert len(server.received) == 3


@every_format
async def test_waits_double_and_end_with_the_error_of_the_last_try(dialect: Dialect, autojump_clock: Any) -> None:
    async with serving(storming(99, 503, {}, dialect)) as server:
        with pytest.raises(ServerFailed):
            await server.provider(dialect, retry_attempts=5).complete(QUESTION)
        times = [received.at for received in server.received]
    waits = [after - before for before, after in pairwise(times)]
    assert len(waits) == 5
    for number, wait in enumerate(waits):
        assert 0.25 * 2**number <= wait <= 0.5 * 2**number + 0.1


@pytest.mark.parametrize(
    "headers",
    [
        {"retry-after": "7"},
        {"retry-after": "Mon, 12 Jan 1970 13:46:47 GMT"},  # 1,000,007 s after 1970 began; the test's clock says …000
        {"retry-after": "Sun, 01 Mar 2026 10:00:07 GMT", "date": "Sun, 01 Mar 2026 10:00:00 GMT"},
        {"retry-after-ms": "7000"},
    ],
    ids=["seconds", "date by our clock", "date by the server's clock", "milliseconds"],
)
async def test_nothing_is_sent_before_retry_after(headers: dict[str, str], autojump_clock: Any) -> None:
    async with serving(storming(1, 429, headers, CHAT)) as server:
        await server.provider(CHAT, retry_attempts=1).complete(QUESTION)
        first, second = (received.at for received in server.received)
    assert 7.0 <= second - first < 8.0


async def test_being_told_to_wait_holds_for_requests_that_come_later(autojump_clock: Any) -> None:
    async with serving(storming(1, 429, {"retry-after": "7"}, CHAT)) as server:
        provider = server.provider(CHAT, retry_attempts=1)
        async with trio.open_nursery() as nursery:
            nursery.start_soon(provider.complete, QUESTION)
            await trio.sleep(1)
            for _ in range(5):
                nursery.start_soon(provider.complete, QUESTION)
        first, *later = (received.at for received in server.received)
    assert len(later) == 6
    assert min(later) - first >= 7.0


async def test_a_wait_of_an_hour_is_told_instead_of_waited_for(autojump_clock: Any) -> None:
    error = await failure(CHAT, refusing(429, openai_error("slow"), {"retry-after": "3600"}), retry_attempts=3)
    assert isinstance(error, RateLimited)
    assert error.retry_after_seconds == 3600
    assert "3600 s" in error.message


async def test_a_request_may_be_tried_less_often_than_is_configured(autojump_clock: Any) -> None:
    async with serving(storming(99, 503, {}, CHAT)) as server:
        with pytest.raises(ServerFailed):
            await server.provider(CHAT, retry_attempts=6).complete(
                CompletionRequest(QUESTION.messages, retry_attempts=1)
            )
        assert len(server.received) == 2


@pytest.mark.slow
@every_format
async def test_a_storm_over_two_hundred_requests_answers_each_once(dialect: Dialect, autojump_clock: Any) -> None:
    answers: list[str] = []

    async def ask() -> None:
        answers.append((await provider.complete(QUESTION)).text)

    async with serving(storming(150, 429, {"retry-after": "1"}, dialect)) as server:
        provider = server.provider(dialect, retry_attempts=10)
        async with trio.open_nursery() as nursery:
            for _ in range(200):
                nursery.start_soon(ask)
        assert answers == ["ok"] * 200
        assert len(server.received) == 350
        await provider.aclose()
        with trio.fail_after(5):
            await server.all_closed()


async def test_an_error_that_does_not_pass_is_not_tried_again() -> None:
    async with serving(refusing(400, openai_error("no"))) as server:
        with pytest.raises(RequestRejected):
            await server.provider(CHAT, retry_attempts=5).complete(QUESTION)
        assert len(server.received) == 1


# Streams that break.


@every_dialect
async def test_a_stall_is_an_error_with_the_text_so_far(dialect: Dialect, autojump_clock: Any) -> None:
    async def answer(_: Received, reply: Reply) -> None:
        await reply.start(kind=dialect.content_type)
        for piece in dialect.stream(["It reads ", "a file."])[:-1]:
            await reply.send(piece)
        await trio.sleep_forever()

    error = await failure(dialect, answer)
    assert isinstance(error, Stalled)
    assert error.partial_text == "It reads a file."
    assert "300 s" in error.message  # a server on this machine
    assert "`llm.timeout_secs`" in error.message


async def test_an_endpoint_that_never_answers_is_a_stall(autojump_clock: Any) -> None:
    async def answer(_: Received, reply: Reply) -> None:
        await trio.sleep_forever()

    assert isinstance(await failure(CHAT, answer), Stalled)


async def test_pings_keep_a_stream_alive_until_the_deadline_of_the_whole(autojump_clock: Any) -> None:
    async def answer(_: Received, reply: Reply) -> None:
        await reply.start()
        await reply.send(CHAT.stream(["so far"])[1])
        while True:
            await reply.send(b": ping\n\n")
            await trio.sleep(20)

    error = await failure(CHAT, answer, deadline_secs=100)
    assert isinstance(error, DeadlineExceeded)
    assert error.partial_text == "so far"
    assert "`llm.deadline_secs`" in error.message


async def test_the_deadline_holds_for_everything_that_is_tried_again(autojump_clock: Any) -> None:
    error = await failure(CHAT, refusing(503, {}, {"retry-after": "50"}), deadline_secs=120, retry_attempts=9)
    assert isinstance(error, DeadlineExceeded)
    assert error.partial_text == ""


async def test_a_check_of_health_does_not_wait_as_long_as_an_answer(autojump_clock: Any) -> None:
    async def answer(_: Received, reply: Reply) -> None:
        await trio.sleep_forever()

    async with serving(answer) as server:
        started = trio.current_time()
        health = await server.provider(CHAT).health()
        assert trio.current_time() - started < 6
        assert not health.ok
        assert "for 5 s" in health.detail


@every_dialect
async def test_an_end_without_the_terminal_event_is_a_cut(dialect: Dialect) -> None:
    async def answer(_: Received, reply: Reply) -> None:
        await reply.stream(dialect.stream(["It reads ", "a file."])[:-1], kind=dialect.content_type)

    error = await failure(dialect, answer, retry_attempts=3)
    assert isinstance(error, Truncated)
    assert error.partial_text == "It reads a file."


@pytest.mark.parametrize(
    ("dialect", "bad"),
    [
        (CHAT, event("{not json")),
        (CHAT, event([1])),
        (CHAT, event({"choices": "x"})),
        (CHAT, event({"choices": [{"delta": {"content": 5}}]})),
        (CHAT, event("[" * 100_000)),
        (RESPONSES, named({"type": "response.output_text.delta", "delta": 5})),
        (RESPONSES, named({"type": "response.completed"})),
        (ANTHROPIC, event({"no": "type"})),
        (ANTHROPIC, named({"type": "content_block_delta", "delta": {"type": "text_delta", "text": 5}})),
        (OLLAMA, b"{not json\n"),
        (OLLAMA, b'{"message":{"content":5}}\n'),
        (OLLAMA, b"\xff\xfe\n"),
        (CHAT, b"data: " + b"x" * 9_000_000),
        (OLLAMA, b"x" * 9_000_000),
    ],
    ids=lambda value: value.name if isinstance(value, Dialect) else repr(value[:24]),
)
async def test_an_event_that_cannot_be_read_is_an_error_with_the_text_so_far(dialect: Dialect, bad: bytes) -> None:
    async def answer(_: Received, reply: Reply) -> None:
        *before, _end = dialect.stream(["so far"])
        await reply.stream([b"".join(before) + bad], kind=dialect.content_type)

    error = await failure(dialect, answer)
    assert isinstance(error, MalformedEvent)
    assert error.partial_text == "so far"


@pytest.mark.parametrize(
    ("dialect", "report", "kind"),
    [
        (CHAT, event(openai_error("The server had an error", "server_error")), ServerFailed),
        (CHAT, event(openai_error("slow down", "rate_limit_exceeded")), RateLimited),
        (
            LLAMAFILE,
            event({"error": {"code": 400, "message": "too big", "type": "exceed_context_size_error"}}),
            ContextOverflow,
        ),
        (RESPONSES, named({"type": "error", "code": "server_error", "message": "oops", "param": None}), ServerFailed),
        (RESPONSES, named({"type": "error", "error": {"type": "server_error", "message": "oops"}}), ServerFailed),
        (
            RESPONSES,
            named({"type": "response.failed", "response": {"error": {"code": "rate_limit_exceeded", "message": "m"}}}),
            RateLimited,
        ),
        (ANTHROPIC, named(anthropic_error("overloaded_error", "Overloaded")), ServerFailed),
        (ANTHROPIC, named(anthropic_error("rate_limit_error", "slow down")), RateLimited),
        (ANTHROPIC, named(anthropic_error("authentication_error", f"bad {KEY}")), AuthenticationFailed),
        (OLLAMA, b'{"error":"an error was encountered while running the model"}\n', ServerFailed),
    ],
)
async def test_a_failure_told_inside_the_stream_is_the_same_error_with_the_text_so_far(
    dialect: Dialect, report: bytes, kind: type[ProviderError]
) -> None:
    async def answer(_: Received, reply: Reply) -> None:
        *before, _end = dialect.stream(["so far"])
        await reply.stream([*before, report], kind=dialect.content_type)

    error = await failure(dialect, answer)
    assert isinstance(error, kind)
    assert error.partial_text == "so far"


async def test_a_failure_told_with_status_200_instead_of_a_stream_is_the_same_error() -> None:
    error = await failure(CHAT, refusing(200, openai_error("slow down", "rate_limit_exceeded")))
    assert isinstance(error, RateLimited)
    assert isinstance(await failure(CHAT, refusing(200, {"choices": []})), Truncated)


async def test_what_follows_the_terminal_event_is_not_part_of_the_answer() -> None:
    async def answer(_: Received, reply: Reply) -> None:
        await reply.stream([*CHAT.stream(["ok"]), event("{not json"), *CHAT.stream(["more"])])

    async with serving(answer) as server:
        assert (await server.provider(CHAT).complete(QUESTION)).text == "ok"


@pytest.mark.parametrize(
    "body", [b"", b"{", b"[]", b'{"data": 5}', b"\xff", b"[" * 100_000], ids=lambda body: repr(body[:12])
)
async def test_a_whole_reply_that_cannot_be_read_is_an_error(body: bytes) -> None:
    async def answer(_: Received, reply: Reply) -> None:
        await reply.whole(body)

    async with serving(answer) as server:
        with pytest.raises(MalformedEvent):
            await server.provider(CHAT).embed(EmbeddingRequest(("a",)))


@pytest.mark.parametrize("garbage", [b"not http at all\r\n\r\n", b"HTTP/1.1 999\r\n\r\n", b"\x16\x03\x01\x02"])
async def test_an_endpoint_that_speaks_no_http_is_unreachable(garbage: bytes) -> None:
    async def answer(_: Received, reply: Reply) -> None:
        await reply.raw(garbage)
        reply.cut()

    error = await failure(CHAT, answer)
    assert isinstance(error, Unreachable | ServerFailed | RequestRejected)


async def test_a_kept_connection_that_the_server_has_given_up_costs_no_try() -> None:
    async def answer(_: Received, reply: Reply) -> None:
        if server.accepted == 1 and len(server.received) > 1:
            reply.cut()
        await reply.stream(CHAT.stream(["ok"]))

    async with serving(answer) as server:
        provider = server.provider(CHAT, retry_attempts=0)
        for _ in range(3):
            assert (await provider.complete(QUESTION)).text == "ok"
        assert (server.accepted, len(server.received)) == (2, 4)


async def test_a_new_connection_that_is_closed_without_an_answer_is_a_failed_try() -> None:
    async def answer(_: Received, reply: Reply) -> None:
        reply.cut()

    async with serving(answer) as server:
        with pytest.raises(Unreachable, match="closed before an answer came"):
            await server.provider(CHAT, retry_attempts=0).complete(QUESTION)
        assert len(server.received) == 1


# Where requests go.


@pytest.mark.parametrize("status", [301, 302, 303, 307, 308])
async def test_a_redirect_is_not_followed_and_carries_no_key(status: int) -> None:
    async def answer(_: Received, reply: Reply) -> None:
        await reply.stream(CHAT.stream(["ok"]))

    async with serving(answer) as elsewhere:
        location = f"{elsewhere.origin}/v1/chat/completions?key={KEY}"
        error = await failure(CHAT, refusing(status, {}, {"location": location}), retry_attempts=3)
        assert isinstance(error, Redirected)
        assert elsewhere.origin in error.message
        assert elsewhere.accepted == 0


async def test_a_closed_port_is_unreachable_and_said_how_to_open() -> None:
    async with serving(refusing(200, {})) as server:
        origin = server.origin
    with pytest.raises(Unreachable, match="start the server"):
        await LLAMAFILE.provider(origin).complete(QUESTION)


@pytest.mark.parametrize(
    "host", ["api.openai.com", "192.168.1.5", "10.0.0.1", "localhost.example.com", "[2001:db8::1]"]
)
async def test_offline_nothing_but_this_machine_is_asked(host: str) -> None:
    with pytest.raises(OfflineRefused, match="offline"):
        await CHAT.provider(f"https://{host}", offline=True).complete(QUESTION)


@pytest.mark.parametrize("host", ["x" * 300, "[::1]:1", "127.0.0.1:1"])
async def test_a_host_that_is_none_is_unreachable(host: str) -> None:
    with pytest.raises(Unreachable):
        await CHAT.provider(f"http://{host}").complete(QUESTION)


async def test_offline_a_server_of_this_machine_answers() -> None:
    async def answer(_: Received, reply: Reply) -> None:
        await reply.stream(CHAT.stream(["ok"]))

    async with serving(answer) as server:
        assert (await server.provider(CHAT, offline=True).complete(QUESTION)).text == "ok"


async def test_a_proxy_of_the_environment_is_not_used_for_this_machine(monkeypatch: pytest.MonkeyPatch) -> None:
    async def answer(_: Received, reply: Reply) -> None:
        await reply.stream(CHAT.stream(["ok"]))

    async with serving(answer) as proxy, serving(answer) as server:
        monkeypatch.setenv("HTTP_PROXY", proxy.origin)
        monkeypatch.setenv("ALL_PROXY", proxy.origin)
        await server.provider(CHAT).complete(QUESTION)
        assert (proxy.accepted, server.accepted) == (0, 1)
