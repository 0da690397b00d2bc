"""The blocking client, over a real unix socket to a daemon on another thread's loop."""

import inspect
import socket
import tempfile
import threading
from collections.abc import Callable, Iterator
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path
from queue import Queue

import pytest
import trio
from fake_daemon import Answer, FakeDaemon, hit
from lucastra_client import BlockingClient, Client, LucAstraError
from lucastra_client.blocking_answers import BlockingConversations, BlockingStream
from lucastra_client.conversations import Conversations
from lucastra_client.streams import AnswerStream
from lucastra_protocol import answers
from lucastra_protocol import types as wire
from lucastra_protocol.errors import ErrorCode
from lucastra_protocol.paths import Paths
from lucastra_protocol.version import PROTOCOL_VERSION, __version__

HELLO = wire.HelloResult(
    daemon_version=__version__, protocol_version=PROTOCOL_VERSION, pid=1, uptime_seconds=0.0, home="/"
)


async def _search(params: wire.SearchParams) -> wire.SearchResult:
    return wire.SearchResult(hits=[hit()], notices=[params.query])


async def _list(params: answers.ListParams) -> answers.ListResult:
    return answers.ListResult(total=params.limit)


async def _hang(_: wire.Empty) -> wire.Empty:
    await trio.sleep_forever()
    raise AssertionError


ANSWERS: dict[str, Answer] = {"lucastra/hello": HELLO, "lucastra/search": _search, "lucastra/doctor": _hang}
ANSWERS |= {
    "lucastra/ask": wire.AskResult(answer="It is."),
    "lucastra/conversation/list": _list,
    "lucastra/complete": LucAstraError("no model", code=ErrorCode.CONFIG_INVALID),
}
EVENTS = [answers.DeltaEvent(text="It "), answers.DeltaEvent(text="is.")]


@pytest.fixture
def paths() -> Iterator[Paths]:
    """The paths of a daemon that listens for as long as the test runs."""
    # Not tmp_path: the kernel takes socket paths of at most 107 bytes.
    with tempfile.TemporaryDirectory(dir="/tmp") as folder, socket.socket(socket.AF_UNIX) as listening:
        paths = Paths(home=Path(folder), run=Path(folder))
        listening.bind(str(paths.socket))
        listening.listen()
        scope = trio.CancelScope()
        token: Queue[trio.lowlevel.TrioToken] = Queue()
        thread = threading.Thread(target=trio.run, args=(_serve, listening, scope, token.put))
        thread.start()
        yield paths
        token.get().run_sync_soon(scope.cancel)
        thread.join()


async def _serve(
    listening: socket.socket, scope: trio.CancelScope, started: Callable[[trio.lowlevel.TrioToken], None]
) -> None:
    async def serve_one(stream: trio.SocketStream) -> None:
        await FakeDaemon(stream, ANSWERS, events=EVENTS).serve()

    listening.setblocking(False)
    started(trio.lowlevel.current_trio_token())
    with scope:
        await trio.serve_listeners(serve_one, [trio.SocketListener(trio.socket.from_stdlib_socket(listening))])


def test_it_has_every_method_of_the_async_client_with_the_same_signature() -> None:
    def methods(kind: type) -> dict[str, str]:
        return {
            name: str(inspect.signature(member)).replace(f"{BlockingStream.__module__}.Blocking", "streams.Answer")
            for name, member in inspect.getmembers(kind, inspect.isfunction)
            if not name.startswith("_") and name not in {"close", "following"}
        }

    def expected(kind: type) -> dict[str, str]:
        return {name: text.replace(AnswerStream.__module__, "streams") for name, text in methods(kind).items()}

    assert methods(BlockingClient) == expected(Client)
    assert methods(BlockingConversations) == expected(Conversations)


def test_an_answer_is_iterated_over_while_it_is_written(paths: Paths) -> None:
    with BlockingClient(paths) as client:
        stream = client.ask_stream("where?")
        with pytest.raises(RuntimeError):
            _ = stream.result
        assert list(stream) == EVENTS
        assert stream.result.answer == "It is."
        with client.ask_stream("where?") as left_early:
            assert next(left_early) == EVENTS[0]
        with pytest.raises(LucAstraError, match="no model"):
            list(client.complete_stream("hello"))
        assert client.conversations.list(limit=7).total == 7


def test_threads_share_one_client(paths: Paths) -> None:
    queries = [f"q{number}" for number in range(50)]
    with BlockingClient(paths) as client, ThreadPoolExecutor(8) as pool:
        results = list(pool.map(client.search, queries))
    assert [result.notices for result in results] == [[query] for query in queries]


def test_closing_it_fails_the_calls_that_wait_in_other_threads(paths: Paths) -> None:
    with ThreadPoolExecutor(1) as pool:
        with BlockingClient(paths) as client:
            waiting = pool.submit(client.doctor)
            client.search("the doctor's request is on its way, or will find the client closed")
        error = waiting.exception()
    assert isinstance(error, LucAstraError)
    assert error.code is ErrorCode.DAEMON_UNREACHABLE


def test_a_closed_client_says_so(paths: Paths) -> None:
    with BlockingClient(paths) as client:
        pass
    client.close()
    with pytest.raises(LucAstraError, match="closed"):
        client.search("x")


def test_a_client_that_was_never_opened_says_how() -> None:
    with pytest.raises(LucAstraError, match="with BlockingClient"):
        BlockingClient().search("x")


def test_a_connection_that_cannot_be_made_is_raised_to_the_opener(tmp_path: Path) -> None:
    (tmp_path / "file").touch()
    unusable = tmp_path / "file" / "home"
    with pytest.raises(LucAstraError) as raised, BlockingClient(Paths(home=unusable, run=unusable)):
        pass
    assert raised.value.code is ErrorCode.DAEMON_UNREACHABLE
