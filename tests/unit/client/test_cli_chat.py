"""Chat: what is read at the prompt, what is asked of the daemon, and what Ctrl-C stops."""

import io
import os
import signal
from collections.abc import AsyncIterator, Mapping
from contextlib import asynccontextmanager
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import pytest
import trio
from fake_daemon import Answer, fake_daemon, workspace
from lucastra_client import Client, open_client
from lucastra_client.arguments import parse
from lucastra_client.chat import Chat
from lucastra_client.shell import Shell, renderer_for
from lucastra_protocol import answers as model
from lucastra_protocol import types as wire
from lucastra_protocol.errors import ErrorCode, LucAstraError
from lucastra_protocol.paths import Paths

TURN = model.Turn(number=1, question="?", started_at=1.0, answer="It runs.", provider="llm", model="m1")
EVENTS = (model.DeltaEvent(text="It "), model.DeltaEvent(text="runs."))


@dataclass
class Sitting:
    """A user who types `lines`; a KeyboardInterrupt among them is Ctrl-C at the prompt."""

    lines: list[str | type[KeyboardInterrupt]]
    requests: list[tuple[str, Any]] = field(default_factory=list)
    cancelled: int = 0
    out: io.StringIO = field(default_factory=io.StringIO)
    err: io.StringIO = field(default_factory=io.StringIO)
    code: int = -1
    started: int = 0

    def asked(self, method: str) -> list[Any]:
        """The params of every request of a method."""
        return [params for name, params in self.requests if name == f"lucastra/{method}"]

    def read(self, prompt: str) -> str:
        """The next line."""
        if not self.lines:
            raise EOFError
        line = self.lines.pop(0)
        if not isinstance(line, str):
            raise line
        return line


def talk(
    cwd: Path, *lines: str | type[KeyboardInterrupt], options: str = "", answers: Mapping[str, Answer] | None = None
) -> Sitting:
    """Chat in a project that is indexed, until the lines end."""
    sitting = Sitting(list(lines))

    async def start(params: model.StartParams) -> model.Conversation:
        sitting.started += 1
        return model.Conversation(id=f"c{sitting.started}", title="", created_at=1.0, updated_at=1.0)

    methods: dict[str, Answer] = {
        "workspaces": wire.WorkspacesResult(workspaces=[workspace(str(cwd))]),
        "conversation/start": start,
        "conversation/send": model.SendResult(turn=TURN),
        **(answers or {}),
    }

    @asynccontextmanager
    async def open_daemon() -> AsyncIterator[Client]:
        served = {f"lucastra/{name}": answer for name, answer in methods.items()}
        async with fake_daemon(served, events=EVENTS) as (daemon, stream):
            try:
                async with open_client(stream=stream) as client:
                    yield client
            finally:
                sitting.requests += daemon.requests
                sitting.cancelled += len(daemon.cancelled)

    async def stop() -> bool:
        raise AssertionError

    arguments = parse(["chat", *options.split()])
    shell = Shell(
        arguments,
        cwd,
        Paths(home=cwd / "home", run=cwd / "run"),
        sitting.out,
        sitting.err,
        show=renderer_for(arguments, cwd, sitting.out),
        open=lambda: _unwrapped(open_daemon()),
        open_running=open_daemon,
        stop=stop,
    )
    sitting.code = Chat(shell, sitting.read, prompted=False).run()
    return sitting


@asynccontextmanager
async def _unwrapped(opening: Any) -> AsyncIterator[Client]:
    """A daemon whose errors come as they are: the fake one's nursery wraps them."""
    failure: LucAstraError | None = None
    async with opening as client:
        try:
            yield client
        except LucAstraError as error:
            failure = error
    if failure is not None:
        raise failure


def test_questions_share_a_conversation_and_the_workspace(tmp_path: Path) -> None:
    sitting = talk(tmp_path, "how?", "", "and why?")
    first, second = sitting.asked("conversation/send")
    assert (first.text, second.text) == ("how?", "and why?")
    assert first.conversation == second.conversation == "c1"
    assert first.workspaces == [str(tmp_path)]
    assert first.retrieve
    assert (sitting.code, sitting.out.getvalue()) == (0, "It runs.\nIt runs.\n")


def test_new_begins_another_conversation_with_the_same_system_text(tmp_path: Path) -> None:
    sitting = talk(tmp_path, "how?", "/new", "how?", options="-s Brief.")
    assert [sent.conversation for sent in sitting.asked("conversation/send")] == ["c1", "c2"]
    assert [started.system for started in sitting.asked("conversation/start")] == ["Brief.", "Brief."]


def test_the_model_changes_between_two_turns(tmp_path: Path) -> None:
    models = model.ModelsResult(models=[model.ModelInfo(provider="cloud", id="big")])
    sitting = talk(tmp_path, "a", "/model", "/model cloud/big", "b", options="-m llm", answers={"models": models})
    assert [sent.provider for sent in sitting.asked("conversation/send")] == ["llm", "cloud/big"]
    assert "cloud/big\t-" in sitting.out.getvalue()
    assert "llm answers; /model PROVIDER/MODEL changes that" in sitting.err.getvalue()


def test_a_text_of_several_lines_stands_between_quotes(tmp_path: Path) -> None:
    sitting = talk(tmp_path, '"""what is', "  this?", '"""', '"""one line"""', '"""cut', "off")
    texts = [sent.text for sent in sitting.asked("conversation/send")]
    assert texts == ["what is\n  this?", "one line", "cut\noff"]


def test_ctrl_c_at_the_prompt_drops_the_line_and_not_the_program(tmp_path: Path) -> None:
    sitting = talk(tmp_path, KeyboardInterrupt, '"""half', KeyboardInterrupt, "how?")
    assert [sent.text for sent in sitting.asked("conversation/send")] == ["how?"]
    assert sitting.code == 0


def test_ctrl_c_stops_the_answer_and_not_the_program(tmp_path: Path) -> None:
    async def interrupted(params: model.SendParams) -> model.SendResult:
        if params.text == "long?":
            os.kill(os.getpid(), signal.SIGINT)
            await trio.sleep_forever()
        return model.SendResult(turn=TURN)

    sitting = talk(tmp_path, "long?", "short?", answers={"conversation/send": interrupted})
    assert [sent.text for sent in sitting.asked("conversation/send")] == ["long?", "short?"]
    assert sitting.out.getvalue() == "It runs.\nIt runs.\n"
    assert "stopped; what was written is kept" in sitting.err.getvalue()
    assert sitting.code == 0


def test_a_failed_answer_is_told_and_the_talk_goes_on(tmp_path: Path) -> None:
    async def failing(params: model.SendParams) -> model.SendResult:
        if params.provider == "typo":
            raise LucAstraError("there is no provider typo; `providers` lists them", code=ErrorCode.CONFIG_INVALID)
        return model.SendResult(turn=TURN)

    lines = ("/model typo", "how?", "/model llm", "how?", "/dance", "/etc/hosts is what?")
    sitting = talk(tmp_path, *lines, answers={"conversation/send": failing})
    assert "there is no provider typo; `providers` lists them" in sitting.err.getvalue()
    assert "there is no /dance; /help" in sitting.err.getvalue()
    assert sitting.asked("conversation/send")[-1].text == "/etc/hosts is what?"


def test_a_conversation_that_somebody_deleted_is_followed_by_another(tmp_path: Path) -> None:
    async def deleted(params: model.SendParams) -> model.SendResult:
        if params.conversation == "c1":
            raise LucAstraError("there is no conversation c1", code=ErrorCode.CONVERSATION_NOT_FOUND)
        return model.SendResult(turn=TURN)

    sitting = talk(tmp_path, "how?", "how?", answers={"conversation/send": deleted})
    assert "ask again to begin another one" in sitting.err.getvalue()
    assert [sent.conversation for sent in sitting.asked("conversation/send")] == ["c1", "c2"]


def test_it_goes_on_with_a_conversation_that_is_named(tmp_path: Path) -> None:
    known = model.Conversation(id="3f2a", title="Retries", created_at=1.0, updated_at=1.0, turns=2)
    listed = model.ListResult(conversations=[known], total=1)
    sitting = talk(tmp_path, "and?", options="-c", answers={"conversation/list": listed})
    assert sitting.asked("conversation/send")[0].conversation == "3f2a"
    assert "going on with Retries (2 turns)" in sitting.err.getvalue()


def test_without_search_the_model_is_asked_alone(tmp_path: Path) -> None:
    sitting = talk(tmp_path, "hello", "/quit", "never read", options="--no-search")
    (sent,) = sitting.asked("conversation/send")
    assert not sent.retrieve
    assert sitting.asked("workspaces") == []


def test_help_names_every_command(tmp_path: Path) -> None:
    told = talk(tmp_path, "/help").out.getvalue()
    assert all(name in told for name in ("/model", "/new", "/help", "/quit", '"""', "Ctrl-C"))


def test_a_folder_without_code_is_told_with_the_cure(tmp_path: Path) -> None:
    empty = workspace(str(tmp_path), chunks=0, files=0, embedded=0)
    answers = {"workspaces": wire.WorkspacesResult(workspaces=[empty])}
    with pytest.raises(LucAstraError, match="--no-search asks the model alone"):
        talk(tmp_path, "how?", answers=answers)
