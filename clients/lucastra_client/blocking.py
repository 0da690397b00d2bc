"""The blocking client: the async one, run on a Trio loop in a thread of its own."""

import threading
from collections.abc import Awaitable, Callable, Iterable
from contextlib import suppress
from types import TracebackType
from typing import Literal, Self, TypeVar

import trio
from lucastra_protocol import answers
from lucastra_protocol import types as wire
from lucastra_protocol.errors import ErrorCode, LucAstraError
from lucastra_protocol.paths import Paths

from lucastra_client.blocking_answers import BlockingConversations, BlockingStream
from lucastra_client.client import Client, open_client
from lucastra_client.connection import OnProgress
from lucastra_client.paths import StrPath

T = TypeVar("T")


class BlockingClient:
    """Requests to one daemon from code without an event loop; threads may share one.

        with BlockingClient() as client:
            for hit in client.search("retry with backoff").hits: ...

    The methods are those of `Client`, and raise what they raise. `on_progress` is called in the
    client's own thread.
    """

    def __init__(self, paths: Paths | None = None, *, stream: trio.abc.Stream | None = None) -> None:
        self._paths = paths
        self._stream = stream
        self._thread = threading.Thread(target=self._run, name="lucastra-client", daemon=True)
        self._started = threading.Event()
        self._closing = trio.Event()
        self._failure: BaseException | None = None
        self._token: trio.lowlevel.TrioToken | None = None
        self._client: Client | None = None
        self.conversations = BlockingConversations(self._call)

    def __enter__(self) -> Self:
        self._thread.start()
        self._started.wait()
        if self._failure is not None:
            self._thread.join()
            raise self._failure
        return self

    def __exit__(
        self, kind: type[BaseException] | None, value: BaseException | None, traceback: TracebackType | None
    ) -> None:
        self.close()

    def close(self) -> None:
        """Close the connection; calls that wait in other threads fail. Closing twice is harmless."""
        if self._token is not None:
            with suppress(trio.RunFinishedError):
                self._token.run_sync_soon(self._closing.set)
            self._thread.join()

    def _run(self) -> None:
        try:
            trio.run(self._serve)
        except BaseException as error:  # handed to the thread that opened the client
            self._failure = error
        finally:
            self._started.set()

    async def _serve(self) -> None:
        async with open_client(self._paths, stream=self._stream) as client:
            self._client = client
            self._token = trio.lowlevel.current_trio_token()
            self._started.set()
            await self._closing.wait()

    def _call(self, request: Callable[[Client], Awaitable[T]]) -> T:
        async def call(client: Client) -> T:
            return await request(client)

        if self._client is None:
            raise LucAstraError("open the client first: `with BlockingClient() as client:`")
        try:
            return trio.from_thread.run(call, self._client, trio_token=self._token)
        except (trio.RunFinishedError, trio.Cancelled):
            raise LucAstraError("this client is closed; open another one", code=ErrorCode.DAEMON_UNREACHABLE) from None

    def search(
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
        """See `Client.search`."""
        return self._call(
            lambda client: client.search(
                query,
                mode=mode,
                limit=limit,
                workspaces=workspaces,
                paths=paths,
                languages=languages,
                explain=explain,
            )
        )

    def related(
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
        """See `Client.related`."""
        return self._call(
            lambda client: client.related(
                path,
                line,
                limit=limit,
                workspaces=workspaces,
                paths=paths,
                languages=languages,
                explain=explain,
            )
        )

    def ask(
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
        """See `Client.ask`."""
        return self._call(
            lambda client: client.ask(
                question,
                limit=limit,
                workspaces=workspaces,
                paths=paths,
                languages=languages,
                provider=provider,
                system=system,
            )
        )

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
    ) -> BlockingStream[wire.AskResult]:
        """See `Client.ask_stream`."""
        return BlockingStream(
            self._call,
            lambda client: client.ask_stream(
                question,
                limit=limit,
                workspaces=workspaces,
                paths=paths,
                languages=languages,
                provider=provider,
                system=system,
            ),
        )

    def complete(
        self,
        prompt: str,
        *,
        system: str = "",
        provider: str | None = None,
        max_tokens: int | None = None,
        temperature: float | None = None,
    ) -> answers.CompleteResult:
        """See `Client.complete`."""
        return self._call(
            lambda client: client.complete(
                prompt, system=system, provider=provider, max_tokens=max_tokens, temperature=temperature
            )
        )

    def complete_stream(
        self,
        prompt: str,
        *,
        system: str = "",
        provider: str | None = None,
        max_tokens: int | None = None,
        temperature: float | None = None,
    ) -> BlockingStream[answers.CompleteResult]:
        """See `Client.complete_stream`."""
        return BlockingStream(
            self._call,
            lambda client: client.complete_stream(
                prompt, system=system, provider=provider, max_tokens=max_tokens, temperature=temperature
            ),
        )

    def embed(
        self, texts: str | Iterable[str], *, kind: Literal["passage", "query"] = "passage"
    ) -> answers.EmbedResult:
        """See `Client.embed`."""
        return self._call(lambda client: client.embed(texts, kind=kind))

    def models(self, provider: str | None = None) -> answers.ModelsResult:
        """See `Client.models`."""
        return self._call(lambda client: client.models(provider))

    def providers(self, *, check: bool = False) -> list[answers.ProviderInfo]:
        """See `Client.providers`."""
        return self._call(lambda client: client.providers(check=check))

    def index(self, path: StrPath, *, wait: bool = True, on_progress: OnProgress | None = None) -> wire.IndexResult:
        """See `Client.index`."""
        return self._call(lambda client: client.index(path, wait=wait, on_progress=on_progress))

    def workspaces(self) -> list[wire.WorkspaceStatus]:
        """See `Client.workspaces`."""
        return self._call(lambda client: client.workspaces())

    def remove(self, path: StrPath) -> str:
        """See `Client.remove`."""
        return self._call(lambda client: client.remove(path))

    def files(
        self, path: StrPath, *, skipped_only: bool = False, offset: int = 0, limit: int = 1000
    ) -> wire.FilesResult:
        """See `Client.files`."""
        return self._call(lambda client: client.files(path, skipped_only=skipped_only, offset=offset, limit=limit))

    def read(self, path: StrPath, line: int = 1, *, limit: int = 1000) -> wire.ReadResult:
        """See `Client.read`."""
        return self._call(lambda client: client.read(path, line, limit=limit))

    def evaluate(
        self, path: StrPath, *, questions: int = 300, on_progress: OnProgress | None = None
    ) -> wire.EvaluateResult:
        """See `Client.evaluate`."""
        return self._call(lambda client: client.evaluate(path, questions=questions, on_progress=on_progress))

    def status(self) -> wire.StatusResult:
        """See `Client.status`."""
        return self._call(lambda client: client.status())

    def config(self, path: StrPath | None = None) -> wire.ConfigResult:
        """See `Client.config`."""
        return self._call(lambda client: client.config(path))

    def doctor(self) -> wire.DoctorResult:
        """See `Client.doctor`."""
        return self._call(lambda client: client.doctor())

    def stop(self) -> None:
        """See `Client.stop`."""
        self._call(lambda client: client.stop())
