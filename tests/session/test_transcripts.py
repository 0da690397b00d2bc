"""The golden transcripts: a client that says what they say is answered as they say."""

import json
from pathlib import Path
from typing import Any, Union

import msgspec
import pytest
import trio
import trio.testing
from lucastra_protocol.framing import FrameReader, frame
from lucastra_protocol.methods import CLIENT_NOTIFICATIONS, METHODS, NOTIFICATIONS, Method
from peer import Peer
from transcripts import FOLDER, Expected, Line, Mismatch, Transcript, compare, fill, play, replay

NAMES = sorted(path.stem for path in FOLDER.glob("*.jsonl"))
CURE = "read the difference that `python tests/session/record_transcripts.py` makes"


@pytest.mark.trio
@pytest.mark.parametrize("name", NAMES)
async def test_the_daemon_answers_as_in_the_transcript(name: str, tmp_path: Path) -> None:
    with trio.fail_after(60):
        try:
            await replay(Transcript.load(FOLDER / f"{name}.jsonl"), tmp_path)
        except Mismatch as error:
            pytest.fail(f"{error}; {CURE}")


@pytest.mark.trio
@pytest.mark.parametrize(
    ("written", "changed", "complaint"),
    [
        ('"protocolVersion": 1, "pid"', '"protocolVersion": 2, "pid"', "result.protocolVersion: expected 2, came 1"),
        ('"code": -32002', '"code": -32600', "error.code: expected -32600, came -32002"),
        ('{"id": 3, "result": {}, "jsonrpc": "2.0"}', "null", "nothing more was expected"),
    ],
)
async def test_what_the_daemon_does_not_say_is_noticed(
    written: str, changed: str, complaint: str, tmp_path: Path
) -> None:
    text = (FOLDER / "hello.jsonl").read_text(encoding="utf-8")
    assert written in text
    (tmp_path / "changed.jsonl").write_text(text.replace(written, changed), encoding="utf-8")
    with trio.fail_after(60), pytest.raises(Mismatch, match=complaint):
        await replay(Transcript.load(tmp_path / "changed.jsonl"), tmp_path)


@pytest.mark.parametrize("name", NAMES)
def test_a_transcript_can_be_read_as_its_readme_says(name: str) -> None:
    header, *lines = [json.loads(line) for line in (FOLDER / f"{name}.jsonl").read_text(encoding="utf-8").splitlines()]
    assert header.keys() == {"about", "indexed", "modelSays", "variables"}
    for line in lines:
        assert line["from"] in {"client", "daemon"}
        assert line.keys() - {"repeats", "until"} in ({"from", "message"}, {"from", "closed"})
        plain = json.dumps(fill(line.get("message"), header["variables"]))
        assert "${" not in plain
        assert '{"$' not in plain


@pytest.mark.parametrize("name", NAMES)
def test_with_its_examples_filled_in_a_transcript_keeps_to_the_contract(name: str) -> None:
    transcript = Transcript.load(FOLDER / f"{name}.jsonl")
    methods = {method.name: method for method in METHODS}
    asked: dict[Any, Method] = {}
    for line in transcript.lines:
        match fill(line.message, transcript.variables):
            case {"id": id_, "method": str(name), "params": params} if name in methods:
                asked[id_] = methods[name]
                if "partialResultToken" in params:
                    asked[params["partialResultToken"]] = methods[name]
            case {"id": id_, "result": result} if id_ in asked:
                msgspec.convert(result, asked[id_].result)
            case {"method": "$/progress", "params": {"token": token, "value": value}} if token in asked:
                msgspec.convert(value, Union[asked[token].events])  # noqa: UP007 - made of a tuple


def test_every_method_and_notification_of_the_contract_is_in_a_transcript() -> None:
    lines = [line for name in NAMES for line in Transcript.load(FOLDER / f"{name}.jsonl").lines]
    said = {line.message.get("method") for line in lines if line.message is not None}
    assert {one.name for one in (*METHODS, *NOTIFICATIONS, *CLIENT_NOTIFICATIONS)} <= said


@pytest.mark.trio
async def test_a_request_is_made_until_it_is_answered_as_the_transcript_says(tmp_path: Path) -> None:
    ours, theirs = trio.testing.memory_stream_pair()
    asked = Line("client", {"id": 1, "method": "search"}, until=True)
    answered = Line("daemon", {"id": 1, "result": 3})

    async def answer(results: list[Any]) -> None:
        frames = FrameReader()
        while results:
            for _ in frames.feed(bytes(await theirs.receive_some())):
                await theirs.send_all(frame(json.dumps({"id": 1, "result": results.pop(0)}).encode()))

    results = [1, 2, 3, 4]
    async with trio.open_nursery() as nursery:
        nursery.start_soon(answer, results)
        await play(Transcript("", False, None, {}, [asked, answered]), Peer(ours), {})
        nursery.cancel_scope.cancel()
    assert results == [4]


def test_variables_are_learned_where_they_are_met_and_held_to_afterwards() -> None:
    known: dict[str, str] = {}
    compare({"id": "${conversation}"}, {"id": "5f0c"}, known)
    compare(["to ${conversation}"], ["to 5f0c"], known)
    with pytest.raises(Mismatch, match=r"message\.id: expected '5f0c', came 'b81e'"):
        compare({"id": "${conversation}"}, {"id": "b81e"}, known)


@pytest.mark.parametrize(
    ("expected", "actual"),
    [
        ({"$integer": 1}, 1.5),
        ({"$integer": 1}, True),
        ({"$number": 0.5}, "0.5"),
        ({"$string": ""}, None),
        ({"a": 1}, {"a": 1, "b": 2}),
        ({"a": 1}, {}),
        ([1, 2], [1]),
        (1, True),
        ("1", 1),
    ],
)
def test_what_is_not_a_placeholder_must_be_the_same(expected: Any, actual: Any) -> None:
    with pytest.raises(Mismatch):
        compare(expected, actual, {})


def test_a_line_that_repeats_takes_any_number_of_messages_and_none() -> None:
    report = {"method": "$/progress", "params": {"$integer": 5}}
    end = {"method": "$/progress", "params": "end"}
    for times in (0, 1, 3):
        expected = Expected([Line("daemon", report, repeats=True), Line("daemon", end)], {})
        for number in range(times):
            expected.take({"method": "$/progress", "params": number})
        assert expected.missing
        expected.take(end)
        assert not expected.missing


def test_news_may_come_before_a_reply_and_after_it() -> None:
    reply, news = {"id": 1, "result": {}}, {"method": "lucastra/conversationChanged", "params": {}}
    for order in ([reply, news], [news, reply]):
        expected = Expected([Line("daemon", reply), Line("daemon", news)], {})
        for message in order:
            expected.take(message)
        assert not expected.missing


def test_what_nobody_expects_is_told() -> None:
    with pytest.raises(Mismatch, match="nothing more was expected"):
        Expected([], {}).take({"id": 1, "result": {}})
