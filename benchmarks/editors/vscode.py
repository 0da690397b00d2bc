"""What a user of VS Code waits for: in code-server and Chromium, from the key's event to the DOM that shows the result.

Times are taken inside the page by its own clock (watch.js), so that nothing of what drives it is part of them.
"""

from collections.abc import Callable, Iterator, Mapping, Sequence
from contextlib import contextmanager
from pathlib import Path

import trio
from chromium import chromium
from model_server import ModelServer
from playwright.sync_api import Browser, Frame, Locator, expect
from processes import until
from toolchain import Toolchain
from vscode_session import VSCode, vscode
from vscode_views import CHAT, SEARCH, chat_view, open_chat, open_search

from benchmarks.command import step
from benchmarks.editors.relays import ms_until_gone
from benchmarks.editors.results import Kills, Measure, Model, Program, Timing
from benchmarks.editors.scene import COMPLETION_SECONDS, PATIENCE_SECONDS, Line, Scene

_WATCH = Path(__file__).with_name("watch.js").read_text("utf-8")
_SETTLE_MS = 100
"""Longer than what is left of a request when its reply is being written."""
_GHOST = ".ghost-text-decoration"
_HIT = ".hit"
_OWN_BOX = ".search-view .search-widget textarea"
_OWN_HIT = ".search-view .results .monaco-list-row"
_OWN_NAME = "VS Code's text search"


class Windows:
    """Opens windows on a project: one browser, one daemon."""

    def __init__(self, tools: Toolchain, vsix: Path, browser: Browser, environment: Mapping[str, str]) -> None:
        self._tools = tools
        self._vsix = vsix
        self._browser = browser
        self._environment = environment

    @contextmanager
    def open(self, project: Path) -> Iterator[VSCode]:
        """A window that says that the index is up to date."""
        with vscode(self._tools, self._vsix, self._browser, folder=project, environment=self._environment) as window:
            window.wait_until_ready()
            yield window


@contextmanager
def windows(tools: Toolchain, vsix: Path, environment: Mapping[str, str]) -> Iterator[Windows]:
    """A browser, and windows whose extension finds the daemon that `environment` names."""
    with chromium(tools) as browser:
        yield Windows(tools, vsix, browser, environment)


def measure_vscode(opened: Windows, scene: Scene) -> Iterator[Timing]:
    """Everything but the kills, in one window."""
    with opened.open(scene.project) as window:
        step(f"{Program.VSCODE}: searches")
        yield from _searches(window, scene.names_of(Program.VSCODE))
        for model in (Model.INSTANT, Model.REAL):
            step(f"{Program.VSCODE}: completions and answers, {model} model")
            scene.use(model)
            yield _completions(window, scene, model)
            yield from _answers(window, scene, model)


def measure_kills(opened: Windows, scene: Scene) -> Kills:
    """Windows one after the other, each with all processes of its editor killed."""
    step(f"{Program.VSCODE}: {scene.plan.vscode_kills} kills")
    times: list[float | None] = []
    for _ in range(scene.plan.vscode_kills):
        trio.from_thread.check_cancelled()
        with opened.open(scene.project) as window:
            (relay,) = window.relays()
            times.append(ms_until_gone(relay, window.kill_editor))
    return Kills.of(Program.VSCODE, times)


def _searches(window: VSCode, names: Sequence[str]) -> Iterator[Timing]:
    view = open_search(window)
    yield from _in_box(view, view.locator(SEARCH), _HIT, names)
    window.run_command("Search: Find in Files")
    own = window.page.main_frame
    yield from _in_box(own, own.locator(_OWN_BOX).first, _OWN_HIT, names, peer=_OWN_NAME)


def _in_box(frame: Frame, box: Locator, hit: str, names: Sequence[str], *, peer: str = "") -> Iterator[Timing]:
    """While the last letter is typed, and when Enter asks at once."""

    def search(name: str, *, enter: bool) -> float | None:
        box.fill("")
        expect(frame.locator(hit)).to_have_count(0)
        key, typed = ("Enter", name) if enter else (name[-1], name[:-1])
        return _watched(frame, {hit: hit}, lambda: box.press(key), typed=typed, tell=enter)[hit]

    for measure, enter in ((Measure.TYPED, False), (Measure.SEARCH, True)):
        search(names[-1], enter=enter)  # the first one of all starts what the view needs
        times = [search(name, enter=enter) for name in names]
        yield Timing.of(Program.VSCODE, measure, Model.NONE, times, peer=peer)


def _completions(window: VSCode, scene: Scene, model: Model) -> Timing:
    window.open_file(scene.probe(Program.VSCODE).name)
    window.page.keyboard.press("Control+End")
    lines = scene.lines(scene.plan.of(model).completions)
    times = [_complete(window, scene.instant, model, line) for line in lines]
    return Timing.of(Program.VSCODE, Measure.COMPLETION, model, times)


def _complete(window: VSCode, instant: ModelServer, model: Model, line: Line) -> float | None:
    page = window.page
    instant.fill = ""
    instant.requests.clear()
    page.keyboard.press("Shift+Home")  # in place of the line before
    page.keyboard.type(line.typed)
    if model is Model.INSTANT:
        until(lambda: line.is_in(instant.requests))
        page.wait_for_timeout(_SETTLE_MS)
        instant.fill = line.fill
    while page.locator(_GHOST).count():
        page.keyboard.press("Escape")
    mark = line.mark if model is Model.INSTANT else ""
    shown = _watched(
        page.main_frame, {_GHOST: _GHOST}, lambda: page.keyboard.press("Space"), text=mark, seconds=COMPLETION_SECONDS
    )
    page.keyboard.press("Escape")
    return shown[_GHOST]


def _answers(window: VSCode, scene: Scene, model: Model) -> list[Timing]:
    shown: list[dict[str, float | None]] = []
    open_chat(window)
    for question in scene.asked(scene.plan.of(model).questions):
        window.run_command("LucAstra: New Conversation")
        chat = chat_view(window)
        expect(chat.locator(".turn")).to_have_count(0)
        box = chat.locator(CHAT)
        box.fill(question)
        shown.append(_watched(chat, {"passages": ".passages", "token": ".answer"}, _pressing(box, "Enter")))
        expect(chat.get_by_title("Ask (Enter)")).to_be_visible()  # the answer has ended
    return [
        Timing.of(Program.VSCODE, Measure.PASSAGES, model, [one["passages"] for one in shown]),
        Timing.of(Program.VSCODE, Measure.ANSWER, model, [one["token"] for one in shown]),
    ]


def _pressing(box: Locator, key: str) -> Callable[[], None]:
    return lambda: box.press(key)


def _watched(
    frame: Frame,
    selectors: Mapping[str, str],
    press: Callable[[], None],
    *,
    text: str = "",
    typed: str | None = None,
    tell: bool = False,
    seconds: float = PATIENCE_SECONDS,
) -> dict[str, float | None]:
    """Milliseconds by name from the key that `press` presses until the element of that selector has `text` in it."""
    trio.from_thread.check_cancelled()
    options = {"selectors": dict(selectors), "text": text, "typed": typed, "tell": tell, "patience": seconds * 1000}
    early = frame.evaluate(_WATCH, options)
    assert not early, f"{early} was shown before it was asked for"
    press()
    found: dict[str, float | None] = frame.evaluate("() => globalThis.watched")
    return found
