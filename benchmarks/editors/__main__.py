"""`python -m benchmarks.editors [--quick] [--check] [--json FILE]`"""

import os
import sys
from collections.abc import Callable
from functools import partial
from pathlib import Path
from typing import TYPE_CHECKING

import trio
from lucastra_client import Client

from benchmarks.command import Options, main, step
from benchmarks.corpora import DJANGO
from benchmarks.daemon import PrivateDaemon, open_daemon
from benchmarks.editors import harness
from benchmarks.editors.client import measure_answers, measure_completions, measure_searches
from benchmarks.editors.models import Models
from benchmarks.editors.results import EditorsReport, Model, Program
from benchmarks.editors.scene import FULL, HEADER, QUICK, Scene
from benchmarks.machine import Machine
from benchmarks.queries import sample_queries
from benchmarks.repository import Repository
from benchmarks.retrieval.questions import DJANGO_QUESTIONS

if TYPE_CHECKING:
    from toolchain import Toolchain

_DAEMON = ("LUCASTRA_HOME", "XDG_RUNTIME_DIR")
"""Where the daemon is; all else is the editor's own."""


def measure(options: Options) -> EditorsReport:
    """Measure the client library, VS Code and Neovim, one after the other, on one daemon and one index."""
    report = EditorsReport(Machine.here(), options.quick, DJANGO.name, harness.WEIGHTS_NAME)
    tools = harness.install()
    with harness.instant_model() as instant, harness.real_model() as (real, key):
        models = Models(instant, real.origin, key)
        options.run(partial(_run, report, options, tools, models))
    report.judge()
    return report


async def _run(report: EditorsReport, options: Options, tools: "Toolchain", models: Models, scratch: Path) -> None:
    step(f"{DJANGO.name}: indexing")
    tree = await trio.to_thread.run_sync(DJANGO.tree, options.cache)
    project = (await trio.to_thread.run_sync(Repository.copy, tree, scratch / "project")).root
    queries = await trio.to_thread.run_sync(sample_queries, tree, 1_000)
    async with open_daemon(scratch, models.configure) as daemon, daemon.client() as client:

        def use(model: Model) -> None:
            trio.from_thread.run(models.use, daemon, client, model)

        scene = Scene(
            project=project,
            names=[query for query in queries if query.isidentifier()],
            questions=list(DJANGO_QUESTIONS),
            plan=QUICK if options.quick else FULL,
            instant=models.instant,
            use=use,
        )
        for program in Program:
            scene.probe(program).write_text(HEADER)
        await client.index(project)
        await _client(report, daemon, client, models, scene)
        vsix_folder = scratch / "vsix"
        vsix_folder.mkdir()
        await _in_thread(partial(_neovim, report, daemon, scene))
        await _in_thread(partial(_vscode, report, daemon, scene, tools, vsix_folder))


async def _in_thread(drive: Callable[[], None]) -> None:
    """Drive an editor from a thread, which ends at its next sample when the benchmark is cancelled."""
    async with trio.open_nursery() as nursery:  # waited for here, so that Ctrl-C cancels the thread
        nursery.start_soon(trio.to_thread.run_sync, drive)


async def _client(report: EditorsReport, daemon: PrivateDaemon, client: Client, models: Models, scene: Scene) -> None:
    step(f"{Program.CLIENT}: searches, completions and answers")
    report.timings.append(await measure_searches(client, scene))
    for model in (Model.INSTANT, Model.REAL):
        await models.use(daemon, client, model)
        report.timings.append(await measure_completions(daemon, scene, model))
        report.timings += await measure_answers(client, scene, model)


def _neovim(report: EditorsReport, daemon: PrivateDaemon, scene: Scene) -> None:
    with harness.driving(Program.NEOVIM):
        from benchmarks.editors.neovim import measure_kills, measure_neovim

        path = f"{Path(sys.executable).parent}{os.pathsep}{daemon.environment['PATH']}"  # where lucastrad is
        environment = daemon.environment | {"PATH": path}
        report.timings += measure_neovim(environment, scene)
        report.kills.append(measure_kills(environment, scene))


def _vscode(report: EditorsReport, daemon: PrivateDaemon, scene: Scene, tools: "Toolchain", folder: Path) -> None:
    with harness.driving(Program.VSCODE):
        from toolchain import build_vsix

        from benchmarks.editors.vscode import measure_kills, measure_vscode, windows

        environment = {name: daemon.environment[name] for name in _DAEMON}
        with windows(tools, build_vsix(tools, folder), environment) as opened:
            report.timings += measure_vscode(opened, scene)
            report.kills.append(measure_kills(opened, scene))


if __name__ == "__main__":
    sys.exit(main("benchmarks.editors", "Measure what a user waits for inside VS Code and Neovim.", measure))
