"""Hostile and broken input, generated: nothing ends the daemon, nothing is answered twice."""

import contextlib
import itertools
import json
from typing import Any

import msgspec
import pytest
import trio
import trio.testing
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st
from lucastra_protocol.errors import ErrorCode
from lucastra_protocol.framing import FrameReader, frame
from peer import serving

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
