"""The daemon's log: one JSON object per line, in a rotating file that only its user can read.

Invariants: logging never blocks the event loop on the disk and never raises into the program; no credential is
written at any level, no source text or query unless the level is `debug`. A line is finished where the event
happens, so that nothing it names can change or stay alive in the queue; a thread of its own does the writing.
"""

import json
import logging
import logging.handlers
import math
import os
import queue
import re
import stat
import traceback
from collections.abc import Iterable, Iterator, Mapping
from contextlib import contextmanager, suppress
from datetime import UTC, datetime
from io import TextIOWrapper
from pathlib import Path
from typing import Any

PACKAGES = ("lucastrad", "lucastra_protocol")
"""Loggers that follow the configured level; others are heard from WARNING on: their lower levels show payloads."""

QUEUE_LINES = 2000
MAX_TEXT = 2000
"""Characters of one string in a line."""
_MAX_ITEMS = 50
_MAX_DEPTH = 5
_MAX_FRAMES = 40

_CONTENT_FIELDS = frozenset({"content", "text", "body", "query"})
_RESERVED = frozenset({"time", "level", "logger", "event", "exception"})
_REDACTED = "[redacted]"
_MIN_SECRET = 8
"""Shorter ones are placeholders, such as `none` for a local server, and ordinary words of a line."""
_CREDENTIAL_FIELD = re.compile(
    r"(^|[_-])(api_?key|authorization|credentials?|passw(or)?d|secret|token)$", re.IGNORECASE
)
_CREDENTIAL = re.compile(
    r"""
      -----BEGIN\ [A-Z ]*PRIVATE\ KEY-----.*?(?:-----END\ [A-Z ]*PRIVATE\ KEY-----|\Z)
    | \b(?:sk|pk|rk)[-_][A-Za-z0-9_-]{16,}                      # OpenAI, Anthropic, Stripe
    | \b(?:gh[oprsu]|glpat|github_pat|xox[abeoprs]|hf|npm|pypi)[-_][A-Za-z0-9_-]{16,}
    | \b(?:AKIA|ASIA)[A-Z0-9]{16}\b
    | \bAIza[A-Za-z0-9_-]{30,}
    | \beyJ[A-Za-z0-9_-]{8,}\.[A-Za-z0-9_-]{8,}\.[A-Za-z0-9_-]*  # JSON Web Token
    """,
    re.VERBOSE | re.DOTALL,
)
_ASSIGNED = re.compile(
    r"""
      ((?<![A-Za-z0-9])(?:api[_-]?key|authorization|passw(?:or)?d|secret|token)\b["']?\s*)
      (?: ([:=]\s*) (?:"[^"]*"?|'[^']*'?)
        | (=\s*) [^\s,;&"']+
        | (:\s*) (?=[^\s,;&"']*\d)[^\s,;&"']{6,}    # a digit: "token: expected" is prose
      )
    """,
    re.VERBOSE | re.IGNORECASE,
)
_BEARER = re.compile(r"\b(Bearer|Basic)\s+[A-Za-z0-9._~+/=-]{8,}", re.IGNORECASE)
_USER_INFO = re.compile(r"(://)[^/\s@]+@")


def redact(text: str, known: Iterable[str] = ()) -> str:
    """`text` with everything that looks like a credential, and each of the `known` ones, masked."""
    for secret in known:
        if len(secret) >= _MIN_SECRET:
            text = text.replace(secret, _REDACTED)
    text = _CREDENTIAL.sub(_REDACTED, text)
    text = _BEARER.sub(rf"\1 {_REDACTED}", text)
    text = _ASSIGNED.sub(rf"\1\2\3\4{_REDACTED}", text)
    return _USER_INFO.sub(rf"\1{_REDACTED}@", text)


def log_event(logger: logging.Logger, level: int, event: str, /, **fields: object) -> None:
    """Log `event`, a fixed phrase, with what is particular to this occurrence as fields.

    Fields named content, text, body or query are dropped unless the log's level is `debug`; inside an
    `except` block, `exc_info=True` adds the exception.
    """
    if logger.isEnabledFor(level):
        exc_info: Any = fields.pop("exc_info", None)
        logger.log(level, event, exc_info=exc_info, extra={"fields": fields}, stacklevel=2)


class LineFormatter(logging.Formatter):
    """Makes one JSON line of a record."""

    def __init__(self) -> None:
        super().__init__()
        self.include_content = False
        self.secrets: tuple[str, ...] = ()

    def format(self, record: logging.LogRecord) -> str:
        """The line, in ASCII and without a line feed."""
        line: dict[str, object] = {
            "time": datetime.fromtimestamp(record.created, UTC).isoformat(timespec="milliseconds"),
            "level": record.levelname.lower(),
            "logger": record.name,
            "event": self._clean(_message(record)),
        }
        fields = getattr(record, "fields", None)
        if isinstance(fields, Mapping):
            for name, value in self._fields(fields, 0).items():
                line[f"{name}_" if name in _RESERVED else name] = value
        if isinstance(record.exc_info, tuple) and record.exc_info[1] is not None:
            line["exception"] = self._exception(record.exc_info[1], 0)
        return json.dumps(line, ensure_ascii=True, separators=(",", ":"))

    def _fields(self, fields: Mapping[Any, object], depth: int) -> dict[str, object]:
        kept: dict[str, object] = {}
        for key, value in list(fields.items())[:_MAX_ITEMS]:
            name = self._clean_text(str(key))
            if name.lower() in _CONTENT_FIELDS and not self.include_content:
                continue
            is_credential = _CREDENTIAL_FIELD.search(name) and value is not None and not isinstance(value, int | float)
            kept[name] = _REDACTED if is_credential else self._clean(value, depth + 1)
        return kept

    def _clean(self, value: object, depth: int = 0) -> object:
        match value:
            case None | bool() | int():
                return value
            case float():
                return value if math.isfinite(value) else str(value)
            case str():
                return self._clean_text(value)
            case bytes() | bytearray() | memoryview():
                return f"<{len(value)} bytes>"
            case _ if depth >= _MAX_DEPTH:
                return "…"
            case Mapping():
                return self._fields(value, depth)
            case list() | tuple() | set() | frozenset():
                return [self._clean(item, depth + 1) for item in list(value)[:_MAX_ITEMS]]
            case os.PathLike():
                return self._clean_text(os.fsdecode(value))
            case BaseException():
                return self._exception(value, depth)
            case _:
                return self._clean_text(_text(value))

    def _clean_text(self, text: str) -> str:
        # Redacted before it is cut: a cut could leave the half of a credential that no pattern knows.
        printable = text.encode("utf-8", "backslashreplace").decode()
        clean = redact(printable[: MAX_TEXT * 8], self.secrets)
        return clean if len(clean) <= MAX_TEXT else clean[:MAX_TEXT] + "…"

    def _exception(self, error: BaseException, depth: int) -> dict[str, object]:
        """Type, message, and `file:line:function` per frame, innermost last: no locals, no source lines."""
        frames = [
            f"{frame.f_code.co_filename}:{line}:{frame.f_code.co_qualname}"
            for frame, line in traceback.walk_tb(error.__traceback__)
        ]
        shown: dict[str, object] = {
            "type": type(error).__qualname__,
            "message": self._clean_text(_text(error)[:MAX_TEXT].partition("\n")[0]),
            "frames": frames[-_MAX_FRAMES:],
        }
        if depth < _MAX_DEPTH:
            cause = error.__cause__ or (None if error.__suppress_context__ else error.__context__)
            if cause is not None:
                shown["cause"] = self._exception(cause, depth + 1)
            if isinstance(error, BaseExceptionGroup):
                shown["exceptions"] = [self._exception(one, depth + 1) for one in error.exceptions[:_MAX_ITEMS]]
        return shown


def _text(value: object) -> str:
    try:
        return str(value)
    except Exception as error:
        return f"<{type(value).__qualname__} whose text raised {type(error).__qualname__}>"


def _message(record: logging.LogRecord) -> str:
    try:
        return record.getMessage()
    except Exception as error:  # wrong arguments in a log call must not reach its caller
        return f"{record.msg} (not formatted: {type(error).__qualname__})"


class _QueueHandler(logging.handlers.QueueHandler):
    """Finishes the line and queues it; a full queue drops the line and counts it."""

    def __init__(self, lines: "queue.Queue[Any]", formatter: LineFormatter) -> None:
        super().__init__(lines)
        self.setFormatter(formatter)
        self.dropped = 0

    def prepare(self, record: logging.LogRecord) -> logging.LogRecord:
        return logging.makeLogRecord({"msg": self.format(record), "levelno": record.levelno})

    def enqueue(self, record: logging.LogRecord) -> None:
        try:
            self.queue.put_nowait(record)
        except queue.Full:
            self.dropped += 1

    def handleError(self, record: logging.LogRecord) -> None:  # noqa: N802
        self.dropped += 1


class _PrivateFile(logging.handlers.RotatingFileHandler):
    """A rotating file of mode 0600, which outlives a full disk and counts the lines lost to it."""

    def __init__(self, path: Path) -> None:
        self.failed = 0
        super().__init__(path, encoding="ascii", delay=True)
        self.setFormatter(logging.Formatter("%(message)s"))

    def _open(self) -> TextIOWrapper:
        flags = os.O_WRONLY | os.O_APPEND | os.O_CREAT | os.O_NOFOLLOW | os.O_NONBLOCK | os.O_CLOEXEC
        descriptor = os.open(self.baseFilename, flags, 0o600)
        try:
            if not stat.S_ISREG(os.fstat(descriptor).st_mode):
                raise OSError(f"{self.baseFilename} is not a regular file")
            os.fchmod(descriptor, 0o600)
            return os.fdopen(descriptor, "a", encoding="ascii")
        except BaseException:
            os.close(descriptor)
            raise

    def handleError(self, record: logging.LogRecord) -> None:  # noqa: N802
        self.failed += 1
        # A failed flush keeps its bytes and fails again, and a failed rotation leaves a closed file behind:
        # only a new file object lets the next line be tried.
        stream, self.stream = self.stream, None
        if stream is not None:
            with suppress(OSError, ValueError):
                stream.close()


class _Listener(logging.handlers.QueueListener):
    """Writes queued lines, and says how many were lost once there is room again."""

    def __init__(self, lines: "queue.Queue[Any]", handler: _QueueHandler, file: _PrivateFile) -> None:
        super().__init__(lines, file)
        self._producer = handler
        self._file = file
        self._lines = lines
        self._told = 0

    def handle(self, record: logging.LogRecord) -> None:
        lost = self._producer.dropped + self._file.failed
        if lost > self._told:
            note = logging.LogRecord(__name__, logging.WARNING, __file__, 0, "log lines lost", None, None)
            note.fields = {"lines": lost - self._told}
            failed_before = self._file.failed
            self._file.handle(self._producer.prepare(note))
            if self._file.failed == failed_before:
                self._told = lost
            else:
                self._file.failed = failed_before  # the note itself is no lost line
        self._file.handle(record)

    def enqueue_sentinel(self) -> None:
        self._lines.put(None)  # waits for room, where the original raises queue.Full


class DaemonLog:
    """The open log. Create it with `open_log`."""

    def __init__(self, handler: _QueueHandler, formatter: LineFormatter, file: _PrivateFile) -> None:
        self._handler = handler
        self._formatter = formatter
        self._file = file

    @property
    def lost_lines(self) -> int:
        """Lines that a full queue or a full disk has cost so far."""
        return self._handler.dropped + self._file.failed

    def configure(self, *, level: str, max_mb: float, keep: int, secrets: Iterable[str] = ()) -> None:
        """Apply settings at once: `level` as in `logging.level`, rotation at `max_mb` MiB with `keep` old files.

        `secrets` are the credentials in force; those of earlier calls stay redacted too.
        """
        numeric = logging.getLevelNamesMapping()[level.upper()]
        self._formatter.secrets = tuple(dict.fromkeys((*self._formatter.secrets, *secrets)))
        self._formatter.include_content = numeric <= logging.DEBUG
        self._file.maxBytes = int(max_mb * 1_048_576)
        self._file.backupCount = keep
        logging.getLogger().setLevel(max(numeric, logging.WARNING))
        for package in PACKAGES:
            logging.getLogger(package).setLevel(numeric)


@contextmanager
def open_log(
    path: Path, *, level: str = "info", max_mb: float = 10, keep: int = 5, secrets: Iterable[str] = ()
) -> Iterator[DaemonLog]:
    """Send the process's log to `path` until the block ends, then write out what is queued.

    Makes the folder (0700). Raises OSError only where that folder cannot be made.
    """
    path.parent.mkdir(mode=0o700, parents=True, exist_ok=True)
    path.parent.chmod(0o700)
    formatter = LineFormatter()
    lines: queue.Queue[Any] = queue.Queue(QUEUE_LINES)
    handler, file = _QueueHandler(lines, formatter), _PrivateFile(path)
    listener = _Listener(lines, handler, file)
    log = DaemonLog(handler, formatter, file)
    root = logging.getLogger()
    levels = {logger: logger.level for logger in (root, *map(logging.getLogger, PACKAGES))}
    log.configure(level=level, max_mb=max_mb, keep=keep, secrets=secrets)
    root.addHandler(handler)
    listener.start()
    try:
        yield log
    finally:
        root.removeHandler(handler)
        listener.stop()
        file.close()
        for logger, before in levels.items():
            logger.setLevel(before)
