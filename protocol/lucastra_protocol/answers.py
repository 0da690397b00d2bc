"""Structs of what models answer: conversations, completions and providers, and the events that answers arrive in.

The rules of `lucastra_protocol.types` hold here too. `METHODS` at the end lists the methods, `NOTIFICATIONS` what the
daemon sends unasked, and `CLIENT_NOTIFICATIONS` what clients do.
"""

# ruff: noqa: RUF012 - msgspec copies mutable defaults; ruff knows that of structs of this module only

from typing import Annotated, Literal

import msgspec
from msgspec import Meta

from lucastra_protocol.types import (
    Citation,
    Empty,
    FinishReason,
    Freshness,
    Limit,
    Method,
    Notification,
    ProgressToken,
    ProviderChoice,
    Range,
    SystemText,
    Text,
    TokenUsage,
    Wire,
)

ConversationId = Annotated[str, Meta(min_length=1, max_length=64)]
Title = Annotated[str, Meta(max_length=200)]

# --- events --------------------------------------------------------------------------------------


class PassagesEvent(Wire, frozen=True, tag_field="kind", tag="passages"):
    """First, where passages were looked for: what the answer will be written from."""

    citations: list[Citation] = []
    freshness: Freshness = "fresh"
    notices: list[str] = []


class DeltaEvent(Wire, frozen=True, tag_field="kind", tag="delta"):
    """Any number of times: the next piece of the answer. A citation never comes in two pieces."""

    text: str


class UsageEvent(Wire, frozen=True, tag_field="kind", tag="usage"):
    """Last, where a model answered: who it was, and what it took."""

    provider: str
    model: str
    finish: FinishReason = "stop"
    usage: TokenUsage = TokenUsage()


AnswerEvent = PassagesEvent | DeltaEvent | UsageEvent
EVENTS: tuple[type[Wire], ...] = (PassagesEvent, DeltaEvent, UsageEvent)


class PartialResultParams(msgspec.Struct, frozen=True):
    """`$/progress` on a request's `partialResultToken`."""

    token: ProgressToken
    value: AnswerEvent


# --- conversations -------------------------------------------------------------------------------


class Conversation(Wire, frozen=True):
    """A conversation without its turns. Times are Unix times."""

    id: str
    title: str
    created_at: float
    updated_at: float
    system: str = ""
    """What the model is to heed in every answer."""
    forked_from: str | None = None
    forked_at: int | None = None
    """The last turn that was taken over from there."""
    turns: int = 0


class Source(Wire, frozen=True):
    """A place that an answer cites, as its file had it when the answer was written."""

    number: int
    uri: str
    path: str
    """Relative to `workspace`, with forward slashes."""
    workspace: str
    range: Range
    language: str = ""
    symbol: str = ""
    kind: str = ""


class Turn(Wire, frozen=True):
    """A question and its answer. Times are Unix times."""

    number: int
    """From 1, without gaps."""
    question: str
    started_at: float
    answer: str = ""
    state: Literal["running", "complete", "partial"] = "complete"
    """`running`: `answer` is what was kept of it so far, at most a quarter of a second old; `partial`: it broke
    off, and `problem` says why."""
    finished_at: float | None = None
    retrieved: bool = False
    """Whether passages were looked for."""
    found: bool = True
    """false where the answer is that the workspace does not hold one."""
    provider: str | None = None
    """Who answered; null where no model did."""
    model: str | None = None
    finish: FinishReason | None = None
    usage: TokenUsage = TokenUsage()
    sources: list[Source] = []
    left_out: int = 0
    """Earlier turns, oldest first, that the prompt had no room for."""
    problem: str = ""


class StartParams(Wire, frozen=True):
    title: Title = ""
    """Without one, the first question gives it."""
    system: SystemText = ""
    """What the model is to heed in every answer."""


class SendParams(Wire, frozen=True):
    """A question within a conversation. One is answered at a time; another meanwhile is `CONVERSATION_BUSY`."""

    conversation: ConversationId
    text: Text
    retrieve: bool = True
    """Answer from passages of the workspaces, and cite them; false asks the model alone."""
    provider: ProviderChoice | None = None
    """`NAME` or `NAME/MODEL`, for this turn; null for the configured one."""
    limit: Limit | None = None
    workspaces: list[str] = []
    paths: list[str] = []
    languages: list[str] = []
    partial_result_token: ProgressToken | None = None


class SendResult(Wire, frozen=True):
    turn: Turn
    citations: list[Citation] = []
    """What the answer cites; without a provider, all passages."""
    uncited: list[Citation] = []
    """Passages that the model was given and did not cite."""
    freshness: Freshness = "fresh"
    notices: list[str] = []


class HistoryParams(Wire, frozen=True):
    conversation: ConversationId
    after: Annotated[int, Meta(ge=0)] = 0
    """Turns with higher numbers only."""
    limit: Annotated[int, Meta(ge=1, le=1000)] = 100


class HistoryResult(Wire, frozen=True):
    conversation: Conversation
    turns: list[Turn] = []


class ListParams(Wire, frozen=True):
    offset: Annotated[int, Meta(ge=0)] = 0
    limit: Annotated[int, Meta(ge=1, le=1000)] = 100


class ListResult(Wire, frozen=True):
    """Conversations, the one that was used last first."""

    conversations: list[Conversation] = []
    total: int = 0
    notices: list[str] = []


class RenameParams(Wire, frozen=True):
    conversation: ConversationId
    title: Annotated[str, Meta(min_length=1, max_length=200)]


class ConversationParams(Wire, frozen=True):
    conversation: ConversationId


class ForkParams(Wire, frozen=True):
    conversation: ConversationId
    turn: Annotated[int, Meta(ge=0)] | None = None
    """The last turn to take over; null for all."""
    title: Title | None = None
    """null for that of the conversation."""


class ExportParams(Wire, frozen=True):
    conversation: ConversationId
    format: Literal["markdown", "json"] = "markdown"


class ExportResult(Wire, frozen=True):
    text: str


class FollowParams(Wire, frozen=True):
    conversation: ConversationId
    follow: bool = True
    """false ends it."""


class ConversationChangedParams(Wire, frozen=True):
    """Something happened in a conversation that the session follows; several changes may come as the last of them."""

    conversation: str
    change: Literal["turnStarted", "turnFinished", "renamed", "deleted"]
    turns: int = 0
    """How many turns it has now."""


# --- models --------------------------------------------------------------------------------------


class CompleteParams(Wire, frozen=True):
    """One prompt for a model, without passages and without history."""

    prompt: Text
    system: SystemText = ""
    provider: ProviderChoice | None = None
    """`NAME` or `NAME/MODEL`; null for the configured one."""
    max_tokens: Annotated[int, Meta(ge=1, le=1_000_000)] | None = None
    temperature: Annotated[float, Meta(ge=0, le=2)] | None = None
    partial_result_token: ProgressToken | None = None


class CompleteResult(Wire, frozen=True):
    text: str
    provider: str
    model: str
    finish: FinishReason = "stop"
    usage: TokenUsage = TokenUsage()
    notices: list[str] = []


class EmbedParams(Wire, frozen=True):
    """Texts for the embedding model that searches use."""

    texts: Annotated[list[Text], Meta(min_length=1, max_length=100)]
    kind: Literal["passage", "query"] = "passage"
    """Models tell what is searched from what is searched for."""


class EmbedResult(Wire, frozen=True):
    vectors: list[list[float]]
    """One of length 1 for each text, in their order; all zeros for a text without a word."""
    provider: str
    model: str
    dimensions: int


class ModelsParams(Wire, frozen=True):
    provider: ProviderChoice | None = None
    """Of this provider only; null for every configured one."""


class ModelInfo(Wire, frozen=True):
    provider: str
    id: str
    context_tokens: int | None = None
    """Tokens of prompt and answer together, where the provider says."""


class ModelsResult(Wire, frozen=True):
    models: list[ModelInfo] = []
    problems: list[str] = []
    """Why a provider's models could not be listed."""


class ProvidersParams(Wire, frozen=True):
    check: bool = False
    """Ask each whether it would answer now; else nothing is sent anywhere."""


class ProviderCapabilities(Wire, frozen=True):
    embed: bool = False
    fill_in_the_middle: bool = False
    count_tokens: bool = False
    """Whether its own tokenizer counts."""
    local: bool = False
    """Whether it runs on this machine, so that no text leaves it."""


class ProviderHealth(Wire, frozen=True):
    ok: bool
    detail: str


class ProviderInfo(Wire, frozen=True):
    name: str
    """What `provider` of other methods takes."""
    kind: str
    configured: bool = False
    """Whether the configuration names it; others can be used when they are named."""
    default: bool = False
    origin: str | None = None
    """Scheme, host and port that requests go to."""
    model: str | None = None
    """The model of a request that names none; null where the server decides."""
    capabilities: ProviderCapabilities | None = None
    health: ProviderHealth | None = None
    """Filled when `check` was set."""
    problem: str = ""
    """Why it cannot be used, such as a key that is missing."""


class ProvidersResult(Wire, frozen=True):
    providers: list[ProviderInfo] = []


# --- inline completion ---------------------------------------------------------------------------

ItemId = Annotated[str, Meta(min_length=1, max_length=64, description="`id` of the item's `command.arguments[0]`.")]


class CompletionShownParams(Wire, frozen=True):
    """An item of `textDocument/inlineCompletion` that the user was shown."""

    id: ItemId


class CompletionAcceptedParams(Wire, frozen=True):
    """An item of `textDocument/inlineCompletion` that the user took; also the argument of its `command`."""

    id: ItemId
    partial: bool = False
    """Only the beginning was taken, such as one word of it."""


# --- methods -------------------------------------------------------------------------------------

_PREFIX = "lucastra/conversation"
START = Method(f"{_PREFIX}/start", StartParams, Conversation, "Begin a conversation.")
SEND = Method(f"{_PREFIX}/send", SendParams, SendResult, "Ask within a conversation.", EVENTS)
HISTORY = Method(f"{_PREFIX}/history", HistoryParams, HistoryResult, "A conversation's turns.")
LIST = Method(f"{_PREFIX}/list", ListParams, ListResult, "List the conversations.")
RENAME = Method(f"{_PREFIX}/rename", RenameParams, Conversation, "Give a conversation another title.")
DELETE = Method(f"{_PREFIX}/delete", ConversationParams, Empty, "Delete a conversation.")
FORK = Method(f"{_PREFIX}/fork", ForkParams, Conversation, "Go on from a turn in a new conversation.")
EXPORT = Method(f"{_PREFIX}/export", ExportParams, ExportResult, "A whole conversation as Markdown or JSON.")
FOLLOW = Method(f"{_PREFIX}/follow", FollowParams, Empty, "Be told of a conversation's changes, or no longer.")
COMPLETE = Method("lucastra/complete", CompleteParams, CompleteResult, "One prompt to a model.", EVENTS[1:])
EMBED = Method("lucastra/embed", EmbedParams, EmbedResult, "Vectors of texts.")
MODELS = Method("lucastra/models", ModelsParams, ModelsResult, "List the models of the providers.")
PROVIDERS = Method("lucastra/providers", ProvidersParams, ProvidersResult, "List the providers, and ask how they are.")

METHODS: tuple[Method, ...] = (
    START, SEND, HISTORY, LIST, RENAME, DELETE, FORK, EXPORT, FOLLOW, COMPLETE, EMBED, MODELS, PROVIDERS,
)  # fmt: skip


CONVERSATION_CHANGED = Notification(
    "lucastra/conversationChanged", ConversationChangedParams, "News of a conversation that the session follows."
)
NOTIFICATIONS: tuple[Notification, ...] = (CONVERSATION_CHANGED,)

COMPLETION_SHOWN = Notification(
    "lucastra/completion/didShow", CompletionShownParams, "An inline completion was shown to the user."
)
COMPLETION_ACCEPTED = Notification(
    "lucastra/completion/accepted",
    CompletionAcceptedParams,
    "An inline completion was accepted; in place of the item's `command`, or beside it.",
)
CLIENT_NOTIFICATIONS: tuple[Notification, ...] = (COMPLETION_SHOWN, COMPLETION_ACCEPTED)
