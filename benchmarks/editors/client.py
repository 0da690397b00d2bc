"""The same requests without an editor: how much of what an editor's user waits for is the daemon's and the model's."""

from time import perf_counter

from lucastra_client import Client
from lucastra_protocol.answers import DeltaEvent, PassagesEvent

from benchmarks.daemon import PrivateDaemon
from benchmarks.editors.results import Measure, Model, Program, Timing
from benchmarks.editors.scene import HEADER, Scene
from benchmarks.lsp_session import open_lsp_session

_LIMIT = 20
"""Hits of a search in the VS Code extension's view."""
_AUTOMATIC = 2
"""LSP's trigger kind of completions that the user did not ask for."""


async def measure_searches(client: Client, scene: Scene) -> Timing:
    """From the request to the decoded result, once the daemon is warm."""
    for name in scene.first_names:
        await client.search(name, workspaces=scene.project, limit=_LIMIT)
    times: list[float | None] = []
    for name in scene.names_of(Program.CLIENT):
        began = perf_counter()
        found = await client.search(name, workspaces=scene.project, limit=_LIMIT)
        times.append(_since(began) if found.hits else None)
    return Timing.of(Program.CLIENT, Measure.SEARCH, Model.NONE, times)


async def measure_answers(client: Client, scene: Scene, model: Model) -> list[Timing]:
    """From the request to the passages, and to the first piece of the answer, each in a conversation of its own."""
    passages: list[float | None] = []
    tokens: list[float | None] = []
    for question in scene.asked(scene.plan.of(model).questions):
        began = perf_counter()
        conversation = (await client.conversations.start()).id
        shown: dict[type, float] = {}
        async with client.conversations.send_stream(conversation, question, workspaces=scene.project) as stream:
            async for event in stream:
                shown.setdefault(type(event), _since(began))
        passages.append(shown.get(PassagesEvent))
        tokens.append(shown.get(DeltaEvent))
    return [
        Timing.of(Program.CLIENT, Measure.PASSAGES, model, passages),
        Timing.of(Program.CLIENT, Measure.ANSWER, model, tokens),
    ]


async def measure_completions(daemon: PrivateDaemon, scene: Scene, model: Model) -> Timing:
    """From the change of the buffer, sent with the request, to the items."""
    times: list[float | None] = []
    uri = scene.probe(Program.CLIENT).as_uri()
    async with open_lsp_session(daemon.paths, scene.project) as session:
        document = {"uri": uri, "languageId": "python", "version": 0, "text": HEADER}
        await session.tell("textDocument/didOpen", {"textDocument": document})
        for version, line in enumerate(scene.lines(scene.plan.of(model).completions), 1):
            scene.instant.fill = line.fill
            text = f"{HEADER}{line.typed} "
            began = perf_counter()
            changed = {"textDocument": {"uri": uri, "version": version}, "contentChanges": [{"text": text}]}
            await session.tell("textDocument/didChange", changed)
            position = {"line": text.count("\n"), "character": len(line.typed) + 1}
            where = {"textDocument": {"uri": uri}, "position": position, "context": {"triggerKind": _AUTOMATIC}}
            offered = await session.ask("textDocument/inlineCompletion", where)
            times.append(_since(began) if offered["items"] else None)
    return Timing.of(Program.CLIENT, Measure.COMPLETION, model, times)


def _since(began: float) -> float:
    return (perf_counter() - began) * 1000
