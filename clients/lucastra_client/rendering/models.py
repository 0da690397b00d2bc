"""Language models and their providers, laid out as tables."""

from collections.abc import Sequence

from lucastra_protocol.answers import ModelsResult, ProviderInfo

from lucastra_client.rendering.reports import Block, Report, Table
from lucastra_client.rendering.text import printable_line


def models(result: ModelsResult) -> Report:
    """The models, as `-m` takes them."""
    blocks: list[Block] = []
    if result.models:
        rows = [
            (
                printable_line(f"{model.provider}/{model.id}"),
                "-" if model.context_tokens is None else f"{model.context_tokens:,}",
            )
            for model in result.models
        ]
        blocks.append(Table(("model", "context"), rows, numeric=frozenset({"context"})))
    return Report(result, blocks)


def providers(entries: Sequence[ProviderInfo]) -> Report:
    """The providers, with how each is."""
    rows = [
        (
            printable_line(entry.name),
            entry.kind,
            printable_line(entry.model or "-"),
            printable_line(entry.origin or "-"),
            _state(entry),
            printable_line(entry.problem or (entry.health.detail if entry.health else "")),
        )
        for entry in entries
    ]
    table = Table(("provider", "kind", "model", "server", "state", "detail"), rows)
    return Report({"providers": entries}, [table] if rows else [])


def _state(entry: ProviderInfo) -> str:
    if not entry.configured and not entry.default:
        return "not configured"
    if entry.problem:
        return "error"
    if entry.health is not None:
        return "ok" if entry.health.ok else "failed"
    return "default" if entry.default else "configured"
