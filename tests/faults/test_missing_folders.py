"""A workspace whose folder goes away (unmounted, moved) is told as missing, and its index waits for it."""

import pytest
from generated_tree import GeneratedTree
from lucastra_protocol.errors import ErrorCode, LucAstraError
from real_daemon import RealDaemon, is_ready, until, workspace

pytestmark = [pytest.mark.slow, pytest.mark.trio]


@pytest.mark.parametrize("running", [True, False], ids=["while running", "between two runs"])
async def test_a_missing_folder_keeps_its_index_and_comes_back(daemon: RealDaemon, running: bool) -> None:
    tree = GeneratedTree(daemon.folder / "disk" / "project", files=40, seed=9)
    (name,) = tree.identifiers(1)
    elsewhere = daemon.folder / "elsewhere"
    await daemon.start()
    async with daemon.client() as client:
        await client.index(tree.root)
    cached = daemon.cached_vectors()
    if not running:
        await daemon.stop()
    tree.root.parent.rename(elsewhere)
    if not running:
        await daemon.start()
    async with daemon.client() as client:

        async def is_missing() -> bool:
            return (await workspace(client, tree.root)).state == "missing"

        await until(is_missing)
        status = await workspace(client, tree.root)
        assert f"{tree.root} is not there; its index is kept" in status.problems[0]
        assert status.files == 40
        assert name in (await client.search(name)).hits[0].content
        with pytest.raises(LucAstraError, match="not a folder that exists") as refused:
            await client.index(tree.root)
        assert refused.value.code == ErrorCode.WORKSPACE_NOT_FOUND

        elsewhere.rename(tree.root.parent)
        await until(lambda: is_ready(client, tree.root))
        assert (await workspace(client, tree.root)).files == 40
        assert name in (await client.search(name)).hits[0].content
        assert daemon.cached_vectors() == cached
