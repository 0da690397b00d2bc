"""Send requests to one provider: a pool of connections, deadlines, retries and limits.

Invariants: a credential goes to its own origin only; no redirect is followed; offline, nothing leaves this machine;
a request that is cancelled or abandoned closes its connection; nothing raises but ProviderError.
"""

import dataclasses
import ipaddress
import logging
import ssl
import time
from collections.abc import AsyncIterator, Callable, Generator, Mapping
from contextlib import AsyncExitStack, asynccontextmanager, suppress
from dataclasses import dataclass
from functools import lru_cache
from random import Random
from typing import Any, TypeVar

import httpx
import msgspec
import trio
from lucastra_protocol import __version__
from lucastra_protocol.errors import ErrorCode, LucAstraError

from lucastrad.llm.errors import (
    DeadlineExceeded,
    MalformedEvent,
    OfflineRefused,
    ProviderError,
    Redirected,
    Stalled,
    Truncated,
    Unreachable,
)
from lucastrad.llm.limits import RateLimit
from lucastrad.llm.refusals import Target, read_report, refusal
from lucastrad.llm.retry import RetryPolicy, retry_after_seconds
from lucastrad.logs import log_event

logger = logging.getLogger(__name__)

Reply = TypeVar("Reply")

MAX_REPLY_BYTES = 64 * 1_048_576
"""2,048 embeddings of 1,536 dimensions take about 40 MB of JSON."""
_MAX_REFUSAL_BYTES = 65_536
_MAX_DRAINED_BYTES = 65_536
_DRAIN_SECONDS = 0.25
_KEPT_SECONDS = 60.0
"""How long an idle connection is kept: a new one costs some 100 ms, and httpx's 5 s are shorter than most pauses."""
_STALE_CONNECTIONS = 4
"""Connections that are tried in a row for one request when kept ones turn out to be closed."""


@dataclass(frozen=True, slots=True)
class Deadlines:
    """Seconds that the steps of a request may take."""

    connect_seconds: float = 10.0
    stall_seconds: float = 30.0
    """Without a byte in either direction."""
    total_seconds: float = 600.0
    """The whole request, with its retries and the time that the caller takes to read."""


class Credential(httpx.Auth):
    """Adds a key to requests to one origin, and to no other."""

    def __init__(self, value: str, *, origin: str, header: str = "Authorization", scheme: str = "Bearer") -> None:
        self._value = f"{scheme} {value}" if scheme else value
        self._origin = origin
        self._header = header

    def auth_flow(self, request: httpx.Request) -> Generator[httpx.Request, httpx.Response, None]:
        """httpx calls this for each request."""
        if origin_of(request.url) == self._origin:
            request.headers[self._header] = self._value
        yield request

    def __repr__(self) -> str:
        return f"Credential(… for {self._origin})"


def origin_of(url: httpx.URL | str) -> str:
    """Scheme, host and port (RFC 6454), with the port left out where it is the scheme's own."""
    parsed = httpx.URL(url)
    host = f"[{parsed.host}]" if ":" in parsed.host else parsed.host
    return f"{parsed.scheme}://{host}" + (f":{parsed.port}" if parsed.port else "")


def is_loopback(url: httpx.URL | str) -> bool:
    """Whether the address is on this machine: `localhost`, 127.0.0.0/8 or ::1.

    Names under `.localhost` are not taken for it: RFC 6761 says that they are, and not every resolver knows.
    """
    host = httpx.URL(url).host.rstrip(".").lower()
    if host == "localhost":
        return True
    try:
        address = ipaddress.ip_address(host)
    except ValueError:
        return False
    mapped = address.ipv4_mapped if isinstance(address, ipaddress.IPv6Address) else None
    return (mapped or address).is_loopback


@lru_cache(maxsize=1)
def _tls() -> ssl.SSLContext:
    """One for all clients: loading the certificates takes some 20 ms."""
    return httpx.create_ssl_context()


async def _end(response: httpx.Response, chunks: AsyncIterator[bytes]) -> None:
    """Close the connection of a reply that was not read to its end, and unwind the generators that were reading it.

    httpx and httpcore nest five of them; one that is left where it stands is finished by the garbage collector, at a
    time of its own and with a ResourceWarning. Read on from a closed connection, they end at once.
    """
    await response.aclose()
    with suppress(httpx.HTTPError, httpx.StreamError):
        async for _ in chunks:
            pass


class Body:
    """The bytes of a reply as they come."""

    def __init__(self, endpoint: "Endpoint", chunks: AsyncIterator[bytes], *, due: float, stall_seconds: float) -> None:
        self._endpoint = endpoint
        self._stall_seconds = stall_seconds
        self._chunks = chunks
        self._due = due

    async def read(self) -> bytes:
        """The next bytes, empty at the end; raises Stalled, Truncated or DeadlineExceeded."""
        data = b""
        failure: httpx.HTTPError | None = None
        with trio.move_on_at(self._due) as scope:
            try:
                data = await anext(self._chunks, b"")
            except httpx.HTTPError as error:
                failure = error
        if scope.cancelled_caught:
            raise self._endpoint.too_late()
        if failure is not None:
            raise self._endpoint.broken_off(failure, self._stall_seconds)
        return data

    async def read_all(self, limit: int) -> bytes:
        """The whole body; raises MalformedEvent where it is longer than `limit` bytes."""
        data = bytearray()
        while chunk := await self.read():
            data += chunk
            if len(data) > limit:
                raise self._endpoint.malformed(f"a reply of more than {limit} bytes")
        return bytes(data)

    async def drain(self) -> None:
        """Read what little may follow the end of an answer, so that the connection can be used again."""
        drained = 0
        with trio.move_on_after(_DRAIN_SECONDS):
            try:
                while drained <= _MAX_DRAINED_BYTES and (chunk := await anext(self._chunks, b"")):
                    drained += len(chunk)
            except httpx.HTTPError:
                return  # the answer is complete; the connection is not used again


class Endpoint:
    """One provider's address, with its pool of connections. All requests run in their callers' tasks."""

    def __init__(
        self,
        base_url: str,
        target: Target,
        *,
        credential: Credential | None = None,
        headers: Mapping[str, str] | None = None,
        deadlines: Deadlines | None = None,
        retry: RetryPolicy | None = None,
        rate_limit: RateLimit | None = None,
        max_concurrent: int = 256,
        offline: bool = False,
        random: Random | None = None,
        epoch_seconds: Callable[[], float] = time.time,
    ) -> None:
        self.target = target
        self.is_local = is_loopback(base_url)
        self._base = httpx.URL(base_url.rstrip("/"))
        self._credential = credential
        self._headers = {"User-Agent": f"lucastra/{__version__}", "Accept-Encoding": "identity", **(headers or {})}
        self._deadlines = Deadlines() if deadlines is None else deadlines
        self._retry = RetryPolicy() if retry is None else retry
        self._rate_limit = RateLimit() if rate_limit is None else rate_limit
        self._slots = trio.Semaphore(max_concurrent)
        self._max_concurrent = max_concurrent
        self._offline = offline
        self._random = Random() if random is None else random  # noqa: S311 - jitter
        self._epoch_seconds = epoch_seconds
        self._client: httpx.AsyncClient | None = None
        self._in_use = 0
        self._closing = False

    async def call(
        self,
        method: str,
        path: str,
        body: Any = None,
        *,
        reply: type[Reply],
        model: str | None = None,
        tokens: int = 0,
        retry_attempts: int | None = None,
        stall_seconds: float | None = None,
    ) -> Reply:
        """The decoded JSON reply. `tokens` is the request's expected size, for the limit on tokens a minute."""
        async with self.open(
            method, path, body, model=model, tokens=tokens, retry_attempts=retry_attempts, stall_seconds=stall_seconds
        ) as opened:
            data = await opened.read_all(MAX_REPLY_BYTES)
        try:
            return msgspec.json.decode(data, type=reply)
        except (msgspec.DecodeError, UnicodeDecodeError, RecursionError):
            pass
        raise self.malformed(
            f"a reply that is not of its API: {self.target.quote(data[:300].decode(errors='replace'))}"
        )

    @asynccontextmanager
    async def open(
        self,
        method: str,
        path: str,
        body: Any = None,
        *,
        model: str | None = None,
        tokens: int = 0,
        retry_attempts: int | None = None,
        stall_seconds: float | None = None,
    ) -> AsyncIterator[Body]:
        """The reply's body while it arrives; the connection is given back or closed when the block ends.

        Passing failures are retried only up to here: once an answer has begun, it is the caller's.
        """
        due = trio.current_time() + self._deadlines.total_seconds
        stall = self._deadlines.stall_seconds if stall_seconds is None else stall_seconds
        self._in_use += 1
        try:
            async with AsyncExitStack() as stack:
                response: httpx.Response | None = None
                with trio.move_on_at(due):
                    request = self._request(method, path, body, stall)
                    response = await self._retrying(stack, request, model, tokens, retry_attempts)
                if response is None:
                    raise self.too_late()
                chunks = response.aiter_bytes()
                try:
                    yield Body(self, chunks, due=due, stall_seconds=stall)
                finally:
                    await _end(response, chunks)
        finally:
            self._in_use -= 1
            if self._closing and not self._in_use:
                await self._close()

    def settle(self, further_tokens: int) -> None:
        """Count tokens that a request took beyond what it was opened with."""
        self._rate_limit.settle(further_tokens)

    async def aclose(self) -> None:
        """Close now, or as soon as the last request in flight has ended."""
        self._closing = True
        if not self._in_use:
            await self._close()

    # What went wrong, in words.

    def too_late(self) -> ProviderError:
        return DeadlineExceeded(
            f"{self.target.title} took longer than {self._deadlines.total_seconds:g} s for the whole answer:"
            f" raise `{self.target.section}.deadline_secs`, or ask for less",
            provider=self.target.name,
        )

    def truncated(self) -> ProviderError:
        return Truncated(
            f"{self.target.title} closed the connection before its answer was complete; ask again",
            provider=self.target.name,
        )

    def malformed(self, what: str) -> ProviderError:
        return MalformedEvent(
            f"{self.target.title} sent {what}; check that the server at `{self.target.section}.endpoint` speaks the"
            f" {self.target.kind} API",
            provider=self.target.name,
        )

    def broken_off(self, error: httpx.HTTPError, stall_seconds: float) -> ProviderError:
        """The error for what httpx raised while a reply was read."""
        if isinstance(error, httpx.TimeoutException):
            return self._stalled(stall_seconds)
        if isinstance(error, httpx.DecodingError):
            return self.malformed("a body that cannot be decompressed")
        return self.truncated()

    def _stalled(self, seconds: float) -> ProviderError:
        return Stalled(
            f"nothing came from {self.target.title} for {seconds:g} s: see whether the server is"
            f" busy, or raise `{self.target.section}.timeout_secs`",
            provider=self.target.name,
        )

    def _unreachable(self, error: Exception, timeout: Mapping[str, float]) -> ProviderError:
        if isinstance(error, httpx.ReadTimeout | httpx.WriteTimeout):
            return self._stalled(timeout["read"])
        if isinstance(error, httpx.ConnectTimeout):
            said = f"no connection within {timeout['connect']:g} s"
        elif isinstance(error, httpx.ConnectError | OSError | UnicodeError):
            said = self.target.quote(str(error)) or "no connection"
        else:
            said = "the connection was closed before an answer came"
        cure = "start the server" if self.is_local else "check the network"
        return Unreachable(
            f"{self.target.title} cannot be reached ({said}): {cure}, or correct `{self.target.section}.endpoint`",
            provider=self.target.name,
        )

    # One request.

    def _request(self, method: str, path: str, body: Any, stall_seconds: float) -> httpx.Request:
        if self._closing:
            raise Unreachable(
                f"the configuration of {self.target.section} has changed; ask again", provider=self.target.name
            )
        if self._offline and not self.is_local:
            raise OfflineRefused(
                f"offline mode forbids the connection to {self.target.origin}: use a local provider, or set `offline`"
                " to false",
                provider=self.target.name,
            )
        base, _, query = path.partition("?")
        url = self._base.copy_with(raw_path=f"{self._base.path.rstrip('/')}{base}{'?' * bool(query)}{query}".encode())
        timeout = httpx.Timeout(stall_seconds, connect=min(self._deadlines.connect_seconds, stall_seconds), pool=None)
        return self._open_client().build_request(
            method,
            url,
            content=None if body is None else msgspec.json.encode(body),
            headers={} if body is None else {"Content-Type": "application/json"},
            timeout=timeout,
        )

    def _open_client(self) -> httpx.AsyncClient:
        if self._client is None:
            self._client = httpx.AsyncClient(
                auth=self._credential,
                headers=self._headers,
                follow_redirects=False,
                # A proxy has no business between two processes of one machine.
                trust_env=not self.is_local,
                verify=_tls(),
                # The semaphore bounds the requests; a bound here as well could only make them wait twice.
                limits=httpx.Limits(
                    max_connections=None,
                    max_keepalive_connections=self._max_concurrent,
                    keepalive_expiry=_KEPT_SECONDS,
                ),
            )
        return self._client

    async def _retrying(
        self, stack: AsyncExitStack, request: httpx.Request, model: str | None, tokens: int, attempts: int | None
    ) -> httpx.Response:
        policy = self._retry if attempts is None else dataclasses.replace(self._retry, attempts=attempts)
        tries = 0
        while True:
            await self._rate_limit.admit(tokens)
            try:
                return await stack.enter_async_context(self._attempt(request, model))
            except ProviderError as error:
                tries += 1
                wait = policy.wait_seconds(error, tries, self._random)
                if wait is None:
                    raise
                log_event(
                    logger, logging.INFO, "provider request failed, trying again", provider=self.target.name,
                    origin=self.target.origin, reason=error.reason, tries=tries, wait_seconds=round(wait, 3),
                )  # fmt: skip
                if error.retry_after_seconds is not None:
                    self._rate_limit.pause(error.retry_after_seconds)
            await trio.sleep(wait)

    @asynccontextmanager
    async def _attempt(self, request: httpx.Request, model: str | None) -> AsyncIterator[httpx.Response]:
        async with self._slots:
            response = await self._send(request)
            try:
                if response.status_code != 200:
                    raise await self._refusal(response, model)
                yield response
            finally:
                await response.aclose()

    async def _send(self, request: httpx.Request) -> httpx.Response:
        failure: Exception
        connected = False

        async def trace(event: str, _: Any) -> None:
            nonlocal connected
            connected = connected or event == "connection.connect_tcp.started"

        request.extensions["trace"] = trace
        for _ in range(_STALE_CONNECTIONS):
            try:
                return await self._open_client().send(request, stream=True)
            except (httpx.HTTPError, OSError, UnicodeError) as error:  # the last for a name that is no host name
                failure = error
            # A server may close a kept connection at the moment at which it is used again (llama.cpp does): that says
            # nothing about the server, so another is tried at once, up to the first that is new.
            if connected or not isinstance(failure, httpx.NetworkError | httpx.RemoteProtocolError):
                break
        # Raised outside the handler: httpx's exception holds the request, and the request its key.
        raise self._unreachable(failure, request.extensions["timeout"])

    async def _refusal(self, response: httpx.Response, model: str | None) -> ProviderError:
        status = response.status_code
        if 300 <= status < 400:
            return self._redirected(response)
        body = bytearray()
        chunks = response.aiter_bytes()
        with suppress(httpx.HTTPError):  # the status says enough
            while len(body) < _MAX_REFUSAL_BYTES and (chunk := await anext(chunks, b"")):
                body += chunk
        await _end(response, chunks)
        asked = retry_after_seconds(response.headers, self._epoch_seconds())
        if 200 < status < 300:
            return self.malformed(f"HTTP status {status} where 200 was expected")
        return refusal(self.target, read_report(status, bytes(body)), model=model, retry_after_seconds=asked)

    def _redirected(self, response: httpx.Response) -> ProviderError:
        try:
            elsewhere = origin_of(response.request.url.join(response.headers.get("location", "")))
        except (httpx.InvalidURL, ValueError):
            elsewhere = "another address"
        return Redirected(
            f"{self.target.title} redirects to {self.target.quote(elsewhere)}, which is not followed since text and key"
            f" would go there: if that is right, set `{self.target.section}.endpoint` to the new address",
            provider=self.target.name,
        )

    async def _close(self) -> None:
        client, self._client = self._client, None
        if client is not None:
            with trio.CancelScope(shield=True):  # bounded: connections are closed, nothing is awaited from a peer
                await client.aclose()


def checked_key(value: str, source: str) -> str:
    """The key, where HTTP can carry it; raises LucAstraError (CONFIG_INVALID), which does not show it."""
    key = value.strip()
    if key and all("!" <= character <= "~" for character in key):
        return key
    raise LucAstraError(
        f"the key from {source} is empty or holds spaces, line breaks or other characters that no key has:"
        " copy it again",
        code=ErrorCode.CONFIG_INVALID,
    )
