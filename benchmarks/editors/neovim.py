"""What a user of Neovim waits for: in a real editor with the plugin, by the editor's own clock (watch.lua)."""

import os
import signal
import time
from collections.abc import Iterator, Mapping
from contextlib import ExitStack, contextmanager
from functools import partial
from pathlib import Path

import trio
from nvim_session import Editor
from processes import until

from benchmarks.command import step
from benchmarks.editors.relays import ms_until_gone, relays_below
from benchmarks.editors.results import Kills, Measure, Model, Program, Timing
from benchmarks.editors.scene import COMPLETION_SECONDS, PATIENCE_SECONDS, Line, Scene

_WATCH = Path(__file__).with_name("watch.lua").read_text("utf-8")
_POLL_SECONDS = 0.01
_AT_ONCE = 10
"""Editors that are open together, of those that are to be killed."""
_GREP = "silent grep! -rwF --exclude-dir=.git {name} .\ncopen"
_GREP_NAME = "Neovim's :grep"


class _Neovim:
    """One editor with the watch in it."""

    def __init__(self, editor: Editor) -> None:
        self.editor = editor
        editor.lua(_WATCH)

    def shown(self, name: str, seconds: float = PATIENCE_SECONDS) -> float | None:
        """Milliseconds until `name` was shown; None after `seconds`."""
        trio.from_thread.check_cancelled()
        deadline = time.monotonic() + seconds
        while time.monotonic() < deadline:
            if (found := self.editor.lua("return _G.watched.shown[...]", name)) is not None:
                return float(found)
            time.sleep(_POLL_SECONDS)
        return None

    def run(self, command: str) -> None:
        """Run an Ex command, from which time counts."""
        self.editor.lua("_G.watched.run(...)", command)

    def search(self, command: str) -> float | None:
        """Milliseconds until the quickfix window has lines."""
        self.editor.command("cclose")
        self.run(command)
        return self.shown("list")

    def complete(self, scene: Scene, model: Model, line: Line) -> float | None:
        """Milliseconds from a space at the end of the line until ghost text is drawn."""
        instant = scene.instant
        instant.fill = ""
        instant.requests.clear()
        self.editor.keys(f"<C-u>{line.typed}")  # in place of the line before
        self.editor.until(lambda: self.editor.line() == line.typed)
        if model is Model.INSTANT:
            until(lambda: line.is_in(instant.requests))
            instant.fill = line.fill
        self.editor.lua("_G.watched.key(...)", line.mark if model is Model.INSTANT else "")
        self.editor.keys(" ")
        return self.shown("ghost", COMPLETION_SECONDS)

    def answer(self, question: str) -> tuple[float | None, float | None]:
        """Milliseconds until the passages and the first piece of the answer stand in the chat."""
        self.run(f"Lucastra ask {question}")
        shown = self.shown("passages"), self.shown("token")
        self.editor.until(lambda: not self.editor.lua("return require('lucastra.chat').current().running ~= nil"))
        return shown


@contextmanager
def _open(scene: Scene, environment: Mapping[str, str]) -> Iterator[Editor]:
    editor = Editor(scene.project, environment)
    try:
        editor.command(f"edit {scene.probe(Program.NEOVIM).name}")
        editor.connected()
        yield editor
    finally:
        editor.close()


def measure_neovim(environment: Mapping[str, str], scene: Scene) -> Iterator[Timing]:
    """Everything but the kills, in one editor."""
    with _open(scene, environment) as editor:
        neovim = _Neovim(editor)
        step(f"{Program.NEOVIM}: searches")
        names = scene.names_of(Program.NEOVIM)
        for command, peer in (("Lucastra! search {name}", ""), (_GREP, _GREP_NAME)):
            times = [neovim.search(command.format(name=name)) for name in (names[-1], *names)][1:]
            yield Timing.of(Program.NEOVIM, Measure.SEARCH, Model.NONE, times, peer=peer)
        editor.command("cclose")
        for model in (Model.INSTANT, Model.REAL):
            step(f"{Program.NEOVIM}: completions and answers, {model} model")
            scene.use(model)
            yield _completions(neovim, scene, model)
            yield from _answers(neovim, scene, model)


def measure_kills(environment: Mapping[str, str], scene: Scene) -> Kills:
    """Editors that have connected, killed one after the other."""
    step(f"{Program.NEOVIM}: {scene.plan.neovim_kills} kills")
    times: list[float | None] = []
    while len(times) < scene.plan.neovim_kills:
        trio.from_thread.check_cancelled()
        with ExitStack() as stack:
            together = min(_AT_ONCE, scene.plan.neovim_kills - len(times))
            for editor in [stack.enter_context(_open(scene, environment)) for _ in range(together)]:
                (relay,) = relays_below(editor.pid)
                times.append(ms_until_gone(relay, partial(os.kill, editor.pid, signal.SIGKILL)))
    return Kills.of(Program.NEOVIM, times)


def _completions(neovim: _Neovim, scene: Scene, model: Model) -> Timing:
    editor = neovim.editor
    editor.command(f"buffer {scene.probe(Program.NEOVIM).name}")
    editor.command("setlocal formatoptions=")
    editor.keys("<Esc>GA")
    lines = scene.lines(scene.plan.of(model).completions)
    times = [neovim.complete(scene, model, line) for line in lines]
    editor.keys("<Esc>")
    return Timing.of(Program.NEOVIM, Measure.COMPLETION, model, times)


def _answers(neovim: _Neovim, scene: Scene, model: Model) -> list[Timing]:
    neovim.editor.command("Lucastra chat")
    if model is Model.INSTANT:
        neovim.editor.lua("_G.watched.chat()")
    shown = [neovim.answer(question) for question in scene.asked(scene.plan.of(model).questions)]
    neovim.editor.command("wincmd p")
    return [
        Timing.of(Program.NEOVIM, Measure.PASSAGES, model, [passages for passages, _ in shown]),
        Timing.of(Program.NEOVIM, Measure.ANSWER, model, [token for _, token in shown]),
    ]
