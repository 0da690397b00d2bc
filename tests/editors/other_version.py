"""A `lucastrad` of another version of the contract, as editors meet it: `--version`, and enough of LSP over `--stdio`.

It says the protocol's version that the environment's OTHER_PROTOCOL names, refuses every request of LucAstra's own but
the hello, and goes on completing.
"""

import json
import os
import stat
import sys
from pathlib import Path
from typing import Any

RELEASE = "9.0.0"
COMPLETION = "still_completes()"
_CAPABILITIES = {"positionEncoding": "utf-16", "textDocumentSync": 2, "inlineCompletionProvider": {}}


def install(folder: Path, protocol: int) -> Path:
    """Write a program `lucastrad` into `folder`, which is made; returns the program."""
    folder.mkdir(parents=True, exist_ok=True)
    program = folder / "lucastrad"
    program.write_text(f'#!/bin/sh\nOTHER_PROTOCOL={protocol} exec "{sys.executable}" "{__file__}" "$@"\n')
    program.chmod(program.stat().st_mode | stat.S_IXUSR)
    return program


def main() -> None:
    """Do what the first argument asks for."""
    if sys.argv[1] == "--version":
        print(f"lucastrad {RELEASE}")
        return
    while (message := _receive()) is not None and message["method"] != "exit":
        if "id" in message:
            _send({"jsonrpc": "2.0", "id": message["id"], **_answer(message["method"])})


def _answer(method: str) -> dict[str, Any]:
    protocol = int(os.environ["OTHER_PROTOCOL"])
    results = {
        "initialize": {"capabilities": _CAPABILITIES, "serverInfo": {"name": "lucastrad", "version": RELEASE}},
        "lucastra/hello": {
            "daemonVersion": RELEASE,
            "protocolVersion": protocol,
            "pid": os.getpid(),
            "uptimeSeconds": 1.0,
            "home": "/nowhere",
        },
        "textDocument/inlineCompletion": {"items": [{"insertText": COMPLETION}]},
    }
    if method.startswith("lucastra/") and method not in results:
        return {"error": {"code": -33005, "message": f"the extension asked for {method} all the same"}}
    return {"result": results.get(method)}


def _receive() -> Any:
    length = 0
    while (line := sys.stdin.buffer.readline().strip()) != b"":
        name, _, value = line.partition(b":")
        if name.lower() == b"content-length":
            length = int(value)
    return json.loads(sys.stdin.buffer.read(length)) if length else None


def _send(message: dict[str, Any]) -> None:
    body = json.dumps(message).encode()
    sys.stdout.buffer.write(b"Content-Length: %d\r\n\r\n%s" % (len(body), body))
    sys.stdout.buffer.flush()


if __name__ == "__main__":
    main()
