"""The watcher on a real file system: whatever happens to the tree, looking where it says finds it all."""

import os
import shutil
import subprocess
import sys
import textwrap
from collections.abc import AsyncIterator, Callable
from contextlib import asynccontextmanager
from pathlib import Path

import pytest
import trio

from lucastrad.workspace.events import OpenSource
from lucastrad.workspace.scanner import Candidate, ScanRules, check, folders, scan
from lucastrad.workspace.watcher import Watcher, native_source
from lucastrad.workspace.watchfiles_events import WatchfilesSource

pytestmark = pytest.mark.slow

RULES = ScanRules()
PATIENCE_SECONDS = 30


async def until(condition: Callable[[], bool]) -> None:
    """Wait for what nothing announces; fail when it does not come."""
    with trio.fail_after(PATIENCE_SECONDS):
        while not condition():  # noqa: ASYNC110
            await trio.sleep(0.01)


class Follower:
    """Keeps the set of candidates as an indexer would: by hints alone."""

    def __init__(self, root: Path, watcher: Watcher) -> None:
        self.root = str(root)
        self.watcher = watcher
        self.known: set[str] | None = None
        self.rescans = 0

    async def follow(self) -> None:
        async for hints in self.watcher.batches():
            await trio.to_thread.run_sync(self._look, hints.paths, hints.rescan)

    def _look(self, paths: frozenset[str], rescan: bool) -> None:
        try:
            if rescan:
                self.rescans += 1
                self.known = {entry.path for entry in scan(self.root, RULES) if isinstance(entry, Candidate)}
                return
            for row in check(self.root, RULES, paths):
                below = row.path + "/" if row.path else ""
                self.known = {path for path in self.known or () if path != row.path and not path.startswith(below)}
                self.known |= {entry.path for entry in row.entries if isinstance(entry, Candidate)}
        except FileNotFoundError:
            self.known = set()

    async def knows(self, expected: set[str]) -> None:
        """Wait until exactly `expected` is known."""
        await until(lambda: self.known == expected)


@asynccontextmanager
async def following(root: Path, open_source: OpenSource = native_source) -> AsyncIterator[Follower]:
    async def list_folders(below: list[str]) -> list[str]:
        return await trio.to_thread.run_sync(folders, str(root), RULES, (), below)

    watcher = Watcher(str(root), list_folders, open_source=open_source)
    follower = Follower(root, watcher)
    async with trio.open_nursery() as nursery:
        await nursery.start(watcher.run)
        nursery.start_soon(follower.follow)
        yield follower
        nursery.cancel_scope.cancel()


def write(root: Path, *names: str) -> set[str]:
    for name in names:
        path = root / name
        path.parent.mkdir(parents=True, exist_ok=True)
        path.write_text("x")
    return set(names)


both_sources = pytest.mark.parametrize("source", [native_source, WatchfilesSource], ids=["native", "watchfiles"])


@pytest.mark.trio
@both_sources
async def test_saves_renames_and_deletions_are_followed(tmp_path: Path, source: OpenSource) -> None:
    write(tmp_path, "a.py", "sub/b.py")
    async with following(tmp_path, source) as follower:
        await follower.knows({"a.py", "sub/b.py"})
        write(tmp_path, "sub/c.py")
        await follower.knows({"a.py", "sub/b.py", "sub/c.py"})
        (tmp_path / "a.py").rename(tmp_path / "sub/a.py")
        await follower.knows({"sub/a.py", "sub/b.py", "sub/c.py"})
        (tmp_path / "sub").rename(tmp_path / "moved")
        await follower.knows({"moved/a.py", "moved/b.py", "moved/c.py"})
        write(tmp_path, "moved/deep/er/d.py")
        await follower.knows({"moved/a.py", "moved/b.py", "moved/c.py", "moved/deep/er/d.py"})
        shutil.rmtree(tmp_path / "moved")
        await follower.knows(set())


@pytest.mark.trio
async def test_fast_nested_folders_hide_nothing(tmp_path: Path) -> None:
    async with following(tmp_path) as follower:
        await follower.knows(set())
        rescans = follower.rescans

        def build() -> set[str]:
            return write(tmp_path, *(f"{i % 30}/{'n/' * (i % 10)}{i}.py" for i in range(300)))

        expected = await trio.to_thread.run_sync(build)
        await follower.knows(expected)
        assert follower.rescans == rescans  # by hints alone


@pytest.mark.trio
async def test_thirty_thousand_files_made_while_nobody_listens_are_all_found(tmp_path: Path) -> None:
    async with following(tmp_path) as follower:
        await follower.knows(set())
        # the loop stands still meanwhile, so the kernel's queue (16,384 events) overflows
        expected = write(tmp_path, *(f"{i % 100}/{i}.py" for i in range(30_000)))
        await follower.knows(expected)
        expected |= write(tmp_path, "7/late.py")
        await follower.knows(expected)


@pytest.mark.trio
@both_sources
async def test_a_name_that_is_not_utf8_does_not_end_the_watch(tmp_path: Path, source: OpenSource) -> None:
    async with following(tmp_path, source) as follower:
        await follower.knows(set())
        Path(os.fsdecode(os.fsencode(tmp_path) + b"/\xff.py")).write_text("x")
        write(tmp_path, "a.py")
        await follower.knows({"a.py"})
        write(tmp_path, "b.py")
        await follower.knows({"a.py", "b.py"})


@pytest.mark.trio
async def test_links_out_of_the_tree_are_not_watched(tmp_path: Path) -> None:
    root, outside = tmp_path / "root", tmp_path / "outside"
    write(outside, "x.py")
    write(root, "a.py")
    (root / "out").symlink_to(outside)
    (root / "slash").symlink_to("/")
    (root / "me").symlink_to(".")
    async with following(root) as follower:
        await follower.knows({"a.py"})
        rescans = follower.rescans
        write(outside, "y.py")
        write(root, "b.py")
        await follower.knows({"a.py", "b.py"})
        assert follower.rescans == rescans


@pytest.mark.trio
@both_sources
async def test_a_root_that_is_deleted_and_made_again_is_followed(tmp_path: Path, source: OpenSource) -> None:
    root = tmp_path / "root"
    write(root, "a.py")
    async with following(root, source) as follower:
        await follower.knows({"a.py"})
        shutil.rmtree(root)
        await follower.knows(set())
        write(root, "b.py")
        await follower.knows({"b.py"})
        write(root, "sub/c.py")
        await follower.knows({"b.py", "sub/c.py"})


@pytest.mark.trio
async def test_changed_ignore_rules_take_effect_and_the_folders_they_open_are_watched(tmp_path: Path) -> None:
    write(tmp_path, "data/a.py", "b.py")
    (tmp_path / ".gitignore").write_text("data/\n")
    async with following(tmp_path) as follower:
        await follower.knows({".gitignore", "b.py"})
        (tmp_path / ".gitignore").write_text("other/\n")
        await follower.knows({".gitignore", "b.py", "data/a.py"})
        write(tmp_path, "data/c.py")
        await follower.knows({".gitignore", "b.py", "data/a.py", "data/c.py"})


@pytest.mark.trio
async def test_a_branch_switch_is_followed_and_ends_in_a_rescan(tmp_path: Path) -> None:
    def git(*arguments: str) -> None:
        settings = ("-c", "user.name=a", "-c", "user.email=a@b", "-c", "init.defaultBranch=main")
        subprocess.run(["git", *settings, *arguments], cwd=tmp_path, check=True, capture_output=True)

    git("init")
    main = write(tmp_path, "a.py", "only/main.py")
    git("add", ".")
    git("commit", "-m", "first")
    git("switch", "-c", "other")
    shutil.rmtree(tmp_path / "only")
    other = {"a.py"} | write(tmp_path, *(f"new/{i}.py" for i in range(500)))
    git("add", ".")
    git("commit", "-m", "second")
    async with following(tmp_path) as follower:
        await follower.knows(other)
        rescans = follower.rescans
        await trio.to_thread.run_sync(git, "switch", "main")
        await follower.knows(main)
        await until(lambda: follower.rescans > rescans)
        await trio.to_thread.run_sync(git, "switch", "other")
        await follower.knows(other)


@pytest.mark.skipif(sys.platform != "linux", reason="inotify's limit, in a user namespace")
@pytest.mark.parametrize("folders", [40, 5], ids=["too many from the start", "too many later"])
def test_at_the_limit_of_watches_it_polls_and_still_finds_everything(tmp_path: Path, folders: int) -> None:
    root = tmp_path / "root"
    write(root, *(f"{i}/a.py" for i in range(folders)))
    program = tmp_path / "watch.py"
    program.write_text(
        textwrap.dedent(
            f"""
            import logging, sys
            from pathlib import Path
            import trio
            sys.path.insert(0, {str(Path(__file__).parent)!r})
            from test_watching import following, until, write

            async def main():
                root = Path({str(root)!r})
                expected = {{f"{{i}}/a.py" for i in range({folders})}}
                async with following(root) as follower:
                    await follower.knows(expected)
                    expected |= write(root, *(f"later/{{i}}/b.py" for i in range(40)))
                    await follower.knows(expected)
                    await until(lambda: follower.watcher.mode == "polling")
                    expected |= write(root, "later/39/c.py")
                    await follower.knows(expected)
            logging.basicConfig(level=logging.WARNING)
            trio.run(main)
            """
        )
    )
    limited = 'echo 20 > /proc/sys/user/max_inotify_watches || exit 77; exec "$0" "$1"'
    done = subprocess.run(
        ["unshare", "--user", "--map-root-user", "sh", "-c", limited, sys.executable, program],
        env={**os.environ, "PYTHONPATH": os.pathsep.join(sys.path)},
        capture_output=True,
        text=True,
        check=False,
        timeout=100,
    )
    if done.returncode == 77 or "unshare failed" in done.stderr:
        pytest.skip("no user namespaces here")
    assert done.returncode == 0, done.stderr
    assert done.stderr.count("cannot be watched") == 1
