"""The log: one JSON object a line, private, without credentials or source text, and never in the way."""

import json
import logging
import os
import queue
import resource
import stat
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from lucastrad import logs
from lucastrad.logs import log_event, open_log, redact

logger = logging.getLogger("lucastrad.test")


@pytest.fixture
def path(tmp_path: Path) -> Path:
    return tmp_path / "logs" / "lucastrad.log"


def lines(path: Path) -> list[dict[str, Any]]:
    return [json.loads(line) for line in path.read_text(encoding="ascii").splitlines()]


def logged(path: Path, act: Callable[[], None], **settings: Any) -> list[dict[str, Any]]:
    with open_log(path, **settings):
        act()
    return lines(path)


def test_an_event_is_one_json_line(path: Path) -> None:
    (line,) = logged(path, lambda: log_event(logger, logging.INFO, "file indexed", path=Path("/a"), chunks=3))
    assert line.pop("time").endswith("+00:00")
    assert line == {"level": "info", "logger": "lucastrad.test", "event": "file indexed", "path": "/a", "chunks": 3}


def test_plain_log_calls_are_lines_too(path: Path) -> None:
    (line,) = logged(path, lambda: logger.warning("closed after %d s\nby %s", 3, "peer"))
    assert line["event"] == "closed after 3 s\nby peer"


def test_fields_cannot_pose_as_the_lines_own(path: Path) -> None:
    (line,) = logged(path, lambda: log_event(logger, logging.INFO, "x", level="error", time=1))
    assert (line["level"], line["level_"], line["time_"]) == ("info", "error", 1)


def test_the_folder_and_every_file_are_private(path: Path) -> None:
    path.parent.mkdir(mode=0o755)
    path.touch(mode=0o644)

    def act() -> None:
        for _ in range(40):
            log_event(logger, logging.INFO, "x", filler="y" * 1900)

    logged(path, act, max_mb=0.01, keep=2)
    assert stat.S_IMODE(path.parent.stat().st_mode) == 0o700
    files = sorted(path.parent.iterdir())
    assert [file.name for file in files] == ["lucastrad.log", "lucastrad.log.1", "lucastrad.log.2"]
    assert all(stat.S_IMODE(file.stat().st_mode) == 0o600 for file in files)
    assert all(file.stat().st_size <= 0.01 * 1_048_576 for file in files)


def test_the_level_is_obeyed_and_changes_while_running(path: Path) -> None:
    with open_log(path, level="warning") as log:
        log_event(logger, logging.INFO, "unheard")
        log.configure(level="info", max_mb=1, keep=1)
        log_event(logger, logging.INFO, "heard")
        log_event(logger, logging.DEBUG, "unheard")
        log.configure(level="debug", max_mb=1, keep=1)
        log_event(logger, logging.DEBUG, "heard too")
    assert [line["event"] for line in lines(path)] == ["heard", "heard too"]


def test_other_packages_are_heard_from_warning_on_at_any_level(path: Path) -> None:
    other = logging.getLogger("some_library.test")

    def act() -> None:
        other.info("whole body")
        other.warning("trouble")

    assert [line["event"] for line in logged(path, act, level="debug")] == ["trouble"]


@pytest.mark.parametrize("field", ["content", "text", "body", "query", "Content"])
@pytest.mark.parametrize(("level", "shown"), [("info", False), ("debug", True)])
def test_source_text_is_written_at_debug_only(path: Path, field: str, level: str, shown: bool) -> None:
    fields: dict[str, Any] = {field: "def secret_sauce()", "hit": {field: "sauce", "line": 1}}
    (line,) = logged(path, lambda: log_event(logger, logging.INFO, "x", **fields), level=level)
    assert (field in line, field in line["hit"]) == (shown, shown)
    assert line["hit"]["line"] == 1


CREDENTIALS = [
    "sk-proj-abcdefghijklmnop1234",
    "sk-ant-api03-abcdefghijklmnop",
    "ghp_abcdefghijklmnopqrstuvwxyz0123456789",
    "github_pat_abcdefghijklmnop_1234",
    "AKIAABCDEFGHIJKLMNOP",
    "xoxb-123456789012-abcdefghij",
    "AIzaabcdefghijklmnopqrstuvwxyz012345678",
    "eyJhbGciOiJIUzI1NiJ9.eyJzdWIiOiIxMjM0In0.c2lnbmF0dXJl",
    "-----BEGIN RSA PRIVATE KEY-----\nMIIabcdef\n-----END RSA PRIVATE KEY-----",
]
PLACED = [
    ("api_key=hushhush", "hushhush"),
    ('"api_key": "hush"', "hush"),
    ("LUCASTRA_LLM__API_KEY=hush", "hush"),
    ("password: hunter2", "hunter2"),
    ("Authorization: Bearer hushhush", "hushhush"),
    ("authorization=Basic aHVzaGh1c2g=", "aHVzaGh1c2g"),
    ("http://ada:hush@host/path", "hush"),
    ("?token=hush&x=1", "hush"),
]


@pytest.mark.parametrize("text", CREDENTIALS)
def test_what_looks_like_a_credential_is_masked(text: str) -> None:
    assert redact(f"before {text} after") == "before [redacted] after"


@pytest.mark.parametrize(("text", "hidden"), PLACED)
def test_what_stands_where_a_credential_does_is_masked(text: str, hidden: str) -> None:
    assert hidden not in redact(text)


@pytest.mark.parametrize(
    "text",
    [
        "max_tokens=512 in 3.5 s",
        "llm.api_key names the environment variable OPENAI_API_KEY, which is not set",
        "unexpected token: expected a comma",
        "/home/ada/src/task-tracker/skeleton.py:12",
        "set (from ${OPENAI_API_KEY})",
    ],
)
def test_ordinary_text_stays(text: str) -> None:
    assert redact(text) == text


@given(prefix=st.text(max_size=20), suffix=st.text(max_size=20))
def test_a_known_credential_never_survives(prefix: str, suffix: str) -> None:
    assert "opaque-Value" not in redact(f"{prefix}opaque-Value{suffix}", ["opaque-Value"])


def test_a_placeholder_is_not_taken_for_a_credential() -> None:
    assert redact("ollama answered", ["ollama"]) == "ollama answered"


def test_credentials_are_masked_wherever_they_stand_and_stay_masked_when_changed(path: Path) -> None:
    def raise_it() -> None:
        raise ValueError("opaque-1-value was refused")

    with open_log(path, secrets=["opaque-1-value"]) as log:
        log.configure(level="debug", max_mb=1, keep=1, secrets=["opaque-2-value"])
        log_event(
            logger, logging.INFO, "opaque-1-value", a="opaque-2-value", b=[{"opaque-1-value": ("opaque-2-value",)}]
        )
        log_event(logger, logging.INFO, "x", api_key="hush", client_secret="hush", token=b"hush", max_tokens=5)
        try:
            raise_it()
        except ValueError:
            logger.exception("failed for %s", "opaque-2-value")
    text = path.read_text()
    assert "opaque" not in text
    assert "hush" not in text
    assert lines(path)[1]["max_tokens"] == 5


def test_a_cut_leaves_no_half_of_a_credential(path: Path) -> None:
    value = "x" * (logs.MAX_TEXT - 4) + " sk-abcdefghijklmnopqrstuvwx" + "y" * 100
    (line,) = logged(path, lambda: log_event(logger, logging.INFO, "x", value=value))
    assert "sk-" not in line["value"]
    assert len(line["value"]) == logs.MAX_TEXT + 1


def test_an_exception_shows_places_but_no_locals_and_no_source(path: Path) -> None:
    def fail() -> None:
        password_of_ada = "local-value"
        raise KeyError(len(password_of_ada))

    def act() -> None:
        try:
            try:
                fail()
            except KeyError as error:
                raise ExceptionGroup("several", [OSError("disk\nsecond line"), ValueError("two")]) from error
        except ExceptionGroup:
            log_event(logger, logging.ERROR, "request failed", exc_info=True)

    (line,) = logged(path, act)
    exception = line["exception"]
    assert exception["type"] == "ExceptionGroup"
    assert [one["message"] for one in exception["exceptions"]] == ["disk", "two"]
    assert exception["cause"]["type"] == "KeyError"
    file, number, function = exception["cause"]["frames"][-1].rsplit(":", 2)
    assert (file, number.isdigit(), function.endswith("fail")) == (__file__, True, True)
    text = path.read_text()
    assert "local-value" not in text
    assert "password_of_ada" not in text


class Unprintable:
    def __str__(self) -> str:
        raise RuntimeError


@pytest.mark.parametrize(
    ("value", "shown"),
    [
        ("a\udcffb", "a\\udcffb"),
        (float("nan"), "nan"),
        (b"\0\1", "<2 bytes>"),
        (Unprintable(), "<Unprintable whose text raised RuntimeError>"),
        ([[[[[[1]]]]]], [[[["…"]]]]),
        ("line\nfeed\x1b", "line\nfeed\x1b"),
    ],
)
def test_any_value_makes_a_line(path: Path, value: object, shown: object) -> None:
    (line,) = logged(path, lambda: log_event(logger, logging.INFO, "x", value=value))
    assert line["value"] == shown


def test_a_log_call_with_wrong_arguments_makes_a_line() -> None:
    wrong = logging.LogRecord("lucastrad", logging.INFO, __file__, 1, "%d files", ("no number",), None)
    assert json.loads(logs.LineFormatter().format(wrong))["event"] == "%d files (not formatted: TypeError)"


def test_what_is_logged_is_what_was_true_then(path: Path) -> None:
    def act() -> None:
        counts = {"a": 1}
        log_event(logger, logging.INFO, "x", counts=counts)
        counts["a"] = 2

    assert logged(path, act)[0]["counts"] == {"a": 1}


def test_a_full_queue_drops_and_counts_and_never_waits() -> None:
    waiting: queue.Queue[Any] = queue.Queue(2)
    handler = logs._QueueHandler(waiting, logs.LineFormatter())
    for number in range(5):
        handler.handle(logging.LogRecord("lucastrad", logging.INFO, __file__, 1, f"line {number}", None, None))
    assert (waiting.qsize(), handler.dropped) == (2, 3)


@contextmanager
def full_disk(after_bytes: int) -> Iterator[None]:
    """Until the block ends, a write beyond `after_bytes` of a file fails as on a full disk."""
    soft, hard = resource.getrlimit(resource.RLIMIT_FSIZE)
    resource.setrlimit(resource.RLIMIT_FSIZE, (after_bytes, hard))
    try:
        yield
    finally:
        resource.setrlimit(resource.RLIMIT_FSIZE, (soft, hard))


def record(event: str) -> logging.LogRecord:
    return logging.LogRecord("lucastrad", logging.INFO, __file__, 1, event, None, None)


def test_a_full_disk_loses_lines_counts_them_and_says_so_later(
    tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    waiting: queue.Queue[Any] = queue.Queue()
    handler = logs._QueueHandler(waiting, logs.LineFormatter())
    file = logs._PrivateFile(tmp_path / "x.log")
    listener = logs._Listener(waiting, handler, file)
    listener.handle(handler.prepare(record("before")))
    with full_disk(after_bytes=(tmp_path / "x.log").stat().st_size):
        for _ in range(3):
            listener.handle(handler.prepare(record("lost")))
    listener.handle(handler.prepare(record("after")))
    file.close()
    told = [(line["event"], line.get("lines")) for line in lines(tmp_path / "x.log")]
    assert told == [("before", None), ("log lines lost", 3), ("after", None)]
    assert capsys.readouterr().err == ""


def test_a_rotation_that_fails_does_not_end_the_log(tmp_path: Path) -> None:
    path = tmp_path / "x.log"
    file = logs._PrivateFile(path)
    file.maxBytes, file.backupCount = 25, 1
    in_the_way = tmp_path / "x.log.1" / "folder"
    in_the_way.mkdir(parents=True)
    file.handle(record("first line"))
    file.handle(record("lost, but counted"))
    assert file.failed == 1
    in_the_way.rmdir()
    in_the_way.parent.rmdir()
    file.handle(record("second, longer line"))
    file.close()
    assert (path.read_text(), (tmp_path / "x.log.1").read_text()) == ("second, longer line\n", "first line\n")


@pytest.mark.parametrize("plant", [lambda path: path.symlink_to("/dev/null"), os.mkfifo, Path.mkdir])
def test_what_is_planted_in_the_logs_place_is_not_written_to(tmp_path: Path, plant: Callable[[Path], None]) -> None:
    plant(tmp_path / "x.log")
    with open_log(tmp_path / "x.log") as log:
        log_event(logger, logging.INFO, "x")
    assert log.lost_lines == 1


def test_closing_writes_what_is_queued_and_leaves_logging_as_it_was(path: Path) -> None:
    root = logging.getLogger()
    before = (root.level, list(root.handlers), logging.getLogger("lucastrad").level)

    def act() -> None:
        for number in range(500):
            log_event(logger, logging.INFO, "x", number=number)

    assert [line["number"] for line in logged(path, act)] == list(range(500))
    assert (root.level, list(root.handlers), logging.getLogger("lucastrad").level) == before
