"""Requests: parameters in, results out, every failure answered once with its code."""

from collections import Counter
from pathlib import Path
from random import Random
from typing import Any

import pytest
import trio
from fakes import Fakes, hit
from lucastra_protocol.errors import ErrorCode, LucAstraError
from peer import serving

from lucastrad.server.session import MAX_RUNNING_REQUESTS, MAX_WAITING_REQUESTS
from lucastrad.types import Freshness, Hit, IndexProgress, SearchMode, SearchOutcome, SearchQuery, WorkspaceState

pytestmark = pytest.mark.trio


async def test_search_translates_query_and_hits() -> None:
    fakes = Fakes()
    async with serving(fakes) as (peer, _):
        result = await peer.ask(
            "lucastra/search",
            {
                "query": "load config",
                "mode": "keyword",
                "limit": 3,
                "workspaces": ["/projects/project/", "file:///projects/caf%C3%A9"],
                "paths": ["*.py"],
                "explain": True,
            },
        )
    assert fakes.search.queries == [
        SearchQuery("load config", SearchMode.KEYWORD, 3, ("/projects/project", "/projects/café"), ("*.py",))
    ]
    assert result.pop("elapsedMs") >= 0
    assert result == {
        "hits": [
            {
                "uri": "file:///projects/project/src/config.py",
                "path": "src/config.py",
                "workspace": "/projects/project",
                "range": {"start": {"line": 2, "character": 0}, "end": {"line": 4, "character": 0}},
                "content": "def load_config(): ...",
                "score": 1.0,
                "language": "python",
                "symbol": "load_config",
                "kind": "function",
                "components": {"keyword": 0.5, "vector": 0.25},
            }
        ],
        "freshness": "stale",
        "notices": ["two files wait"],
    }


async def test_read_translates_lines_and_an_odd_name() -> None:
    fakes = Fakes()
    async with serving(fakes) as (peer, _):
        result = await peer.ask("lucastra/read", {"path": "file:///projects/project/caf%E9.py", "line": 2, "limit": 2})
    assert fakes.workspaces.read_places == [(Path("/projects/project/caf\udce9.py"), 3, 2)]
    assert result == {
        "uri": "file:///projects/project/caf%E9.py",
        "path": "caf\ufffd.py",
        "workspace": "/projects/project",
        "range": {"start": {"line": 2, "character": 0}, "end": {"line": 4, "character": 0}},
        "content": "a\nb\n",
        "totalLines": 9,
    }


async def test_components_come_only_when_explain_was_asked() -> None:
    async with serving() as (peer, _):
        assert "components" not in (await peer.ask("lucastra/search", {"query": "x"}))["hits"][0]


async def test_related_asks_for_the_1_based_line() -> None:
    fakes = Fakes()
    async with serving(fakes) as (peer, _):
        await peer.ask("lucastra/related", {"path": "file:///projects/project/a.py", "line": 11})
    assert [(str(path), line) for path, line in fakes.search.places] == [("/projects/project/a.py", 12)]


async def test_ask_numbers_its_citations() -> None:
    async with serving() as (peer, _):
        result = await peer.ask("lucastra/ask", {"question": "where?"})
    assert [citation["number"] for citation in result["citations"]] == [1, 2]
    assert "answer" not in result
    assert result["notices"] == ["no provider is configured"]


async def test_how_many_passages_are_shown_is_configured_where_a_request_leaves_it_open() -> None:
    fakes = Fakes()
    async with serving(fakes) as (peer, _):
        for params in ({"query": "x"}, {"query": "x", "limit": 3}):
            await peer.ask("lucastra/search", params)
        await peer.ask("lucastra/related", {"path": "/projects/project/a.py"})
    assert [query.limit for query in fakes.search.queries] == [10, 3, 10]


@pytest.mark.parametrize(("kind", "first"), [("query", 1.0), ("passage", 0.0)])
async def test_texts_are_embedded_as_passages_or_as_questions(kind: str, first: float) -> None:
    async with serving() as (peer, _):
        result = await peer.ask("lucastra/embed", {"texts": ["a", "bcd"], "kind": kind})
        assert result["vectors"] == [[first, 0, 0, 1], [first, 0, 0, 3]]
        assert (result["provider"], result["model"], result["dimensions"]) == ("local", "fake", 4)


async def test_daemon_methods_answer() -> None:
    async with serving() as (peer, _):
        status = await peer.ask("lucastra/status", {})
        assert status["embeddings"] == {"provider": "local", "model": "fake", "dimensions": 4}
        assert status["memoryBytes"] > 1_000_000
        assert status["problems"] == ["one problem"]
        assert (await peer.ask("lucastra/config", {"path": "/projects"}))["config"] == {"folder": "/projects"}
        assert (await peer.ask("lucastra/doctor"))["checks"][0]["status"] == "warning"
        assert await peer.ask("lucastra/removeWorkspace", {"path": "/projects"}) == {"root": "/projects"}


async def test_names_that_are_not_utf8_are_told_readably() -> None:
    fakes = Fakes()
    fakes.search.hits = [hit(path=b"caf\xe9.py".decode("utf-8", "surrogateescape"))]
    async with serving(fakes) as (peer, _):
        assert (await peer.ask("lucastra/files", {"path": "/projects"}))["files"][0]["path"] == "caf\ufffd.py"
        found = (await peer.ask("lucastra/search", {"query": "x"}))["hits"][0]
        assert (found["path"], found["uri"]) == ("caf\ufffd.py", "file:///projects/project/caf%E9.py")
        await peer.ask("lucastra/related", {"path": found["uri"]})
    assert str(fakes.search.places[0][0]).encode("utf-8", "surrogateescape") == b"/projects/project/caf\xe9.py"


@pytest.mark.parametrize(
    ("method", "params", "says"),
    [
        ("lucastra/search", None, "missing required field `query`"),
        ("lucastra/search", {}, "missing required field `query`"),
        ("lucastra/search", {"query": 5}, "at `$.query`"),
        ("lucastra/search", {"query": ""}, "length >= 1"),
        ("lucastra/search", {"query": "x", "limit": 0}, "at `$.limit`"),
        ("lucastra/search", {"query": "x", "mode": "psychic"}, "at `$.mode`"),
        ("lucastra/search", ["x"], "got `array`"),
        ("lucastra/search", {"query": "x", "workspaces": ["src"]}, "absolute path"),
        ("lucastra/search", {"query": "x", "workspaces": ["vscode-remote://host/src"]}, "not on this machine"),
        ("lucastra/index", {"path": "~/src"}, "absolute path"),
        ("lucastra/index", {"path": "file://host/src"}, "three slashes"),
        ("lucastra/index", {"path": "file:///src%00"}, "absolute path"),
        ("lucastra/index", {"path": "file://["}, "absolute path"),
        ("lucastra/files", {"path": "/x", "limit": 99999}, "at `$.limit`"),
        ("lucastra/read", {"path": "/x", "limit": 0}, "at `$.limit`"),
        ("textDocument/hover", {}, "unknown method"),
        ("workspace/executeCommand", {}, "$.command"),
    ],
)
async def test_wrong_params_are_told_with_their_place(method: str, params: Any, says: str) -> None:
    async with serving() as (peer, _):
        await peer.initialize()
        error = await peer.fail(method, params)
        expected = -32601 if says == "unknown method" else -32602
        assert (error["code"], says in error["message"]) == (expected, True), error


async def test_unknown_keys_of_newer_clients_are_ignored() -> None:
    async with serving() as (peer, _):
        await peer.ask("lucastra/search", {"query": "x", "inventedLater": {"a": 1}})


async def test_an_unknown_method_is_named() -> None:
    async with serving() as (peer, _):
        assert await peer.fail("lucastra/nonsense") == {"code": -32601, "message": "unknown method lucastra/nonsense"}


async def test_a_failure_for_the_user_keeps_its_code_and_message() -> None:
    fakes = Fakes()
    fakes.search.failure = LucAstraError("run `lucastra-client index` first", code=ErrorCode.WORKSPACE_NOT_FOUND)
    async with serving(fakes) as (peer, _):
        error = await peer.fail("lucastra/search", {"query": "x"})
    assert error == {"code": -33001, "message": "run `lucastra-client index` first"}


async def test_a_failure_inside_nurseries_is_unwrapped() -> None:
    fakes = Fakes()
    inner = LucAstraError("the cure", code=ErrorCode.STORE_UNAVAILABLE)
    fakes.search.failure = ExceptionGroup("a", [ValueError("b"), ExceptionGroup("c", [inner])])
    async with serving(fakes) as (peer, _):
        assert (await peer.fail("lucastra/search", {"query": "x"}))["code"] == -33003


async def test_a_crash_is_answered_and_logged_without_source_text(caplog: pytest.LogCaptureFixture) -> None:
    fakes = Fakes()
    fakes.search.failure = ValueError("password = 'hunter2'")
    async with serving(fakes) as (peer, _):
        error = await peer.fail("lucastra/search", {"query": "hunter2"})
        assert error["code"] == -32603
        assert "ValueError at fakes.py:" in error["message"]
        fakes.search.failure = None
        await peer.ask("lucastra/search", {"query": "x"})
    assert "ValueError at fakes.py:" in caplog.text
    assert "hunter2" not in caplog.text + error["message"]


async def test_a_result_that_cannot_be_encoded_is_answered() -> None:
    fakes = Fakes()
    fakes.search.hits = [Hit("/projects", hit().chunk, 1.0, {"oops": object()})]  # type: ignore[dict-item]
    async with serving(fakes) as (peer, _):
        assert (await peer.fail("lucastra/search", {"query": "x", "explain": True}))["code"] == -32603


async def test_a_cancelled_request_gets_exactly_one_reply() -> None:
    fakes = Fakes()
    fakes.search.gate = trio.Event()
    async with serving(fakes) as (peer, _):
        msg_id = await peer.start("lucastra/search", {"query": "x"}, msg_id="first")
        await trio.testing.wait_all_tasks_blocked()
        for _ in range(3):
            await peer.notify("$/cancelRequest", {"id": msg_id})
        assert (await peer.reply(msg_id))["error"]["code"] == -32800
        fakes.search.gate.set()
        await peer.ask("lucastra/status")
        assert sum(message.get("id") == msg_id for message in peer.received) == 1
    assert fakes.search.cancelled == 1


async def test_a_request_cancelled_before_it_began_gets_exactly_one_reply() -> None:
    async with serving() as (peer, _):
        for number in range(200):
            await peer.start("lucastra/search", {"query": "x"}, msg_id=f"s{number}")
            await peer.notify("$/cancelRequest", {"id": f"s{number}"})
        replies = [await peer.reply(f"s{number}") for number in range(200)]
        await peer.ask("lucastra/status")
        assert len([message for message in peer.received if str(message["id"]).startswith("s")]) == 200
        assert {reply["error"]["code"] for reply in replies if "error" in reply} <= {-32800}


async def test_a_cancel_for_nothing_disturbs_nothing() -> None:
    async with serving() as (peer, _):
        await peer.notify("$/cancelRequest", {"id": 404})
        await peer.notify("$/cancelRequest", {"wrong": 1})
        await peer.notify("$/cancelRequest")
        await peer.ask("lucastra/status")


async def test_a_reply_to_its_own_request_does_not_finish_it() -> None:
    fakes = Fakes()
    fakes.search.gate = trio.Event()
    async with serving(fakes) as (peer, _):
        msg_id = await peer.start("lucastra/search", {"query": "x"})
        await peer.send({"jsonrpc": "2.0", "id": msg_id, "result": "forged"})
        await trio.testing.wait_all_tasks_blocked()
        fakes.search.gate.set()
        assert "hits" in (await peer.reply(msg_id))["result"]


async def test_an_id_in_use_is_refused() -> None:
    fakes = Fakes()
    fakes.search.gate = trio.Event()
    async with serving(fakes) as (peer, _):
        await peer.start("lucastra/search", {"query": "x"}, msg_id=7)
        await peer.start("lucastra/status", {}, msg_id=7)
        assert (await peer.reply(7))["error"]["code"] == -32600


async def test_one_waiting_request_does_not_block_another() -> None:
    fakes = Fakes()
    fakes.search.gate = trio.Event()
    async with serving(fakes) as (peer, _):
        waiting = await peer.start("lucastra/search", {"query": "x"})
        await peer.ask("lucastra/workspaces")
        fakes.search.gate.set()
        assert "result" in await peer.reply(waiting)


async def test_requests_beyond_the_bounds_wait_and_then_are_refused() -> None:
    fakes = Fakes()
    fakes.search.gate = trio.Event()
    async with serving(fakes) as (peer, _):
        ids = [await peer.start("lucastra/search", {"query": "x"}) for _ in range(MAX_WAITING_REQUESTS + 1)]
        refused = await peer.reply(ids[-1])
        assert refused["error"]["code"] == -32803
        assert fakes.search.most_running == MAX_RUNNING_REQUESTS
        fakes.search.gate.set()
        for msg_id in ids[:-1]:
            assert "result" in await peer.reply(msg_id)
        assert fakes.search.most_running == MAX_RUNNING_REQUESTS


def _steps() -> list[IndexProgress]:
    state = WorkspaceState
    return [
        IndexProgress(state.SCANNING, 0, 40, 0, 0),
        IndexProgress(state.INDEXING, 20, 40, 100, 0),
        IndexProgress(state.INDEXING, 20, 40, 100, 0),
        IndexProgress(state.EMBEDDING, 40, 40, 200, 100),
        IndexProgress(state.INDEXING, 20, 40, 300, 100),
        IndexProgress(state.READY, 40, 40, 200, 200),
    ]


async def test_indexing_reports_progress_that_never_falls() -> None:
    fakes = Fakes()
    fakes.workspaces.progress = _steps()
    async with serving(fakes) as (peer, session):
        result = await peer.ask("lucastra/index", {"path": "/projects/project", "workDoneToken": "t"})
        assert result["workspace"]["state"] == "ready"
        values = [message["params"] for message in peer.received if message.get("method") == "$/progress"]
        assert {value["token"] for value in values} == {"t"}
        begin, *reports, end = [value["value"] for value in values]
        assert begin == {"kind": "begin", "title": "Indexing project", "percentage": 0, "cancellable": True}
        assert [report["percentage"] for report in reports] == [0, 25, 75, 75, 100]
        assert reports[1]["message"] == "indexing: 20 of 40 files"
        assert reports[2]["message"] == "embedding: 100 of 200 chunks"
        assert end == {"kind": "end"}
        assert session.engine.progress.tokens == {}
        assert "method" not in peer.received[-1]


async def test_indexing_without_a_token_reports_nothing() -> None:
    fakes = Fakes()
    fakes.workspaces.progress = _steps()
    async with serving(fakes) as (peer, _):
        await peer.ask("lucastra/index", {"path": "/projects/project"})
        assert all("method" not in message for message in peer.received)


async def test_the_progress_bar_cancels_the_indexing() -> None:
    fakes = Fakes()
    fakes.workspaces.gate = trio.Event()
    async with serving(fakes) as (peer, _):
        msg_id = await peer.start("lucastra/index", {"path": "/projects", "workDoneToken": 5})
        await peer.until_method("$/progress")
        await peer.notify("window/workDoneProgress/cancel", {"token": 5})
        assert (await peer.reply(msg_id))["error"]["code"] == -32800
        assert peer.received[-2]["params"]["value"] == {"kind": "end"}


async def test_random_cancels_get_exactly_one_reply_each() -> None:
    fakes = Fakes()
    random = Random(7)

    async def find(query: SearchQuery) -> SearchOutcome:
        for _ in range(random.randrange(6)):
            await trio.lowlevel.checkpoint()
        return SearchOutcome([], Freshness.FRESH)

    fakes.search.find = find  # type: ignore[method-assign]
    async with serving(fakes) as (peer, _):
        ids = [f"r{number}" for number in range(1000)]
        for msg_id in ids:
            await peer.start("lucastra/search", {"query": "x"}, msg_id=msg_id)
            if random.random() < 0.5:
                await trio.lowlevel.checkpoint()
            await peer.notify("$/cancelRequest", {"id": random.choice(ids[: ids.index(msg_id) + 1][-8:])})
            await trio.lowlevel.checkpoint()
        for msg_id in ids:
            await peer.reply(msg_id)
        await peer.ask("lucastra/status")
        answered = Counter(message["id"] for message in peer.received)
        assert [answered[msg_id] for msg_id in ids] == [1] * 1000
        outcomes = Counter(message["error"]["code"] if "error" in message else 0 for message in peer.received)
        assert outcomes.keys() == {0, -32800}
