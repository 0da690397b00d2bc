"""A user of the tests' own: a home folder, and the environment of the programs in it."""

import json
import os
import sys
from dataclasses import dataclass
from pathlib import Path


def environment_of(folder: Path) -> dict[str, str]:
    """The environment of programs whose home is `folder`: nothing of this user's own, and `lucastrad` on the PATH."""
    kept = {name: value for name, value in os.environ.items() if not name.startswith(("XDG_", "LUCASTRA_", "NVIM"))}
    programs = str(Path(sys.executable).parent)
    return kept | {"HOME": str(folder), "PATH": f"{programs}{os.pathsep}{kept['PATH']}"}


@dataclass(frozen=True)
class Home:
    """A user's home folder, with the environment of its programs."""

    folder: Path
    environment: dict[str, str]

    @property
    def daemon_pid(self) -> int | None:
        """The process that owns the store, if any does."""
        try:
            return int((self.folder / ".lucastra" / "lucastrad.lock").read_text())
        except (FileNotFoundError, ValueError):
            return None

    def configure(self, **sections: object) -> None:
        """Write the daemon's configuration."""
        file = self.folder / ".lucastra" / "config.json"
        file.parent.mkdir(mode=0o700, exist_ok=True)
        file.write_text(json.dumps(sections))
        file.chmod(0o600)
