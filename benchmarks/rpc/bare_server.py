"""The least that answers a request on Trio: frames, an envelope, a reply; no methods, no sessions.

python bare_server.py SOCKET
"""

import os
import sys

import msgspec
import trio
from lucastra_protocol.framing import FrameReader, frame
from lucastra_protocol.types import Envelope

_ENVELOPE = msgspec.json.Decoder(Envelope)
_RECEIVE_BYTES = 64 * 1024


async def serve(stream: trio.SocketStream) -> None:
    """Answer every request of one client by nothing."""
    frames = FrameReader()
    while data := await stream.receive_some(_RECEIVE_BYTES):
        for body in frames.feed(bytes(data)):
            reply = {"jsonrpc": "2.0", "id": _ENVELOPE.decode(body).id, "result": None}
            os.write(stream.socket.fileno(), frame(msgspec.json.encode(reply)))


async def main(path: str) -> None:
    """Listen at `path` for ever."""
    listener = trio.socket.socket(trio.socket.AF_UNIX)
    await listener.bind(path)
    listener.listen()
    await trio.serve_listeners(serve, [trio.SocketListener(listener)])


if __name__ == "__main__":
    trio.run(main, sys.argv[1])
