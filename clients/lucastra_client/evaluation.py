"""The command that measures retrieval: eval."""

from pathlib import Path

from lucastra_client import scope
from lucastra_client.arguments import PROGRAM
from lucastra_client.progress import progress
from lucastra_client.queries import FOUND, NOTHING, tell_nothing_indexed
from lucastra_client.rendering import evaluation
from lucastra_client.shell import Shell


async def evaluate(shell: Shell) -> int:
    """`eval [FOLDER]`; the folder is brought up to date first, so that what is measured is what stands there."""
    arguments = shell.arguments
    named = arguments.path and scope.existing_folder(arguments.path, shell.cwd)
    async with shell.open() as client:
        known = scope.workspace_of(named or shell.cwd, await client.workspaces())
        root = Path(known.root) if known else named or scope.project_root(shell.cwd)
        if known is None:
            scope.refuse_no_project(root, PROGRAM)
        indexed = (await shell.index(client, root)).workspace
        if not indexed.chunks:
            await tell_nothing_indexed(shell, client, indexed)
            return NOTHING
        title = f"evaluating {indexed.root}"
        with progress(shell.err, title, quiet=arguments.quiet, color=arguments.color) as show:
            result = await client.evaluate(root, questions=arguments.questions, on_progress=show)
    shell.show.report(evaluation.evaluation(result))
    if not arguments.json:
        for notice in result.notices:
            shell.note(notice)
    return FOUND
