"""Answers: retrieve, prompt, stream, cite.

Invariant: what is emitted is what may be shown: passages that are in their files, and text whose citations resolve
to them. Nothing goes to a provider off this machine but with its secrets redacted.
"""

import secrets
from collections.abc import Awaitable, Callable, Sequence
from dataclasses import dataclass, replace
from typing import Protocol

import trio
from lucastra_protocol.errors import ErrorCode, LucAstraError

from lucastrad.assistant.answers import (
    NOT_FOUND,
    Answer,
    AnswerEnded,
    Citation,
    Emit,
    Exchange,
    PassagesFound,
    Question,
    TextDelta,
)
from lucastrad.assistant.citations import CitationFilter, check_passages
from lucastrad.assistant.prompt import compose, says_not_found
from lucastrad.assistant.retrieval import Finds, retrieve
from lucastrad.llm.errors import ContextOverflow, ProviderError
from lucastrad.llm.protocol import CompletionRequest, FinishReason, Message, Provider
from lucastrad.llm.registry import Choice
from lucastrad.llm.tokens import estimate, estimate_texts
from lucastrad.workspace.secrets import redact

NO_PROVIDER = (
    "no language model is configured, so these are the passages that an answer would be written from; to configure one,"
    ' add {"llm": {"provider": "ollama", "model": "NAME"}} to the file that `lucastra-client config path` names'
)
_NEEDS_PROVIDER = (
    'no language model is configured: add {"llm": {"provider": "ollama", "model": "NAME"}} to the file that'
    " `lucastra-client config path` names, or name a provider with the request"
)
REDACTED = "secrets were left out of what was sent to {provider}"
_UNFINISHED = {
    FinishReason.LENGTH: "the answer ends where `max_tokens`, or the model's context, was used up",
    FinishReason.FILTERED: "the provider or the model declined to go on",
}
_OVERFLOW_ATTEMPTS = 4
_LEAST_BUDGET_TOKENS = 256


def _make_fence() -> str:
    return secrets.token_hex(8)


class ChoosesProviders(Protocol):
    """What the assistant asks of `lucastrad.llm.registry.Providers`."""

    async def choose(self, choice: str | None = None) -> Choice | None: ...


class FitsHistory(Protocol):
    """What the assistant asks of `lucastrad.conversation.window`."""

    async def __call__(
        self,
        history: Sequence[Exchange],
        budget_tokens: int,
        *,
        estimate: Callable[[Sequence[Exchange]], int],
        count: Callable[[Sequence[Exchange]], Awaitable[int]],
    ) -> int:
        """How many of the newest exchanges there is room for."""
        ...


@dataclass(slots=True)
class _Written:
    """What a model wrote, and what it was given."""

    text: str
    ended: AnswerEnded
    given: tuple[Citation, ...]
    cited: set[int]
    exchanges_left_out: int
    notices: list[str]


class AssistantService:
    """Answers questions from the workspaces' passages, or from a model alone."""

    def __init__(
        self,
        search: Finds,
        providers: ChoosesProviders,
        *,
        fit: FitsHistory,
        budget_tokens: Callable[[], int],
        make_fence: Callable[[], str] = _make_fence,
    ) -> None:
        """`budget_tokens` gives what a prompt may hold of passages and earlier exchanges."""
        self._search = search
        self._providers = providers
        self._fit = fit
        self._budget_tokens = budget_tokens
        self._make_fence = make_fence

    async def answer(self, question: Question, emit: Emit) -> Answer:
        """Answer `question`, emitting the passages, the text and its end as they come.

        When it is cancelled, the connection to the provider is closed. Raises LucAstraError for a provider that
        there is not and for folders in no workspace, and ProviderError.
        """
        choice = await self._providers.choose(question.choice)
        if question.scope is None:
            if choice is None:
                raise LucAstraError(_NEEDS_PROVIDER, code=ErrorCode.CONFIG_INVALID)
            found = PassagesFound(())
        else:
            found = await retrieve(self._search, question, question.scope, budget_tokens=self._passage_budget(question))
            await emit(found)
        if choice is None:
            return Answer(None, cited=found.citations, freshness=found.freshness, notices=[NO_PROVIDER, *found.notices])
        if question.scope is not None and not found.citations:
            await emit(TextDelta(NOT_FOUND))
            return Answer(NOT_FOUND, found=False, freshness=found.freshness, notices=list(found.notices))
        written = await self._write(question, found.citations, choice, emit)
        await emit(written.ended)
        return await _answer(question, found, written)

    def _passage_budget(self, question: Question) -> int:
        """What instructions and question leave of the budget; half of it where earlier exchanges need room too."""
        without = compose(question, (), (), fence=self._make_fence())
        room = max(0, self._budget_tokens() - estimate(without).tokens)
        return room // 2 if question.history else room

    async def _write(self, question: Question, citations: tuple[Citation, ...], choice: Choice, emit: Emit) -> _Written:
        """Let the model write; with less and less in the prompt where its context turns out to be too small."""
        budget = self._budget_tokens()
        for attempt in range(_OVERFLOW_ATTEMPTS):
            given = citations if attempt == 0 else _best(citations, budget)
            try:
                return await self._write_within(budget, question, given, choice, emit)
            except ContextOverflow as error:
                smaller = budget // 2
                if error.partial_text or attempt + 1 == _OVERFLOW_ATTEMPTS or smaller < _LEAST_BUDGET_TOKENS:
                    raise
                budget = smaller
        raise AssertionError("unreachable")

    async def _write_within(
        self, budget: int, question: Question, given: tuple[Citation, ...], choice: Choice, emit: Emit
    ) -> _Written:
        provider = choice.provider
        prompt = _Prompt(question, given, choice, self._make_fence())
        kept = await self._fit(question.history, budget, estimate=prompt.estimate, count=prompt.count)
        request = prompt.request(question.history[len(question.history) - kept :])
        notices = [REDACTED.format(provider=provider.name)] if prompt.redacted else []
        filter_ = CitationFilter([citation.number for citation in given])
        shown: list[str] = []

        async def show(text: str) -> None:
            if text:
                shown.append(text)
                await emit(TextDelta(text))

        async with provider.stream(request) as stream:
            try:
                async for piece in stream:
                    await show(filter_.feed(piece) if question.scope is not None else piece)
            except ProviderError as error:
                await show(filter_.finish())
                error.partial_text = "".join(shown)  # without citations of what there is not
                raise
            completion = stream.completion
        await show(filter_.finish())
        if filter_.removed:
            notices.append(f"{filter_.removed} citations of passages that there are not were taken out of the answer")
        left_out = question.older_exchanges + len(question.history) - kept
        ended = AnswerEnded(provider.name, completion.model, completion.finish, completion.usage)
        return _Written("".join(shown), ended, given, filter_.cited, left_out, notices)


class _Prompt:
    """One question's prompt, with however many earlier exchanges there is room for."""

    def __init__(self, question: Question, given: Sequence[Citation], choice: Choice, fence: str) -> None:
        self.redacted = False
        """Whether a request that was made is without something that looked like a secret."""
        self._question = question
        self._given = given
        self._choice = choice
        self._fence = fence

    def request(self, history: Sequence[Exchange]) -> CompletionRequest:
        request = compose(self._question, self._given, history, fence=self._fence)
        request = replace(request, model=self._choice.model)
        if self._choice.is_local:
            return request
        safe = _redacted(request)
        self.redacted = safe != request
        return safe

    def estimate(self, history: Sequence[Exchange]) -> int:
        return estimate(compose(self._question, self._given, history, fence=self._fence)).tokens

    async def count(self, history: Sequence[Exchange]) -> int:
        """By the provider's own tokenizer where it has one."""
        provider: Provider = self._choice.provider
        request = self.request(history)
        if not provider.capabilities.count_tokens:
            return estimate(request).tokens
        try:
            return (await provider.count_tokens(replace(request, retry_attempts=0))).tokens
        except ProviderError:  # the answer is what matters: if that fails too, its error is the one to tell
            return estimate(request).tokens


def _redacted(request: CompletionRequest) -> CompletionRequest:
    messages = tuple(Message(message.role, redact(message.text)) for message in request.messages)
    return replace(request, messages=messages, system=redact(request.system))


def _best(citations: tuple[Citation, ...], budget_tokens: int) -> tuple[Citation, ...]:
    """The first passages that fit half of a smaller budget, none cut: their lines were shown already."""
    kept: list[Citation] = []
    left = budget_tokens // 2
    for citation in citations:
        left -= estimate_texts([citation.hit.chunk.text]).tokens
        if kept and left < 0:
            break
        kept.append(citation)
    return tuple(kept)


async def _answer(question: Question, found: PassagesFound, written: _Written) -> Answer:
    """The whole answer; what it cites is held against the files once more, because writing takes a while."""
    not_found = question.scope is not None and says_not_found(written.text)
    notices = [*found.notices, *written.notices]
    if dropped := len(found.citations) - len(written.given):
        notices.append(f"the model's context had no room for {dropped} of {len(found.citations)} passages")
    if written.ended.finish in _UNFINISHED:
        notices.append(_UNFINISHED[written.ended.finish])
    if written.exchanges_left_out:
        notices.append(
            f"the {written.exchanges_left_out} oldest turns of this conversation were left out of the prompt:"
            " there was no room for them"
        )
    cited = [] if not_found else [citation for citation in written.given if citation.number in written.cited]
    uncited = tuple(citation for citation in written.given if citation not in cited)
    if question.scope is not None and not not_found and written.given and not cited:
        notices.append("the answer cites no passage: check it before you rely on it")
    checked = await trio.to_thread.run_sync(check_passages, [citation.hit for citation in cited])
    current: list[Citation] = []
    for citation, now in zip(cited, checked, strict=True):
        if now.hit is None:
            notices.append(f"[{citation.number}] {citation.hit.chunk.path} was changed while the answer was written")
        current.append(citation if now.hit is None else Citation(citation.number, now.hit))
    return Answer(
        written.text,
        cited=tuple(current),
        uncited=uncited,
        found=not not_found,
        freshness=found.freshness,
        ended=written.ended,
        exchanges_left_out=written.exchanges_left_out,
        notices=notices,
    )
