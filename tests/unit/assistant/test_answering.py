"""Answers: passages first, then text whose citations resolve; and what a provider must not see, it does not get."""

from collections.abc import Callable
from pathlib import Path

import pytest
import trio
from lucastra_protocol.errors import ErrorCode, LucAstraError
from scripted_provider import ScriptedProvider, ScriptedProviders

from lucastrad.assistant.answers import (
    NOT_FOUND,
    Answer,
    AnswerEnded,
    AnswerEvent,
    Exchange,
    PassagesFound,
    Question,
    TextDelta,
)
from lucastrad.assistant.service import NO_PROVIDER, AssistantService
from lucastrad.conversation import window
from lucastrad.llm.errors import ContextOverflow, ProviderError, Truncated, UnknownModel
from lucastrad.llm.protocol import Capabilities, CompletionRequest, FinishReason, Usage
from lucastrad.types import Freshness, Hit, SearchOutcome, SearchQuery, StoredChunk

pytestmark = pytest.mark.trio

SCOPE = SearchQuery("", limit=5)
REMOTE = Capabilities()


class Case:
    """A workspace of a few files, a search that finds each as one passage, and the assistant over both."""

    def __init__(self, root: Path, *providers: ScriptedProvider, budget_tokens: int = 8000) -> None:
        self.root = root
        self.queries: list[SearchQuery] = []
        self.events: list[AnswerEvent] = []
        self.hits: list[Hit] = []
        self.assistant = AssistantService(
            self, ScriptedProviders(*providers), fit=window.fit, budget_tokens=lambda: budget_tokens
        )

    def file(self, path: str, text: str) -> Path:
        file = self.root / path
        file.write_text(text)
        chunk = StoredChunk(len(self.hits) + 1, path, "python", "", "", 1, text.count("\n"), text)
        self.hits.append(Hit(str(self.root), chunk, 1.0))
        return file

    async def find(self, query: SearchQuery) -> SearchOutcome:
        self.queries.append(query)
        return SearchOutcome(self.hits, Freshness.STALE, ["two files wait"])

    async def emit(self, event: AnswerEvent) -> None:
        self.events.append(event)

    async def ask(self, text: str = "How does it load?", **question: object) -> Answer:
        return await self.assistant.answer(Question(text, **{"scope": SCOPE, **question}), self.emit)  # type: ignore[arg-type]

    @property
    def streamed(self) -> str:
        return "".join(event.text for event in self.events if isinstance(event, TextDelta))


def citations(answer: Answer) -> list[tuple[int, str]]:
    return [(one.number, one.hit.chunk.path) for one in answer.cited]


async def test_passages_come_first_then_text_then_who_answered(tmp_path: Path) -> None:
    case = Case(tmp_path, ScriptedProvider(["It reads ", "[1] and", " [7] writes [", "2]."]))
    case.file("read.py", "def read(): ...\n")
    case.file("write.py", "def write(): ...\n")
    case.file("other.py", "x = 1\n")
    answer = await case.ask()
    assert [type(event).__name__ for event in case.events] == ["PassagesFound", *["TextDelta"] * 4, "AnswerEnded"]
    found, ended = case.events[0], case.events[-1]
    assert isinstance(found, PassagesFound)
    assert [(one.number, one.hit.chunk.path) for one in found.citations] == [
        (1, "read.py"), (2, "write.py"), (3, "other.py"),
    ]  # fmt: skip
    assert case.streamed == answer.text == "It reads [1] and writes [2]."
    assert citations(answer) == [(1, "read.py"), (2, "write.py")]
    assert [one.number for one in answer.uncited] == [3]
    assert ended == answer.ended == AnswerEnded("llm", "scripted-1", FinishReason.STOP, Usage(25, 7))
    assert answer.freshness is Freshness.STALE
    assert any("citations of passages that there are not" in notice for notice in answer.notices)


async def test_a_passage_that_its_file_does_not_have_any_more_is_not_shown(tmp_path: Path) -> None:
    provider = ScriptedProvider(["See [1]."])
    case = Case(tmp_path, provider)
    case.file("gone.py", "def gone(): ...\n").unlink()
    case.file("kept.py", "def kept(): ...\n")
    answer = await case.ask()
    assert citations(answer) == [(1, "kept.py")]
    assert "gone" not in provider.requests[0].messages[-1].text
    assert any("changed or removed" in notice for notice in answer.notices)


async def test_a_file_changed_while_the_answer_was_written_is_told(tmp_path: Path) -> None:
    provider = ScriptedProvider(["See [1]."], gate=trio.Event())
    assert provider.gate is not None
    case = Case(tmp_path, provider)
    file = case.file("read.py", "def read(): ...\n")
    answers: list[Answer] = []

    async def ask() -> None:
        answers.append(await case.ask())

    async with trio.open_nursery() as nursery:
        nursery.start_soon(ask)
        await provider.waiting.wait()
        file.write_text("\n\ndef read(): ...\n")
        provider.gate.set()
    assert answers[0].cited[0].hit.chunk.start_line == 3
    provider.gate, provider.waiting = trio.Event(), trio.Event()
    async with trio.open_nursery() as nursery:
        nursery.start_soon(ask)
        await provider.waiting.wait()
        file.write_text("nothing\n")
        provider.gate.set()
    assert any("read.py was changed while" in notice for notice in answers[1].notices)


async def test_nothing_retrieved_is_not_found_and_no_model_is_asked_to_invent(tmp_path: Path) -> None:
    provider = ScriptedProvider()
    case = Case(tmp_path, provider)
    answer = await case.ask()
    assert (answer.text, answer.found, answer.ended) == (NOT_FOUND, False, None)
    assert case.streamed == NOT_FOUND
    assert provider.requests == []


async def test_a_model_that_says_it_is_not_there_cites_nothing(tmp_path: Path) -> None:
    case = Case(tmp_path, ScriptedProvider(["Not found in this workspace", " [1]."]))
    case.file("a.py", "x = 1\n")
    answer = await case.ask()
    assert (answer.found, answer.cited) == (False, ())
    assert [one.number for one in answer.uncited] == [1]


async def test_an_answer_without_citations_warns(tmp_path: Path) -> None:
    case = Case(tmp_path, ScriptedProvider(["It just works."]))
    case.file("a.py", "x = 1\n")
    assert any("cites no passage" in notice for notice in (await case.ask()).notices)


async def test_without_a_provider_the_passages_are_the_answer(tmp_path: Path) -> None:
    case = Case(tmp_path)
    case.file("a.py", "x = 1\n")
    answer = await case.ask()
    assert (answer.text, citations(answer)) == (None, [(1, "a.py")])
    assert answer.notices == [NO_PROVIDER, "two files wait"]
    with pytest.raises(LucAstraError, match="no language model is configured") as refused:
        await case.ask(scope=None)
    assert refused.value.code is ErrorCode.CONFIG_INVALID


async def test_a_prompt_alone_searches_nothing_and_keeps_its_brackets(tmp_path: Path) -> None:
    provider = ScriptedProvider(["row[3] is [4]."])
    case = Case(tmp_path, provider)
    answer = await case.ask("Say it", scope=None, max_tokens=9, temperature=0.5, choice="llm/big")
    assert (answer.text, case.queries) == ("row[3] is [4].", [])
    request = provider.requests[0]
    assert (request.max_tokens, request.temperature, request.model) == (9, 0.5, "big")
    assert answer.ended is not None
    assert answer.ended.model == "big"


SECRET = "AKIA" + "Q7RTZ2WXYBVNMKLP"


@pytest.mark.parametrize("local", [True, False])
async def test_secrets_leave_this_machine_in_no_part_of_a_prompt(tmp_path: Path, local: bool) -> None:
    provider = ScriptedProvider(["See [1]."], capabilities=Capabilities(local=local))
    case = Case(tmp_path, provider)
    case.file("a.py", f'KEY = "{SECRET}"\n')
    history = (Exchange("which key?", f"It is {SECRET}."),)
    answer = await case.ask(history=history)
    sent = repr(provider.requests)
    assert (SECRET in sent) is local
    assert ("[redacted: AWS access key]" in sent) is not local
    assert any("secrets were left out" in notice for notice in answer.notices) is not local
    assert SECRET in answer.cited[0].hit.chunk.text  # the user's own eyes may see it


def overflow(request: CompletionRequest) -> ProviderError | None:
    size = sum(len(message.text) for message in request.messages)
    return ContextOverflow("the prompt is too long", provider="llm") if size > 5000 else None


async def test_a_context_that_is_smaller_than_the_budget_is_filled_with_less(tmp_path: Path) -> None:
    provider = ScriptedProvider(["See [1] and [4]."], refuse=overflow)
    case = Case(tmp_path, provider)
    for number in range(4):
        case.file(f"f{number}.py", f"value{number} = 1\n" * 150)
    answer = await case.ask()
    assert len(provider.requests) > 1
    assert answer.text == "See [1] and."
    assert any("had no room for" in notice for notice in answer.notices)


async def test_a_context_too_small_for_anything_is_the_providers_error(tmp_path: Path) -> None:
    def always(request: CompletionRequest) -> ProviderError:
        return ContextOverflow("the prompt is too long", provider="llm")

    case = Case(tmp_path, ScriptedProvider(refuse=always))
    case.file("a.py", "x = 1\n")
    with pytest.raises(ContextOverflow):
        await case.ask()


async def test_the_window_is_counted_by_the_provider_and_what_was_left_out_is_told(tmp_path: Path) -> None:
    def tokens(request: CompletionRequest) -> int:
        return sum(len(message.text) for message in request.messages) // 2

    provider = ScriptedProvider(["Yes."], capabilities=Capabilities(local=True, count_tokens=True), tokens=tokens)
    case = Case(tmp_path, provider, budget_tokens=1000)
    history = tuple(Exchange(f"question {n}", "answer " * 20) for n in range(40))
    answer = await case.ask("and now?", scope=None, history=history, older_exchanges=7, system="Be brief.")
    request = provider.requests[0]
    assert provider.counted
    assert tokens(request) <= 1000
    assert request.system == "Be brief."
    kept = (len(request.messages) - 1) // 2
    assert 0 < kept < 40
    assert request.messages[0].text == f"question {40 - kept}"
    assert answer.exchanges_left_out == 47 - kept
    assert any(f"the {47 - kept} oldest turns" in notice for notice in answer.notices)


async def test_a_stream_that_breaks_off_shows_what_came_and_fails(tmp_path: Path) -> None:
    failure = Truncated("the connection ended before the answer did", provider="llm")
    case = Case(tmp_path, ScriptedProvider(["It reads [9] so", " ["], failure=failure))
    case.file("a.py", "x = 1\n")
    with pytest.raises(Truncated) as raised:
        await case.ask()
    assert case.streamed == raised.value.partial_text == "It reads so ["


async def test_a_cancelled_answer_closes_its_stream(tmp_path: Path) -> None:
    provider = ScriptedProvider(gate=trio.Event())
    case = Case(tmp_path, provider)
    case.file("a.py", "x = 1\n")
    async with trio.open_nursery() as nursery:
        nursery.start_soon(case.ask)
        await provider.waiting.wait()
        assert provider.open_streams == 1
        nursery.cancel_scope.cancel()
    assert provider.open_streams == 0


@pytest.mark.parametrize(
    ("finish", "says"), [(FinishReason.LENGTH, "max_tokens"), (FinishReason.FILTERED, "declined to go on")]
)
async def test_an_answer_that_is_not_whole_says_so(tmp_path: Path, finish: FinishReason, says: str) -> None:
    case = Case(tmp_path, ScriptedProvider(["See [1]"], finish=finish))
    case.file("a.py", "x = 1\n")
    assert any(says in notice for notice in (await case.ask()).notices)


async def test_a_refused_request_shows_no_text(tmp_path: Path) -> None:
    refuse: Callable[[CompletionRequest], ProviderError] = lambda _: UnknownModel("no such model", provider="llm")  # noqa: E731
    case = Case(tmp_path, ScriptedProvider(refuse=refuse))
    case.file("a.py", "x = 1\n")
    with pytest.raises(UnknownModel):
        await case.ask()
    assert [type(event) for event in case.events] == [PassagesFound]
