"""Completions: who is asked, with what, and what becomes of the answer."""

import logging
from collections.abc import Awaitable, Callable
from dataclasses import dataclass, field
from pathlib import Path

import pytest
import trio
import trio.testing
from filling_provider import FillingProvider
from scripted_provider import ScriptedProvider, ScriptedProviders

from lucastrad.completion.counts import CompletionCounts, Origin
from lucastrad.completion.cursor import Cursor, OpenDocument, Trigger
from lucastrad.completion.service import Completer, CompletionService
from lucastrad.completion.suggestion import Suggestion
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
    failure: Exception | None = None

    async def find(self, query: SearchQuery) -> SearchOutcome:
        self.queries.append(query)
        if self.gate is not None:
            with trio.CancelScope(shield=True):  # as a search in a thread: it does not end before it is done
                await self.gate.wait()
        if self.failure is not None:
            raise self.failure
        return SearchOutcome(self.hits, Freshness.FRESH)


def hit(path: str, text: str) -> Hit:
    return Hit("/p", StoredChunk(1, path, "python", "", "function", 1, 2, text), 1.0)


def document(path: str, text: str) -> OpenDocument:
    return OpenDocument(f"file:///p/{path}", ROOT / path, "python", text)


def at(text: str, *others: OpenDocument, trigger: Trigger = Trigger.INVOKED, path: str = "a.py") -> Cursor:
    before, _, after = text.partition("|")
    return Cursor(document(path, before + after), before, after, trigger, others, ROOT)


MakeCompleter = Callable[..., Completer]


@pytest.fixture
def completer(nursery: trio.Nursery) -> MakeCompleter:
    """Makes one client's completions, by these providers and settings."""

    def make(*providers: ScriptedProvider, search: Searches | None = None, **settings: object) -> Completer:
        config = CompletionConfig(**settings)  # type: ignore[arg-type]
        found = search or Searches()
        service = CompletionService(ScriptedProviders(*providers), found, lambda: config, CompletionCounts(None))
        one = service.completer()
        nursery.start_soon(one.run)
        return one

    return make


async def text_at(one: Completer, cursor: Cursor) -> str:
    """What is offered; empty for nothing."""
    suggestion = await one.begin(cursor)()
    return "" if suggestion is None else suggestion.text


async def test_a_provider_that_can_fills_in_the_middle(completer: MakeCompleter) -> None:
    provider = FillingProvider(fill="a + b)\n\ndef g(")
    assert await text_at(completer(provider), at("def f(a, b):\n    return (|\n")) == "a + b)"
    (request,) = provider.fills
    assert (request.prefix, request.suffix) == ("def f(a, b):\n    return (", "\n")
    assert request.retry_attempts == 0


async def test_the_model_is_stopped_where_its_block_ends(completer: MakeCompleter) -> None:
    provider = FillingProvider(
        ["1"], fill=["\n    if a:\n", "        b()\n    el", "se:\n        c()\n", "\n\ndef g(", "):\n", "    pass"]
    )
    offered = await text_at(completer(provider), at("def f(a):|\n"))
    assert offered == "\n    if a:\n        b()\n    else:\n        c()"
    assert provider.read.endswith("c()\n\n\ndef g(")
    assert provider.open_fills == 0


async def test_line_ends_are_those_of_the_document(completer: MakeCompleter) -> None:
    provider = FillingProvider(fill="\n    a()\n    b()")
    assert await text_at(completer(provider), at("def f():|\r\n")) == "\r\n    a()\r\n    b()"
    assert provider.fills[0].suffix == "\n"


async def test_one_that_cannot_is_spoken_to(completer: MakeCompleter) -> None:
    provider = ScriptedProvider(["```python\nreturn", " 1\n```"])
    assert await text_at(completer(provider), at("def f():\n    |")) == "return 1"
    assert "def f():\n    </before-" in provider.requests[0].messages[0].text


async def test_a_model_that_turns_out_not_to_fill_is_spoken_to_from_then_on(completer: MakeCompleter) -> None:
    provider = FillingProvider(["1"], unsupported=Unsupported("no tokens for it", provider="llm"))
    one = completer(provider)
    assert await text_at(one, at("x = |")) == "1"
    assert await text_at(one, at("y = |")) == "1"
    assert len(provider.fills) == 1


async def test_the_configuration_chooses_provider_and_model_and_what_is_sent(completer: MakeCompleter) -> None:
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
    await text_at(one, at("y" * 200 + "\nx = |\nrest"))
    (request,) = other.fills
    assert (request.model, request.max_tokens, request.suffix, request.stop) == ("coder", 20, "", ("\n",))
    assert request.prefix == "x = "


async def test_without_a_provider_or_when_switched_off_nothing_is_offered_at_once(completer: MakeCompleter) -> None:
    search = Searches()
    assert await text_at(completer(search=search), at("x = |")) == ""
    provider = FillingProvider()
    assert await text_at(completer(provider, search=search, enabled=False), at("x = |")) == ""
    by_hand = completer(provider, automatic=False)
    assert await text_at(by_hand, at("x = |", trigger=Trigger.AUTOMATIC)) == ""
    assert provider.fills == []
    assert search.queries == []
    assert await text_at(by_hand, at("x = |")) == "return 1"


async def test_a_provider_that_fails_is_left_alone_while_the_user_types(
    completer: MakeCompleter, autojump_clock: trio.testing.MockClock, caplog: pytest.LogCaptureFixture
) -> None:
    provider = FillingProvider(failure=Unreachable("start it", provider="llm"))
    one = completer(provider)
    with caplog.at_level(logging.DEBUG, "lucastrad.completion.service"):
        assert await text_at(one, at("x = |", trigger=Trigger.AUTOMATIC)) == ""
    assert [record.levelname for record in caplog.records] == ["DEBUG"]
    provider.failure = None
    assert await text_at(one, at("y = |", trigger=Trigger.AUTOMATIC)) == ""
    assert len(provider.fills) == 1
    assert await text_at(one, at("y = |")) == "return 1"
    await trio.sleep(11)
    assert await text_at(one, at("z = |", trigger=Trigger.AUTOMATIC)) == "return 1"


async def test_the_next_completion_cancels_the_one_before(completer: MakeCompleter) -> None:
    provider = FillingProvider(gate=trio.Event())
    one, offered = completer(provider), []

    async def run(work: Callable[[], Awaitable[Suggestion | None]]) -> None:
        suggestion = await work()
        offered.append(suggestion and suggestion.text)

    async with trio.open_nursery() as nursery:
        nursery.start_soon(run, one.begin(at("x = |")))
        await provider.waiting.wait()
        second = one.begin(at("x = r|"))
        await trio.testing.wait_all_tasks_blocked()
        assert (provider.open_fills, provider.cancelled_fills, offered) == (0, 1, [None])
        provider.gate = None
        nursery.start_soon(run, second)
    assert offered == [None, "return 1"]


async def test_one_that_is_superseded_before_it_begins_asks_nobody(completer: MakeCompleter) -> None:
    provider = FillingProvider()
    one = completer(provider)
    first, second = one.begin(at("x = |")), one.begin(at("x = r|"))
    assert await first() is None
    assert await second() is not None
    assert len(provider.fills) == 1


async def test_fast_typing_asks_once(completer: MakeCompleter, autojump_clock: trio.testing.MockClock) -> None:
    provider = FillingProvider(fill="return_value")
    one = completer(provider, debounce_ms=100.0)
    async with trio.open_nursery() as nursery:
        for typed in ("x = ", "x = l", "x = lo"):
            nursery.start_soon(one.begin(at(typed + "|", trigger=Trigger.AUTOMATIC)))
            await trio.sleep(0.05)
    assert [request.prefix for request in provider.fills] == ["x = lo"]


async def test_a_provider_that_takes_too_long_offers_nothing(
    completer: MakeCompleter, autojump_clock: trio.testing.MockClock
) -> None:
    provider = FillingProvider(gate=trio.Event())
    assert await text_at(completer(provider, deadline_secs=3.0), at("x = |")) == ""
    assert trio.current_time() == pytest.approx(3.0, abs=0.1)
    assert provider.open_fills == 0


async def test_typing_into_a_suggestion_asks_nobody_again(completer: MakeCompleter) -> None:
    provider = FillingProvider(fill="load_config()")
    one = completer(provider)
    assert await text_at(one, at("x = |\n")) == "load_config()"
    assert await text_at(one, at("x = load_|\n")) == "config()"
    assert len(provider.fills) == 1


async def test_what_is_left_of_a_suggestion_is_the_same_suggestion(completer: MakeCompleter) -> None:
    provider = FillingProvider(fill="load_config()")
    one = completer(provider)
    whole = await one.begin(at("x = |\n"))()
    rest = await one.begin(at("x = load_|\n"))()
    other = await one.begin(at("y = |\n"))()
    assert whole is not None
    assert rest is not None
    assert other is not None
    assert rest.id == whole.id != other.id
    assert (rest.origin, rest.timing) == (whole.origin, None)


@pytest.mark.parametrize("fill", ["a()", "\n    a()\n\n\ndef g():\n    pass"])
async def test_a_suggestion_is_of_the_model_that_was_asked_whether_or_not_it_was_stopped(
    completer: MakeCompleter, fill: str
) -> None:
    suggestion = await completer(FillingProvider(fill=fill)).begin(at("def f():|\n"))()
    assert suggestion is not None
    assert suggestion.origin == Origin("llm", "scripted-1", "python")


async def test_a_suggestion_tells_what_it_waited_for(
    completer: MakeCompleter, autojump_clock: trio.testing.MockClock
) -> None:
    gate, search = trio.Event(), Searches(gate=trio.Event())
    one = completer(FillingProvider(gate=gate), search=search, context_deadline_ms=30.0)

    async def open_later() -> None:
        await trio.sleep(0.25)
        gate.set()
        assert search.gate is not None
        search.gate.set()

    async with trio.open_nursery() as nursery:
        nursery.start_soon(open_later)
        suggestion = await one.begin(at("a\nx|"))()
    assert suggestion is not None
    assert suggestion.timing is not None
    assert suggestion.timing.context_ms == pytest.approx(30, abs=1)
    assert suggestion.timing.upstream_ms == pytest.approx(220, abs=1)


async def test_open_files_come_before_neighbours_and_those_are_of_files_that_are_not_open(
    completer: MakeCompleter,
) -> None:
    search = Searches([hit("shop.py", "def total(basket): ..."), hit("b.py", "stale"), hit("a.py", "own")])
    provider = FillingProvider()
    other = document("b.py", "class Basket:\n    prices = []\n")
    secret = document(".env", "Basket=1\nprices=2\n")
    await text_at(completer(provider, search=search), at("Basket().prices\n|", secret, other))
    context = provider.fills[0].context
    assert [(file.path, file.text) for file in context] == [
        ("b.py", "class Basket:\n    prices = []"),
        ("shop.py", "def total(basket): ..."),
    ]
    (query,) = search.queries
    assert (query.mode, query.folders, query.text) == (SearchMode.KEYWORD, ("/p",), "Basket().prices")


async def test_a_line_that_is_typed_searches_once(completer: MakeCompleter) -> None:
    search, provider = Searches(), FillingProvider(fill="")
    one = completer(provider, search=search)
    for typed in ("x", "x =", "x = l"):
        await text_at(one, at(f"import os\n{typed}|"))
    assert len(search.queries) == 1


async def test_neighbours_that_come_too_late_hold_up_nothing_and_serve_the_next_completion(
    completer: MakeCompleter, autojump_clock: trio.testing.MockClock
) -> None:
    search = Searches([hit("shop.py", "def total(): ...")], gate=trio.Event())
    provider = FillingProvider()
    one = completer(provider, search=search, context_deadline_ms=30.0)
    assert await text_at(one, at("a\nx|")) == "return 1"
    assert trio.current_time() == pytest.approx(0.03, abs=0.001)
    assert search.gate is not None
    search.gate.set()
    await trio.testing.wait_all_tasks_blocked()
    await one.begin(at("a\nxy|"))()
    assert [[file.path for file in fill.context] for fill in provider.fills] == [[], ["shop.py"]]
    assert len(search.queries) == 1


async def test_of_lines_that_are_left_again_only_the_last_is_looked_for(
    completer: MakeCompleter, autojump_clock: trio.testing.MockClock
) -> None:
    search = Searches(gate=trio.Event())
    one = completer(FillingProvider(), search=search, context_deadline_ms=30.0)
    for number in range(5):
        await one.begin(at(f"line_{number}\nx|"))()
    assert search.gate is not None
    search.gate.set()
    await trio.testing.wait_all_tasks_blocked()
    assert [query.text.split("\n")[0] for query in search.queries] == ["line_0", "line_4"]


async def test_a_fault_of_the_search_costs_the_neighbours_only(completer: MakeCompleter) -> None:
    search = Searches(failure=ZeroDivisionError())
    one = completer(FillingProvider(), search=search)
    assert await text_at(one, at("a\nx|")) == "return 1"
    search.failure = None
    assert await text_at(one, at("b\ny|")) == "return 1"
    assert len(search.queries) == 2


async def test_context_stands_in_the_prefix_where_the_api_has_no_place_for_it(completer: MakeCompleter) -> None:
    provider = FillingProvider(capabilities=Capabilities(fill_in_the_middle=True, local=True))
    await text_at(completer(provider, search=Searches([hit("shop.py", "total")])), at("a\nx = |"))
    assert provider.fills[0].prefix == "# File: shop.py\ntotal\n\n# File: a.py\na\nx = "


@pytest.mark.parametrize("local", [True, False])
async def test_secrets_stay_on_this_machine(completer: MakeCompleter, local: bool) -> None:
    provider = FillingProvider(capabilities=Capabilities(fill_in_the_middle=True, fill_context=True, local=local))
    one = completer(provider, search=Searches([hit("shop.py", f'"{TOKEN}"')]))
    await text_at(one, at(f'key = "{TOKEN}"\nx = |\n'))
    assert (TOKEN in provider.fills[0].prefix) is local
    assert TOKEN not in provider.fills[0].context[0].text
    await text_at(one, at("KEY=|", path=".env"))
    await text_at(one, at(f'k = "{TOKEN[:20]}|{TOKEN[20:]}"'))
    assert len(provider.fills) == (3 if local else 1)
