"""Inline completion as an editor sees it: its own buffer, its own positions, one request at a time, and no errors."""

import re
from typing import Any

import pytest
import trio
import trio.testing
from fakes import Fakes
from filling_provider import FillingProvider
from peer import Peer, serving
from scripted_provider import ScriptedProviders

from lucastrad.config.schema import CompletionConfig, Config
from lucastrad.llm.errors import AuthenticationFailed
from lucastrad.server.session import Session

pytestmark = pytest.mark.trio

URI = "file:///projects/project/a.py"
INVOKED, AUTOMATIC = 1, 2


def fakes_with(*providers: FillingProvider, **settings: Any) -> Fakes:
    settings = {"debounce_ms": 0.0} | settings
    return Fakes(providers=ScriptedProviders(*providers), config=Config(completion=CompletionConfig(**settings)))


async def opened(peer: Peer, text: str, uri: str = URI) -> None:
    item = {"uri": uri, "languageId": "python", "version": 1, "text": text}
    await peer.notify("textDocument/didOpen", {"textDocument": item})


async def typed(peer: Peer, line: int, character: int, text: str, uri: str = URI) -> None:
    place = {"line": line, "character": character}
    change = {"text": text, "range": {"start": place, "end": place}}
    await peer.notify(
        "textDocument/didChange", {"textDocument": {"uri": uri, "version": 2}, "contentChanges": [change]}
    )


def request(line: int, character: int, *, trigger: int = INVOKED, uri: str = URI, **context: Any) -> dict[str, Any]:
    return {
        "textDocument": {"uri": uri},
        "position": {"line": line, "character": character},
        "context": {"triggerKind": trigger, **context},
    }


async def offered(peer: Peer, *place: int, **options: Any) -> list[str]:
    result = await peer.ask("textDocument/inlineCompletion", request(*place, **options))
    return [item["insertText"] for item in result["items"]]


async def test_the_capability_is_announced() -> None:
    async with serving() as (peer, _):
        result = await peer.initialize()
        assert result["capabilities"]["inlineCompletionProvider"] == {}


@pytest.mark.parametrize(("encoding", "smile"), [("utf-8", 4), ("utf-16", 2), ("utf-32", 1)])
async def test_the_buffer_is_completed_at_the_clients_own_position(encoding: str, smile: int) -> None:
    provider = FillingProvider(fill="oo()")
    async with serving(fakes_with(provider)) as (peer, _):
        await peer.initialize(capabilities={"general": {"positionEncodings": [encoding]}})
        await opened(peer, "a = 0\n😀 = ;\n")
        await typed(peer, 1, smile + 3, "f")
        (item,) = (await peer.ask("textDocument/inlineCompletion", request(1, smile + 4)))["items"]
        place = {"line": 1, "character": smile + 4}
        assert (item["insertText"], item["range"]) == ("oo()", {"start": place, "end": place})
    assert [(fill.prefix, fill.suffix) for fill in provider.fills] == [("a = 0\n😀 = f", ";\n")]


async def test_positions_past_the_end_and_documents_that_are_not_open() -> None:
    provider = FillingProvider(fill="1")
    async with serving(fakes_with(provider)) as (peer, _):
        await peer.initialize()
        await opened(peer, "x =\ny")
        assert await offered(peer, 0, 99) == ["1"]
        assert provider.fills[0].prefix == "x ="
        assert await offered(peer, 0, 3, uri="file:///etc/hostname") == []


async def test_without_a_provider_the_list_is_empty_and_no_message_is_shown() -> None:
    async with serving(fakes_with()) as (peer, _):
        await peer.initialize()
        await opened(peer, "x = ")
        assert await offered(peer, 0, 4) == []
        assert all("method" not in message for message in peer.received)


async def test_a_provider_that_fails_is_no_error_of_the_editors() -> None:
    provider = FillingProvider(failure=AuthenticationFailed("the key is wrong", provider="llm"))
    async with serving(fakes_with(provider)) as (peer, _):
        await peer.initialize()
        await opened(peer, "x = ")
        assert await offered(peer, 0, 4) == []
        assert all("method" not in message for message in peer.received)


async def test_the_next_request_ends_the_one_before_and_both_are_answered() -> None:
    provider = FillingProvider(fill="load()", gate=trio.Event())
    async with serving(fakes_with(provider)) as (peer, _):
        await peer.initialize()
        await opened(peer, "x = ")
        first = await peer.start("textDocument/inlineCompletion", request(0, 4, trigger=AUTOMATIC))
        await provider.waiting.wait()
        provider.gate = None
        await typed(peer, 0, 4, "l")
        assert await offered(peer, 0, 5, trigger=AUTOMATIC) == ["load()"]
        assert (await peer.reply(first))["result"] == {"items": []}
        assert (provider.cancelled_fills, provider.open_fills) == (1, 0)


async def test_what_was_written_for_a_buffer_that_has_changed_is_not_offered() -> None:
    provider = FillingProvider(fill="load()", gate=trio.Event())
    async with serving(fakes_with(provider)) as (peer, _):
        await peer.initialize()
        await opened(peer, "x = ")
        msg_id = await peer.start("textDocument/inlineCompletion", request(0, 4))
        await provider.waiting.wait()
        await typed(peer, 0, 0, "y = 1\n")
        assert provider.gate is not None
        await peer.ask("lucastra/status")
        provider.gate.set()
        assert (await peer.reply(msg_id))["error"]["code"] == -32801


@pytest.mark.parametrize(
    ("settings", "offers"),
    [({"enabled": False}, (0, 0)), ({"automatic": False}, (1, 0)), ({}, (1, 1))],
)
async def test_an_editor_can_do_without_completions(settings: dict[str, bool], offers: tuple[int, int]) -> None:
    async with serving(fakes_with(FillingProvider(fill="1"))) as (peer, _):
        await peer.initialize()
        await opened(peer, "x = ")
        await peer.notify("workspace/didChangeConfiguration", {"settings": {"lucastra": {"completion": settings}}})
        assert len(await offered(peer, 0, 4, trigger=INVOKED)) == offers[0]
        assert len(await offered(peer, 0, 4, trigger=AUTOMATIC)) == offers[1]


async def test_a_cancelled_request_frees_the_provider() -> None:
    provider = FillingProvider(gate=trio.Event())
    async with serving(fakes_with(provider)) as (peer, _):
        await peer.initialize()
        await opened(peer, "x = ")
        msg_id = await peer.start("textDocument/inlineCompletion", request(0, 4))
        await provider.waiting.wait()
        await peer.notify("$/cancelRequest", {"id": msg_id})
        assert (await peer.reply(msg_id))["error"]["code"] == -32800
        assert (provider.cancelled_fills, provider.open_fills) == (1, 0)


async def test_one_editors_requests_do_not_end_those_of_another() -> None:
    provider = FillingProvider(gate=trio.Event())
    fakes = fakes_with(provider)
    async with serving(fakes) as (one, _), serving(fakes) as (two, _):
        for peer in (one, two):
            await peer.initialize()
            await opened(peer, "x = ")
        first = await one.start("textDocument/inlineCompletion", request(0, 4))
        await provider.waiting.wait()
        second = await two.start("textDocument/inlineCompletion", request(0, 4))
        await trio.testing.wait_all_tasks_blocked()
        assert provider.gate is not None
        provider.gate.set()
        for peer, msg_id in ((one, first), (two, second)):
            assert (await peer.reply(msg_id))["result"]["items"][0]["insertText"] == "return 1"


async def test_typing_into_a_suggestion_is_served_from_the_cache() -> None:
    provider = FillingProvider(fill="load_config()")
    async with serving(fakes_with(provider)) as (peer, _):
        await peer.initialize()
        await opened(peer, "x = \n")
        assert await offered(peer, 0, 4, trigger=AUTOMATIC) == ["load_config()"]
        for number, character in enumerate("load"):
            await typed(peer, 0, 4 + number, character)
            assert await offered(peer, 0, 5 + number, trigger=AUTOMATIC) == ["load_config()"[number + 1 :]]
        await typed(peer, 0, 8, "X")
        await offered(peer, 0, 9, trigger=AUTOMATIC)
        assert [fill.prefix for fill in provider.fills] == ["x = ", "x = loadX"]


async def test_an_offer_begins_with_the_entry_that_is_selected_in_the_editors_list() -> None:
    provider = FillingProvider(fill="(path)")
    async with serving(fakes_with(provider)) as (peer, _):
        await peer.initialize()
        await opened(peer, "x = lo\n")
        chosen = {"start": {"line": 0, "character": 4}, "end": {"line": 0, "character": 6}}
        selected = {"selectedCompletionInfo": {"range": chosen, "text": "load_config"}}
        (item,) = (await peer.ask("textDocument/inlineCompletion", request(0, 6, **selected)))["items"]
        assert (item["insertText"], item["range"]) == ("load_config(path)", chosen)
        assert provider.fills[0].prefix == "x = load_config"


async def test_the_other_open_documents_are_drawn_on_in_the_order_of_their_edits() -> None:
    provider = FillingProvider(fill="1")
    async with serving(fakes_with(provider)) as (peer, session):
        await peer.initialize(rootUri="file:///projects/project")
        await opened(peer, "basket = Basket()\nx = ")
        for name in ("b", "c", "d"):
            await opened(peer, "class Basket: basket = 1\n", f"file:///projects/project/src/{name}.py")
        await typed(peer, 0, 0, "#", "file:///projects/project/src/b.py")
        await offered(peer, 1, 4)
        assert _names(session) == ["a.py", "c.py", "d.py", "b.py"]
    assert [file.path for file in provider.fills[0].context[:3]] == ["src/b.py", "src/d.py", "src/c.py"]


OF = {"provider": "llm", "model": "scripted-1", "language": "python"}


async def counted(peer: Peer) -> list[dict[str, Any]]:
    counts: list[dict[str, Any]] = (await peer.ask("lucastra/status")).get("completions", [])
    return counts


async def test_any_client_reports_what_was_accepted_by_the_items_command() -> None:
    async with serving(fakes_with(FillingProvider(fill="load_config()"))) as (peer, _):
        await peer.initialize()
        await opened(peer, "x = \n")
        (item,) = (await peer.ask("textDocument/inlineCompletion", request(0, 4)))["items"]
        assert await counted(peer) == [{**OF, "offered": 1}]
        command = {name: item["command"][name] for name in ("command", "arguments")}
        for _ in range(2):
            assert await peer.ask("workspace/executeCommand", command) is None
        assert await counted(peer) == [{**OF, "offered": 1, "shown": 1, "accepted": 1}]


async def test_an_extension_reports_what_was_shown_and_what_was_accepted_in_part() -> None:
    async with serving(fakes_with(FillingProvider(fill="load_config()"))) as (peer, _):
        await peer.initialize()
        await opened(peer, "x = \n")
        (item,) = (await peer.ask("textDocument/inlineCompletion", request(0, 4)))["items"]
        (reported,) = item["command"]["arguments"]
        await peer.notify("lucastra/completion/didShow", reported)
        await peer.notify("lucastra/completion/accepted", {**reported, "partial": True})
        await typed(peer, 0, 4, "load_")
        (rest,) = (await peer.ask("textDocument/inlineCompletion", request(0, 9)))["items"]
        assert rest["command"]["arguments"] == [reported]
        await peer.notify("lucastra/completion/didShow", reported)
        assert await counted(peer) == [{**OF, "offered": 1, "shown": 1, "partiallyAccepted": 1}]
        await peer.notify("lucastra/completion/accepted", reported)
        assert await counted(peer) == [{**OF, "offered": 1, "shown": 1, "partiallyAccepted": 1, "accepted": 1}]


@pytest.mark.parametrize("params", [{"id": "of another session"}, {"id": ""}, {"id": 5}, {}, None])
async def test_a_report_on_nothing_that_is_known_is_ignored(params: Any) -> None:
    async with serving(fakes_with(FillingProvider())) as (peer, _):
        await peer.initialize()
        await peer.notify("lucastra/completion/accepted", params)
        assert await counted(peer) == []
        assert all("method" not in message for message in peer.received)


async def test_what_was_not_sent_is_not_counted() -> None:
    provider = FillingProvider(fill="load()", gate=trio.Event())
    async with serving(fakes_with(provider)) as (peer, _):
        await peer.initialize()
        await opened(peer, "x = ")
        msg_id = await peer.start("textDocument/inlineCompletion", request(0, 4))
        await provider.waiting.wait()
        await typed(peer, 0, 0, "y = 1\n")
        await peer.ask("lucastra/workspaces")
        assert provider.gate is not None
        provider.gate.set()
        assert (await peer.reply(msg_id))["error"]["code"] == -32801
        assert await counted(peer) == []


async def test_a_verbose_trace_tells_what_a_completion_waited_for() -> None:
    async with serving(fakes_with(FillingProvider(fill="load()"))) as (peer, _):
        await peer.initialize(trace="verbose")
        await opened(peer, "x = \n")
        for _ in range(2):
            await offered(peer, 0, 4)
        told = [one["params"]["message"] for one in peer.received if one.get("method") == "window/logMessage"]
    asked, kept = [line for line in told if re.match(r"textDocument/inlineCompletion \(\d+\): ", line)]
    assert re.search(r": context \d+\.\d ms, upstream \d+\.\d ms \(llm scripted-1\)$", asked)
    assert kept.endswith(": what is left of an earlier completion")


def _names(session: Session) -> list[str]:
    return [uri.rpartition("/")[2] for uri in session.engine.workspace.text_documents]
