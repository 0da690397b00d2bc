"""An editor's own settings: asked for, told of, and able to narrow only."""

from typing import Any

import pytest
import trio.testing
from fakes import Fakes
from peer import Peer, serving

pytestmark = pytest.mark.trio

PULLS = {"workspace": {"configuration": True}}


async def answer_configuration(peer: Peer, settings: Any) -> None:
    request = await peer.until_method("workspace/configuration")
    peer.received.remove(request)
    assert request["params"] == {"items": [{"section": "lucastra"}]}
    await peer.send({"jsonrpc": "2.0", "id": request["id"], "result": [settings]})


async def limit_of_a_search(peer: Peer, fakes: Fakes) -> int:
    arguments = {"command": "lucastra.search", "arguments": [{"query": "x", "show": False}]}
    await peer.ask("workspace/executeCommand", arguments)
    return fakes.search.queries[-1].limit


async def test_settings_are_asked_for_at_the_start_and_when_they_change() -> None:
    fakes = Fakes()
    async with serving(fakes) as (peer, _):
        await peer.initialize(capabilities=PULLS)
        await answer_configuration(peer, {"search": {"limit": 3}})
        assert await limit_of_a_search(peer, fakes) == 3
        await peer.notify("workspace/didChangeConfiguration", {"settings": None})
        await answer_configuration(peer, {"search": {"limit": 4}})
        assert await limit_of_a_search(peer, fakes) == 4
        await peer.notify("workspace/didChangeConfiguration", {"settings": None})
        await answer_configuration(peer, None)
        assert await limit_of_a_search(peer, fakes) == 10


async def test_an_editor_that_pushes_its_settings_is_not_asked() -> None:
    fakes = Fakes()
    async with serving(fakes) as (peer, _):
        await peer.initialize()
        await peer.notify("workspace/didChangeConfiguration", {"settings": {"lucastra": {"search": {"limit": 5}}}})
        assert await limit_of_a_search(peer, fakes) == 5
        assert all(message.get("method") != "workspace/configuration" for message in peer.received)


async def test_an_editor_that_tells_of_changes_only_when_asked_is_asked() -> None:
    async with serving() as (peer, _):
        await peer.initialize(capabilities={"workspace": {"didChangeConfiguration": {"dynamicRegistration": True}}})
        request = await peer.until_method("client/registerCapability")
        (registration,) = request["params"]["registrations"]
        assert registration["method"] == "workspace/didChangeConfiguration"
        assert registration["registerOptions"] == {"section": "lucastra"}


async def test_an_editor_that_never_answers_is_served_all_the_same(autojump_clock: trio.testing.MockClock) -> None:
    async with serving() as (peer, _):
        await peer.initialize(capabilities=PULLS)
        await peer.until_method("workspace/configuration")
        await peer.ask("lucastra/status")
        assert (await peer.until_method("$/cancelRequest"))["params"]
        await peer.ask("lucastra/status")


async def test_a_wrong_setting_is_told_and_leaves_all_as_it_was() -> None:
    fakes = Fakes()
    async with serving(fakes) as (peer, _):
        await peer.initialize()
        await peer.notify("workspace/didChangeConfiguration", {"settings": {"lucastra": {"search": {"limit": 5}}}})
        await peer.notify("workspace/didChangeConfiguration", {"settings": {"lucastra": {"search": {"limit": "all"}}}})
        assert "$.search.limit" in (await peer.until_method("window/showMessage"))["params"]["message"]
        assert await limit_of_a_search(peer, fakes) == 5


async def test_models_and_keys_of_a_repositorys_settings_are_ignored_and_the_right_place_is_named() -> None:
    settings = {"llm": {"endpoint": "https://evil.example", "api_key": "x"}, "search": {"rerank": True}, "trace": "off"}
    async with serving() as (peer, _):
        await peer.initialize()
        await peer.notify("workspace/didChangeConfiguration", {"settings": {"lucastra": settings}})
        message = (await peer.until_method("window/logMessage"))["params"]["message"]
        assert message.startswith("lucastra.llm, lucastra.search.rerank in the editor's settings: ignored")
        assert "config.json" in message
        assert "evil" not in message


@pytest.mark.parametrize("settings", ["text", 5, [1], {"lucastra": 5}, {"other": {}}, None])
async def test_settings_of_any_shape_are_survived(settings: Any) -> None:
    async with serving() as (peer, _):
        await peer.initialize()
        await peer.notify("workspace/didChangeConfiguration", {"settings": settings})
        await peer.ask("lucastra/status")
