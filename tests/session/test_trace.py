"""`window/logMessage` at the level that the editor asked for, and no source text at any."""

from typing import Any

import pytest
from fakes import Fakes
from lucastra_protocol.errors import ErrorCode, LucAstraError
from peer import Peer, serving

pytestmark = pytest.mark.trio


def logged(peer: Peer) -> list[str]:
    return [message["params"]["message"] for message in peer.received if message.get("method") == "window/logMessage"]


async def log_of_a_session(trace: str | None, *, later: str | None = None) -> list[str]:
    fakes = Fakes()
    fakes.search.failure = LucAstraError("run `index` first", code=ErrorCode.WORKSPACE_NOT_FOUND)
    params: dict[str, Any] = {} if trace is None else {"trace": trace}
    async with serving(fakes) as (peer, _):
        await peer.initialize(**params)
        if later is not None:
            await peer.notify("$/setTrace", {"value": later})
        await peer.notify("$/cancelRequest", {"id": 77})
        await peer.ask("lucastra/workspaces")
        await peer.fail("lucastra/search", {"query": "hunter2"})
        await peer.ask("lucastra/status")
        return logged(peer)


@pytest.mark.parametrize("trace", [None, "off"])
async def test_nothing_is_logged_unless_it_was_asked_for(trace: str | None) -> None:
    assert await log_of_a_session(trace) == []


async def test_messages_are_logged_with_outcome_and_time() -> None:
    lines = await log_of_a_session("messages")
    outcomes = [line.partition(" in ")[0] for line in lines]
    assert (
        outcomes
        == [
            "initialize (2) answered",
            "lucastra/workspaces (3) answered",
            "lucastra/search (4) failed with -33001",
            "lucastra/status (5) answered",
        ][-len(outcomes) :]
    )
    assert len(outcomes) >= 3
    assert all(line.endswith(" ms") for line in lines)
    assert "hunter2" not in str(lines)


async def test_verbose_adds_notifications_sizes_and_reasons() -> None:
    lines = await log_of_a_session("verbose")
    assert "received initialized" in lines
    assert any(line.startswith("lucastra/workspaces") and line.endswith(" bytes") for line in lines)
    assert any(line.endswith("ms: run `index` first") for line in lines)
    assert "hunter2" not in str(lines)


async def test_the_level_can_change() -> None:
    assert await log_of_a_session("messages", later="off") == []
    assert len(await log_of_a_session("off", later="messages")) == 3
