"""`python -m lucastra_client.mcp_server [FOLDER]`: what `lucastrad mcp` runs."""

import signal
import sys
from pathlib import Path

import trio
from lucastra_protocol.errors import LucAstraError

_PROGRAM = "lucastrad mcp"
_CURE = 'install it with `pip install "lucastra[mcp]"`'


def main(arguments: list[str]) -> int:
    """Serve an agent in the folder that is named, else the working folder; return the exit status."""
    try:  # imported here: without the extra, or with another SDK, the user is told what to install
        from lucastra_client.mcp_server.serving import serve_stdio
    except ModuleNotFoundError as error:
        if error.name is None or error.name.startswith("lucastra"):
            raise
        return _fail(f"the MCP SDK is missing ({error.name}); {_CURE}")
    except ImportError as error:
        return _fail(f"this MCP SDK is of another version ({error}); {_CURE}")
    # The SDK reads in a thread that nothing wakes but input: Trio would wait for it after Ctrl-C. There is nothing
    # to clean up; the daemon cancels what a connection has left behind.
    signal.signal(signal.SIGINT, signal.SIG_DFL)
    try:
        trio.run(serve_stdio, Path(arguments[0]) if arguments else Path())
    except LucAstraError as error:
        return _fail(error.message)
    return 0


def _fail(message: str) -> int:
    print(f"{_PROGRAM}: {message}", file=sys.stderr)
    return 1


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))
