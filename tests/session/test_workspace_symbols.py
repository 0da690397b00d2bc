"""`workspace/symbol`: names of the editor's folders, at the editor's positions, in parts where it wants them so."""

from pathlib import Path
from typing import Any

import pytest
from fakes import Fakes, symbol
from peer import serving

pytestmark = pytest.mark.trio


def place(line: int, start: int, end: int) -> dict[str, Any]:
    return {"start": {"line": line, "character": start}, "end": {"line": line, "character": end}}


async def test_a_definition_is_told_with_the_place_of_its_name() -> None:
    fakes = Fakes()
    fakes.symbols.parts = [[symbol("total", container="Basket", kind="method")]]
    async with serving(fakes) as (peer, _):
        result = await peer.initialize(workspaceFolders=[{"uri": "file:///projects/project", "name": "p"}])
        assert result["capabilities"]["workspaceSymbolProvider"]["resolveProvider"] is False
        assert await peer.ask("workspace/symbol", {"query": "tot"}) == [
            {
                "name": "total",
                "kind": 6,
                "containerName": "Basket",
                "location": {"uri": "file:///projects/project/src/config.py", "range": place(2, 4, 9)},
            }
        ]
    assert fakes.symbols.asked == [("tot", [Path("/projects/project")], 128)]


@pytest.mark.parametrize(("encoding", "start"), [("utf-8", 7), ("utf-16", 5), ("utf-32", 4)])
async def test_positions_count_in_the_editors_units(encoding: str, start: int) -> None:
    fakes = Fakes()
    fakes.symbols.parts = [[symbol("f", before="a😀b ")]]
    async with serving(fakes) as (peer, _):
        await peer.initialize(capabilities={"general": {"positionEncodings": [encoding]}})
        (found,) = await peer.ask("workspace/symbol", {"query": "f"})
        assert found["location"]["range"] == place(2, start, start + 1)


async def test_parts_go_to_the_token_and_are_not_repeated() -> None:
    fakes = Fakes()
    fakes.symbols.parts = [[symbol("a"), symbol("b")], [symbol("c")]]
    async with serving(fakes) as (peer, _):
        await peer.initialize()
        assert await peer.ask("workspace/symbol", {"query": "", "partialResultToken": "t"}) == []
        parts = [message["params"] for message in peer.received if message.get("method") == "$/progress"]
        assert [part["token"] for part in parts] == ["t", "t"]
        assert [[one["name"] for one in part["value"]] for part in parts] == [["a", "b"], ["c"]]
