"""Where LucAstra keeps its files. Everything follows from two environment variables.

`LUCASTRA_HOME` moves the store (default `~/.lucastra`); `XDG_RUNTIME_DIR` the socket.
"""

import hashlib
import os
from dataclasses import dataclass
from pathlib import Path

from lucastra_protocol.errors import ErrorCode, LucAstraError

_MAX_SOCKET_PATH_BYTES = 100
"""The kernel's limit is 107 bytes and a terminating zero on Linux, 103 on macOS."""


@dataclass(frozen=True, slots=True)
class Paths:
    """Every path that more than one process must agree on."""

    home: Path
    run: Path

    @classmethod
    def from_environment(cls, environ: "os._Environ[str] | dict[str, str] | None" = None) -> "Paths":
        """The paths of the current user; relative values are taken from the working directory.

        Raises LucAstraError (STORE_UNAVAILABLE) for a home that no index can be kept in.
        """
        env = os.environ if environ is None else environ
        explicit = env.get("LUCASTRA_HOME")
        home = Path(explicit).expanduser().absolute() if explicit else Path.home() / ".lucastra"
        _check_is_utf8(home)
        run = home / "run"
        runtime = env.get("XDG_RUNTIME_DIR")
        if runtime and Path(runtime).is_dir():
            # One daemon per home: another LUCASTRA_HOME must not meet this one's socket.
            suffix = "" if not explicit else "-" + hashlib.sha256(os.fsencode(home)).hexdigest()[:8]
            run = Path(runtime) / f"lucastra{suffix}"
        return cls(home=home, run=run)

    @property
    def socket(self) -> Path:
        """The daemon's unix socket: in `run`, or where `run` is too long a path in the user's own short folder."""
        path = self.run / "lucastrad.sock"
        if len(os.fsencode(path)) <= _MAX_SOCKET_PATH_BYTES:
            return path
        digest = hashlib.sha256(os.fsencode(path)).hexdigest()[:12]
        return Path.home() / ".lucastra-run" / f"{digest}.sock"

    @property
    def lock(self) -> Path:
        """Held with flock by the daemon that owns the store."""
        return self.home / "lucastrad.lock"

    @property
    def config(self) -> Path:
        return self.home / "config.json"

    @property
    def logs(self) -> Path:
        return self.home / "logs"

    @property
    def log(self) -> Path:
        return self.logs / "lucastrad.log"

    @property
    def startup_log(self) -> Path:
        """What a daemon started by a client wrote to its standard error."""
        return self.logs / "startup.log"

    @property
    def tcp_endpoint(self) -> Path:
        """`{"port": …, "token": …}` of a daemon started with --tcp; mode 0600."""
        return self.run / "tcp.json"


def _check_is_utf8(home: Path) -> None:
    """tantivy and the grammars take paths as text."""
    name = os.fsencode(home)
    try:
        name.decode()
    except UnicodeDecodeError:
        raise LucAstraError(
            f"the path {name.decode('utf-8', 'backslashreplace')} is not UTF-8, and no index can be kept there: set"
            " LUCASTRA_HOME to a folder whose path is",
            code=ErrorCode.STORE_UNAVAILABLE,
        ) from None
