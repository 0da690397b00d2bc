"""The conversation at a terminal: chat.

Each question is a Trio run of its own, so that between two of them the terminal belongs to readline alone, and Ctrl-C
means what it means there.
"""

import os
import re
import signal
import sys
from collections.abc import Awaitable, Callable, Iterator
from contextlib import contextmanager, suppress
from pathlib import Path
from typing import TYPE_CHECKING

import trio
from lucastra_protocol.answers import Conversation
from lucastra_protocol.errors import ErrorCode, LucAstraError

from lucastra_client.arguments import PROGRAM
from lucastra_client.asking import check_system, resumed, show_answer, told
from lucastra_client.conversation_commands import find
from lucastra_client.model_commands import NO_PROVIDER
from lucastra_client.queries import FOUND, Coverage, cover
from lucastra_client.rendering import models as reports
from lucastra_client.rendering.text import count, printable_line
from lucastra_client.shell import Shell

if TYPE_CHECKING:
    from lucastra_client.client import Client

INTERRUPTED = 130
_HISTORY_LINES = 1000
_COMMAND = re.compile(r"/(?P<name>[a-z]+)(?:\s+(?P<rest>.*))?", re.DOTALL)
"""A path, as `/etc/hosts`, is no command."""
_QUOTES = '"""'
_HELP = """\
/model [PROVIDER[/MODEL]]   let another model answer; without a name, list them
/new                        begin another conversation
/help                       show this
/quit                       leave, as Ctrl-D does
\"""                         begin or end a text of several lines
Ctrl-C                      stop the answer; at the prompt, drop the line"""
_COMMANDS = ("/help", "/model", "/new", "/quit")

Read = Callable[[str], str]
"""Reads a line after showing a prompt; raises EOFError at the end."""


def chat(shell: Shell, read: Read = input) -> int:
    """`chat`"""
    check_system(shell.arguments)
    with _line_editing(shell.paths.home / "chat-history") as prompted:
        return Chat(shell, read, prompted=prompted).run()


class Chat:
    """One sitting: the conversation, who answers, and where passages are looked for."""

    def __init__(self, shell: Shell, read: Read, *, prompted: bool) -> None:
        self._shell = shell
        self._read = read
        self._prompts = ("> ", "… ") if prompted else ("", "")
        self._model = shell.arguments.model
        self._system = shell.arguments.system
        self._conversation: str | None = None
        self._covered = Coverage([], [])

    def run(self) -> int:
        """Read and answer until the user leaves; returns the exit code."""
        if not self._with_daemon(self._begin):
            return INTERRUPTED
        while (text := self._message()) is not None:
            if not text.strip():
                continue
            try:
                if (command := _COMMAND.fullmatch(text.strip())) is None:
                    self._answer(text)
                elif command["name"] in ("quit", "exit"):
                    break
                else:
                    self._command(command["name"], (command["rest"] or "").strip())
            except KeyboardInterrupt:  # a second one, when the answer had just been stopped
                continue
            except LucAstraError as error:
                print(f"{PROGRAM}: {printable_line(error.message)}", file=self._shell.err, flush=True)
        return FOUND

    async def _begin(self, client: "Client") -> None:
        shell, arguments = self._shell, self._shell.arguments
        self._conversation = await resumed(client, arguments)
        if not arguments.no_search:
            self._covered = await cover(shell, client, shell.cwd)
            if not self._covered.searchable:
                raise LucAstraError("there is no code to talk about here; --no-search asks the model alone")
        if self._conversation is not None:
            known = await find(client, self._conversation)
            shell.note(f"going on with {known.title or known.id} ({count(known.turns, 'turn')}); /help tells more")
        else:
            shell.note("a new conversation; /help tells more, Ctrl-D leaves")

    def _message(self) -> str | None:
        """What the user says next; None when they leave."""
        first, more = self._prompts
        lines: list[str] = []
        while True:
            try:
                line = self._read(more if lines else first)
            except EOFError:
                if self._prompts[0]:
                    print(file=self._shell.out)
                return "\n".join(lines).removeprefix(_QUOTES) if lines else None
            except KeyboardInterrupt:
                print(file=self._shell.out)
                lines = []
                continue
            lines.append(line)
            text = "\n".join(lines).strip()
            if not text.startswith(_QUOTES):
                return line
            if len(text) >= 2 * len(_QUOTES) and text.endswith(_QUOTES):
                return text.removeprefix(_QUOTES).removesuffix(_QUOTES).strip("\n")

    def _command(self, name: str, rest: str) -> None:
        if name == "help":
            print(_HELP, file=self._shell.out, flush=True)
        elif name == "new":
            self._conversation = None
            self._shell.note("a new conversation")
        elif name == "model" and rest:
            self._model = rest
            self._shell.note(f"{rest} answers from here on")
        elif name == "model":
            self._with_daemon(self._show_models)
        else:
            raise LucAstraError(f"there is no /{name}; /help tells what there is")

    async def _show_models(self, client: "Client") -> None:
        result = await client.models()
        self._shell.show.report(reports.models(result))
        for problem in result.problems:
            self._shell.note(problem)
        if not result.models and not result.problems and self._model is None:
            self._shell.note(NO_PROVIDER)
            return
        self._shell.note(f"{self._model or 'the configured model'} answers; /model PROVIDER/MODEL changes that")

    def _answer(self, text: str) -> None:
        async def answer(client: "Client") -> None:
            await self._send(client, text)

        if not self._with_daemon(answer):
            self._shell.note("stopped; what was written is kept")

    async def _send(self, client: "Client", text: str) -> None:
        arguments = self._shell.arguments
        if self._conversation is None:
            begun: Conversation = await client.conversations.start(system=self._system)
            self._conversation = begun.id
        stream = client.conversations.send_stream(
            self._conversation,
            text,
            retrieve=not arguments.no_search,
            provider=self._model,
            limit=arguments.limit,
            workspaces=self._covered.folders,
            paths=self._covered.paths(arguments),
            languages=arguments.languages,
        )
        try:
            result = await show_answer(self._shell, text, stream, conversation=self._conversation)
        except LucAstraError as error:
            if error.code is ErrorCode.CONVERSATION_NOT_FOUND:  # somebody deleted it
                self._conversation = None
                raise LucAstraError(f"{error.message}; ask again to begin another one", code=error.code) from None
            raise
        told(self._shell, self._covered, result)

    def _with_daemon(self, work: "Callable[[Client], Awaitable[None]]") -> bool:
        """Run `work` with the daemon; False when Ctrl-C has stopped it."""

        async def opened() -> None:
            async with self._shell.open() as client:
                await work(client)

        return trio.run(_unless_interrupted, opened)


async def _unless_interrupted(work: Callable[[], Awaitable[None]]) -> bool:
    """Run `work`, which the first Ctrl-C cancels; whether it ran to its end."""
    ended = False
    failure: LucAstraError | None = None
    with trio.open_signal_receiver(signal.SIGINT) as signals:
        async with trio.open_nursery() as nursery:

            async def cancel() -> None:
                await anext(signals)
                nursery.cancel_scope.cancel()

            nursery.start_soon(cancel)
            try:
                await work()
                ended = True
            except LucAstraError as error:  # raised outside of the nursery, which would wrap it in a group
                failure = error
            nursery.cancel_scope.cancel()
    if failure is not None:
        raise failure
    return ended


@contextmanager
def _line_editing(history: Path) -> Iterator[bool]:
    """Edit lines, with the history of earlier sittings, where a terminal is there; yields whether it is."""
    if not (sys.stdin.isatty() and sys.stdout.isatty()):
        yield False
        return
    try:
        import readline
    except ImportError:  # a Python that was built without it
        yield True
        return

    def complete(text: str, number: int) -> str | None:
        return next(iter([name for name in _COMMANDS if text and name.startswith(text)][number:]), None)

    readline.set_completer(complete)
    readline.set_completer_delims(" \n")
    readline.parse_and_bind("tab: complete")
    readline.set_history_length(_HISTORY_LINES)
    with suppress(OSError):  # that of the first sitting is not there yet
        readline.read_history_file(history)
    try:
        yield True
    finally:
        with suppress(OSError):  # a home that cannot be written is no reason to fail
            os.close(os.open(history, os.O_CREAT | os.O_WRONLY, 0o600))
            readline.write_history_file(history)
