"""A whole editing session as an independent LSP client has it, over a pipe and over the daemon's socket."""

import asyncio
import logging
import sys
from collections.abc import AsyncIterator, Awaitable, Callable
from functools import partial
from pathlib import Path
from typing import Any, TypeVar

import pytest
from lsprotocol import types as lsp
from lucastra_protocol.paths import Paths
from user_home import Home

pytest.importorskip("pytest_lsp")

import pytest_asyncio
from pygls.io_ import run_async
from pytest_lsp import ClientServerConfig, LanguageClient, client_capabilities

pytestmark = [pytest.mark.slow, pytest.mark.asyncio]

SECONDS = 30.0
_T = TypeVar("_T")


class SocketConfig(ClientServerConfig):
    """Connects to a daemon that runs."""

    def __init__(self, path: Path) -> None:
        super().__init__(server_command=[])
        self.path = path

    async def start(self, devtools: str | None = None) -> LanguageClient:
        client = self.client_factory()
        assert isinstance(client, LanguageClient)
        reader, writer = await asyncio.open_unix_connection(self.path)
        client.protocol.set_writer(writer)
        reading = run_async(
            stop_event=client._stop_event,
            reader=reader,
            protocol=client.protocol,
            logger=logging.getLogger(__name__),
            error_handler=client.report_server_error,
        )
        client._async_tasks.append(asyncio.create_task(reading))
        return client


@pytest_asyncio.fixture(params=["pipe", "socket"])
async def editor(request: pytest.FixtureRequest, home: Home, project: Path) -> AsyncIterator[LanguageClient]:
    """An editor whose folder is the project, indexed."""
    config: ClientServerConfig
    if request.param == "pipe":
        command = [sys.executable, "-P", "-m", "lucastrad", "--stdio"]
        config = ClientServerConfig(server_command=command, server_env=home.environment)
    else:
        home.client("index", ".", cwd=project, check=0)  # starts the daemon
        config = SocketConfig(Paths.from_environment(home.environment).socket)
    client = await config.start()
    assert isinstance(client, LanguageClient)
    client.set_configuration({"lucastra": {"search": {"limit": 1}}})
    capabilities = client_capabilities("neovim")
    assert capabilities.text_document is not None
    # lsprotocol reads a CodeAction that has a command as a Command; without this it is sent one.
    capabilities.text_document.code_action = None
    params = lsp.InitializeParams(
        process_id=None,
        capabilities=capabilities,
        root_uri=project.as_uri(),
        workspace_folders=[lsp.WorkspaceFolder(project.as_uri(), "shop")],
    )
    await within(client.initialize_session(params))
    await within(client.protocol.send_request_async("lucastra/index", {"path": str(project)}))
    yield client
    await within(client.shutdown_session())
    await within(client.stop())


async def within(work: Awaitable[_T]) -> _T:
    return await asyncio.wait_for(work, SECONDS)


async def until(condition: Callable[[], Awaitable[bool]]) -> None:
    async with asyncio.timeout(SECONDS):
        while not await condition():  # noqa: ASYNC110 (what the daemon does next sets no event here)
            await asyncio.sleep(0.02)


def open_document(editor: LanguageClient, path: Path) -> str:
    item = lsp.TextDocumentItem(path.as_uri(), "python", 1, path.read_text())
    editor.text_document_did_open(lsp.DidOpenTextDocumentParams(item))
    return path.as_uri()


def line_range(start: int, end: int) -> lsp.Range:
    return lsp.Range(lsp.Position(start, 0), lsp.Position(end, 0))


async def run(editor: LanguageClient, command: str, *arguments: Any) -> Any:
    params = lsp.ExecuteCommandParams(command=command, arguments=list(arguments))
    return await within(editor.workspace_execute_command_async(params))


async def goes_to_symbols(editor: LanguageClient, project: Path) -> None:
    found = await within(editor.workspace_symbol_async(lsp.WorkspaceSymbolParams(query="retback")))
    assert found is not None
    (symbol,) = found
    assert (symbol.name, symbol.kind) == ("retry_with_backoff", lsp.SymbolKind.Function)
    assert isinstance(symbol.location, lsp.Location)
    assert symbol.location.uri == (project / "shop/retry.py").as_uri()
    assert symbol.location.range.start == lsp.Position(3, 4)


async def goes_to_members_of_small_classes(editor: LanguageClient) -> None:
    found = await within(editor.workspace_symbol_async(lsp.WorkspaceSymbolParams(query="total")))
    assert found is not None
    assert [(symbol.container_name, symbol.name) for symbol in found] == [("Basket", "total_price")]


async def acts_on_selected_code(editor: LanguageClient, project: Path) -> None:
    async def shown(number: int) -> bool:
        return len(editor.shown_documents) == number

    uri = open_document(editor, project / "shop/retry.py")
    params = lsp.CodeActionParams(
        lsp.TextDocumentIdentifier(uri), line_range(3, 11), lsp.CodeActionContext(diagnostics=[])
    )
    actions = await within(editor.text_document_code_action_async(params))
    assert actions is not None
    assert [action.title for action in actions] == ["Explain with LucAstra", "Find similar code"]
    for number, action in enumerate(actions, 1):
        assert isinstance(action, lsp.Command)
        await run(editor, action.command, *(action.arguments or []))
        await until(partial(shown, number))
        page = Path(editor.shown_documents[-1].uri.removeprefix("file://")).read_text()
        assert "/shop/" in page
    last = [reports[-1] for reports in editor.progress_reports.values() if reports]
    assert last
    assert all(isinstance(report, lsp.WorkDoneProgressEnd) for report in last)


async def changes_settings(editor: LanguageClient) -> None:
    async def shows(number: int) -> bool:
        result = await run(editor, "lucastra.search", {"query": "retry the basket over the network", "show": False})
        return len(result["hits"]) == number

    await until(lambda: shows(1))
    editor.set_configuration({"lucastra": {"search": {"limit": 2}}})
    editor.workspace_did_change_configuration(lsp.DidChangeConfigurationParams(settings={}))
    await until(lambda: shows(2))


async def types_and_completes(editor: LanguageClient, project: Path) -> None:
    uri = open_document(editor, project / "shop/basket.py")
    change = lsp.TextDocumentContentChangePartial(text="\n# ü😀\n", range=line_range(0, 0))
    document = lsp.VersionedTextDocumentIdentifier(uri=uri, version=2)
    editor.text_document_did_change(lsp.DidChangeTextDocumentParams(document, [change]))
    context = lsp.InlineCompletionContext(trigger_kind=lsp.InlineCompletionTriggerKind.Invoked)
    params = lsp.InlineCompletionParams(context, lsp.TextDocumentIdentifier(uri), lsp.Position(1, 3))
    offered = await within(editor.text_document_inline_completion_async(params))
    assert isinstance(offered, lsp.InlineCompletionList)
    assert list(offered.items) == []
    editor.text_document_did_close(lsp.DidCloseTextDocumentParams(lsp.TextDocumentIdentifier(uri)))
    assert editor.messages == []


async def adds_and_removes_a_folder(editor: LanguageClient, home: Home) -> None:
    other = home.folder / "other"
    other.mkdir()
    (other / "stock.py").write_text("def count_stock():\n    return 0\n\n\ndef empty_stock():\n    return None\n")
    folder = lsp.WorkspaceFolder(other.as_uri(), "other")

    async def change(event: lsp.WorkspaceFoldersChangeEvent) -> None:
        editor.workspace_did_change_workspace_folders(lsp.DidChangeWorkspaceFoldersParams(event))
        await within(editor.protocol.send_request_async("lucastra/index", {"path": str(other)}))

    async def names() -> list[str]:
        found = await within(editor.workspace_symbol_async(lsp.WorkspaceSymbolParams(query="stock")))
        return sorted(symbol.name for symbol in found or [])

    await change(lsp.WorkspaceFoldersChangeEvent(added=[folder], removed=[]))
    assert await names() == ["count_stock", "empty_stock"]
    await change(lsp.WorkspaceFoldersChangeEvent(added=[], removed=[folder]))
    assert await names() == []


async def test_an_editing_session(editor: LanguageClient, home: Home, project: Path) -> None:
    await goes_to_symbols(editor, project)
    await goes_to_members_of_small_classes(editor)
    await acts_on_selected_code(editor, project)
    await changes_settings(editor)
    await types_and_completes(editor, project)
    await adds_and_removes_a_folder(editor, home)
