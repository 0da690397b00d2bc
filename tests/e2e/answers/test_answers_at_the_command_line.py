"""`lucastra-client` and what models answer: real processes, a real terminal and an HTTP upstream."""

import json
import os
import pty
import signal
import subprocess
from contextlib import suppress
from pathlib import Path
from typing import Any

import pytest
import trio
from dialects import ANTHROPIC
from real_daemon import PATIENCE_SECONDS, RealDaemon, until
from test_answers_end_to_end import Upstream, answering, shop
from user_home import CLIENT

pytestmark = [pytest.mark.slow, pytest.mark.trio]


async def client(
    daemon: RealDaemon, cwd: Path, *arguments: str, piped: str | None = None, check: int = 0
) -> "subprocess.CompletedProcess[str]":
    """Run one command line to its end."""
    with trio.fail_after(PATIENCE_SECONDS):
        done = await trio.run_process(
            [*CLIENT, *arguments],
            cwd=cwd,
            env=_environment(daemon),
            stdin=subprocess.DEVNULL if piped is None else piped.encode(),
            capture_stdout=True,
            capture_stderr=True,
            check=False,
        )
    out, err = done.stdout.decode(), done.stderr.decode()
    assert done.returncode == check, f"{arguments}: exit {done.returncode}\n{out}\n{err}"
    return subprocess.CompletedProcess(arguments, done.returncode, out, err)


def _environment(daemon: RealDaemon) -> dict[str, str]:
    return {"PYTHONPATH": os.environ.get("PYTHONPATH", ""), "TERM": "xterm", **daemon.environment}


async def test_a_question_and_the_one_after_it(daemon: RealDaemon) -> None:
    upstream = Upstream(["It waits ", "**twice** as long [1", "]."], ["Five times [1]."])
    async with answering(daemon, upstream) as library:
        root = await shop(daemon, library)
        first = await client(daemon, root, "ask", "how", "are", "failed", "calls", "repeated?")
        assert first.stdout.splitlines()[:2] == ["It waits **twice** as long [1].", ""]
        assert first.stdout.splitlines()[2].startswith("[1] shop/")
        second = await client(
            daemon, root, "ask", "-c", "--jsonl", "-m", ANTHROPIC.name, "how often?", piped="attempts=5\n"
        )
        lines = [json.loads(line) for line in second.stdout.splitlines()]
        assert [lines[0]["kind"], lines[-1]["kind"]] == ["passages", "result"]
        assert lines[-1]["provider"] == ANTHROPIC.name
        assert "attempts=5" in upstream.asked()
        assert "It waits **twice** as long" in upstream.asked()
        listed = json.loads((await client(daemon, root, "conversations", "--json")).stdout)
        (kept,) = listed["conversations"]
        assert (kept["id"], kept["turns"]) == (lines[-1]["conversation"], 2)
        shown = await client(daemon, root, "conversations", "show", kept["id"][:6])
        assert "how often?" in shown.stdout
        assert "Five times [1]." in shown.stdout
        await client(daemon, root, "conversations", "delete", kept["id"])
        gone = await client(daemon, root, "ask", "-c", "and?", check=2)
        assert "leave out -c to begin one" in gone.stderr


async def test_prompts_models_and_providers(daemon: RealDaemon) -> None:
    async with answering(daemon, Upstream(["feat: retry"])):
        cwd = daemon.folder
        done = await client(daemon, cwd, "complete", "-s", "Write a commit message.", piped="+ retry()\n")
        assert done.stdout == "feat: retry\n"
        listed = json.loads((await client(daemon, cwd, "providers", "--json")).stdout)["providers"]
        assert [entry["name"] for entry in listed if entry["default"]] == ["llm"]
        assert ANTHROPIC.name in {entry["name"] for entry in listed}
        # The upstream lists no models, and that is told, not hidden.
        models = await client(daemon, cwd, "models", check=1)
        assert "lucastra-client: " in models.stderr
        unknown = await client(daemon, cwd, "complete", "-m", "typo", "x", check=2)
        assert "typo" in unknown.stderr


class Terminal:
    """`lucastra-client` at a pseudo-terminal of its own."""

    def __init__(self, daemon: RealDaemon, cwd: Path, *arguments: str) -> None:
        self._ours, theirs = pty.openpty()
        os.set_blocking(self._ours, False)
        self.process = subprocess.Popen(
            [*CLIENT, *arguments],
            cwd=cwd,
            env=_environment(daemon),
            stdin=theirs,
            stdout=theirs,
            stderr=theirs,
            start_new_session=True,
        )
        os.close(theirs)
        self.shown = ""

    def type(self, text: str) -> None:
        """Press these keys."""
        os.write(self._ours, text.encode())

    async def shows(self, text: str) -> None:
        """Wait until the text is on the screen, and forget what was shown up to there."""

        def there() -> bool:
            self._read()
            return text in self.shown

        try:
            await until(there)
        except trio.TooSlowError:
            raise AssertionError(f"{text!r} is not in {self.shown!r}") from None
        self.shown = self.shown.partition(text)[2]

    async def left(self) -> int:
        """The exit status."""

        def ended() -> Any:
            self._read()
            return self.process.poll() is not None

        await until(ended)
        os.close(self._ours)
        return self.process.returncode

    def _read(self) -> None:
        with suppress(OSError):  # EAGAIN: nothing is there yet; EIO: the other side is closed
            self.shown += os.read(self._ours, 65_536).decode(errors="replace")


async def test_chat_at_a_terminal_survives_ctrl_c_and_remembers(daemon: RealDaemon) -> None:
    upstream = Upstream(["It waits"], ["Five times [1]."])
    async with answering(daemon, upstream) as library:
        root = await shop(daemon, library)
        upstream.hold = trio.Event()
        terminal = Terminal(daemon, root, "chat")
        try:
            await terminal.shows("> ")
            terminal.type("half a line")
            await terminal.shows("half a line")
            os.kill(terminal.process.pid, signal.SIGINT)
            await terminal.shows("> ")
            terminal.type("how are failed calls repeated?\n")
            await terminal.shows("It waits")
            os.kill(terminal.process.pid, signal.SIGINT)
            await terminal.shows("stopped; what was written is kept")
            await terminal.shows("> ")
            upstream.hold.set()
            terminal.type("how often are they repeated?\n")
            await terminal.shows("Five times [1].")
            await terminal.shows("retry.py:1")
            await terminal.shows("> ")
            terminal.type("\x04")
            assert await terminal.left() == 0
        finally:
            terminal.process.kill()
            terminal.process.wait()
        (kept,) = (await library.conversations.list()).conversations
        first, second = (await library.conversations.history(kept.id)).turns
    assert first.question == "how are failed calls repeated?"
    assert (first.state, first.answer) == ("partial", "It waits")
    assert second.state == "complete"
    history = daemon.paths.home / "chat-history"
    assert "how often are they repeated?" in history.read_text()
    assert history.stat().st_mode & 0o777 == 0o600
