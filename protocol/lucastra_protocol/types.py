"""Structs of every `lucastra/*` method: the single source of the wire format.

JSON names are camelCase. Positions are LSP positions (0-based line; `character` is 0 for whole-line
spans). Times are seconds unless a name says otherwise. `CORE_METHODS` at the end lists the methods; those of
conversations and models are in `answers`, and all of them in `methods`.
"""

from typing import Annotated, Any, Literal

import msgspec
from msgspec import UNSET, Meta, UnsetType

Query = Annotated[str, Meta(min_length=1, max_length=4096, description="A question, a phrase or an identifier.")]
Limit = Annotated[int, Meta(ge=1, le=100)]
ProgressToken = str | int


class Wire(msgspec.Struct, frozen=True, rename="camel", omit_defaults=True, kw_only=True):
    """Base of every Struct on the wire; defaults are left out, unknown keys are ignored."""


# --- positions -----------------------------------------------------------------------------------


class Position(msgspec.Struct, frozen=True):
    """An LSP position: 0-based line and character (in the session's position encoding)."""

    line: Annotated[int, Meta(ge=0)]
    character: Annotated[int, Meta(ge=0)]


class Range(msgspec.Struct, frozen=True):
    """An LSP range; `end` is exclusive, so a span of whole lines ends at column 0 of the next line."""

    start: Position
    end: Position

    @classmethod
    def of_lines(cls, start_line: int, end_line: int) -> "Range":
        """The range of 1-based inclusive lines `start_line`..`end_line`."""
        return cls(Position(start_line - 1, 0), Position(end_line, 0))

    def lines(self) -> tuple[int, int]:
        """1-based inclusive (start_line, end_line)."""
        end = self.end.line if self.end.character == 0 and self.end.line > self.start.line else self.end.line + 1
        return self.start.line + 1, end


# --- session -------------------------------------------------------------------------------------


class HelloParams(Wire, frozen=True):
    """Opens a session for `lucastra/*` methods; the first message of relays and shell clients."""

    client_name: str
    client_version: str
    protocol_version: int
    token: str | None = None
    """The token of the daemon's run folder; needed on TCP only."""


class HelloResult(Wire, frozen=True):
    daemon_version: str
    protocol_version: int
    pid: int
    uptime_seconds: float
    home: str


# --- search --------------------------------------------------------------------------------------

SearchMode = Literal["hybrid", "vector", "keyword"]
Freshness = Literal["fresh", "stale", "pending"]


class SearchParams(Wire, frozen=True):
    query: Query
    mode: SearchMode = "hybrid"
    limit: Limit | None = None
    """null for `search.limit` of the configuration, which is 10."""
    workspaces: list[str] = []
    """Folders (paths or file URIs) to search; empty: every workspace. A folder inside a workspace
    restricts the search to that folder."""
    paths: list[str] = []
    """Glob patterns in gitignore syntax, relative to the workspace; `!` excludes."""
    languages: list[str] = []
    explain: bool = False


class Hit(Wire, frozen=True):
    """One passage found."""

    uri: str
    path: str
    """Relative to `workspace`, with forward slashes."""
    workspace: str
    """Absolute path of the workspace's root."""
    range: Range
    content: str
    score: float
    """Comparable within one result only; higher is better."""
    language: str
    symbol: str = ""
    kind: str = ""
    components: dict[str, float] = {}
    """What the score is made of; filled when `explain` was set."""
    unsaved: bool = False
    """The passage stands in a document that an editor has open and has not saved; `range` and `content` are of that
    document, and the file holds another text there, or none."""


class SearchResult(Wire, frozen=True):
    hits: list[Hit] = []
    freshness: Freshness = "fresh"
    """`fresh`: every known change is indexed; `stale`: changes wait to be, or may have been missed; `pending`: some
    passages have no embedding yet, so they are found by keyword only."""
    elapsed_ms: float = 0.0
    notices: list[str] = []


class RelatedParams(Wire, frozen=True):
    """More like the passage at a place."""

    path: str
    """An absolute path or file URI."""
    line: Annotated[int, Meta(ge=0)] = 0
    """0-based."""
    limit: Limit | None = None
    """null for `search.limit` of the configuration, which is 10."""
    workspaces: list[str] = []
    paths: list[str] = []
    languages: list[str] = []
    explain: bool = False


# --- ask -----------------------------------------------------------------------------------------


Text = Annotated[str, Meta(min_length=1, max_length=1_000_000)]
ProviderChoice = Annotated[str, Meta(min_length=1, max_length=256)]
SystemText = Annotated[str, Meta(max_length=100_000)]
FinishReason = Literal["stop", "length", "filtered"]
"""Why a model stopped; `length`: the longest answer or the context was used up."""


class AskParams(Wire, frozen=True):
    question: Text
    """And what it is about, such as a traceback: of more than 4,096 characters, the beginning and the end are searched
    for."""
    limit: Limit | None = None
    """Passages to answer from; null for `vector_search.top_k` of the configuration, which is 5."""
    workspaces: list[str] = []
    paths: list[str] = []
    languages: list[str] = []
    provider: ProviderChoice | None = None
    """`NAME` or `NAME/MODEL`; null for the configured one."""
    system: SystemText = ""
    """What the model is to heed as well."""
    partial_result_token: ProgressToken | None = None
    """The answer goes here as it is written, as `$/progress` with the events of `lucastra/ask`; the result still
    holds the whole."""


class TokenUsage(Wire, frozen=True):
    """Tokens that a request took; null where the provider does not say."""

    input_tokens: int | None = None
    output_tokens: int | None = None


class Citation(Wire, frozen=True):
    number: int
    hit: Hit


class AskResult(Wire, frozen=True):
    """An answer with numbered citations; `answer` is null when no provider is configured."""

    citations: list[Citation] = []
    """What the answer cites; without a provider, all passages."""
    uncited: list[Citation] = []
    """Passages that the model was given and did not cite."""
    answer: str | None = None
    found: bool = True
    """false where the answer is that the workspace does not hold one."""
    provider: str | None = None
    """Who answered; null where no model did."""
    model: str | None = None
    finish: FinishReason = "stop"
    usage: TokenUsage = TokenUsage()
    notices: list[str] = []
    """What the user should know, such as how to configure a provider."""
    freshness: Freshness = "fresh"


# --- workspaces ----------------------------------------------------------------------------------


class IndexParams(Wire, frozen=True):
    """Adds a folder as a workspace (or names one that is) and brings its index up to date."""

    path: str
    wait: bool = True
    """Reply once everything known is searchable; else reply at once."""
    work_done_token: ProgressToken | None = None
    """Progress goes here as LSP work-done progress, with `percentage` where it is known."""


class WorkspaceStatus(Wire, frozen=True):
    root: str
    state: Literal["scanning", "indexing", "embedding", "ready", "failed", "missing"]
    freshness: Freshness
    files: int = 0
    chunks: int = 0
    embedded: int = 0
    """Chunks that have a vector."""
    skipped: int = 0
    queued: int = 0
    """Changed files that are known and not yet indexed."""
    languages: dict[str, int] = {}
    """Files by language."""
    watch: Literal["events", "polling", "off"] = "off"
    last_indexed_at: float | None = None
    """Unix time of the last commit."""
    index_seconds: float | None = None
    """How long the last full indexing took."""
    store_bytes: int = 0
    problems: list[str] = []
    notices: list[str] = []
    """What goes on and is as it should be, such as vectors of another model that are being built."""


class IndexResult(Wire, frozen=True):
    workspace: WorkspaceStatus
    indexed_files: int = 0
    embedded_chunks: int = 0
    elapsed_seconds: float = 0.0


class WorkspaceParams(Wire, frozen=True):
    path: str


class WorkspacesResult(Wire, frozen=True):
    workspaces: list[WorkspaceStatus] = []


class RemoveResult(Wire, frozen=True):
    root: str


class FilesParams(Wire, frozen=True):
    path: str
    skipped_only: bool = False
    offset: Annotated[int, Meta(ge=0)] = 0
    limit: Annotated[int, Meta(ge=1, le=10000)] = 1000


class FileStatus(Wire, frozen=True):
    path: str
    """A folder that was skipped as a whole ends in `/`."""
    status: Literal["indexed", "skipped", "failed"]
    reason: str = ""
    language: str = ""
    chunks: int = 0
    size_bytes: int = 0


class FilesResult(Wire, frozen=True):
    files: list[FileStatus] = []
    total: int = 0


class ReadParams(Wire, frozen=True):
    """Lines of a file that is indexed; of no other file."""

    path: str
    """An absolute path or file URI."""
    line: Annotated[int, Meta(ge=0)] = 0
    """The first line, 0-based."""
    limit: Annotated[int, Meta(ge=1, le=1_000_000)] = 1000
    """Lines at most."""


class ReadResult(Wire, frozen=True):
    """What the file holds on disk now, decoded as it is for the index."""

    uri: str
    path: str
    """Relative to `workspace`, with forward slashes."""
    workspace: str
    range: Range
    """Whole lines; empty where the file has none from `line` on."""
    content: str
    total_lines: int
    """Lines of the whole file."""


# --- evaluation ----------------------------------------------------------------------------------


class EvaluateParams(Wire, frozen=True):
    """Measures how well a workspace's code is found, with questions made of its documentation and history."""

    path: str
    """A folder that is a workspace, or lies in one; the workspace is measured as a whole."""
    questions: Annotated[int, Meta(ge=10, le=2000)] = 300
    """At most so many, the same ones each time."""
    work_done_token: ProgressToken | None = None
    """Progress goes here as LSP work-done progress."""


class ModeScore(Wire, frozen=True):
    """How well one mode answers some questions: means from 0 to 1, with their standard errors."""

    mode: SearchMode
    mrr: float
    """MRR@10."""
    mrr_error: float
    ndcg: float
    """NDCG@10."""
    ndcg_error: float
    recall: float
    """Share of the questions with an answer among ten hits."""
    recall_error: float
    files: float
    """The same, where another passage of an answer's file counts too."""


class QuestionGroup(Wire, frozen=True):
    """Questions of one kind, and how each mode answers them."""

    name: str
    questions: int
    modes: list[ModeScore]
    """Keyword, vector, hybrid."""
    relevance: float | None = None
    """Semantic relevance against the keyword baseline: NDCG@10 of hybrid over that of keyword search; null where
    keyword search finds nothing."""
    at_least_as_good: float | None = None
    """Share of `answered` where hybrid search is not worse than keyword search; null where nothing is answered."""
    answered: int = 0
    """Questions that hybrid or keyword search finds an answer to."""


class Advice(Wire, frozen=True):
    """What would improve retrieval, with the number that says so."""

    topic: Literal["embedding", "mode", "skipped", "noise", "tests", "documentation", "grammars"]
    text: str
    ignore: list[str] = []
    """Lines for `.lucastraignore`."""


class AskedQuestion(Wire, frozen=True):
    source: Literal["definitions", "commits"]
    question: str
    answers: list[str]
    """Files relative to the workspace; `file:line` for definitions, with the 1-based line where one begins."""
    ranks: dict[SearchMode, int] = {}
    """At which rank a mode shows an answer; a mode that shows none among ten hits is absent."""


class EvaluateResult(Wire, frozen=True):
    root: str
    total: QuestionGroup
    sources: list[QuestionGroup] = []
    """`definitions`: first sentences of docstrings and doc comments, which must find their definitions with no
    documentation in the index; `commits`: messages, which must find the files that were changed."""
    languages: list[QuestionGroup] = []
    """The most frequent first."""
    folders: list[QuestionGroup] = []
    """Where hybrid search does worst, of folders with five questions and more; the worst first."""
    advice: list[Advice] = []
    asked: list[AskedQuestion] = []
    notices: list[str] = []
    elapsed_seconds: float = 0.0


# --- daemon --------------------------------------------------------------------------------------


class ModelStatus(Wire, frozen=True):
    provider: str
    model: str
    dimensions: int


class CompletionCount(Wire, frozen=True):
    """What became of the inline completions of one model in one language, since they were first counted."""

    provider: str
    model: str
    """As it was asked for; empty where the server decides."""
    language: str
    """As the editor names it."""
    offered: int = 0
    """Sent to an editor. Each of the following counts a completion once, however often it is reported."""
    shown: int = 0
    """Reported as shown or as accepted; a client without an extension reports only what was accepted."""
    accepted: int = 0
    """Accepted whole."""
    partially_accepted: int = 0
    """Accepted in part, whether or not the rest was accepted later."""


class StatusResult(Wire, frozen=True):
    daemon_version: str
    pid: int
    uptime_seconds: float
    home: str
    memory_bytes: int
    clients: int
    embeddings: ModelStatus
    provider: str | None = None
    """The language-model provider that answers `ask`; null when none is configured."""
    workspaces: list[WorkspaceStatus] = []
    completions: list[CompletionCount] = []
    """The last counted first. Kept on this machine only, without any text."""
    problems: list[str] = []


class ConfigParams(Wire, frozen=True):
    path: str | None = None
    """A folder whose workspace config is layered in."""


class ConfigResult(Wire, frozen=True):
    config: dict[str, Any]
    """The effective configuration; secrets are masked."""
    origins: dict[str, str]
    """Dotted key → where its value comes from; keys left at their default are absent."""
    problems: list[str] = []


class Check(Wire, frozen=True):
    name: str
    status: Literal["ok", "warning", "error"]
    detail: str
    cure: str = ""


class DoctorResult(Wire, frozen=True):
    checks: list[Check] = []


class Empty(Wire, frozen=True):
    """No parameters, or nothing to say."""


# --- JSON-RPC ------------------------------------------------------------------------------------


class Envelope(msgspec.Struct, frozen=True):
    """Any incoming JSON-RPC message; params stay undecoded until the method is known."""

    jsonrpc: str = "2.0"
    id: int | str | UnsetType | None = UNSET
    method: str | UnsetType = UNSET
    params: msgspec.Raw | UnsetType = UNSET
    result: msgspec.Raw | UnsetType = UNSET
    error: msgspec.Raw | UnsetType = UNSET


class ResponseError(msgspec.Struct, frozen=True, omit_defaults=True):
    code: int
    message: str
    data: Any = None


class WorkDone(msgspec.Struct, frozen=True, omit_defaults=True):
    """The `value` of a work-done `$/progress` notification (LSP 3.18)."""

    kind: Literal["begin", "report", "end"]
    title: str | None = None
    message: str | None = None
    percentage: int | None = None
    cancellable: bool | None = None


class ProgressParams(msgspec.Struct, frozen=True):
    token: ProgressToken
    value: WorkDone


class RawProgressParams(msgspec.Struct, frozen=True):
    """Any `$/progress`, before it is known what its token stands for."""

    token: ProgressToken
    value: msgspec.Raw


class Method(msgspec.Struct, frozen=True):
    """One request of the contract."""

    name: str
    params: type[Wire]
    result: type[Wire]
    summary: str
    events: "tuple[type[Wire], ...]" = ()
    """What it sends to the request's `partialResultToken`, in this order."""


class Notification(msgspec.Struct, frozen=True):
    """What one side tells the other unasked."""

    name: str
    params: type[Wire]
    summary: str


HELLO = Method("lucastra/hello", HelloParams, HelloResult, "Open a session; versions are compared first.")
SEARCH = Method("lucastra/search", SearchParams, SearchResult, "Find passages by meaning, by keyword or both.")
RELATED = Method("lucastra/related", RelatedParams, SearchResult, "Find passages like the one at a place.")
ASK = Method("lucastra/ask", AskParams, AskResult, "Answer a question with citations.")
INDEX = Method("lucastra/index", IndexParams, IndexResult, "Add a workspace, or bring one up to date.")
WORKSPACES = Method("lucastra/workspaces", Empty, WorkspacesResult, "List the workspaces.")
REMOVE = Method("lucastra/removeWorkspace", WorkspaceParams, RemoveResult, "Forget a workspace.")
FILES = Method("lucastra/files", FilesParams, FilesResult, "List files, and why some were skipped.")
READ = Method("lucastra/read", ReadParams, ReadResult, "Read lines of an indexed file.")
EVALUATE = Method("lucastra/evaluate", EvaluateParams, EvaluateResult, "Measure how well a workspace's code is found.")
STATUS = Method("lucastra/status", Empty, StatusResult, "The daemon's state.")
CONFIG = Method("lucastra/config", ConfigParams, ConfigResult, "The effective configuration and its origins.")
DOCTOR = Method("lucastra/doctor", Empty, DoctorResult, "Check the installation, the store and the models.")
STOP = Method("lucastra/stop", Empty, Empty, "Stop the daemon cleanly.")

CORE_METHODS: tuple[Method, ...] = (
    HELLO, SEARCH, RELATED, ASK, INDEX, WORKSPACES, REMOVE, FILES, READ, EVALUATE, STATUS, CONFIG, DOCTOR, STOP,
)  # fmt: skip
