"""What the benchmark of inline completions measures: its places, the upstream's side, and what is ours."""

from pathlib import Path

import pytest
import trio

from benchmarks.errors import BenchmarkError
from benchmarks.providers.completing import places
from benchmarks.providers.results import Completions, CompletionTimes
from benchmarks.providers.tap import instant, is_whole, tap_before

SOURCE = "import os\n" * 60 + (
    "class Shop:\n"
    "    def total(self, basket):\n"
    "        return sum(item.price for item in basket)\n"
    "\n"
    "    def close(self):\n"
    "        pass\n"
)
REQUEST = b"POST /infill HTTP/1.1\r\nHost: a\r\nContent-Length: 2\r\n\r\n{}"


def test_what_is_neither_context_nor_upstream_is_ours() -> None:
    times = CompletionTimes(total_ms=250.0, context_ms=30.0, upstream_ms=212.0, told_ms=214.0)
    assert times.ours_ms == 8.0
    summary = Completions.of("a model", [times, CompletionTimes(10.0, 1.0, 5.0, 6.0)], offered=1)
    assert (summary.ours_ms.p50, summary.ours_ms.p95) == (4.0, 8.0)
    assert summary.total_ms.count == 2


def test_places_are_half_written_statements_and_methods_without_a_body(tmp_path: Path) -> None:
    for name in ("a.py", "b.py"):
        (tmp_path / name).write_text(SOURCE)
    (tmp_path / "short.py").write_text("class A:\n    def f(self):\n        return 1\n")
    statement, method = places(tmp_path, 2)
    written = statement.text.split("\n")[statement.line]
    assert SOURCE.split("\n")[62].startswith(written)
    assert len(written) == statement.character < len(SOURCE.split("\n")[62])
    lines = method.text.split("\n")
    assert lines[method.line].startswith("    def ")
    assert lines[method.line + 1] == ""
    assert places(tmp_path, 2) == [statement, method]
    with pytest.raises(BenchmarkError, match="2 places"):
        places(tmp_path, 3)


@pytest.mark.parametrize("cut", [1, 30, len(REQUEST) - 1])
def test_a_request_is_whole_with_its_body(cut: int) -> None:
    assert is_whole(REQUEST)
    assert not is_whole(REQUEST[:cut])


@pytest.mark.trio
async def test_the_upstreams_side_is_noted_from_the_whole_request_to_the_close() -> None:
    with trio.fail_after(20):
        async with instant([b"data: {}\n\n"]) as server, tap_before(server.address) as tap:
            host, _, port = tap.address.removeprefix("http://").partition(":")
            stream = await trio.open_tcp_stream(host, int(port))
            for number in (1, 2):
                await stream.send_all(REQUEST[:40])
                await tap.until(lambda number=number: len(tap.exchanges) == number)
                begun = tap.exchanges[-1].asked_at
                await stream.send_all(REQUEST[40:])
                answer = b""
                while not answer.endswith(b"0\r\n\r\n"):
                    answer += await stream.receive_some()
                assert b"data: {}" in answer
                assert tap.exchanges[-1].asked_at > begun
            await stream.aclose()
            await tap.until(lambda: tap.exchanges[-1].closed_at is not None)
    first, second = tap.exchanges
    assert first.closed_at is None
    assert 0 <= second.upstream_ms < 20_000
    assert second.closed_at is not None
    assert second.answered_at is not None
    assert second.closed_at >= second.answered_at
