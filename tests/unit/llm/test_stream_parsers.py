"""The stream parsers give the same events however the bytes are split, and hold no more than they may."""

import json
from collections.abc import Sequence
from itertools import pairwise

import pytest
from hypothesis import given
from hypothesis import strategies as st

from lucastrad.llm.ndjson import LineParser
from lucastrad.llm.sse import EventStreamParser, ServerSentEvent, StreamFormatError


def events(pieces: Sequence[bytes]) -> list[ServerSentEvent]:
    parser = EventStreamParser()
    return [event for piece in pieces for event in parser.feed(piece)]


def lines(pieces: Sequence[bytes]) -> list[bytes]:
    parser = LineParser()
    return [line for piece in pieces for line in parser.feed(piece)]


@pytest.mark.parametrize(
    ("stream", "expected"),
    [
        (b"data: a\n\n", [("message", "a")]),
        (b"data:a\n\n", [("message", "a")]),
        (b"data:  a\n\n", [("message", " a")]),
        (b"data: a\r\n\r\n", [("message", "a")]),
        (b"data: a\r\r", [("message", "a")]),
        (b"data: a\rdata: b\n\r\n", [("message", "a\nb")]),
        (b"data: a\ndata\ndata: b\n\n", [("message", "a\n\nb")]),
        (b"event: ping\ndata: {}\n\ndata: x\n\n", [("ping", "{}"), ("message", "x")]),
        (b"event: lost\n\ndata: x\n\n", [("message", "x")]),
        (b": a comment\n\n:\ndata: x\n\n", [("message", "x")]),
        (b"\xef\xbb\xbfdata: x\n\n", [("message", "x")]),
        (b"\xef\xbb\xbf\xef\xbb\xbfdata: lost\n\n", []),
        (b"id: 7\nretry: 10\nunknown: y\ndata: x\n\n", [("message", "x")]),
        (b"data: \xc3\n\n", [("message", "\ufffd")]),
        (b"data: a:b\n\n", [("message", "a:b")]),
        (b"\n\n\ndata: x\n\n\n\n", [("message", "x")]),
        (b"data: unfinished\n", []),
        (b"data: unfinished", []),
        (b"", []),
    ],
)
def test_events_are_read_as_the_standard_says(stream: bytes, expected: list[tuple[str, str]]) -> None:
    assert [(event.type, event.data) for event in events([stream])] == expected
    every_byte = [stream[place : place + 1] for place in range(len(stream))]
    assert events(every_byte) == events([stream])


def split(data: bytes, places: Sequence[int]) -> list[bytes]:
    ordered = sorted({min(place, len(data)) for place in places} | {0, len(data)})
    return [data[start:end] for start, end in pairwise(ordered)]


FIELDS = st.sampled_from(["data: ", "data:", "data", "event: ", ": ", "id: ", "\ufeff", "da", ""])
TEXTS = st.text(st.sampled_from("aé“🙂 :\u2028"), max_size=6)
ENDS = st.sampled_from(["\n", "\r", "\r\n", "\n\n", "\r\n\r\n", "\r\r", "\n\r"])
STREAMS = st.lists(st.tuples(FIELDS, TEXTS, ENDS), max_size=12).map(
    lambda parts: "".join("".join(part) for part in parts).encode()
)


@given(STREAMS, st.booleans(), st.lists(st.integers(0, 200), max_size=20))
def test_any_split_of_an_event_stream_gives_the_same_events(stream: bytes, marked: bool, places: list[int]) -> None:
    whole = b"\xef\xbb\xbf" * marked + stream
    assert events(split(whole, places)) == events([whole])
    assert events([whole[at : at + 1] for at in range(len(whole))]) == events([whole])


@given(st.lists(TEXTS.filter(bool), min_size=1, max_size=5), st.sampled_from(["\n", "\r", "\r\n"]))
def test_every_two_pieces_of_an_event_stream_give_the_events_that_were_written(texts: list[str], end: str) -> None:
    whole = "".join(f"data: {text}{end}{end}" for text in texts).encode()
    for place in range(len(whole) + 1):
        assert [event.data for event in events([whole[:place], whole[place:]])] == texts


@given(st.binary(max_size=300), st.lists(st.integers(0, 300), max_size=10))
def test_no_bytes_break_the_event_parser(noise: bytes, places: list[int]) -> None:
    assert events(split(noise, places)) == events([noise])


JSON = st.recursive(
    st.none() | st.booleans() | st.integers() | st.text(max_size=8),
    lambda inner: st.lists(inner, max_size=3) | st.dictionaries(st.text(max_size=4), inner, max_size=3),
    max_leaves=8,
)


@given(st.lists(JSON, max_size=6), st.sampled_from(["\n", "\r\n", "\n\n"]))
def test_every_two_pieces_of_json_lines_give_the_documents_that_were_written(trees: list[object], end: str) -> None:
    whole = "".join(json.dumps(tree, ensure_ascii=False) + end for tree in trees).encode("utf-8", "surrogatepass")
    for place in range(len(whole) + 1):
        assert [json.loads(line) for line in lines([whole[:place], whole[place:]])] == trees


@given(st.binary(max_size=300), st.lists(st.integers(0, 300), max_size=10))
def test_any_split_of_lines_gives_the_same_lines(noise: bytes, places: list[int]) -> None:
    assert lines(split(noise, places)) == lines([noise])


def test_a_line_without_its_end_is_not_given_out() -> None:
    assert lines([b'{"done": false}\n{"done": true}']) == [b'{"done": false}']


@pytest.mark.parametrize(
    "pieces",
    [
        [b"data: " + b"x" * 200],
        [b"data: " + b"x" * 40 + b"\n"] * 5,
        [b"x" * 30] * 5,
        [b"data: " + b"x" * 200 + b"\n\n"],
    ],
    ids=["one line", "many lines of one event", "no line at all", "a whole event"],
)
def test_an_event_that_is_too_large_is_refused_after_the_ones_before_it(pieces: list[bytes]) -> None:
    parser = EventStreamParser(max_event_bytes=100)
    seen = []
    with pytest.raises(StreamFormatError, match="100 bytes"):
        for piece in [b"data: first\n\n", *pieces]:
            for event in parser.feed(piece):
                seen.append(event.data)
    assert seen == ["first"]


def test_small_events_do_not_add_up_to_a_large_one() -> None:
    parser = EventStreamParser(max_event_bytes=100)
    for _ in range(1000):
        assert len(list(parser.feed(b"data: 0123456789\n\n"))) == 1


@pytest.mark.parametrize("piece", [b"x" * 101, b"x" * 101 + b"\n"])
def test_a_line_that_is_too_long_is_refused_after_the_ones_before_it(piece: bytes) -> None:
    parser = LineParser(max_line_bytes=100)
    assert list(parser.feed(b"{}\n")) == [b"{}"]
    with pytest.raises(StreamFormatError, match="100 bytes"):
        list(parser.feed(piece))
