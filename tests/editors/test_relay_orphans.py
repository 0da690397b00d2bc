"""An editor that is killed says goodbye to nobody: its relay leaves all the same, whoever still holds its pipes."""

import os
import subprocess
import sys
import tempfile
from collections.abc import Iterator
from contextlib import ExitStack, contextmanager
from dataclasses import dataclass
from pathlib import Path

import pytest
from lucastra_protocol.framing import frame
from processes import end_processes_of, is_alive, until

pytestmark = [pytest.mark.slow, pytest.mark.timeout(600)]

BATCHES, EDITORS = 5, 20
_LEFT_OUT = ("XDG_RUNTIME_DIR", "LUCASTRA_HOME")
_STATUS = frame(b'{"jsonrpc":"2.0","id":1,"method":"lucastra/status"}')


@dataclass(frozen=True)
class Editor:
    """A shell that has started a relay on pipes of the test's, which stay open: the relay sees no end of its input."""

    process: subprocess.Popen[bytes]
    relay: int
    answers: int
    """A file descriptor to read the daemon's answers from."""


@pytest.fixture(scope="module")
def home() -> Iterator[Path]:
    """A home folder; its daemon is gone when the tests are done."""
    # Not tmp_path: the kernel takes socket paths of at most 107 bytes.
    with tempfile.TemporaryDirectory(prefix="lr-", dir="/tmp", ignore_cleanup_errors=True) as scratch:
        yield Path(scratch).resolve()
        end_processes_of(Path(scratch).resolve())


@contextmanager
def editor(home: Path) -> Iterator[Editor]:
    """An editor whose relay has been asked for the daemon's status."""
    to_relay, to_daemon = os.pipe()
    from_daemon, from_relay = os.pipe()
    environment = {name: value for name, value in os.environ.items() if name not in _LEFT_OUT}
    # In the background of a shell that waits: killing the shell orphans it, as the end of an editor does. Such a job
    # reads from /dev/null unless it is told otherwise.
    script = 'exec 3<&0; "$0" -P -m lucastrad --stdio <&3 & echo $! >&2; wait'
    with subprocess.Popen(
        ["/bin/sh", "-c", script, sys.executable],
        env=environment | {"HOME": str(home)}, cwd="/", stdin=to_relay, stdout=from_relay, stderr=subprocess.PIPE,
    ) as process:  # fmt: skip
        try:
            assert process.stderr is not None
            relay = int(process.stderr.readline())
            os.write(to_daemon, _STATUS)
            yield Editor(process, relay, from_daemon)
        finally:
            process.kill()
            for pipe in (to_relay, to_daemon, from_daemon, from_relay):
                os.close(pipe)


@pytest.mark.parametrize("batch", range(BATCHES))
def test_every_relay_leaves_with_its_editor(home: Path, batch: int) -> None:
    with ExitStack() as stack:
        editors = [stack.enter_context(editor(home)) for _ in range(EDITORS)]
        for one in editors:
            assert os.read(one.answers, 1) == b"C", "the relay has passed on the beginning of an answer"
        for one in editors:
            one.process.kill()
            one.process.wait()
        until(lambda: not any(is_alive(one.relay) for one in editors))
