"""A user of their own: a home folder, and `lucastra-client` run in it."""

import json
import subprocess
import sys
from dataclasses import dataclass
from pathlib import Path
from typing import Any

CLIENT = [sys.executable, "-P", "-m", "lucastra_client.cli"]
"""What the console script runs. -P: `-m` would import modules from the folder that a test stands in."""


@dataclass(frozen=True)
class Home:
    """A home folder, and `lucastra-client` run in it."""

    folder: Path
    environment: dict[str, str]

    def client(
        self, *arguments: str, cwd: Path, check: int | None = None, piped: str | None = None
    ) -> "subprocess.CompletedProcess[str]":
        """Run one command line, with `piped` on its standard input; with `check`, that must be its exit code."""
        done = subprocess.run(
            [*CLIENT, *arguments],
            cwd=cwd,
            env=self.environment,
            **({"stdin": subprocess.DEVNULL} if piped is None else {"input": piped}),
            capture_output=True,
            text=True,
            timeout=90,
            check=False,
        )
        if check is not None:
            assert done.returncode == check, f"{arguments}: exit {done.returncode}\n{done.stdout}\n{done.stderr}"
        return done

    def json(self, *arguments: str, cwd: Path, check: int = 0) -> Any:
        """The document that a command line prints."""
        return json.loads(self.client(*arguments, "--json", cwd=cwd, check=check).stdout)

    @property
    def daemon_pid(self) -> int | None:
        """The process that owns the store, if any does."""
        try:
            return int((self.folder / ".lucastra" / "lucastrad.lock").read_text())
        except (FileNotFoundError, ValueError):
            return None
