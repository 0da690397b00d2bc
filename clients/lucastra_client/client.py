"""The async client: one typed method per request of the contract."""

from collections.abc import AsyncIterator, Iterable
from contextlib import asynccontextmanager
from typing import Literal

import msgspec
import trio
from lucastra_protocol import answers
from lucastra_protocol import types as wire
from lucastra_protocol.connect import Unanswered, connect, open_session, say_hello, tcp_token
from lucastra_protocol.errors import ErrorCode, LucAstraError
from lucastra_protocol.paths import Paths

from lucastra_client.connection import Connection, OnProgress, Result, open_connection
from lucastra_client.conversations import Conversations
from lucastra_client.limits import check_ranges
from lucastra_client.paths import StrPath, absolute, absolute_all, listed
from lucastra_client.streams import AnswerStream

_CLIENT_NAME = "lucastra_client"
_STOP_SECONDS = 10.0
"""A daemon that has agreed to stop and still holds the connection is not waited for any longer."""


class Client:
    """Requests to one daemon over one connection; tasks may use it concurrently.

    Every method raises LucAstraError: the daemon's own error with its code, INVALID_PARAMS for a value out of
    range, or DAEMON_UNREACHABLE when the connection is lost. Cancelling a call tells the daemon to stop
    working on it. Relative paths are taken from the working directory of the caller.
    """

    def __init__(self, connection: Connection) -> None:
        self._connection = connection
        self.conversations = Conversations(connection)

    async def _request(self, method: str, params: msgspec.Struct, result: type[Result]) -> Result:
        check_ranges(params)
        return await self._connection.request(method, params, result)

    async def search(
        self,
        query: str,
        *,
        mode: wire.SearchMode = "hybrid",
        limit: int | None = None,
        workspaces: StrPath | Iterable[StrPath] = (),
        paths: str | Iterable[str] = (),
        languages: str | Iterable[str] = (),
        explain: bool = False,
    ) -> wire.SearchResult:
        """Passages that match `query`, best first.

        `workspaces` are folders to search (none: every workspace), `paths` globs in gitignore syntax from the
        workspace's root. Each of these, and `languages`, may be a single one.
        """
        params = wire.SearchParams(
            query=query,
            mode=mode,
            limit=limit,
            workspaces=absolute_all(workspaces),
            paths=listed(paths),
            languages=listed(languages),
            explain=explain,
        )
        return await self._request(wire.SEARCH.name, params, wire.SearchResult)

    async def related(
        self,
        path: StrPath,
        line: int = 1,
        *,
        limit: int | None = None,
        workspaces: StrPath | Iterable[StrPath] = (),
        paths: str | Iterable[str] = (),
        languages: str | Iterable[str] = (),
        explain: bool = False,
    ) -> wire.SearchResult:
        """Passages like the one at `line` (1-based) of a file."""
        if line < 1:
            raise LucAstraError("line must be at least 1", code=ErrorCode.INVALID_PARAMS)
        params = wire.RelatedParams(
            path=absolute(path),
            line=line - 1,
            limit=limit,
            workspaces=absolute_all(workspaces),
            paths=listed(paths),
            languages=listed(languages),
            explain=explain,
        )
        return await self._request(wire.RELATED.name, params, wire.SearchResult)

    async def ask(
        self,
        question: str,
        *,
        limit: int | None = None,
        workspaces: StrPath | Iterable[StrPath] = (),
        paths: str | Iterable[str] = (),
        languages: str | Iterable[str] = (),
        provider: str | None = None,
        system: str = "",
    ) -> wire.AskResult:
        """An answer with numbered citations; only the passages when no provider is configured.

        `provider` is `NAME` or `NAME/MODEL`; `system` what the model is to heed as well.
        """
        params = _ask_params(
            question,
            limit=limit,
            workspaces=workspaces,
            paths=paths,
            languages=languages,
            provider=provider,
            system=system,
        )
        return await self._request(wire.ASK.name, params, wire.AskResult)

    def ask_stream(
        self,
        question: str,
        *,
        limit: int | None = None,
        workspaces: StrPath | Iterable[StrPath] = (),
        paths: str | Iterable[str] = (),
        languages: str | Iterable[str] = (),
        provider: str | None = None,
        system: str = "",
    ) -> AnswerStream[wire.AskResult]:
        """The answer while it is written: iterate over its events, then read `result`."""
        params = _ask_params(
            question,
            limit=limit,
            workspaces=workspaces,
            paths=paths,
            languages=languages,
            provider=provider,
            system=system,
        )
        return AnswerStream.of(self._connection, wire.ASK.name, params, wire.AskResult)

    async def complete(
        self,
        prompt: str,
        *,
        system: str = "",
        provider: str | None = None,
        max_tokens: int | None = None,
        temperature: float | None = None,
    ) -> answers.CompleteResult:
        """A model's answer to one prompt, without passages."""
        params = answers.CompleteParams(
            prompt=prompt, system=system, provider=provider, max_tokens=max_tokens, temperature=temperature
        )
        return await self._request(answers.COMPLETE.name, params, answers.CompleteResult)

    def complete_stream(
        self,
        prompt: str,
        *,
        system: str = "",
        provider: str | None = None,
        max_tokens: int | None = None,
        temperature: float | None = None,
    ) -> AnswerStream[answers.CompleteResult]:
        """A model's answer to one prompt while it is written."""
        params = answers.CompleteParams(
            prompt=prompt, system=system, provider=provider, max_tokens=max_tokens, temperature=temperature
        )
        return AnswerStream.of(self._connection, answers.COMPLETE.name, params, answers.CompleteResult)

    async def embed(
        self, texts: str | Iterable[str], *, kind: Literal["passage", "query"] = "passage"
    ) -> answers.EmbedResult:
        """The vectors of at most 100 texts, by the model that searches use."""
        params = answers.EmbedParams(texts=listed(texts), kind=kind)
        return await self._request(answers.EMBED.name, params, answers.EmbedResult)

    async def models(self, provider: str | None = None) -> answers.ModelsResult:
        """The models of a provider, or of every configured one."""
        return await self._request(answers.MODELS.name, answers.ModelsParams(provider=provider), answers.ModelsResult)

    async def providers(self, *, check: bool = False) -> list[answers.ProviderInfo]:
        """The language-model providers; `check` asks each whether it would answer now."""
        params = answers.ProvidersParams(check=check)
        return (await self._request(answers.PROVIDERS.name, params, answers.ProvidersResult)).providers

    async def index(
        self, path: StrPath, *, wait: bool = True, on_progress: OnProgress | None = None
    ) -> wire.IndexResult:
        """Add the folder as a workspace, or bring its index up to date.

        With `wait` the result comes once everything known is searchable. `on_progress` is called between the
        steps and must not block; an exception that it raises cancels the request.
        """
        token = None if on_progress is None else self._connection.next_token()
        params = wire.IndexParams(path=absolute(path), wait=wait, work_done_token=token)
        return await self._connection.request(
            wire.INDEX.name, params, wire.IndexResult, token=token, on_progress=on_progress
        )

    async def workspaces(self) -> list[wire.WorkspaceStatus]:
        """Every registered workspace."""
        result = await self._request(wire.WORKSPACES.name, wire.Empty(), wire.WorkspacesResult)
        return result.workspaces

    async def remove(self, path: StrPath) -> str:
        """Forget a workspace and its index; returns its root. The files themselves stay."""
        params = wire.WorkspaceParams(path=absolute(path))
        return (await self._request(wire.REMOVE.name, params, wire.RemoveResult)).root

    async def files(
        self, path: StrPath, *, skipped_only: bool = False, offset: int = 0, limit: int = 1000
    ) -> wire.FilesResult:
        """One page of a workspace's files, with why each skipped one was; `total` counts all pages."""
        params = wire.FilesParams(path=absolute(path), skipped_only=skipped_only, offset=offset, limit=limit)
        return await self._request(wire.FILES.name, params, wire.FilesResult)

    async def read(self, path: StrPath, line: int = 1, *, limit: int = 1000) -> wire.ReadResult:
        """At most `limit` lines of an indexed file, from `line` (1-based) on, as it is on disk now."""
        if line < 1:
            raise LucAstraError("line must be at least 1", code=ErrorCode.INVALID_PARAMS)
        params = wire.ReadParams(path=absolute(path), line=line - 1, limit=limit)
        return await self._request(wire.READ.name, params, wire.ReadResult)

    async def evaluate(
        self, path: StrPath, *, questions: int = 300, on_progress: OnProgress | None = None
    ) -> wire.EvaluateResult:
        """How well the code of the workspace that is or holds `path` is found, with at most so many questions made of
        its documentation and history, and what would improve it. `on_progress` is as for `index`.
        """
        token = None if on_progress is None else self._connection.next_token()
        params = wire.EvaluateParams(path=absolute(path), questions=questions, work_done_token=token)
        check_ranges(params)
        return await self._connection.request(
            wire.EVALUATE.name, params, wire.EvaluateResult, token=token, on_progress=on_progress
        )

    async def status(self) -> wire.StatusResult:
        """The daemon's state and that of every workspace."""
        return await self._request(wire.STATUS.name, wire.Empty(), wire.StatusResult)

    async def config(self, path: StrPath | None = None) -> wire.ConfigResult:
        """The configuration in force, secrets masked; with `path`, that folder's workspace layer too."""
        params = wire.ConfigParams(path=None if path is None else absolute(path))
        return await self._request(wire.CONFIG.name, params, wire.ConfigResult)

    async def doctor(self) -> wire.DoctorResult:
        """Checks of the installation, the store and the models, each with its cure."""
        return await self._request(wire.DOCTOR.name, wire.Empty(), wire.DoctorResult)

    async def stop(self) -> None:
        """Stop the daemon, which finishes what it is committing; returns once it has hung up."""
        await self._request(wire.STOP.name, wire.Empty(), wire.Empty)
        with trio.move_on_after(_STOP_SECONDS):
            await self._connection.wait_lost()


def _ask_params(
    question: str,
    *,
    limit: int | None,
    workspaces: StrPath | Iterable[StrPath],
    paths: str | Iterable[str],
    languages: str | Iterable[str],
    provider: str | None,
    system: str,
) -> wire.AskParams:
    return wire.AskParams(
        question=question,
        limit=limit,
        workspaces=absolute_all(workspaces),
        paths=listed(paths),
        languages=listed(languages),
        provider=provider,
        system=system,
    )


@asynccontextmanager
async def open_client(
    paths: Paths | None = None, *, start: bool = True, stream: trio.abc.Stream | None = None
) -> AsyncIterator[Client]:
    """A client of the user's daemon, which is started if none runs (unless `start` is False).

    `paths` names another daemon's folders, `stream` a connection whose session is open already. Raises
    LucAstraError (DAEMON_UNREACHABLE, VERSION_MISMATCH) when there can be no session.
    """
    paths = paths or Paths.from_environment()
    if stream is None and start:
        stream, _ = await open_session(paths, client_name=_CLIENT_NAME)
    elif stream is None:
        stream = await _running(paths)
    async with open_connection(stream) as connection:
        yield Client(connection)


async def _running(paths: Paths) -> trio.abc.Stream:
    """A session of the daemon that runs, of whichever version it is."""
    stream = await connect(paths)
    if stream is not None:
        try:
            await say_hello(stream, client_name=_CLIENT_NAME, token=tcp_token(paths))
            return stream
        except Unanswered:  # it is about to leave
            await trio.aclose_forcefully(stream)
        except BaseException:
            await trio.aclose_forcefully(stream)
            raise
    raise LucAstraError("lucastrad is not running; a search starts it", code=ErrorCode.DAEMON_UNREACHABLE)
