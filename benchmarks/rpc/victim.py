"""A client that is to be killed with requests under way.

    python victim.py COUNT [QUERY …]

Opens a session, sends COUNT searches, says `sent` and never reads a reply.
"""

import itertools
import sys

import msgspec
import trio
from lucastra_protocol.connect import connect, say_hello
from lucastra_protocol.framing import frame
from lucastra_protocol.paths import Paths
from lucastra_protocol.types import SEARCH, SearchParams


async def main(count: int, queries: list[str]) -> None:
    stream = await connect(Paths.from_environment())
    assert stream is not None
    await say_hello(stream, client_name="victim")
    for number, query in zip(range(count), itertools.cycle(queries), strict=False):
        search = {"jsonrpc": "2.0", "id": number, "method": SEARCH.name, "params": SearchParams(query=query)}
        await stream.send_all(frame(msgspec.json.encode(search)))
    print("sent", flush=True)
    await trio.sleep_forever()


if __name__ == "__main__":
    trio.run(main, int(sys.argv[1]), sys.argv[2:])
