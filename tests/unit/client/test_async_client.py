"""The async client: what it sends, what it makes of replies, and what it does when things go wrong."""

from pathlib import Path

import pytest
import trio
from fake_daemon import fake_daemon, hit, workspace
from lucastra_client import Client, LucAstraError, open_client
from lucastra_protocol import types as wire
from lucastra_protocol.errors import ErrorCode
from lucastra_protocol.framing import frame
from trio.testing import wait_all_tasks_blocked

pytestmark = pytest.mark.trio

READY = workspace("/projects/project")
ANSWERS = {
    "lucastra/search": wire.SearchResult(hits=[hit()]),
    "lucastra/related": wire.SearchResult(hits=[hit("b.py")], freshness="stale"),
    "lucastra/ask": wire.AskResult(citations=[wire.Citation(number=1, hit=hit())]),
    "lucastra/index": wire.IndexResult(workspace=READY, indexed_files=3),
    "lucastra/workspaces": wire.WorkspacesResult(workspaces=[READY]),
    "lucastra/removeWorkspace": wire.RemoveResult(root="/projects/project"),
    "lucastra/files": wire.FilesResult(files=[wire.FileStatus(path="a.py", status="indexed")], total=1),
    "lucastra/read": wire.ReadResult(
        uri="file:///w/a.py", path="a.py", workspace="/w", range=wire.Range.of_lines(3, 3), content="c\n", total_lines=3
    ),
    "lucastra/status": wire.StatusResult(
        daemon_version="1", pid=7, uptime_seconds=1.0, home="/h", memory_bytes=1, clients=1,
        embeddings=wire.ModelStatus(provider="local", model="m", dimensions=256),
    ),
    "lucastra/config": wire.ConfigResult(config={"limits": {"x": 1}}, origins={}),
    "lucastra/doctor": wire.DoctorResult(checks=[wire.Check(name="store", status="ok", detail="fine")]),
}  # fmt: skip


async def test_search_sends_every_option_and_returns_the_structs() -> None:
    async with fake_daemon(ANSWERS) as (daemon, stream), open_client(stream=stream) as client:
        result = await client.search(
            "retry", mode="keyword", limit=3, workspaces=["/w"], paths=["src/**"], languages=["go"], explain=True
        )
    assert result == ANSWERS["lucastra/search"]
    assert daemon.requests == [
        (
            "lucastra/search",
            wire.SearchParams(
                query="retry",
                mode="keyword",
                limit=3,
                workspaces=["/w"],
                paths=["src/**"],
                languages=["go"],
                explain=True,
            ),
        )
    ]  # fmt: skip


async def test_read_counts_lines_as_editors_show_them() -> None:
    async with fake_daemon(ANSWERS) as (daemon, stream), open_client(stream=stream) as client:
        assert await client.read("/w/a.py", 3, limit=2) == ANSWERS["lucastra/read"]
        with pytest.raises(LucAstraError, match="line must be at least 1"):
            await client.read("/w/a.py", 0)
    assert daemon.requests == [("lucastra/read", wire.ReadParams(path="/w/a.py", line=2, limit=2))]


async def test_relative_paths_are_sent_absolute() -> None:
    async with fake_daemon(ANSWERS) as (daemon, stream), open_client(stream=stream) as client:
        await client.index("some/../folder")
        await client.index("file:///elsewhere")
    assert [params.path for _, params in daemon.requests] == [str(Path.cwd() / "folder"), "file:///elsewhere"]


async def test_one_folder_one_glob_and_one_language_need_no_list() -> None:
    async with fake_daemon(ANSWERS) as (daemon, stream), open_client(stream=stream) as client:
        await client.search("x", workspaces="/w", paths="src/", languages="go")
        await client.ask("x", workspaces=Path("/w"))
        await client.related("/a", workspaces=(Path("/v"), "/w"))
    sent = [params for _, params in daemon.requests]
    assert [params.workspaces for params in sent] == [["/w"], ["/w"], ["/v", "/w"]]
    assert (sent[0].paths, sent[0].languages) == (["src/"], ["go"])


async def test_what_is_out_of_range_is_refused_in_the_callers_words() -> None:
    async with fake_daemon(ANSWERS) as (daemon, stream), open_client(stream=stream) as client:
        for call, message in (
            (lambda: client.search("x", limit=0), "limit must be at least 1"),
            (lambda: client.ask("x", limit=101), "limit must be at most 100"),
            (lambda: client.search(""), "query must not be empty"),
            (lambda: client.search("x" * 4097), "query must have at most 4,096 characters, and has 4,097"),
            (lambda: client.search("x", mode="fuzzy"), "mode must be one of hybrid, keyword, vector"),  # type: ignore[arg-type]
            (lambda: client.related("/a", 0), "line must be at least 1"),
            (lambda: client.files("/a", offset=-1), "offset must be at least 0"),
        ):
            with pytest.raises(LucAstraError) as refused:
                await call()
            assert (refused.value.message, refused.value.code) == (message, ErrorCode.INVALID_PARAMS)
        assert daemon.requests == []
        assert (await client.search("x", limit=100)).hits


async def test_a_path_that_is_not_utf8_is_sent_as_a_uri() -> None:
    async with fake_daemon(ANSWERS) as (daemon, stream), open_client(stream=stream) as client:
        await client.index("/src/caf\udce9")
    assert daemon.requests[0][1].path == "file:///src/caf%E9"


async def test_text_that_is_not_utf8_is_refused_and_the_connection_goes_on() -> None:
    async with fake_daemon(ANSWERS) as (_, stream), open_client(stream=stream) as client:
        with pytest.raises(LucAstraError, match="not UTF-8") as raised:
            await client.search("caf\udce9")
        assert raised.value.code is ErrorCode.INVALID_PARAMS
        assert (await client.search("x")).hits


async def test_lines_are_counted_from_one_by_callers_and_from_zero_on_the_wire() -> None:
    async with fake_daemon(ANSWERS) as (daemon, stream), open_client(stream=stream) as client:
        await client.related("/projects/project/a.py", 12)
    assert daemon.requests[0][1].line == 11


async def test_every_method_of_the_contract_has_its_result() -> None:
    async with fake_daemon(ANSWERS) as (daemon, stream), open_client(stream=stream) as client:
        assert (await client.related("/a")).freshness == "stale"
        assert (await client.ask("why")).citations[0].hit == hit()
        assert (await client.index("/projects/project")).indexed_files == 3
        assert await client.workspaces() == [READY]
        assert await client.remove("/projects/project") == "/projects/project"
        assert (await client.files("/projects/project", skipped_only=True)).total == 1
        assert (await client.read("/w/a.py")).total_lines == 3
        assert (await client.status()).embeddings.dimensions == 256
        assert (await client.config("/projects/project")).config == {"limits": {"x": 1}}
        assert (await client.doctor()).checks[0].name == "store"
    assert {method for method, _ in daemon.requests} == set(ANSWERS) - {"lucastra/search"}


async def test_stop_returns_once_the_daemon_has_hung_up() -> None:
    async def stop(_: wire.Empty) -> wire.Empty:
        return wire.Empty()

    async with fake_daemon({"lucastra/stop": stop}) as (daemon, stream), trio.open_nursery() as nursery:
        stopped = trio.Event()

        async def call() -> None:
            async with open_client(stream=stream) as client:
                await client.stop()
                stopped.set()

        nursery.start_soon(call)
        await wait_all_tasks_blocked()
        assert not stopped.is_set()
        await daemon.stream.aclose()
        await stopped.wait()


async def test_replies_may_come_in_any_order() -> None:
    gates = {name: trio.Event() for name in ("first", "second")}

    async def search(params: wire.SearchParams) -> wire.SearchResult:
        await gates[params.query].wait()
        return wire.SearchResult(notices=[params.query])

    finished: list[str] = []

    async def call(client: Client, query: str) -> None:
        finished.extend((await client.search(query)).notices)

    async with (
        fake_daemon({"lucastra/search": search}) as (_, stream),
        open_client(stream=stream) as client,
        trio.open_nursery() as nursery,
    ):
        nursery.start_soon(call, client, "first")
        nursery.start_soon(call, client, "second")
        await wait_all_tasks_blocked()
        gates["second"].set()
        await wait_all_tasks_blocked()
        gates["first"].set()
    assert finished == ["second", "first"]


async def test_many_more_requests_than_the_outbox_holds_are_all_answered() -> None:
    async def search(params: wire.SearchParams) -> wire.SearchResult:
        return wire.SearchResult(notices=[params.query])

    answered: set[str] = set()

    async def call(client: Client, query: str) -> None:
        answered.update((await client.search(query)).notices)

    async with (
        fake_daemon({"lucastra/search": search}) as (_, stream),
        open_client(stream=stream) as client,
        trio.open_nursery() as nursery,
    ):
        for number in range(300):
            nursery.start_soon(call, client, f"q{number}")
    assert answered == {f"q{number}" for number in range(300)}


async def test_an_error_reply_is_raised_with_its_code_and_message() -> None:
    error = LucAstraError("no workspace holds /x; run index", code=ErrorCode.WORKSPACE_NOT_FOUND)
    async with fake_daemon({"lucastra/search": error}) as (_, stream), open_client(stream=stream) as client:
        with pytest.raises(LucAstraError, match="run index") as raised:
            await client.search("x")
    assert raised.value.code is ErrorCode.WORKSPACE_NOT_FOUND


async def test_an_error_code_of_a_newer_daemon_is_a_failed_request() -> None:
    async with fake_daemon({}) as (daemon, stream), open_client(stream=stream) as client:
        daemon.answers = {"lucastra/doctor": _hang}
        async with trio.open_nursery() as nursery:
            nursery.start_soon(_expect_code, client, ErrorCode.REQUEST_FAILED)
            await wait_all_tasks_blocked()
            await daemon.send({"jsonrpc": "2.0", "id": 1, "error": {"code": -39999, "message": "new"}})


async def test_a_reply_of_another_shape_is_an_error_and_the_connection_goes_on() -> None:
    async with fake_daemon(ANSWERS) as (daemon, stream), open_client(stream=stream) as client:
        daemon.answers = {**ANSWERS, "lucastra/doctor": _hang}
        async with trio.open_nursery() as nursery:
            nursery.start_soon(_expect_code, client, ErrorCode.INTERNAL_ERROR)
            await wait_all_tasks_blocked()
            await daemon.send({"jsonrpc": "2.0", "id": 1, "result": {"checks": "many"}})
        assert (await client.search("x")).hits


async def test_an_exception_in_the_body_is_not_wrapped_in_a_group() -> None:
    async with fake_daemon({}) as (_, stream):
        with pytest.raises(KeyError):
            async with open_client(stream=stream):
                raise KeyError("mine")


# --- cancelling ----------------------------------------------------------------------------------


async def test_cancelling_a_call_tells_the_daemon_and_takes_its_reply() -> None:
    answers = {**ANSWERS, "lucastra/ask": _hang}
    async with fake_daemon(answers) as (daemon, stream), open_client(stream=stream) as client:
        with trio.CancelScope() as scope:
            async with trio.open_nursery() as nursery:
                nursery.start_soon(client.ask, "something long")
                await wait_all_tasks_blocked()
                scope.cancel()
        await wait_all_tasks_blocked()
        assert daemon.cancelled == [1]
        # The reply to the cancelled call has been read and belongs to nobody: the next call gets its own.
        assert (await client.search("x")).hits == [hit()]


async def test_a_call_that_is_answered_is_never_cancelled() -> None:
    async with fake_daemon(ANSWERS) as (daemon, stream), open_client(stream=stream) as client:
        await client.search("x")
    assert daemon.cancelled == []


async def test_cancelling_everything_still_tells_the_daemon_before_hanging_up() -> None:
    async with fake_daemon({"lucastra/ask": _hang}) as (daemon, stream):
        with trio.CancelScope() as scope:
            async with trio.open_nursery() as nursery:
                nursery.start_soon(_ask_alone, stream)
                await wait_all_tasks_blocked()
                scope.cancel()
        await wait_all_tasks_blocked()
        assert daemon.cancelled == [1]


# --- progress ------------------------------------------------------------------------------------


async def test_progress_reaches_the_callback_of_its_own_request() -> None:
    async with fake_daemon(ANSWERS) as (daemon, stream), open_client(stream=stream) as client:

        async def index(params: wire.IndexParams) -> wire.IndexResult:
            await daemon.report(params.work_done_token, wire.WorkDone(kind="begin", title=params.path))
            await daemon.report("somebody else's", wire.WorkDone(kind="report", message="not ours"))
            await daemon.report(params.work_done_token, wire.WorkDone(kind="end"))
            return wire.IndexResult(workspace=READY)

        daemon.answers = {"lucastra/index": index}
        seen: dict[str, list[wire.WorkDone]] = {"/a": [], "/b": []}
        async with trio.open_nursery() as nursery:
            for path, reports in seen.items():
                nursery.start_soon(lambda path=path, reports=reports: client.index(path, on_progress=reports.append))
    for path, reports in seen.items():
        assert [(report.kind, report.title) for report in reports] == [("begin", path), ("end", None)]


async def test_an_exception_of_the_callback_cancels_the_request_and_is_raised() -> None:
    async with fake_daemon({}) as (daemon, stream), open_client(stream=stream) as client:

        async def index(params: wire.IndexParams) -> wire.IndexResult:
            await daemon.report(params.work_done_token, wire.WorkDone(kind="begin"))
            await trio.sleep_forever()
            raise AssertionError

        def refuse(_: wire.WorkDone) -> None:
            raise ZeroDivisionError

        daemon.answers = {**ANSWERS, "lucastra/index": index}
        with pytest.raises(ZeroDivisionError):
            await client.index("/a", on_progress=refuse)
        assert (await client.search("x")).hits
        assert len(daemon.cancelled) == 1


# --- a connection that breaks --------------------------------------------------------------------


async def test_a_lost_connection_fails_every_call_that_waits_and_every_later_one() -> None:
    async with (
        fake_daemon({"lucastra/doctor": _hang}) as (daemon, stream),
        open_client(stream=stream) as client,
        trio.open_nursery() as nursery,
    ):
        for _ in range(3):
            nursery.start_soon(_expect_code, client, ErrorCode.DAEMON_UNREACHABLE)
        await wait_all_tasks_blocked()
        await daemon.stream.aclose()
        await wait_all_tasks_blocked()
        await _expect_code(client, ErrorCode.DAEMON_UNREACHABLE)


@pytest.mark.parametrize("garbage", [b"GET / HTTP/1.1\r\n\r\n", frame(b"no json"), frame(b'{"id": "\xff"}')])
async def test_bytes_that_are_no_message_end_the_connection_with_a_reason(garbage: bytes) -> None:
    async with (
        fake_daemon({"lucastra/doctor": _hang}) as (daemon, stream),
        open_client(stream=stream) as client,
        trio.open_nursery() as nursery,
    ):
        nursery.start_soon(_expect_code, client, ErrorCode.DAEMON_UNREACHABLE, "cannot be read")
        await wait_all_tasks_blocked()
        await daemon.stream.send_all(garbage)


async def test_a_closed_client_says_so() -> None:
    async with fake_daemon(ANSWERS) as (_, stream):
        async with open_client(stream=stream) as client:
            pass
        await _expect_code(client, ErrorCode.DAEMON_UNREACHABLE, "closed")


async def test_a_request_from_the_daemon_is_refused_and_a_notification_ignored() -> None:
    async with fake_daemon(ANSWERS) as (daemon, stream), open_client(stream=stream) as client:
        await daemon.send({"jsonrpc": "2.0", "method": "window/logMessage", "params": {"message": "hi"}})
        await daemon.send({"jsonrpc": "2.0", "id": "s1", "method": "workspace/configuration", "params": {}})
        await daemon.send({"jsonrpc": "2.0", "id": 99, "result": {}})
        await wait_all_tasks_blocked()
        assert [reply.id for reply in daemon.replies_to_us] == ["s1"]
        assert b"-32601" in bytes(daemon.replies_to_us[0].error)
        assert (await client.search("x")).hits


async def _hang(_: object) -> wire.Wire:
    await trio.sleep_forever()
    raise AssertionError


async def _ask_alone(stream: trio.abc.Stream) -> None:
    async with open_client(stream=stream) as client:
        await client.ask("something long")


async def _expect_code(client: Client, code: ErrorCode, match: str | None = None) -> None:
    with pytest.raises(LucAstraError, match=match) as raised:
        await client.doctor()
    assert raised.value.code is code
