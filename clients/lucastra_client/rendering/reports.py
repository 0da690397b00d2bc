"""What each command other than a search has to say, laid out as facts and tables.

Invariant: knows nothing of terminals; every text in it but `Prose` is already fit to be shown.
"""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any

import msgspec
from lucastra_protocol.types import (
    CompletionCount,
    ConfigResult,
    DoctorResult,
    FilesResult,
    IndexResult,
    RemoveResult,
    StatusResult,
    WorkspacesResult,
    WorkspaceStatus,
)

from lucastra_client.rendering.text import count, duration, printable_line, size

_SHOWN_MODELS = 3


@dataclass(frozen=True, slots=True)
class Facts:
    """Names and their values."""

    rows: Sequence[tuple[str, str]]


@dataclass(frozen=True, slots=True)
class Table:
    """Rows under column titles; `numeric` columns stand to the right."""

    columns: Sequence[str]
    rows: Sequence[Sequence[str]]
    numeric: frozenset[str] = frozenset()


@dataclass(frozen=True, slots=True)
class Lines:
    """Sentences, one a line."""

    lines: Sequence[str]


@dataclass(frozen=True, slots=True)
class Prose:
    """Markdown, as it came; the one text here that the renderers make fit to be shown."""

    markdown: str


Block = Facts | Table | Lines | Prose


@dataclass(frozen=True, slots=True)
class Report:
    """The same thing twice: as blocks for people, as a document for programs."""

    document: msgspec.Struct | Mapping[str, Any]
    blocks: Sequence[Block]


def status(result: StatusResult) -> Report:
    """The daemon and its workspaces."""
    model = result.embeddings
    facts = Facts(
        [
            (
                "daemon",
                f"lucastrad {result.daemon_version}, process {result.pid}, up {duration(result.uptime_seconds)}",
            ),
            ("memory", size(result.memory_bytes)),
            ("clients", f"{result.clients}"),
            ("home", printable_line(result.home)),
            ("embeddings", printable_line(f"{model.provider} {model.model}, {model.dimensions} dimensions")),
            ("provider", printable_line(result.provider or "none: `ask` shows the cited passages only")),
            *(("completions", line) for line in _completions(result.completions)),
        ]
    )
    blocks: list[Block] = [facts]
    if result.workspaces:
        blocks.append(_workspaces(result.workspaces))
    problems = [*result.problems, *(f"{w.root}: {problem}" for w in result.workspaces for problem in w.problems)]
    if problems:
        blocks.append(_problems(problems))
    blocks += _notices(result.workspaces)
    fields = {name: getattr(result, name) for name in result.__struct_fields__}
    return Report({"running": True, **fields}, blocks)


def _completions(counts: Sequence[CompletionCount]) -> list[str]:
    """What became of the completions of the models that were used last, one line each, of all languages."""
    models = list(dict.fromkeys((entry.provider, entry.model) for entry in counts))
    lines = []
    for model in models[:_SHOWN_MODELS]:
        entries = [entry for entry in counts if (entry.provider, entry.model) == model]
        offered, shown, accepted, in_part = (
            sum(getattr(entry, name) for entry in entries)
            for name in ("offered", "shown", "accepted", "partially_accepted")
        )
        lines.append(
            printable_line(" ".join(filter(None, model)))
            + f": {offered} offered, {shown} shown, {accepted} accepted"
            + (f", {in_part} in part" if in_part else "")
        )
    return lines


def not_running(home: str) -> Report:
    """The document of a daemon that is not there."""
    return Report({"running": False, "home": home}, [])


def workspaces(result: WorkspacesResult) -> Report:
    """The registered workspaces."""
    if not result.workspaces:
        return Report(result, [])
    blocks: list[Block] = [_workspaces(result.workspaces)]
    if problems := [f"{w.root}: {problem}" for w in result.workspaces for problem in w.problems]:
        blocks.append(_problems(problems))
    return Report(result, blocks + _notices(result.workspaces))


def _workspaces(entries: Sequence[WorkspaceStatus]) -> Table:
    return Table(
        ("workspace", "state", "files", "chunks", "embedded", "skipped", "size"),
        [
            (
                printable_line(entry.root),
                _state(entry),
                f"{entry.files}",
                f"{entry.chunks}",
                f"{100 * entry.embedded // entry.chunks}%" if entry.chunks else "-",
                f"{entry.skipped}",
                size(entry.store_bytes),
            )
            for entry in entries
        ],
        numeric=frozenset({"files", "chunks", "embedded", "skipped", "size"}),
    )


def _state(entry: WorkspaceStatus) -> str:
    details: list[str] = [entry.freshness] if entry.freshness != "fresh" else []
    if entry.queued:
        details.append(f"{entry.queued} queued")
    if entry.watch == "polling":
        details.append("polling")
    return f"{entry.state} ({', '.join(details)})" if details else entry.state


def _problems(problems: Sequence[str]) -> Lines:
    return Lines([f"problem: {printable_line(problem)}" for problem in problems])


def _notices(entries: Sequence[WorkspaceStatus]) -> list[Block]:
    lines = [printable_line(f"{entry.root}: {notice}") for entry in entries for notice in entry.notices]
    return [Lines(lines)] if lines else []


def index(result: IndexResult) -> Report:
    """What bringing a workspace up to date did."""
    return Report(result, [Lines([index_summary(result)])])


def index_summary(result: IndexResult) -> str:
    """One sentence on an indexing that is done, or goes on in the background."""
    workspace = result.workspace
    root = printable_line(workspace.root)
    if workspace.state in ("scanning", "indexing", "embedding"):
        return f"indexing {root} in the background"
    if not result.indexed_files:
        changed = "nothing had changed, "
    elif result.indexed_files < workspace.files:
        changed = f"{count(result.indexed_files, 'changed file')}, "
    else:  # every file was new
        changed = ""
    return (
        f"indexed {root}: {count(workspace.files, 'file')}, {count(workspace.chunks, 'passage')}, "
        f"{count(workspace.skipped, 'skipped', 'skipped')} ({changed}{duration(result.elapsed_seconds)})"
    )


def removed(result: RemoveResult) -> Report:
    """Which workspace was forgotten."""
    return Report(result, [Lines([f"removed {printable_line(result.root)} and its index; its files are untouched"])])


def files(result: FilesResult) -> Report:
    """A workspace's files, with why each skipped one was."""
    if not result.files:
        return Report(result, [])
    rows = [
        (entry.status, printable_line(entry.path), entry.language, f"{entry.chunks}", printable_line(entry.reason))
        for entry in result.files
    ]
    table = Table(("status", "file", "language", "chunks", "reason"), rows, numeric=frozenset({"chunks"}))
    return Report(result, [table])


def config(result: ConfigResult) -> Report:
    """The configuration in force and where each value comes from."""
    rows = [
        (printable_line(key), printable_line(value), printable_line(result.origins.get(key, "default")))
        for key, value in _flatten(result.config)
    ]
    blocks: list[Block] = [Table(("key", "value", "from"), rows)]
    if result.problems:
        blocks.append(_problems(result.problems))
    return Report(result, blocks)


def _flatten(values: Mapping[str, Any], prefix: str = "") -> list[tuple[str, str]]:
    rows: list[tuple[str, str]] = []
    for key, value in values.items():
        if isinstance(value, Mapping) and value:
            rows += _flatten(value, f"{prefix}{key}.")
        else:
            rows.append((f"{prefix}{key}", msgspec.json.encode(value).decode()))
    return rows


def doctor(result: DoctorResult) -> Report:
    """Every check, with the cure where there is something to mend."""
    rows = [
        (check.status, printable_line(check.name), printable_line(check.detail), printable_line(check.cure))
        for check in result.checks
    ]
    return Report(result, [Table(("status", "check", "finding", "cure"), rows)])


def sentence(text: str, document: Mapping[str, Any]) -> Report:
    """One line for people, with its document."""
    return Report(document, [Lines([printable_line(text)])])
