"""Inline completion: window, neighbours, model, rules.

Invariant: no provider, or one that fails, is no error: nothing is offered, and the log says why. One client has one
completion under way: the next one cancels it, down to the provider's connection. Nothing goes to a provider off this
machine but with its secrets redacted.
"""

import logging
import secrets
from collections import OrderedDict
from collections.abc import Awaitable, Callable, Sequence
from dataclasses import dataclass, field, replace
from functools import partial
from typing import Protocol

import trio
from lucastra_protocol.errors import LucAstraError

from lucastrad.completion.cache import CompletionCache
from lucastrad.completion.context import (
    OpenFiles,
    may_be_sent,
    neighbour_query,
    neighbours,
    query_text,
    within,
)
from lucastrad.completion.counts import CompletionCount, CompletionCounts, Offers, Origin
from lucastrad.completion.cursor import Cursor, SecretAtCursor, Trigger, Window, window_of
from lucastrad.completion.prompt import compose, inserted
from lucastrad.completion.rules import fit, is_complete, may_span_lines, worth_asking
from lucastrad.completion.suggestion import Suggestion, Timing
from lucastrad.config.schema import CompletionConfig
from lucastrad.llm.errors import Unsupported
from lucastrad.llm.protocol import Completion, ContextFile, FillRequest, FinishReason
from lucastrad.llm.registry import Choice
from lucastrad.logs import log_event
from lucastrad.types import SearchOutcome, SearchQuery
from lucastrad.workspace.secrets import redact

logger = logging.getLogger(__name__)

_PAUSE_SECONDS = 10.0
"""A provider that has failed is not asked for so long, unless a user asks: a failure at every key would follow."""
_CHAT_SECONDS = 600.0
"""A model that cannot fill in the middle is spoken to for so long; then another may have been loaded."""
_ONE_LINE_TOKENS = 48
_PLACES = 8
"""Whose context is kept."""


class ChoosesProviders(Protocol):
    """What completion asks of `lucastrad.llm.registry.Providers`."""

    async def choose(self, choice: str | None = None) -> Choice | None: ...


class Finds(Protocol):
    """What completion asks of `lucastrad.search.service.SearchService`."""

    async def find(self, query: SearchQuery) -> SearchOutcome: ...


def _make_fence() -> str:
    return secrets.token_hex(8)


def _make_id() -> str:
    return secrets.token_hex(6)


class CompletionService:
    """Completes code; each client has a `Completer` of it."""

    def __init__(
        self,
        providers: ChoosesProviders,
        search: Finds,
        settings: Callable[[], CompletionConfig],
        counts: CompletionCounts,
        *,
        make_fence: Callable[[], str] = _make_fence,
        make_id: Callable[[], str] = _make_id,
    ) -> None:
        """`settings` gives the configuration in force; `counts` is told what becomes of what is offered."""
        self.providers = providers
        self.search = search
        self.settings = settings
        self.counts = counts
        self.make_fence = make_fence
        self.make_id = make_id
        self._paused_until = 0.0
        self._spoken_to: dict[tuple[str, str, str | None], float] = {}
        """Models that cannot fill in the middle, and until when that is taken for granted."""

    def completer(self) -> "Completer":
        """What one client asks."""
        return Completer(self)

    def counted(self) -> Sequence[CompletionCount]:
        """What became of completions, by provider, model and language; those counted last first."""
        return self.counts.all

    async def provider(self, trigger: Trigger) -> Choice | None:
        """The provider to ask; None where there is none, or it has just failed and nobody insists."""
        if trigger is Trigger.AUTOMATIC and trio.current_time() < self._paused_until:
            return None
        return await self.providers.choose(self.settings().provider)

    def pause(self) -> None:
        """Leave the provider alone for a while: it has failed."""
        self._paused_until = trio.current_time() + _PAUSE_SECONDS

    async def write(
        self, choice: Choice, window: Window, name: str, context: Sequence[ContextFile], *, lines: bool
    ) -> Completion:
        """What the model puts at the cursor: by filling in the middle, or by being told to where it cannot."""
        limit = self.settings().max_tokens
        max_tokens = limit if lines else min(limit, _ONE_LINE_TOKENS)
        provider, model = choice.provider, choice.model
        key = (provider.name, provider.origin, model or provider.model)
        if provider.capabilities.fill_in_the_middle and self._spoken_to.get(key, 0.0) <= trio.current_time():
            request = FillRequest(
                _with_context(window.prefix, context, provider.capabilities.fill_context, name),
                window.suffix,
                context=tuple(context),
                model=model,
                max_tokens=max_tokens,
                stop=() if lines else ("\n",),
                retry_attempts=0,
            )
            try:
                return await _filled(choice, request, window)
            except Unsupported:
                self._spoken_to[key] = trio.current_time() + _CHAT_SECONDS
        asked = compose(window, name, context, lines=lines, max_tokens=max_tokens, fence=self.make_fence())
        answer = await provider.complete(replace(asked, model=model))
        return replace(answer, text=inserted(answer.text, window, lines=lines))


async def _filled(choice: Choice, request: FillRequest, window: Window) -> Completion:
    """What the model writes, as far as it can be of use: a small one goes on with the next function, and the next."""
    async with choice.provider.stream_fill(request) as answer:
        async for _ in answer:
            if is_complete(answer.text, window):
                return Completion(answer.text, request.model or choice.provider.model or "")
        return answer.completion


def _with_context(prefix: str, context: Sequence[ContextFile], has_place: bool, name: str) -> str:
    """The prefix, with the context before it as marked text where the API has no place for it."""
    if has_place or not context:
        return prefix
    passages = "\n\n".join(f"# File: {file.path}\n{file.text}" for file in reversed(context))  # the best one nearest
    return f"{passages}\n\n# File: {name}\n{prefix}"


@dataclass(frozen=True, slots=True, eq=False)
class _Lookup:
    """Something to draw on is wanted."""

    cursor: Cursor
    text: str
    """What it should be like."""
    key: tuple[str, str]
    done: trio.Event = field(default_factory=trio.Event)


class Completer:
    """One client's completions.

    Invariant: one look-up runs and one waits, the newest; neither holds up a completion for longer than its deadline.
    """

    def __init__(self, service: CompletionService) -> None:
        self._service = service
        self._cache = CompletionCache()
        self._offers = Offers(service.counts)
        self._open_files = OpenFiles()
        self._under_way = trio.CancelScope()
        self._one_thread = trio.CapacityLimiter(1)
        self._found: OrderedDict[tuple[str, str], tuple[ContextFile, ...]] = OrderedDict()
        """What was found for the lines above a cursor, by document and those lines."""
        self._looked_up: _Lookup | None = None
        self._next: _Lookup | None = None
        self._wanted = trio.Event()

    async def run(self) -> None:
        """Look up what completions may draw on, for ever: what is found too late for one serves the next."""
        while True:
            await self._wanted.wait()
            self._wanted = trio.Event()
            lookup, self._looked_up, self._next = self._next, self._next, None
            if lookup is not None:
                await self._gather(lookup)
                self._looked_up = None  # it holds the texts of all open documents

    def begin(self, cursor: Cursor) -> Callable[[], Awaitable[Suggestion | None]]:
        """Supersede what is under way, at once, and return the work of completing at `cursor`, to be called once.

        The work gives what to insert: None where no model was asked, and where it is itself superseded.
        """
        self._under_way.cancel()
        scope = self._under_way = trio.CancelScope()
        return partial(self._complete, cursor, scope)

    def offered(self, suggestion: Suggestion) -> None:
        """The suggestion is sent to the client, which may report on it by its id from now on."""
        self._offers.offered(suggestion.id, suggestion.origin)

    def shown(self, id_: str) -> None:
        """The user got to see the suggestion."""
        self._offers.shown(id_)

    def accepted(self, id_: str, *, partial: bool) -> None:
        """The user took the suggestion, or only its beginning."""
        self._offers.accepted(id_, partial=partial)

    async def _complete(self, cursor: Cursor, scope: trio.CancelScope) -> Suggestion | None:
        settings = self._service.settings()
        if (
            scope.cancel_called
            or not settings.enabled
            or (cursor.trigger is Trigger.AUTOMATIC and not settings.automatic)
        ):
            return None
        if (kept := self._cache.get(cursor)) is not None:
            return kept
        with scope, trio.move_on_after(settings.deadline_secs):
            try:
                return await self._asked(cursor, settings)
            except LucAstraError as error:
                self._service.pause()
                log_event(logger, logging.DEBUG, "no inline completion", reason=error.message)
            except SecretAtCursor:
                log_event(logger, logging.DEBUG, "no inline completion", reason="a secret stands at the cursor")
        return None

    async def _asked(self, cursor: Cursor, settings: CompletionConfig) -> Suggestion | None:
        choice = await self._service.provider(cursor.trigger)
        if choice is None:
            return None
        local = choice.is_local
        if not local and not may_be_sent(cursor.document):
            return None
        if cursor.trigger is Trigger.AUTOMATIC and settings.debounce_ms:
            await trio.sleep(settings.debounce_ms / 1000)
        window = window_of(
            cursor,
            prefix_chars=settings.prefix_chars,
            suffix_chars=settings.suffix_chars,
            redact=None if local else redact,
        )
        if not worth_asking(window, cursor.trigger):
            return None
        lines = settings.multiline and may_span_lines(window, cursor.trigger)
        completion, timing = await self._written(cursor, window, choice, settings, lines=lines)
        text = fit(completion.text, window, lines=lines, cut_short=completion.finish is FinishReason.LENGTH)
        text = text.replace("\n", cursor.line_end)
        # Not as the answer names the model: one that is stopped early may have named none.
        model = choice.model or choice.provider.model or ""
        origin = Origin.of(choice.provider.name, model, cursor.document.language)
        suggestion = Suggestion(self._service.make_id(), text, origin, timing)
        self._cache.put(cursor, suggestion)
        log_event(
            logger, logging.DEBUG, "inline completion", provider=choice.provider.name, model=completion.model,
            trigger=cursor.trigger.value, offered=len(text), written=len(completion.text),
            context_ms=round(timing.context_ms, 1), upstream_ms=round(timing.upstream_ms, 1),
        )  # fmt: skip
        return suggestion

    async def _written(
        self, cursor: Cursor, window: Window, choice: Choice, settings: CompletionConfig, *, lines: bool
    ) -> tuple[Completion, Timing]:
        started = trio.current_time()
        context = await self._context(cursor, window, settings)
        asked = trio.current_time()
        completion = await self._service.write(choice, window, cursor.name, context, lines=lines)
        return completion, Timing((asked - started) * 1000, (trio.current_time() - asked) * 1000)

    async def _context(self, cursor: Cursor, window: Window, settings: CompletionConfig) -> tuple[ContextFile, ...]:
        """Passages to draw on: what is found within the deadline. What comes later serves the next completion."""
        text = query_text(window)
        key = (cursor.document.uri, text)
        if key not in self._found and settings.context_deadline_ms and settings.context_chars:
            with trio.move_on_after(settings.context_deadline_ms / 1000):
                await self._look_up(cursor, text, key).wait()
        return within(self._found.get(key, ()), settings.context_chars)

    def _look_up(self, cursor: Cursor, text: str, key: tuple[str, str]) -> trio.Event:
        """Set when everything is found; a look-up that has not begun gives way to a newer one."""
        for lookup in (self._looked_up, self._next):
            if lookup is not None and lookup.key == key:
                return lookup.done
        self._next = _Lookup(cursor, text, key)
        self._wanted.set()
        return self._next.done

    async def _gather(self, lookup: _Lookup) -> None:
        """Like passages of open files first: what is worked on is nearer than what the index happens to hold."""
        cursor, text = lookup.cursor, lookup.text
        try:
            files = await self._like_passages(cursor, text) if cursor.others else []
            self._keep(lookup.key, tuple(files))
            query = neighbour_query(cursor, text)
            if query is not None:
                outcome = await self._service.search.find(query)
                self._keep(lookup.key, (*files, *neighbours(outcome.hits, cursor)))
        except LucAstraError as error:
            log_event(logger, logging.DEBUG, "no neighbours for an inline completion", reason=error.message)
        except Exception as error:  # a completion can do without, and so can the client's session
            log_event(logger, logging.WARNING, "no neighbours for an inline completion", reason=type(error).__name__)
        finally:
            lookup.done.set()

    async def _like_passages(self, cursor: Cursor, text: str) -> list[ContextFile]:
        # In a thread, because documents that are new here take 15 ms each. One that is abandoned keeps its place until
        # it ends, and what it cut stays.
        return await trio.to_thread.run_sync(
            self._open_files.alike, cursor, text, limiter=self._one_thread, abandon_on_cancel=True
        )

    def _keep(self, key: tuple[str, str], files: tuple[ContextFile, ...]) -> None:
        self._found[key] = files
        while len(self._found) > _PLACES:
            self._found.popitem(last=False)
