"""What happens to the files happens to the index, and what was embedded once is not embedded again."""

import shutil
import subprocess
from pathlib import Path

import pytest
from lucastra_client import Client
from real_daemon import RealDaemon, found, indexed, is_ready, until, workspace, write

pytestmark = [pytest.mark.slow, pytest.mark.trio]


async def finds(client: Client, query: str, path: str) -> None:
    """Wait until the best keyword hit for `query` lies in `path`."""

    async def does() -> bool:
        return (await found(client, query, mode="keyword"))[:1] == [path]

    await until(does)


async def finds_nothing(client: Client, query: str) -> None:
    async def does() -> bool:
        return await found(client, query, mode="keyword") == []

    await until(does)


def git(root: Path, *arguments: str) -> None:
    identity = ["-c", "user.name=Test", "-c", "user.email=test@example.org", "-c", "init.defaultBranch=main"]
    subprocess.run(["git", *identity, *arguments], cwd=root, check=True, capture_output=True, timeout=60)


def modules(count: int, word: str) -> dict[str, str]:
    return {
        f"pkg/module{n}.py": f"def {word}{n}():\n    '''The {word} number {n}.'''\n    return {n}\n"
        for n in range(count)
    }


async def test_saves_deletions_and_renames_are_followed(daemon: RealDaemon) -> None:
    root = write(
        daemon.folder / "project", {"a.py": "def alpha_one():\n    pass\n", "pkg/b.py": "def beta_two(): pass\n"}
    )
    await daemon.start()
    async with daemon.client() as client:
        await client.index(root)
        (root / "a.py").write_text("def gamma_three():\n    pass\n")
        await finds(client, "gamma_three", "a.py")
        await finds_nothing(client, "alpha_one")
        # as editors save: a new file takes the old one's name
        (root / "a.py.tmp").write_text("def delta_four():\n    pass\n")
        (root / "a.py.tmp").rename(root / "a.py")
        await finds(client, "delta_four", "a.py")
        (root / "new" / "deep").mkdir(parents=True)
        (root / "new" / "deep" / "c.py").write_text("def epsilon_five():\n    pass\n")
        await finds(client, "epsilon_five", "new/deep/c.py")
        (root / "a.py").rename(root / "renamed.py")
        await finds(client, "delta_four", "renamed.py")
        (root / "pkg").rename(root / "moved")
        await finds(client, "beta_two", "moved/b.py")
        (root / "renamed.py").unlink()
        await finds_nothing(client, "delta_four")
        shutil.rmtree(root / "new")
        await finds_nothing(client, "epsilon_five")
        await until(lambda: is_ready(client, root))
        assert (await indexed(client, root)).keys() == {"moved/b.py"}


async def test_a_branch_switch_and_the_way_back_embed_each_passage_once(daemon: RealDaemon) -> None:
    root = write(daemon.folder / "project", modules(100, "mainland"))
    git(root, "init")
    git(root, "add", ".")
    git(root, "commit", "-m", "main")
    git(root, "checkout", "-b", "other")
    write(root, modules(100, "island"))
    git(root, "commit", "-am", "other")
    git(root, "checkout", "main")
    await daemon.start()
    async with daemon.client() as client:
        await client.index(root)
        git(root, "checkout", "other")
        away = await client.index(root)
        assert away.workspace.files == 100
        await finds(client, "island42", "pkg/module42.py")
        cached = daemon.cached_vectors()
        git(root, "checkout", "main")
        await client.index(root)
        await finds(client, "mainland42", "pkg/module42.py")
        assert daemon.cached_vectors() == cached
        # A work tree of the same repository is a workspace of its own, and costs no embedding either.
        git(root, "worktree", "add", str(daemon.folder / "tree"), "other")
        linked = await client.index(daemon.folder / "tree")
        assert linked.workspace.root == str(daemon.folder / "tree")
        assert (linked.indexed_files, linked.embedded_chunks) == (100, 0)
        assert daemon.cached_vectors() == cached


async def test_what_changed_while_the_daemon_was_down_is_indexed_at_its_start(daemon: RealDaemon) -> None:
    root = write(daemon.folder / "project", {"a.py": "def alpha_one(): pass\n", "b.py": "def beta_two(): pass\n"})
    await daemon.start()
    async with daemon.client() as client:
        await client.index(root)
    await daemon.stop()
    (root / "a.py").write_text("def gamma_three(): pass\n")
    (root / "b.py").rename(root / "c.py")
    await daemon.start()
    async with daemon.client() as client:
        await until(lambda: is_ready(client, root))
        assert (await indexed(client, root)).keys() == {"a.py", "c.py"}
        await finds(client, "gamma_three", "a.py")
        await finds(client, "beta_two", "c.py")
        await finds_nothing(client, "alpha_one")


async def test_several_roots_and_a_nested_repository_are_searched_apart_and_together(daemon: RealDaemon) -> None:
    one = write(daemon.folder / "one", {"a.py": "def shared_name(): return 'one'\n"})
    two = write(daemon.folder / "two", {"a.py": "def shared_name(): return 'two'\n"})
    nested = write(one / "nested", {"a.py": "def shared_name(): return 'nested'\n", ".gitignore": "ignored.py\n"})
    write(nested, {"ignored.py": "def shared_name(): return 'ignored'\n"})
    for repository in (one, nested):
        git(repository, "init")
    await daemon.start()
    async with daemon.client() as client:
        await client.index(one)
        await client.index(two)
        assert (await indexed(client, one)).keys() >= {"a.py", "nested/a.py"}
        assert (await indexed(client, one))["nested/ignored.py"].reason == "ignored by nested/.gitignore"

        async def places(*folders: Path) -> set[str]:
            result = await client.search("shared_name", workspaces=folders)
            return {f"{Path(hit.workspace).name}/{hit.path}" for hit in result.hits if hit.language == "python"}

        everything = {"one/a.py", "one/nested/a.py", "two/a.py"}
        assert await places() == everything
        assert await places(two) == {"two/a.py"}
        assert await places(one, two) == everything
        assert await places(nested) == {"one/nested/a.py"}
        assert await places(daemon.folder) == everything
        # Indexed on its own, only when something else had skipped it; else it lies in the outer one already.
        assert (await client.index(nested)).workspace.root == str(one)
        assert len(await client.workspaces()) == 2


async def test_rules_that_change_while_it_runs_change_what_is_indexed(daemon: RealDaemon) -> None:
    root = write(
        daemon.folder / "project",
        {
            "kept.py": "x = 1\n",
            "drafts/a.py": "y = 2\n",
            "drafts/final.py": "z = 3\n",
            "vendor/lib.py": "w = 4\n",
            ".gitignore": "vendor/\n",
        },
    )
    await daemon.start()
    async with daemon.client() as client:

        async def holds(*paths: str) -> None:
            async def does() -> bool:
                files = await indexed(client, root)
                python = {path for path, file in files.items() if file.status == "indexed" and path.endswith(".py")}
                return python == set(paths)

            await until(does)

        await client.index(root)
        await holds("kept.py", "drafts/a.py", "drafts/final.py")
        (root / ".lucastraignore").write_text("drafts/*\n!drafts/final.py\n!vendor/\n")
        await holds("kept.py", "drafts/final.py", "vendor/lib.py")
        assert (await indexed(client, root))["drafts/a.py"].reason == "ignored by .lucastraignore"
        daemon.paths.config.write_text('{"indexing": {"ignore": ["kept.py"]}}')
        await holds("drafts/final.py", "vendor/lib.py")
        daemon.paths.config.write_text('{"indexing": {"ignore": [')  # broken: the last good one stays in force
        await until(lambda: _has_problem(client))
        await holds("drafts/final.py", "vendor/lib.py")
        daemon.paths.config.write_text("{}")
        await holds("kept.py", "drafts/final.py", "vendor/lib.py")
        (root / ".lucastraignore").unlink()
        await holds("kept.py", "drafts/a.py", "drafts/final.py")
        assert (await workspace(client, root)).problems == []


async def _has_problem(client: Client) -> bool:
    return any("config.json" in problem for problem in (await client.config()).problems)
