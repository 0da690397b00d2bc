"""Who is served when: hello, initialize, shutdown, exit, versions and tokens."""

import os
from typing import Any

import pytest
import trio
from fakes import Fakes
from lucastra_protocol.version import PROTOCOL_VERSION, __version__
from peer import serving

from lucastrad.server.lifetime import Lifetime

pytestmark = pytest.mark.trio


async def test_hello_tells_versions_process_and_home(autojump_clock: trio.testing.MockClock) -> None:
    async with serving(greet=False) as (peer, _):
        await trio.sleep(7)
        reply = await peer.hello()
    assert reply["result"] == {
        "daemonVersion": __version__,
        "protocolVersion": PROTOCOL_VERSION,
        "pid": os.getpid(),
        "uptimeSeconds": 7.0,
        "home": "/home/me/.lucastra",
    }


@pytest.mark.parametrize("method", ["lucastra/status", "lucastra/nonsense", "textDocument/hover", "shutdown"])
async def test_a_stranger_is_asked_to_introduce_itself(method: str) -> None:
    async with serving(greet=False) as (peer, _):
        assert (await peer.fail(method, {}))["code"] == -32002


async def test_initialize_opens_lucastra_methods_too() -> None:
    async with serving(greet=False) as (peer, _):
        await peer.initialize()
        assert (await peer.ask("lucastra/workspaces"))["workspaces"][0]["root"] == "/projects/project"


async def test_hello_does_not_open_lsp_methods() -> None:
    async with serving() as (peer, _):
        assert (await peer.fail("shutdown"))["code"] == -32002


async def test_a_second_initialize_is_refused() -> None:
    async with serving() as (peer, _):
        await peer.initialize()
        error = await peer.fail("initialize", {"processId": None, "rootUri": None, "capabilities": {}})
        assert error["code"] == -32600


async def test_after_shutdown_only_exit_is_served() -> None:
    async with serving() as (peer, _):
        await peer.initialize()
        assert await peer.ask("shutdown") is None
        assert (await peer.fail("lucastra/status"))["code"] == -32600
        assert (await peer.fail("shutdown"))["code"] == -32600
        await peer.notify("exit")
        await peer.until_closed()


async def test_exit_without_shutdown_ends_the_session_too() -> None:
    async with serving(greet=False) as (peer, _):
        await peer.notify("exit")
        assert await peer.until_closed() == []


async def test_replies_that_were_due_come_before_exit_closes_the_stream() -> None:
    async with serving() as (peer, _):
        msg_id = await peer.start("lucastra/config", {})
        await peer.notify("exit")
        assert "result" in await peer.reply(msg_id)


async def test_shutdown_cancels_what_still_runs() -> None:
    fakes = Fakes()
    fakes.search.gate = trio.Event()
    async with serving(fakes) as (peer, _):
        await peer.initialize()
        search = await peer.start("lucastra/search", {"query": "x"})
        await trio.testing.wait_all_tasks_blocked()
        assert await peer.ask("shutdown") is None
        assert (await peer.reply(search))["error"]["code"] == -32800


async def test_a_client_of_another_protocol_may_only_ask_for_stop() -> None:
    lifetime = Lifetime()
    async with serving(lifetime=lifetime, greet=False) as (peer, _):
        assert (await peer.hello(protocolVersion=PROTOCOL_VERSION + 1))["result"]["daemonVersion"] == __version__
        error = await peer.fail("lucastra/status")
        assert error["code"] == -33005
        assert "lucastra-client stop" in error["message"]
        assert await peer.ask("lucastra/stop") == {}
        assert lifetime.stopping


@pytest.mark.parametrize("token", [None, "", "guessed", "geheim "])
async def test_without_the_token_nothing_is_served(token: str | None) -> None:
    async with serving(token="geheim", greet=False) as (peer, _):
        assert (await peer.hello(token=token))["error"]["code"] == -33006
        for method in ("lucastra/status", "lucastra/stop", "initialize"):
            assert (await peer.fail(method, {}))["code"] == -33006


async def test_the_token_opens_the_session() -> None:
    async with serving(token="geheim", greet=False) as (peer, _):
        assert "result" in await peer.hello(token="geheim")
        await peer.ask("lucastra/status")


async def test_a_connection_that_presents_no_token_is_closed(autojump_clock: trio.testing.MockClock) -> None:
    async with serving(token="geheim", greet=False) as (peer, _):
        assert await peer.until_closed() == []
        assert trio.current_time() == pytest.approx(10.0)


async def test_a_session_ends_when_its_client_leaves() -> None:
    lifetime = Lifetime()
    fakes = Fakes()
    fakes.search.gate = trio.Event()
    async with serving(fakes, lifetime=lifetime) as (peer, _):
        await peer.start("lucastra/search", {"query": "x"})
        await trio.testing.wait_all_tasks_blocked()
        await peer.stream.aclose()
        await trio.testing.wait_all_tasks_blocked()
        assert fakes.search.cancelled == 1


async def test_stop_is_answered_and_then_every_running_request_once() -> None:
    fakes = Fakes()
    fakes.search.gate = trio.Event()
    lifetime = Lifetime()
    async with serving(fakes, lifetime=lifetime) as (peer, session):
        searches = [await peer.start("lucastra/search", {"query": "x"}) for _ in range(5)]
        await trio.testing.wait_all_tasks_blocked()
        assert await peer.ask("lucastra/stop") == {}
        assert lifetime.stop_reason == "a client asked"
        session.close()
        messages = await peer.until_closed()
        errors = {message["id"]: message["error"]["code"] for message in messages if "error" in message}
        assert errors == dict.fromkeys(searches, -32802)
        assert len(messages) == 1 + 5 + 1  # hello, searches, stop


async def test_work_that_ignores_its_cancellation_does_not_keep_a_stopping_session(
    autojump_clock: trio.testing.MockClock,
) -> None:
    fakes = Fakes()

    async def stubborn(query: Any) -> Any:
        with trio.CancelScope(shield=True):
            await trio.sleep(4)

    fakes.search.find = stubborn  # type: ignore[method-assign]
    async with serving(fakes) as (peer, session):
        await peer.start("lucastra/search", {"query": "x"})
        await trio.testing.wait_all_tasks_blocked()
        session.close()
        await peer.until_closed()
        assert trio.current_time() < 5


async def test_idle_time_counts_from_the_last_client(autojump_clock: trio.testing.MockClock) -> None:
    lifetime = Lifetime()
    async with trio.open_nursery() as nursery:
        nursery.start_soon(lifetime.leave_when_idle, 60.0)
        await trio.sleep(50)
        with lifetime.client():
            await trio.sleep(100)
            with lifetime.client():
                await trio.sleep(100)
        await trio.sleep(59)
        assert not lifetime.stopping
        await lifetime.until_stopped()
    assert trio.current_time() == pytest.approx(50 + 200 + 60)
    assert lifetime.stop_reason == "no client for 1 minutes"
