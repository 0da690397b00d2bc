"""What the tools take and give: typed values, and their JSON Schemas.

Agents are shown lines as editors show them: 1-based, both ends included. Paths are absolute, so that one that a tool
gives can be handed to another as it is. Unknown arguments are refused: a misspelt one would be ignored.
"""

import sys
from typing import Annotated, Any, Literal

import msgspec
from lucastra_protocol.docstrings import describe
from lucastra_protocol.types import Freshness, Query, SearchMode, WorkspaceStatus
from msgspec import Meta

Limit = Annotated[int, Meta(ge=1, le=50, description="Passages at most.")]
Folders = Annotated[
    list[str],
    Meta(
        description="Indexed folders to look in, absolute or relative to the project's root; empty: the project that"
        " this server was started for, or every indexed workspace when that is none."
    ),
]
Globs = Annotated[
    list[str],
    Meta(description="Globs in gitignore syntax from the workspace's root, such as `src/**/*.py`; `!` excludes."),
]
Languages = Annotated[list[str], Meta(description="Only these languages, such as `python` or `go`.")]
Line = Annotated[int, Meta(ge=1)]
READ_LINES = 400
"""Lines that `read_span` gives where no end is named."""
MAX_READ_LINES = 2000


class Arguments(msgspec.Struct, frozen=True, kw_only=True, forbid_unknown_fields=True):
    """Base of what tools take."""


class Report(msgspec.Struct, frozen=True, kw_only=True, omit_defaults=True):
    """Base of what tools give; defaults are left out."""


class SearchArguments(Arguments, frozen=True):
    query: Query
    mode: SearchMode = "hybrid"
    """`hybrid` joins search by meaning and by keyword."""
    limit: Limit = 10
    folders: Folders = []
    paths: Globs = []
    languages: Languages = []


class RelatedArguments(Arguments, frozen=True):
    path: str
    """A file, absolute or relative to the project's root, or its file URI."""
    line: Line = 1
    """A line of the passage, 1-based."""
    limit: Limit = 10
    folders: Folders = []
    paths: Globs = []
    languages: Languages = []


class ReadArguments(Arguments, frozen=True):
    path: str
    """A file, absolute or relative to the project's root, or its file URI."""
    start_line: Line = 1
    """The first line, 1-based."""
    end_line: Line | None = None
    """The last line, included; null for 400 lines. At most 2000 lines are given."""


class AskArguments(Arguments, frozen=True):
    question: Query
    limit: Limit = 5
    folders: Folders = []
    paths: Globs = []
    languages: Languages = []


class StatusArguments(Arguments, frozen=True):
    """None."""


class Passage(Report, frozen=True):
    """One passage of a file."""

    path: str
    """Absolute."""
    start_line: int
    """1-based."""
    end_line: int
    """1-based, included."""
    content: str
    language: str = ""
    symbol: str = ""
    """The definition that it is, or lies in."""
    kind: str = ""
    score: float = 0.0
    """Comparable within one result only; higher is better."""
    unsaved: bool = False
    """It is what an editor has open and has not saved: the file reads otherwise."""


class Passages(Report, frozen=True):
    passages: list[Passage]
    """Best first."""
    freshness: Freshness = "fresh"
    """`stale`: changed files wait to be indexed; `pending`: some passages can be found by keyword only yet."""
    notices: list[str] = []


class Span(Report, frozen=True):
    """Lines of a file as it is on disk now."""

    path: str
    start_line: int
    """1-based."""
    end_line: int
    """1-based, included; less than `start_line` where the file has no such line."""
    total_lines: int
    content: str


class Citation(Report, frozen=True):
    number: int
    passage: Passage


class CitedAnswer(Report, frozen=True):
    citations: list[Citation]
    """What the answer cites by number; without a language model, the passages found."""
    answer: str | None = None
    """null where no language model is configured."""
    found: bool = True
    """false where the answer is that the code does not hold one."""
    model: str | None = None
    """Who answered, as `provider/model`."""
    freshness: Freshness = "fresh"
    notices: list[str] = []


class Workspace(Report, frozen=True):
    root: str
    state: Literal["scanning", "indexing", "embedding", "ready", "failed", "missing"]
    freshness: Freshness = "fresh"
    files: int = 0
    passages: int = 0
    embedded: int = 0
    """Passages that can be found by meaning already."""
    skipped: int = 0
    """Files that are not indexed: ignored, binary, secret, too large."""
    queued: int = 0
    """Changed files that wait."""
    languages: dict[str, int] = {}
    """Files by language."""
    problems: list[str] = []

    @classmethod
    def of(cls, status: WorkspaceStatus) -> "Workspace":
        """What an agent needs of a workspace's state."""
        return cls(
            root=status.root,
            state=status.state,
            freshness=status.freshness,
            files=status.files,
            passages=status.chunks,
            embedded=status.embedded,
            skipped=status.skipped,
            queued=status.queued,
            languages=status.languages,
            problems=status.problems,
        )


class IndexStatus(Report, frozen=True):
    daemon_version: str
    embeddings: str
    """The embedding model, as `provider/model`."""
    project: str | None = None
    """The workspace that is searched when no folder is named; null for all of them."""
    provider: str | None = None
    """The language-model provider that answers `ask`; null where none is configured."""
    workspaces: list[Workspace] = []
    problems: list[str] = []


def schema(struct: type[msgspec.Struct]) -> dict[str, Any]:
    """The JSON Schema of `struct` as MCP wants it: an object at the root, descriptions from docstrings."""
    _, components = msgspec.json.schema_components([struct], ref_template="#/$defs/{name}")
    describe(components, sys.modules[__name__])
    root = components.pop(struct.__name__)
    root.pop("title", None)
    return {**root, "$defs": components} if components else root
