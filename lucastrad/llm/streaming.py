"""An answer while it arrives: the bytes of a reply through one API's decoder.

Invariant: an answer is finished only when its decoder has seen the API's terminal event. Text that came before a
failure is given out first, and stands in the error.
"""

from abc import ABC, abstractmethod
from collections import deque
from collections.abc import AsyncIterator, Iterator

import msgspec

from lucastrad.llm.errors import ProviderError
from lucastrad.llm.http import Body, Endpoint
from lucastrad.llm.ndjson import LineParser
from lucastrad.llm.protocol import Completion, FinishReason, Usage
from lucastrad.llm.refusals import Report, read_report, refusal
from lucastrad.llm.sse import EventStreamParser, StreamFormatError

_BEGINNING_BYTES = 65_536
MAX_ANSWER_CHARACTERS = 16 * 1_048_576


class ReportedFailure(Exception):
    """The stream itself says that the answer failed."""

    def __init__(self, report: Report) -> None:
        super().__init__(report.type)
        self.report = report


class AnswerDecoder(ABC):
    """Decodes one streamed answer of one API: bytes in, pieces of text out. Does no I/O."""

    def __init__(self) -> None:
        self.finished = False
        """Whether the terminal event has come."""
        self.model = ""
        self.finish = FinishReason.STOP
        self.usage = Usage()

    @abstractmethod
    def feed(self, data: bytes) -> Iterator[str]:
        """Yield the text that `data` completes. Raises StreamFormatError, msgspec.DecodeError or ReportedFailure."""


class EventDecoder(AnswerDecoder):
    """Base of the APIs that stream server-sent events."""

    def __init__(self) -> None:
        super().__init__()
        self._parser = EventStreamParser()

    def feed(self, data: bytes) -> Iterator[str]:
        for event in self._parser.feed(data):
            if self.finished:
                return
            if text := self.apply(event.data):
                yield text

    @abstractmethod
    def apply(self, data: str) -> str:
        """The text of one event, which may be empty."""


class LineDecoder(AnswerDecoder):
    """Base of the APIs that stream lines of JSON."""

    def __init__(self) -> None:
        super().__init__()
        self._parser = LineParser()

    def feed(self, data: bytes) -> Iterator[str]:
        for line in self._parser.feed(data):
            if self.finished:
                return
            if text := self.apply(line):
                yield text

    @abstractmethod
    def apply(self, line: bytes) -> str:
        """The text of one line, which may be empty."""


class StreamedAnswer:
    """Implements `protocol.Answer`."""

    def __init__(self, endpoint: Endpoint, body: Body, decoder: AnswerDecoder, *, model: str | None) -> None:
        self._endpoint = endpoint
        self._body = body
        self._decoder = decoder
        self._model = model
        self._pieces: list[str] = []
        self._length = 0
        self._waiting: deque[str] = deque()
        self._failure: ProviderError | None = None
        self._beginning = bytearray()

    @property
    def text(self) -> str:
        return "".join(self._pieces)

    @property
    def completion(self) -> Completion:
        if not self._decoder.finished or self._waiting or self._failure is not None:
            raise RuntimeError("the answer has not been read to its end")
        decoder = self._decoder
        return Completion(self.text, decoder.model or self._model or "", decoder.finish, decoder.usage)

    def __aiter__(self) -> AsyncIterator[str]:
        return self

    async def __anext__(self) -> str:
        while not self._waiting:
            if self._failure is not None:
                self._failure.partial_text = self.text
                raise self._failure
            if self._decoder.finished:
                raise StopAsyncIteration
            await self._advance()
        piece = self._waiting.popleft()
        self._pieces.append(piece)
        return piece

    async def _advance(self) -> None:
        """Take in the next bytes; a failure waits until the text before it has been given out."""
        try:
            data = await self._body.read()
            if not data:
                self._failure = self._ended_early()
                return
        except ProviderError as error:
            self._failure = error
            return
        self._failure = self._decode(data)

    def _ended_early(self) -> ProviderError:
        """The error for an end without the terminal event: some servers report a failure as a whole reply here."""
        report = read_report(0, bytes(self._beginning)) if self._beginning.startswith(b"{") else None
        if report is not None and not self._length and report.type + report.code:
            return refusal(self._endpoint.target, report, model=self._model)
        return self._endpoint.truncated()

    def _decode(self, data: bytes) -> ProviderError | None:
        self._beginning += data[: _BEGINNING_BYTES - len(self._beginning)]
        try:
            for piece in self._decoder.feed(data):
                self._waiting.append(piece)
                self._length += len(piece)
        except ReportedFailure as failure:
            return refusal(self._endpoint.target, failure.report, model=self._model)
        except StreamFormatError as error:
            return self._endpoint.malformed(str(error))
        except (msgspec.DecodeError, UnicodeDecodeError, RecursionError):
            return self._endpoint.malformed("an event that is not of its API")
        if self._length > MAX_ANSWER_CHARACTERS:
            return self._endpoint.malformed(f"an answer of more than {MAX_ANSWER_CHARACTERS} characters")
        return None
