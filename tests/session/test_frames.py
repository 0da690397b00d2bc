"""What is no JSON-RPC: answered where an id is known, closed where the stream cannot be followed."""

import pytest
from lucastra_protocol.framing import frame
from peer import serving

pytestmark = pytest.mark.trio


@pytest.mark.parametrize(
    "data",
    [
        b"GET / HTTP/1.1\r\n\r\n",
        b"Content-Length: -5\r\n\r\n",
        b"Content-Length: 99999999999\r\n\r\n",
        b"Content-Length: many\r\n\r\n{}",
        b"x" * 5000,
        frame(b"{"),
        frame(b"not json"),
        frame(b"\xff\xfe"),
        frame(b"[" * 100_000),
    ],
)
async def test_an_unreadable_stream_is_closed_without_a_word(data: bytes, caplog: pytest.LogCaptureFixture) -> None:
    async with serving(greet=False) as (peer, _):
        await peer.stream.send_all(data)
        assert await peer.until_closed() == []
    assert "closed a connection" in caplog.text


@pytest.mark.parametrize("body", [b'{"jsonrpc":"2.0","id":7,"method":"x","params":{', b'{"id":7,"method":]}'])
async def test_broken_json_with_a_readable_id_is_answered_and_closed(body: bytes) -> None:
    async with serving(greet=False) as (peer, _):
        await peer.stream.send_all(frame(body))
        messages = await peer.until_closed()
    assert messages == [
        {"jsonrpc": "2.0", "id": 7, "error": {"code": -32700, "message": "the message is not valid JSON"}}
    ]


@pytest.mark.parametrize(
    "body", [b'{"jsonrpc":"2.0","id":7,"method":5}', b'{"jsonrpc":2,"id":7,"method":"lucastra/status"}']
)
async def test_an_invalid_request_is_answered_and_the_stream_goes_on(body: bytes) -> None:
    async with serving() as (peer, _):
        await peer.stream.send_all(frame(body))
        assert (await peer.reply(7))["error"]["code"] == -32600
        await peer.ask("lucastra/status")


@pytest.mark.parametrize(
    "body",
    [
        b"[]",
        b'[{"jsonrpc":"2.0","id":1,"method":"lucastra/status"}]',
        b"null",
        b"{}",
        b'{"jsonrpc":"2.0","method":5}',
        b'{"id":1.5,"method":"lucastra/status"}',
        b'{"id":true,"method":"lucastra/status"}',
        b'{"id":[1],"method":"lucastra/status"}',
    ],
)
async def test_json_that_is_no_message_is_answered_without_an_id_and_the_stream_goes_on(body: bytes) -> None:
    async with serving() as (peer, _):
        await peer.stream.send_all(frame(body))
        await peer.ask("lucastra/status")
        refusals = [message for message in peer.received if message["id"] is None]
        assert [refusal["error"]["code"] for refusal in refusals] == [-32600]


@pytest.mark.parametrize("msg_id", [0, -1, 2**80, "", "ü", "7"])
async def test_any_id_comes_back_as_it_was(msg_id: int | str) -> None:
    async with serving(greet=False) as (peer, _):
        await peer.start("lucastra/status", msg_id=msg_id)
        assert (await peer.reply(msg_id))["id"] == msg_id


async def test_a_request_with_a_null_id_is_dropped() -> None:
    async with serving() as (peer, _):
        await peer.send({"jsonrpc": "2.0", "id": None, "method": "lucastra/status"})
        await peer.ask("lucastra/status")
        assert all(message["id"] is not None for message in peer.received)


@pytest.mark.parametrize("params", [b"\xff\xfe", b'"\\ud800"', b"[" * 50_000 + b"]" * 50_000])
async def test_params_that_cannot_be_decoded_end_at_worst_this_session(params: bytes) -> None:
    async with serving() as (peer, _):
        await peer.stream.send_all(
            frame(b'{"jsonrpc":"2.0","id":7,"method":"lucastra/search","params":{"query":%s}}' % params)
        )
        assert (await peer.reply(7))["error"]["code"] in (-32602, -32700)


async def test_any_slicing_of_the_stream_is_the_same_stream() -> None:
    request = frame(b'{"jsonrpc":"2.0","id":1,"method":"lucastra/hello","params":'
                    b'{"clientName":"t","clientVersion":"1","protocolVersion":1}}')  # fmt: skip
    async with serving(greet=False) as (peer, _):
        for byte in request:
            await peer.stream.send_all(bytes([byte]))
        assert "result" in await peer.reply(1)
