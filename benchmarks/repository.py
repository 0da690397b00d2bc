"""Working copies of a corpus: git repositories that may be written to."""

import os
import random
import shutil
import subprocess
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path

from benchmarks.errors import BenchmarkError

MAIN = "main"
CHANGED = "changed"
_CONSONANTS = "bcdfghjklmnpqrstvwxz"
_WORD_CHARACTERS = 18


@dataclass(frozen=True, slots=True)
class Repository:
    """A git repository with everything committed on `main`."""

    root: Path

    @classmethod
    def copy(cls, tree: Path, root: Path) -> "Repository":
        """Copy `tree` to `root` and commit it there."""
        shutil.copytree(tree, root, symlinks=True)
        repository = cls(root.resolve())
        repository.git("init", "--quiet", f"--initial-branch={MAIN}")
        repository.git("add", "--all")
        repository.git("commit", "--quiet", "--message=Import")
        return repository

    def branch_with_changes(self, files: Sequence[str], tokens: Sequence[str], beside: Path) -> None:
        """Commit on a branch `changed` one changed line in each of `files`, which then holds the token beside it.

        Made in a worktree at `beside`, so that the files of `main` are not touched.
        """
        self.git("worktree", "add", "--quiet", "-b", CHANGED, str(beside), MAIN)
        side = Repository(beside)
        for name, token in zip(files, tokens, strict=True):
            path = beside / name
            path.write_bytes(with_changed_line(path.read_bytes(), token))
        side.git("commit", "--quiet", "--all", "--message=Change one line of each")
        self.git("worktree", "remove", "--force", str(beside))

    def checkout(self, branch: str) -> None:
        """Switch branches; raises BenchmarkError when git will not."""
        self.git("checkout", "--quiet", branch)

    def git(self, *arguments: str) -> None:
        """Run one git command, with neither the user's settings nor hooks, and without background maintenance."""
        try:
            done = subprocess.run(
                ["git", "-c", "gc.auto=0", "-c", "maintenance.auto=false", "-c", "core.autocrlf=false", *arguments],
                cwd=self.root,
                env=_ENVIRONMENT | {"PATH": os.environ.get("PATH", os.defpath)},
                stdin=subprocess.DEVNULL,
                capture_output=True,
                text=True,
                check=False,
            )
        except FileNotFoundError as error:
            raise BenchmarkError("git is not installed; the branch switch needs it") from error
        if done.returncode != 0:
            raise BenchmarkError(f"`git {' '.join(arguments)}` failed in {self.root}: {done.stderr.strip()}")


_ENVIRONMENT = {
    "GIT_CONFIG_GLOBAL": os.devnull,
    "GIT_CONFIG_SYSTEM": os.devnull,
    "GIT_AUTHOR_NAME": "benchmark",
    "GIT_AUTHOR_EMAIL": "benchmark@localhost",
    "GIT_COMMITTER_NAME": "benchmark",
    "GIT_COMMITTER_EMAIL": "benchmark@localhost",
    "GIT_AUTHOR_DATE": "2025-04-02T00:00:00Z",
    "GIT_COMMITTER_DATE": "2025-04-02T00:00:00Z",
}


def unique_tokens(count: int, chance: random.Random) -> list[str]:
    """Distinct identifiers without vowels: no corpus holds them, and no tokenizer splits them into known words."""
    tokens: dict[str, None] = {}
    while len(tokens) < count:
        tokens["".join(chance.choices(_CONSONANTS, k=_WORD_CHARACTERS))] = None
    return list(tokens)


def with_changed_line(source: bytes, token: str) -> bytes:
    """`source` with a comment that holds `token` at the end of its last line."""
    return source.rstrip() + f"  # {token}\n".encode()


def with_new_function(source: bytes, token: str) -> bytes:
    """`source` with a function called `token` at its end."""
    return source.rstrip() + f"\n\n\ndef {token}():\n    return None\n".encode()
