"""What can be configured: one Struct per section, with ranges, units and defaults.

The published JSON Schema is generated from these Structs and their docstrings. A key is here because the
daemon reads it or because the schema published with v1.1 lists it.
"""

from pathlib import Path
from typing import Annotated, Literal

import msgspec
from msgspec import Meta


class Secret:
    """A credential that no repr, log line or encoder can show."""

    __slots__ = ("_value", "source")

    def __init__(self, value: str, source: str = "") -> None:
        self._value = value
        self.source = source
        """Where the value comes from, for people: `${OPENAI_API_KEY}`, or the place it is written."""

    def reveal(self) -> str:
        """The credential itself; only what sends it to its endpoint calls this."""
        return self._value

    def __eq__(self, other: object) -> bool:
        return isinstance(other, Secret) and self._value == other._value

    def __hash__(self) -> int:
        return hash(self._value)

    def __repr__(self) -> str:
        return "Secret(…)"


Endpoint = Annotated[
    str,
    Meta(
        pattern=r"^https?://[^\s/@]+(/[^\s@]*)?$",
        max_length=2048,
        extra={"says": "an http:// or https:// address without a user name or password in it"},
    ),
]
GlobPattern = Annotated[str, Meta(min_length=1, max_length=1024)]
LOCAL_DIMENSIONS = (64, 128, 256)
"""Lengths of the packaged embedding model's vectors; the last is its own."""
ProviderKind = Literal["openai", "azure", "anthropic", "llamafile", "ollama", "auto"]


class Section(msgspec.Struct, frozen=True, kw_only=True, forbid_unknown_fields=True):
    """Base of every section; editors mark unknown keys, the daemon names them and reads on."""


class LlmConfig(Section, frozen=True):
    """A language-model provider: the one that answers, or a named one under `providers`."""

    provider: ProviderKind | None = None
    """Which API the endpoint speaks; `openai` with an `endpoint` is any server that imitates it. `auto` uses a
    llamafile or Ollama server that runs on this machine at its usual address. Without a provider, `ask` returns the
    cited passages only."""
    api_key: Secret | None = None
    """Name an environment variable, as in `${OPENAI_API_KEY}`, or a key stored by `lucastra-client keys set NAME`, as
    in `${keyring:NAME}`; do not write the key itself here."""
    model: str | None = None
    """The provider's name of the model, for `azure` that of the deployment; null for the provider's default."""
    endpoint: Endpoint | None = None
    """Base address of the API; null for the provider's own. The key is sent to this origin only."""
    temperature: Annotated[float, Meta(ge=0, le=2)] = 0.7
    """Sampling temperature; 0 gives the most repeatable answers."""
    max_tokens: Annotated[int, Meta(ge=1, le=1_000_000)] = 4096
    """The longest answer, in tokens."""
    timeout_secs: Annotated[float, Meta(gt=0, le=3600)] = 30.0
    """Seconds without a byte from the provider before a request is given up; where nothing else is set, 300 for
    a server on this machine, which sends none while it loads a model."""
    retry_attempts: Annotated[int, Meta(ge=0, le=10)] = 3
    """How often a request that failed for a passing reason is tried again."""
    deadline_secs: Annotated[float, Meta(gt=0, le=86_400)] = 600.0
    """Seconds that a whole answer may take, with everything that is tried again."""
    max_concurrent: Annotated[int, Meta(ge=1, le=1024)] = 256
    """Requests under way at once; more wait."""
    requests_per_minute: Annotated[int, Meta(ge=1, le=1_000_000)] | None = None
    """Requests started per minute at most; null for no limit of one's own."""
    tokens_per_minute: Annotated[int, Meta(ge=1, le=1_000_000_000)] | None = None
    """Tokens of prompts and answers per minute at most; null for no limit of one's own."""
    api: Literal["chat", "responses"] = "chat"
    """For `openai` and `azure`: whether answers come from Chat Completions or from Responses."""
    api_version: (
        Annotated[str, Meta(pattern=r"^[A-Za-z0-9.-]{1,40}$", extra={"says": "v1 or a date such as 2024-10-21"})] | None
    ) = None
    """For `azure`: `v1`, the default, or a dated version, which puts the deployment into the address."""


class EmbeddingsConfig(Section, frozen=True):
    """The model that turns passages and queries into vectors."""

    provider: Annotated[
        str,
        Meta(
            pattern=r"^[A-Za-z0-9][A-Za-z0-9_-]{0,63}$",
            extra={"says": '"local", "llm", a name under `providers`, or a kind such as "openai" or "ollama"'},
        ),
    ] = "local"
    """`local` runs inside the daemon and needs no network. Else `llm`, a name under `providers`, or `openai`, `azure`,
    `llamafile` or `ollama`, whose address and key are those of that provider. Another provider, model or length is
    built in the background, and searches use the old vectors until it is complete."""
    model: Annotated[str, Meta(min_length=1, max_length=256)] | None = None
    """The provider's embedding model, for `azure` that of the deployment; null for text-embedding-3-small of OpenAI,
    nomic-embed-text of Ollama, and what any other server has loaded."""
    dimensions: Annotated[int, Meta(ge=1, le=65_536)] | None = None
    """Length of the vectors; null for the model's own. The `local` model has 256, 128 and 64: these take a half and a
    quarter of the disk and memory, and the mean reciprocal rank of docstring questions falls by 6% and 14%."""
    fallback: Literal["local", "keyword"] = "local"
    """While the provider does not answer: `local` embeds with the packaged model after a minute; where the provider has
    embedded before, after an hour, and never for a failure that lasts, such as a refused key. `keyword` goes without
    new vectors. What was embedded before is kept either way."""
    batch_size: Annotated[int, Meta(ge=1, le=2048)] = 100
    """Passages per call of a provider."""
    cache_dir: Path | None = None
    """Folder of the embedding cache; null for `embeddings` in LucAstra's folder."""
    cache_max_mb: Annotated[int, Meta(ge=16, le=1_048_576)] = 2048
    """Size at which the cache of one model and length drops its oldest embeddings, in MiB."""


class VectorSearchConfig(Section, frozen=True):
    """Search by meaning."""

    enabled: bool = True
    """false leaves keyword search only: nothing is embedded. Vectors that are there are kept, and what lacks one gets
    it in the background when this is true again."""
    top_k: Annotated[int, Meta(ge=1, le=1000)] = 5
    """Passages retrieved for an answer, where the question names no number."""
    ef_construction: Annotated[int, Meta(ge=8, le=4096)] = 200
    """HNSW: candidates kept while a vector is linked in. More is slower to build and recalls more. For segments that
    are built after the daemon's next start; so is `m`."""
    m: Annotated[int, Meta(ge=4, le=128)] = 16
    """HNSW: links per vector and layer. More takes more memory and recalls more."""


class ConversationConfig(Section, frozen=True):
    """Conversations of several turns."""

    max_context_tokens: Annotated[int, Meta(ge=256, le=10_000_000)] = 8000
    """Tokens of a prompt: instructions, earlier turns, passages and the question. The oldest turns are left out."""
    persist: bool = True
    """Keep conversations across restarts; false keeps them in memory."""
    persist_path: Path | None = None
    """Folder in which `conversations` is made; null for LucAstra's own. Like `persist`, read at the start."""


class IndexingConfig(Section, frozen=True):
    """Which files are indexed, and how. A workspace may set `max_file_bytes`, `ignore`, `include_generated`."""

    max_file_bytes: Annotated[int, Meta(ge=1024, le=67_108_864)] = 1_048_576
    """Larger files are skipped; bytes."""
    ignore: Annotated[tuple[GlobPattern, ...], Meta(max_length=1000)] = ()
    """Further patterns in gitignore syntax, relative to the workspace; `!` includes again."""
    include_generated: bool = False
    """Index generated and minified files too."""
    workers: Annotated[int, Meta(ge=0, le=64)] = 0
    """Worker processes that read, parse and embed; 0 for one per core."""
    poll: Literal["auto", "always"] = "auto"
    """Whether folders are polled for changes: `auto` polls only where the system reports no events. Read when a
    workspace is opened."""


class SearchConfig(Section, frozen=True):
    """How searches are answered. A workspace may set `limit`."""

    limit: Annotated[int, Meta(ge=1, le=100)] = 10
    """Hits shown when a search names no number."""
    rerank: bool = False
    """Judge the best 30 hits once more by all-MiniLM-L6-v2, in a process of its own with 250 MB of memory. Needs
    `pip install "lucastra[rerank]"`."""
    rerank_deadline_ms: Annotated[float, Meta(gt=0, le=60_000)] = 300.0
    """Milliseconds that a search waits for that. A passage takes some 30 ms when it is met first; what is not ready
    keeps its place, and is ready when the search is repeated."""


class CompletionConfig(Section, frozen=True):
    """Inline completion in editors."""

    enabled: bool = True
    """Offer inline completions when a language-model provider is configured."""
    automatic: bool = True
    """Offer them while the user types; without it only when the editor is told to ask."""
    provider: Annotated[str, Meta(min_length=1, max_length=256)] | None = None
    """`NAME` or `NAME/MODEL` under `providers`: a small model that fills in the middle is quicker than one for answers.
    Without it that of `llm`."""
    multiline: bool = True
    """Offer whole blocks where one begins; without it never more than the rest of the line."""
    max_tokens: Annotated[int, Meta(ge=1, le=4096)] = 128
    """The longest completion, in the model's tokens."""
    debounce_ms: Annotated[float, Meta(ge=0, le=5000)] = 30.0
    """Milliseconds without a further request before the provider is asked, unless the user asks. Editors wait as well
    before they send one."""
    deadline_secs: Annotated[float, Meta(gt=0, le=120)] = 10.0
    """Seconds after which nothing is offered any more."""
    prefix_chars: Annotated[int, Meta(ge=100, le=100_000)] = 4000
    """Characters before the cursor that the model is shown."""
    suffix_chars: Annotated[int, Meta(ge=0, le=100_000)] = 1000
    """Characters after it."""
    context_chars: Annotated[int, Meta(ge=0, le=100_000)] = 3000
    """Characters of other open files and of neighbours in the index."""
    context_deadline_ms: Annotated[float, Meta(ge=0, le=5000)] = 50.0
    """Milliseconds that a completion waits for these, once for each line that is begun; 0 does without."""


class LimitsConfig(Section, frozen=True):
    """What the daemon may use."""

    idle_exit_minutes: Annotated[float, Meta(ge=0, le=525_600)] = 180.0
    """The daemon stops after this many minutes without a client; 0 keeps it running."""


class LoggingConfig(Section, frozen=True):
    """The daemon's own log."""

    level: Literal["debug", "info", "warning", "error"] = "info"
    """`debug` also logs queries and source text."""
    max_mb: Annotated[int, Meta(ge=1, le=1024)] = 10
    """Size at which the log file is rotated, in MiB."""
    keep: Annotated[int, Meta(ge=1, le=100)] = 5
    """Rotated files kept."""


class Config(Section, frozen=True):
    """LucAstra's configuration: `config.json` in LucAstra's folder (`~/.lucastra`)."""

    offline: bool = False
    """Forbid every connection that leaves this machine."""
    workspaces: Annotated[tuple[Path, ...], Meta(max_length=1000)] = ()
    """Folders indexed when the daemon starts, besides those that editors and `index` added."""
    llm: LlmConfig = LlmConfig()
    providers: dict[str, LlmConfig] = {}
    """Further providers by name; each takes the keys of `llm`."""
    embeddings: EmbeddingsConfig = EmbeddingsConfig()
    vector_search: VectorSearchConfig = VectorSearchConfig()
    conversation: ConversationConfig = ConversationConfig()
    indexing: IndexingConfig = IndexingConfig()
    search: SearchConfig = SearchConfig()
    completion: CompletionConfig = CompletionConfig()
    limits: LimitsConfig = LimitsConfig()
    logging: LoggingConfig = LoggingConfig()

    def secrets(self) -> tuple[Secret, ...]:
        """Every credential in force, for the log's redaction."""
        return tuple(llm.api_key for llm in (self.llm, *self.providers.values()) if llm.api_key is not None)
