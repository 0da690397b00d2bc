"""The commands that tell who can answer: models and providers."""

from lucastra_protocol.answers import ProviderInfo

from lucastra_client.arguments import PROGRAM
from lucastra_client.queries import FOUND, NOTHING
from lucastra_client.rendering import models as reports
from lucastra_client.shell import Shell

NO_PROVIDER = (
    'no language model is configured; add {"llm": {"provider": "ollama", "model": "NAME"}} to the file that '
    f"`{PROGRAM} config path` names"
)


async def models(shell: Shell) -> int:
    """`models [PROVIDER]`"""
    async with shell.open() as client:
        result = await client.models(shell.arguments.provider)
    shell.show.report(reports.models(result))
    if not shell.for_programs:
        for problem in result.problems:
            shell.note(problem)
    if not result.models and not result.problems:
        shell.note(NO_PROVIDER)
    return FOUND if result.models else NOTHING


async def providers(shell: Shell) -> int:
    """`providers [--check]`"""
    async with shell.open() as client:
        entries = await client.providers(check=shell.arguments.check)
    shell.show.report(reports.providers(entries))
    usable = [entry for entry in entries if entry.configured or entry.default]
    if not usable:
        shell.note(NO_PROVIDER)
        return NOTHING
    return NOTHING if any(map(_fails, usable)) else FOUND


def _fails(entry: ProviderInfo) -> bool:
    return bool(entry.problem) or (entry.health is not None and not entry.health.ok)
