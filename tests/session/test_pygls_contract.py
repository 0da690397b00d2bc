"""The private hooks of pygls that the engine overrides: a new pygls that moves one fails here first."""

import gc
import inspect
import weakref
from typing import Any

import pytest
import trio
import trio.testing
from lsprotocol import types as lsp
from peer import Peer, serving
from pygls.exceptions import JsonRpcException
from pygls.protocol import JsonRPCProtocol, LanguageServerProtocol

from lucastrad.server.engine import Engine
from lucastrad.server.session import Session


@pytest.mark.parametrize(
    ("name", "parameters"),
    [
        ("_execute_handler", ["self", "msg_id", "handler", "callback", "args", "kwargs"]),
        ("_send_handler_result", ["self", "future", "msg_id"]),
        ("_check_handler_result", ["self", "future"]),
        ("_handle_request", ["self", "msg_id", "method_name", "params"]),
        ("_handle_notification", ["self", "method_name", "params"]),
        ("_handle_cancel_notification", ["self", "msg_id"]),
        ("_handle_response", ["self", "msg_id", "result", "error"]),
        ("_send_response", ["self", "msg_id", "result", "error"]),
        ("_send_data", ["self", "data"]),
        ("send_request_async", ["self", "method", "params", "msg_id"]),
        ("notify", ["self", "method", "params"]),
        ("get_message_type", ["self", "method"]),
        ("get_result_type", ["self", "method"]),
    ],
)
def test_hooks_have_the_parameters_we_rely_on(name: str, parameters: list[str]) -> None:
    assert list(inspect.signature(getattr(JsonRPCProtocol, name)).parameters) == parameters


def test_builtins_are_generators_that_yield_the_user_handler() -> None:
    assert inspect.isgeneratorfunction(LanguageServerProtocol.lsp_initialize)
    assert inspect.isgeneratorfunction(LanguageServerProtocol.lsp_shutdown)
    assert inspect.isgeneratorfunction(LanguageServerProtocol.lsp_text_document__did_change)


@pytest.mark.trio
async def test_state_that_the_engine_reads_is_where_pygls_keeps_it() -> None:
    async with serving() as (_, session):
        engine = session.engine
        assert engine._request_futures == engine._result_types == {}
        assert engine._workspace is None
        assert engine._shutdown is False
        assert engine._ctx_msg_id.get() is None
        assert engine.fm.builtin_features["exit"] == engine.lsp_exit
        assert engine.server.protocol is engine


@pytest.mark.trio
async def test_dead_sessions_are_freed() -> None:
    dead: list[weakref.ref[Engine]] = []
    for _ in range(30):
        async with serving() as (peer, session):
            await peer.initialize()
            await peer.ask("lucastra/search", {"query": "x"})
            dead.append(weakref.ref(session.engine))
        del peer, session
    await trio.testing.wait_all_tasks_blocked()
    gc.collect()
    assert [reference() for reference in dead] == [None] * 30


async def _folders(session: Session) -> Any:
    return await session.engine.server.workspace_workspace_folders_async(None)


@pytest.mark.trio
async def test_the_daemon_can_ask_the_client() -> None:
    async with serving() as (peer, session):
        await peer.initialize()
        answers: list[Any] = []
        async with trio.open_nursery() as nursery:

            async def ask() -> None:
                answers.extend(await _folders(session))

            nursery.start_soon(ask)
            request = await peer.until_method("workspace/workspaceFolders")
            for _ in range(2):  # a second reply must disturb nothing
                await peer.send({"jsonrpc": "2.0", "id": request["id"], "result": [{"uri": "file:///a", "name": "a"}]})
        await peer.ask("lucastra/status")
        assert answers == [lsp.WorkspaceFolder("file:///a", "a")]
        assert session.engine._request_futures == session.engine._result_types == {}


@pytest.mark.trio
@pytest.mark.parametrize("answer", [{"error": {"code": -32601, "message": "no such"}}, {"result": [{"wrong": 1}]}])
async def test_a_clients_refusal_or_nonsense_reaches_the_one_who_asked(answer: dict[str, Any]) -> None:
    async with serving() as (peer, session):
        await peer.initialize()
        async with trio.open_nursery() as nursery:

            async def ask() -> None:
                with pytest.raises(JsonRpcException):
                    await _folders(session)

            nursery.start_soon(ask)
            request = await peer.until_method("workspace/workspaceFolders")
            await peer.send({"jsonrpc": "2.0", "id": request["id"], **answer})


@pytest.mark.trio
async def test_a_wait_that_is_cancelled_cancels_the_clients_work() -> None:
    async with serving() as (peer, session):
        await peer.initialize()
        async with trio.open_nursery() as nursery:
            nursery.start_soon(_folders, session)
            request = await peer.until_method("workspace/workspaceFolders")
            nursery.cancel_scope.cancel()
        assert (await peer.until_method("$/cancelRequest"))["params"] == {"id": request["id"]}
        await peer.send({"jsonrpc": "2.0", "id": request["id"], "result": None})
        await peer.ask("lucastra/status")
        assert session.engine._request_futures == session.engine._result_types == {}


async def _create_progress(peer: Peer, session: Session, token: str) -> None:
    async with trio.open_nursery() as nursery:
        nursery.start_soon(session.engine.progress.create_async, token)
        request = await peer.until_method("window/workDoneProgress/create")
        await peer.send({"jsonrpc": "2.0", "id": request["id"], "result": None})


@pytest.mark.trio
async def test_progress_that_ended_is_forgotten() -> None:
    async with serving() as (peer, session):
        await peer.initialize()
        await _create_progress(peer, session, "t")
        progress = session.engine.progress
        progress.begin("t", lsp.WorkDoneProgressBegin(title="Indexing"))
        progress.end("t", lsp.WorkDoneProgressEnd())
        assert progress.tokens == {}
        await peer.ask("lucastra/status")
        shown = [m["params"]["value"]["kind"] for m in peer.received if m.get("method") == "$/progress"]
        assert shown == ["begin", "end"]


@pytest.mark.trio
async def test_cancelling_a_builtin_cancels_the_handler_inside() -> None:
    """Stock pygls answers -32800 to a cancelled executeCommand and lets the command run on."""
    events: list[str] = []

    async def command(params: lsp.ExecuteCommandParams) -> None:
        events.append("began")
        try:
            await trio.sleep_forever()
        finally:
            events.append("ended")

    async with serving() as (peer, session):
        await peer.initialize()
        session.engine.add_commands({"slow": command})
        msg_id = await peer.start("workspace/executeCommand", {"command": "slow"})
        await trio.testing.wait_all_tasks_blocked()
        await peer.notify("$/cancelRequest", {"id": msg_id})
        assert (await peer.reply(msg_id))["error"]["code"] == -32800
        assert events == ["began", "ended"]


@pytest.mark.trio
async def test_what_a_handler_does_before_its_coroutine_sees_the_document_of_its_time() -> None:
    uri = "file:///a.py"
    seen: list[str] = []

    def hover(params: lsp.HoverParams) -> Any:
        text = session.engine.workspace.get_text_document(uri).source

        async def later() -> None:
            await trio.lowlevel.checkpoint()
            seen.append(text)

        return later()

    async with serving() as (peer, session):
        await peer.initialize()
        session.engine.add_handlers({"textDocument/hover": hover})
        document = {"uri": uri, "languageId": "python", "version": 0, "text": "0"}
        await peer.notify("textDocument/didOpen", {"textDocument": document})
        requests = []
        for version in range(1, 50):
            position = {"textDocument": {"uri": uri}, "position": {"line": 0, "character": 0}}
            requests.append(await peer.start("textDocument/hover", position))
            change = {"textDocument": {"uri": uri, "version": version}, "contentChanges": [{"text": str(version)}]}
            await peer.notify("textDocument/didChange", change)
        for msg_id in requests:
            assert (await peer.reply(msg_id))["result"] is None
        assert sorted(seen, key=int) == [str(number) for number in range(49)]
