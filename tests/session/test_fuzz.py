"""Hostile and broken input, generated: nothing ends the daemon, nothing is answered twice."""

import contextlib
import itertools
import json
import logging
import os
import random
from collections.abc import Iterator
from typing import Any

import msgspec
import pytest
import trio
import trio.testing
from fakes import Fakes
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st
from lucastra_protocol.errors import ErrorCode
from lucastra_protocol.framing import FrameReader, frame
from peer import Peer, serving

from lucastrad.server.handlers.daemon import resident_bytes

_JSON = st.recursive(
    st.none() | st.booleans() | st.integers() | st.floats(allow_nan=False) | st.text(max_size=8),
    lambda inner: st.lists(inner, max_size=3) | st.dictionaries(st.text(max_size=6), inner, max_size=3),
    max_leaves=8,
)
_METHODS = st.sampled_from(
    [
        "lucastra/search",
        "lucastra/index",
        "lucastra/files",
        "initialize",
        "initialized",
        "$/cancelRequest",
        "$/progress",
        "$/setTrace",
        "window/workDoneProgress/cancel",
        "textDocument/didOpen",
        "textDocument/didChange",
        "textDocument/didClose",
        "notebookDocument/didOpen",
        "notebookDocument/didChange",
        "workspace/didChangeWorkspaceFolders",
        "workspace/executeCommand",
        "lucastra/nonsense",
        "",
    ]
)
_ENVELOPES = st.fixed_dictionaries(
    {},
    optional={
        "jsonrpc": st.just("2.0") | _JSON,
        "id": st.integers(1, 5) | st.text(max_size=3) | _JSON,
        "method": _METHODS | _JSON,
        "params": _JSON
        | st.fixed_dictionaries(
            {},
            optional={
                "query": _JSON,
                "id": _JSON,
                "path": _JSON,
                "capabilities": _JSON,
                "textDocument": _JSON,
                "contentChanges": _JSON,
                "event": _JSON,
                "token": _JSON,
            },
        ),
        "result": _JSON,
        "error": _JSON,
    },
)
_VALID = _ENVELOPES.map(lambda envelope: json.dumps(envelope).encode())
_BROKEN_IDS = st.binary(max_size=4).map(lambda junk: b'{"jsonrpc":"2.0","id":"%s","method":]}' % junk)
_DAMAGED = st.builds(
    lambda body, place, junk: body[: place % (len(body) + 1)] + junk + body[place % (len(body) + 1) + 1 :],
    _VALID,
    st.integers(0, 200),
    st.binary(max_size=3),
)
_BODIES = st.lists(st.one_of(_VALID, _DAMAGED, _BROKEN_IDS, st.binary(max_size=60)), max_size=8)


@pytest.mark.parametrize("initialized", [False, True])
def test_whatever_a_client_sends_the_daemon_lives_and_answers_each_request_at_most_once(initialized: bool) -> None:
    @settings(max_examples=60, deadline=None, suppress_health_check=list(HealthCheck))
    @given(_BODIES)
    def check(bodies: list[bytes]) -> None:
        trio.run(_survives, bodies, initialized)

    check()


async def _survives(bodies: list[bytes], initialized: bool) -> None:
    async with serving() as (peer, _):
        if initialized:
            await peer.initialize()
        already = len(peer.received)
        await peer.stream.send_all(b"".join(frame(body) for body in bodies))
        await trio.testing.wait_all_tasks_blocked()
        with contextlib.suppress(trio.BrokenResourceError):  # what it sent may have closed the session
            await peer.start("lucastra/status", msg_id="last")
        while await peer.receive() and peer.received[-1].get("id") != "last":
            pass
        replies = [message for message in peer.received[already:] if "method" not in message]
        unanswered = ["last", *_ids(bodies)]
        for reply in replies:
            of_broken_json = reply.get("error", {}).get("code") == ErrorCode.PARSE_ERROR
            if reply["id"] is not None and not of_broken_json:
                unanswered.remove(reply["id"])
        assert len(replies) <= len(bodies) + 1


def _ids(bodies: list[bytes]) -> list[Any]:
    ids = []
    for body in bodies:
        try:
            # As the daemon reads it: a key that is no UTF-8 is one that it does not know.
            ids.append(msgspec.json.decode(body.decode("utf-8", "replace"), type=dict[str, Any]).get("id"))
        except msgspec.MsgspecError:
            continue
    return ids


@given(st.lists(st.binary(max_size=40), max_size=5), st.lists(st.integers(0, 200), max_size=6))
def test_frames_survive_any_slicing(bodies: list[bytes], cuts: list[int]) -> None:
    stream = b"".join(frame(body) for body in bodies)
    reader = FrameReader()
    edges = sorted({0, len(stream), *(cut for cut in cuts if cut < len(stream))})
    pieces = [stream[start:end] for start, end in itertools.pairwise(edges)]
    assert [body for piece in pieces for body in reader.feed(piece)] == bodies


FRAMES = int(os.environ.get("LUCASTRA_FUZZ_FRAMES", "20000"))
"""How many frames the long run sends; a million take some minutes."""
_GROWTH_BYTES = 20 * 1024 * 1024
_SEEDS: list[dict[str, Any]] = [
    {"method": "lucastra/search", "params": {"query": "load", "limit": 3, "workspaces": ["/projects"]}},
    {"method": "lucastra/ask", "params": {"question": "where?", "partialResultToken": "t"}},
    {"method": "lucastra/index", "params": {"path": "/projects/project", "workDoneToken": 7}},
    {"method": "lucastra/read", "params": {"path": "/projects/project/a.py", "line": 2}},
    {"method": "workspace/symbol", "params": {"query": "load", "partialResultToken": 3}},
    {"method": "workspace/executeCommand", "params": {"command": "lucastra.search", "arguments": [
        {"query": "x", "show": False}]}},
    {"method": "workspace/didChangeConfiguration", "params": {"settings": {"lucastra": {"search": {"limit": 3}}}}},
    {"method": "workspace/didChangeWorkspaceFolders", "params": {"event": {"added": [
        {"uri": "file:///projects/other", "name": "other"}], "removed": []}}},
    {"method": "textDocument/didOpen", "params": {"textDocument": {
        "uri": "file:///a.py", "languageId": "python", "version": 1, "text": "x = 1\n"}}},
    {"method": "textDocument/didChange", "params": {"textDocument": {"uri": "file:///a.py", "version": 2},
        "contentChanges": [{"text": "y", "range": {"start": {"line": 0, "character": 0},
                                                  "end": {"line": 0, "character": 1}}}]}},
    {"method": "textDocument/didClose", "params": {"textDocument": {"uri": "file:///a.py"}}},
    {"method": "textDocument/codeAction", "params": {"textDocument": {"uri": "file:///a.py"}, "context": {
        "diagnostics": []}, "range": {"start": {"line": 0, "character": 0}, "end": {"line": 0, "character": 1}}}},
    {"method": "textDocument/inlineCompletion", "params": {"textDocument": {"uri": "file:///a.py"}, "context": {
        "triggerKind": 1}, "position": {"line": 0, "character": 1}}},
    {"method": "$/cancelRequest", "params": {"id": 3}},
    {"method": "$/setTrace", "params": {"value": "verbose"}},
    {"method": "window/workDoneProgress/cancel", "params": {"token": 7}},
    {"result": {"success": True}},
    {"error": {"code": -32601, "message": "no"}},
]  # fmt: skip
_ODD: list[Any] = [None, True, -1, 2**70, 1.5, "", "\ud800", "x" * 300, [], {}, [[[]]], {"": {}}, "file:///%00", "/"]


def _fuzzed(generator: random.Random) -> bytes:
    """A message that was right before something happened to it."""
    message = {"jsonrpc": "2.0", "id": generator.randrange(8), **generator.choice(_SEEDS)}
    text = json.dumps(message)
    if generator.random() < 0.3:
        return text.encode()
    if generator.random() < 0.85:  # another value in some place: the message stays JSON
        message = json.loads(text)
        places = list(_places(message))
        place, key = generator.choice(places)
        if generator.random() < 0.2:
            del place[key]
        else:
            place[key] = generator.choice(_ODD)
        return json.dumps(message).encode()
    body = bytearray(text.encode())
    for _ in range(generator.randrange(1, 4)):
        body[generator.randrange(len(body))] = generator.randrange(256)
    return bytes(body)


def _places(value: Any) -> Iterator[tuple[Any, Any]]:
    """Every place in a JSON value, as its container and its key there."""
    keys = value if isinstance(value, dict) else range(len(value))
    for key in list(keys):
        yield value, key
        if isinstance(value[key], dict | list):
            yield from _places(value[key])


@pytest.mark.slow
@pytest.mark.timeout(0)
@pytest.mark.trio
async def test_a_long_run_of_fuzzed_frames_leaves_the_daemon_serving_and_no_larger(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    monkeypatch.setattr(logging.root.manager, "disable", logging.CRITICAL)  # pytest would keep all that is logged
    generator = random.Random(20261122)
    fakes = Fakes()
    sent = 0

    async def send(frames: int) -> None:
        nonlocal sent
        goal = sent + frames
        while sent < goal:
            async with serving(fakes) as (peer, _):
                await peer.initialize(capabilities={"window": {"workDoneProgress": True}})
                with contextlib.suppress(trio.BrokenResourceError):
                    while sent < goal:
                        batch = [_fuzzed(generator) for _ in range(50)]
                        sent += len(batch)
                        await peer.stream.send_all(b"".join(map(frame, batch)))
                        await _taken(peer)
            for remembered in (fakes.search.queries, fakes.symbols.asked, fakes.workspaces.attached,
                               fakes.workspaces.followed, fakes.workspaces.read_places):  # fmt: skip
                remembered.clear()

    await send(max(5_000, FRAMES // 50))
    before = resident_bytes()
    await send(FRAMES)
    grown = resident_bytes() - before
    print(f"{sent} frames, {grown / 2**20:.1f} MiB more")
    async with serving(fakes) as (peer, _):
        await peer.ask("lucastra/status")
    assert grown < _GROWTH_BYTES


async def _taken(peer: Peer) -> None:
    """Read what the daemon has answered so far; BrokenResourceError once it has closed the connection."""
    await trio.testing.wait_all_tasks_blocked()
    await peer.start("lucastra/workspaces", {}, msg_id="taken")
    while not any(message.get("id") == "taken" for message in peer.received):
        if not await peer.receive():
            raise trio.BrokenResourceError
    peer.received.clear()
