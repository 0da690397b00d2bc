"""Completions: who is asked, with what, and what becomes of the answer."""

import logging
from dataclasses import dataclass, field
from pathlib import Path

import pytest
import trio
import trio.testing
from filling_provider import FillingProvider
from scripted_provider import ScriptedProvider, ScriptedProviders

from lucastrad.completion.cursor import Cursor, OpenDocument, Trigger
from lucastrad.completion.service import Completer, CompletionService
from lucastrad.config.schema import CompletionConfig
from lucastrad.llm.errors import Unreachable, Unsupported
from lucastrad.llm.protocol import Capabilities
from lucastrad.types import Freshness, Hit, SearchMode, SearchOutcome, SearchQuery, StoredChunk

pytestmark = pytest.mark.trio

ROOT = Path("/p")
TOKEN = "ghp_" + "aB3" * 12


@dataclass
class Searches:
    hits: list[Hit] = field(default_factory=list)
    gate: trio.Event | None = None
    queries: list[SearchQuery] = field(default_factory=list)

    async def find(self, query: SearchQuery) -> SearchOutcome:
        self.queries.append(query)
        if self.gate is not None:
            with trio.CancelScope(shield=True):  # as a search in a thread: it does not end before it is done
                await self.gate.wait()
        return SearchOutcome(self.hits, Freshness.FRESH)


def hit(path: str, text: str) -> Hit:
    return Hit("/p", StoredChunk(1, path, "python", "", "function", 1, 2, text), 1.0)


def document(path: str, text: str) -> OpenDocument:
    return OpenDocument(f"file:///p/{path}", ROOT / path, "python", text)


def at(text: str, *others: OpenDocument, trigger: Trigger = Trigger.INVOKED, path: str = "a.py") -> Cursor:
    before, _, after = text.partition("|")
    return Cursor(document(path, before + after), before, after, trigger, others, ROOT)


def completer(*providers: ScriptedProvider, search: Searches | None = None, **settings: object) -> Completer:
    config = CompletionConfig(**settings)  # type: ignore[arg-type]
    service = CompletionService(ScriptedProviders(*providers), search or Searches(), lambda: config)
    return service.completer()


async def test_a_provider_that_can_fills_in_the_middle() -> None:
    provider = FillingProvider(fill="a + b)\n\ndef g(")
    assert await completer(provider).begin(at("def f(a, b):\n    return (|\n"))() == "a + b)"
    (request,) = provider.fills
    assert (request.prefix, request.suffix) == ("def f(a, b):\n    return (", "\n")
    assert request.retry_attempts == 0


async def test_the_model_is_stopped_where_its_block_ends() -> None:
    provider = FillingProvider(
        ["1"], fill=["\n    if a:\n", "        b()\n    el", "se:\n        c()\n", "\n\ndef g(", "):\n", "    pass"]
    )
    offered = await completer(provider).begin(at("def f(a):|\n"))()
    assert offered == "\n    if a:\n        b()\n    else:\n        c()"
    assert provider.read.endswith("c()\n\n\ndef g(")
    assert provider.open_fills == 0


async def test_line_ends_are_those_of_the_document() -> None:
    provider = FillingProvider(fill="\n    a()\n    b()")
    assert await completer(provider).begin(at("def f():|\r\n"))() == "\r\n    a()\r\n    b()"
    assert provider.fills[0].suffix == "\n"


async def test_one_that_cannot_is_spoken_to() -> None:
    provider = ScriptedProvider(["```python\nreturn", " 1\n```"])
    assert await completer(provider).begin(at("def f():\n    |"))() == "return 1"
    assert "def f():\n    </before-" in provider.requests[0].messages[0].text


async def test_a_model_that_turns_out_not_to_fill_is_spoken_to_from_then_on() -> None:
    provider = FillingProvider(["1"], unsupported=Unsupported("no tokens for it", provider="llm"))
    one = completer(provider)
    assert await one.begin(at("x = |"))() == "1"
    assert await one.begin(at("y = |"))() == "1"
    assert len(provider.fills) == 1


async def test_the_configuration_chooses_provider_and_model_and_what_is_sent() -> None:
    other = FillingProvider(name="small")
    one = completer(
        FillingProvider(),
        other,
        provider="small/coder",
        max_tokens=20,
        prefix_chars=100,
        suffix_chars=0,
        multiline=False,
    )
    await one.begin(at("y" * 200 + "\nx = |\nrest"))()
    (request,) = other.fills
    assert (request.model, request.max_tokens, request.suffix, request.stop) == ("coder", 20, "", ("\n",))
    assert request.prefix == "x = "


async def test_without_a_provider_or_when_switched_off_nothing_is_offered_at_once() -> None:
    search = Searches()
    assert await completer(search=search).begin(at("x = |"))() == ""
    provider = FillingProvider()
    assert await completer(provider, search=search, enabled=False).begin(at("x = |"))() == ""
    by_hand = completer(provider, automatic=False)
    assert await by_hand.begin(at("x = |", trigger=Trigger.AUTOMATIC))() == ""
    assert provider.fills == []
    assert search.queries == []
    assert await by_hand.begin(at("x = |"))() == "return 1"


async def test_a_provider_that_fails_is_left_alone_while_the_user_types(
    autojump_clock: trio.testing.MockClock, caplog: pytest.LogCaptureFixture
) -> None:
    provider = FillingProvider(failure=Unreachable("start it", provider="llm"))
    one = completer(provider)
    with caplog.at_level(logging.DEBUG, "lucastrad.completion.service"):
        assert await one.begin(at("x = |", trigger=Trigger.AUTOMATIC))() == ""
    assert [record.levelname for record in caplog.records] == ["DEBUG"]
    provider.failure = None
    assert await one.begin(at("y = |", trigger=Trigger.AUTOMATIC))() == ""
    assert len(provider.fills) == 1
    assert await one.begin(at("y = |"))() == "return 1"
    await trio.sleep(11)
    assert await one.begin(at("z = |", trigger=Trigger.AUTOMATIC))() == "return 1"


async def test_the_next_completion_cancels_the_one_before() -> None:
    provider = FillingProvider(gate=trio.Event())
    one, offered = completer(provider), []

    async def run(work: object) -> None:
        offered.append(await work())  # type: ignore[operator]

    async with trio.open_nursery() as nursery:
        nursery.start_soon(run, one.begin(at("x = |")))
        await provider.waiting.wait()
        second = one.begin(at("x = r|"))
        await trio.testing.wait_all_tasks_blocked()
        assert (provider.open_fills, provider.cancelled_fills, offered) == (0, 1, [""])
        provider.gate = None
        nursery.start_soon(run, second)
    assert offered == ["", "return 1"]


async def test_one_that_is_superseded_before_it_begins_asks_nobody() -> None:
    provider = FillingProvider()
    one = completer(provider)
    first, second = one.begin(at("x = |")), one.begin(at("x = r|"))
    assert await first() == ""
    assert await second() == "return 1"
    assert len(provider.fills) == 1


async def test_fast_typing_asks_once(autojump_clock: trio.testing.MockClock) -> None:
    provider = FillingProvider(fill="return_value")
    one = completer(provider, debounce_ms=100.0)
    async with trio.open_nursery() as nursery:
        for typed in ("x = ", "x = l", "x = lo"):
            nursery.start_soon(one.begin(at(typed + "|", trigger=Trigger.AUTOMATIC)))
            await trio.sleep(0.05)
    assert [request.prefix for request in provider.fills] == ["x = lo"]


async def test_a_provider_that_takes_too_long_offers_nothing(autojump_clock: trio.testing.MockClock) -> None:
    provider = FillingProvider(gate=trio.Event())
    assert await completer(provider, deadline_secs=3.0).begin(at("x = |"))() == ""
    assert trio.current_time() == pytest.approx(3.0, abs=0.1)
    assert provider.open_fills == 0


async def test_typing_into_a_suggestion_asks_nobody_again() -> None:
    provider = FillingProvider(fill="load_config()")
    one = completer(provider)
    assert await one.begin(at("x = |\n"))() == "load_config()"
    assert await one.begin(at("x = load_|\n"))() == "config()"
    assert len(provider.fills) == 1


async def test_open_files_come_before_neighbours_and_those_are_of_files_that_are_not_open() -> None:
    search = Searches([hit("shop.py", "def total(basket): ..."), hit("b.py", "stale"), hit("a.py", "own")])
    provider = FillingProvider()
    other = document("b.py", "class Basket:\n    prices = []\n")
    secret = document(".env", "Basket=1\nprices=2\n")
    await completer(provider, search=search).begin(at("Basket().prices\n|", secret, other))()
    context = provider.fills[0].context
    assert [(file.path, file.text) for file in context] == [
        ("b.py", "class Basket:\n    prices = []"),
        ("shop.py", "def total(basket): ..."),
    ]
    (query,) = search.queries
    assert (query.mode, query.folders, query.text) == (SearchMode.KEYWORD, ("/p",), "Basket().prices")


async def test_a_line_that_is_typed_searches_once() -> None:
    search, provider = Searches(), FillingProvider(fill="")
    one = completer(provider, search=search)
    for typed in ("x", "x =", "x = l"):
        await one.begin(at(f"import os\n{typed}|"))()
    assert len(search.queries) == 1


async def test_neighbours_that_come_too_late_serve_the_next_completion(autojump_clock: trio.testing.MockClock) -> None:
    search = Searches([hit("shop.py", "def total(): ...")], gate=trio.Event())
    provider = FillingProvider(gate=trio.Event())
    one = completer(provider, search=search)
    async with trio.open_nursery() as nursery:
        nursery.start_soon(one.begin(at("a\nx|")))
        await provider.waiting.wait()
        assert provider.fills[0].context == ()
        assert search.gate is not None
        assert provider.gate is not None
        search.gate.set()
        provider.gate.set()
    await one.begin(at("a\nxy|"))()
    assert [file.path for file in provider.fills[1].context] == ["shop.py"]
    assert len(search.queries) == 1


async def test_context_stands_in_the_prefix_where_the_api_has_no_place_for_it() -> None:
    provider = FillingProvider(capabilities=Capabilities(fill_in_the_middle=True, local=True))
    await completer(provider, search=Searches([hit("shop.py", "total")])).begin(at("a\nx = |"))()
    assert provider.fills[0].prefix == "# File: shop.py\ntotal\n\n# File: a.py\na\nx = "


@pytest.mark.parametrize("local", [True, False])
async def test_secrets_stay_on_this_machine(local: bool) -> None:
    provider = FillingProvider(capabilities=Capabilities(fill_in_the_middle=True, fill_context=True, local=local))
    one = completer(provider, search=Searches([hit("shop.py", f'"{TOKEN}"')]))
    await one.begin(at(f'key = "{TOKEN}"\nx = |\n'))()
    assert (TOKEN in provider.fills[0].prefix) is local
    assert TOKEN not in provider.fills[0].context[0].text
    await one.begin(at("KEY=|", path=".env"))()
    await one.begin(at(f'k = "{TOKEN[:20]}|{TOKEN[20:]}"'))()
    assert len(provider.fills) == (3 if local else 1)
