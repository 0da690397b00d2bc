"""`workspace/executeCommand`: searching, asking and indexing for editors without an extension of ours.

Each command takes one object: the parameters of its `lucastra/*` method and `show`; `lucastra.search` and
`lucastra.ask` take a text instead, too. Where the parameters name no `workspaces`, those are the editor's own folders.
The reply is the method's result. With `show`, the default, the user also gets to see it, since stock clients drop a
command's reply (Neovim's handler of it is empty): as a Markdown file opened by `window/showDocument`, which Neovim,
Helix and VS Code support; `window/showMessage` has one line in Helix, and a prompt to press Enter in Neovim.
"""

from collections.abc import Callable
from typing import TYPE_CHECKING, Any, TypeVar

import msgspec
import trio
from lsprotocol import types as lsp
from lucastra_protocol.answers import CompletionAcceptedParams
from lucastra_protocol.errors import ErrorCode, LucAstraError
from lucastra_protocol.types import AskParams, AskResult, IndexResult, Query, RelatedParams, SearchParams, Wire
from pygls.exceptions import JsonRpcException

from lucastrad.server.answer_files import write_answer
from lucastrad.server.handlers.ask import ask
from lucastrad.server.handlers.completion import ACCEPTED, accepted
from lucastrad.server.handlers.pages import answer_page, search_page
from lucastrad.server.handlers.progress import WorkDoneProgress, indexing_news, indexing_title
from lucastrad.server.handlers.search import related, search
from lucastrad.server.handlers.selection import Selection, asking_about, title_of
from lucastrad.server.handlers.wire import folders_of, path_from_wire, text_to_wire
from lucastrad.server.handlers.workspaces import index_result
from lucastrad.types import IndexProgress

if TYPE_CHECKING:
    from lucastrad.server.session import Session

_ANSWER_SECONDS = 10.0

SEARCH = "lucastra.search"
ASK = "lucastra.ask"
RELATED = "lucastra.related"
REINDEX = "lucastra.reindex"


class SearchCommand(SearchParams, frozen=True):
    """`lucastra.search`: what `lucastra/search` takes, or the query alone."""

    show: bool = True


class RelatedCommand(RelatedParams, frozen=True):
    """`lucastra.related`: what `lucastra/related` takes."""

    show: bool = True


class AskCommand(AskParams, frozen=True):
    """`lucastra.ask`: what `lucastra/ask` takes, or the question alone."""

    question: Query = "Explain what this code does, why, and how it is used."
    selection: Selection | None = None
    """Code of an open document that the question is about."""
    show: bool = True


class ReindexCommand(Wire, frozen=True):
    """`lucastra.reindex`: brings indexes up to date."""

    path: str | None = None
    """A folder; null for all that the editor has open."""
    show: bool = True


class ReindexResult(Wire, frozen=True):
    """Of each folder what `lucastra/index` tells."""

    indexed: list[IndexResult]


async def search_command(session: "Session", params: lsp.ExecuteCommandParams) -> Any:
    """Find passages."""
    wanted = _argument(session, params, SearchCommand, text="query")
    async with WorkDoneProgress(session, params.work_done_token, "Searching", percent=False):
        result = await search(session, wanted)
    if wanted.show:
        title = f"Found for: {wanted.query}"
        _show(session, "search", search_page(title, result) if result.hits else None, "nothing found")
    return result


async def related_command(session: "Session", params: lsp.ExecuteCommandParams) -> Any:
    """Find code like that at a place."""
    wanted = _argument(session, params, RelatedCommand)
    async with WorkDoneProgress(session, params.work_done_token, "Searching similar code", percent=False):
        result = await related(session, wanted)
    if wanted.show:
        path = text_to_wire(path_from_wire(wanted.path, field="path").name)
        title = f"Similar to {path}:{wanted.line + 1}"
        _show(session, "similar", search_page(title, result) if result.hits else None, "no similar code found")
    return result


def ask_command(session: "Session", params: lsp.ExecuteCommandParams) -> Any:
    """Answer a question; the selection's text is that of when the command came."""
    wanted = _argument(session, params, AskCommand, text="question")
    title = wanted.question
    if (selection := wanted.selection) is not None:
        title = title_of(selection, wanted.question)
        wanted = msgspec.structs.replace(wanted, question=asking_about(session, selection, wanted.question))
    return _ask(session, wanted, title, params.work_done_token)


async def _ask(session: "Session", wanted: AskCommand, title: str, token: int | str | None) -> AskResult:
    async with WorkDoneProgress(session, token, "Answering", percent=False):
        result: AskResult = await ask(session, wanted)
    if wanted.show:
        _show(session, "answer", answer_page(title, result), "")
    return result


async def reindex_command(session: "Session", params: lsp.ExecuteCommandParams) -> ReindexResult:
    """Bring the indexes of folders up to date."""
    wanted = _argument(session, params, ReindexCommand)
    folders = folders_of(session) if wanted.path is None else [path_from_wire(wanted.path, field="path")]
    if not folders:
        raise LucAstraError(
            f'{REINDEX}: no folder is open; name one: {{"path": "/home/me/project"}}', code=ErrorCode.INVALID_PARAMS
        )
    done: list[IndexResult] = []
    for number, folder in enumerate(folders):
        token = params.work_done_token if number == 0 else None  # a token serves one progress from begin to end
        async with WorkDoneProgress(session, token, indexing_title(folder)) as shown:

            async def report(progress: IndexProgress, shown: WorkDoneProgress = shown) -> None:
                await shown.report(*indexing_news(progress))

            done.append(index_result(await session.services.workspaces.index(folder, wait=True, progress=report)))
    if wanted.show:
        session.tell("; ".join(f"{one.workspace.root}: {one.workspace.files:,} files are searchable" for one in done))
    return ReindexResult(indexed=done)


def accepted_command(session: "Session", params: lsp.ExecuteCommandParams) -> None:
    """Count an inline completion that the user has accepted; the command of its item."""
    accepted(session, _argument(session, params, CompletionAcceptedParams))


_Argument = TypeVar("_Argument", bound=Wire)


def _argument(
    session: "Session", params: lsp.ExecuteCommandParams, wanted: type[_Argument], *, text: str | None = None
) -> _Argument:
    """The command's one argument, with the session's own values for what it leaves open.

    Raises:
        LucAstraError: INVALID_PARAMS, naming the place in the argument.
    """
    given = list(params.arguments or [])
    value: Any = given[0] if given else {}
    if text is not None and isinstance(value, str):
        value = {text: value}
    try:
        if len(given) > 1 or not isinstance(value, dict):
            raise msgspec.ValidationError("Expected one `object`" + (f", or the {text} as text" if text else ""))
        fields = wanted.__struct_fields__
        if "workspaces" in fields and not value.get("workspaces"):
            value = {**value, "workspaces": [str(folder) for folder in folders_of(session)]}
        if wanted is not AskCommand and "limit" in fields and (limit := session.settings.search.limit) is not None:
            value = {"limit": limit, **value}
        return msgspec.convert(value, wanted)
    except msgspec.ValidationError as error:
        raise LucAstraError(f"{params.command}: {error}", code=ErrorCode.INVALID_PARAMS) from error


def _show(session: "Session", kind: str, page: str | None, nothing: str) -> None:
    """Let the user see `page`, or say `nothing` where there is none; the reply does not wait for the editor."""
    if page is None:
        session.tell(nothing)
    else:
        session.start(_present(session, kind, page))


async def _present(session: "Session", kind: str, page: str) -> None:
    path = await trio.to_thread.run_sync(write_answer, session.services.home, kind, page)
    if session.engine.client_can("window.show_document.support"):
        params = lsp.ShowDocumentParams(path.as_uri(), external=False, take_focus=True)
        with trio.move_on_after(_ANSWER_SECONDS):
            try:
                if (await session.engine.server.window_show_document_async(params)).success:
                    return
            except JsonRpcException:
                pass  # told below, as to a client that cannot
    session.tell(f"open {path}")


COMMANDS: dict[str, Callable[..., Any]] = {
    SEARCH: search_command,
    ASK: ask_command,
    RELATED: related_command,
    REINDEX: reindex_command,
    ACCEPTED: accepted_command,
}
"""Command → handler `(session, ExecuteCommandParams)`."""
