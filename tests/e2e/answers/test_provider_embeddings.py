"""Embeddings of a provider through a real daemon: kills, a model that changes over, and a real llama.cpp server."""

import json
import sqlite3
import subprocess
from collections import Counter
from collections.abc import Iterator
from contextlib import closing
from pathlib import Path
from typing import Any

import pytest
import trio
from llama_server import KEY, LlamaServer, Unavailable, llama_server
from real_daemon import RealDaemon, is_ready, until, workspace, write
from replay import Received, ReplayServer, Reply, serving
from user_home import CLIENT

pytestmark = [pytest.mark.slow, pytest.mark.trio, pytest.mark.timeout(600)]

FILES = {f"part{number}.py": f"def step_{number}():\n    return {number} * {number}\n" for number in range(40)}
SECRET = "ghp_" + "a1B2" * 9


class Letters:
    """OpenAI's embeddings, of the letters of each text. After `most` texts it says nothing more until it is told to."""

    def __init__(self, most: int = 1_000_000) -> None:
        self.most = most
        self.refuses = False
        self.answered: Counter[str] = Counter()
        self.going_on = trio.Event()
        self.holding = trio.Event()

    async def __call__(self, request: Received, reply: Reply) -> None:
        assert request.path == "/v1/embeddings"
        texts = request.body["input"]
        if self.refuses:
            await reply.json({"error": {"message": "Incorrect API key provided"}}, status=401)
            return
        if self.answered.total() + len(texts) > self.most:
            self.holding.set()
            await self.going_on.wait()
        vectors = [[1.0 + text.count(chr(ord("a") + n)) for n in range(16)] for text in texts]
        data = [{"index": number, "embedding": vector} for number, vector in enumerate(vectors)]
        self.answered.update(texts)
        await reply.json({"model": request.body["model"], "data": data, "usage": {"prompt_tokens": 1}})


def configure(daemon: RealDaemon, server: ReplayServer, **embeddings: Any) -> None:
    tree = {
        "providers": {"work": {"provider": "openai", "endpoint": f"{server.origin}/v1", "retry_attempts": 0}},
        "embeddings": {"provider": "work", "model": "letters", "batch_size": 5, **embeddings},
        "indexing": {"workers": 1},
    }
    write(daemon.paths.home, {"config.json": json.dumps(tree)})
    (daemon.paths.home / "config.json").chmod(0o600)


def vectors_of(daemon: RealDaemon, space: str) -> int:
    """How many vectors of a space the cache holds."""
    cache = daemon.paths.home / "embeddings" / f"{space}.sqlite3"
    if not cache.exists():
        return 0
    with closing(sqlite3.connect(f"file:{cache}?mode=ro", uri=True)) as connection:
        made = connection.execute("SELECT count(*) FROM sqlite_master WHERE name = 'vectors'").fetchone()[0]
        return int(connection.execute("SELECT count(*) FROM vectors").fetchone()[0]) if made else 0


async def test_after_a_kill_what_was_embedded_is_not_embedded_again(daemon: RealDaemon) -> None:
    root = write(daemon.folder / "project", FILES)
    probe = 1
    upstream = Letters(most=probe + 15)
    async with serving(upstream) as server:
        configure(daemon, server)
        await daemon.start()
        async with daemon.client() as client:
            await client.index(root, wait=False)
            await upstream.holding.wait()
            await until(lambda: vectors_of(daemon, "openai-letters-16") == upstream.answered.total() - probe)
            assert 0 < vectors_of(daemon, "openai-letters-16") < len(FILES)
        daemon.kill()
        await server.all_closed()  # or what is held would be answered to nobody
        upstream.most = 1_000_000
        upstream.going_on.set()
        answered_before = set(upstream.answered)
        await daemon.start()
        async with daemon.client() as client:
            await until(lambda: is_ready(client, root))
            status = await workspace(client, root)
            assert (status.embedded, status.problems) == (status.chunks, [])
            assert (await client.status()).embeddings.model == "letters"
            assert (await client.search("step", mode="vector")).hits
        passages = {text: count for text, count in upstream.answered.items() if "part" in text}
        assert len(passages) == len(FILES)
        assert len(answered_before) > probe
        assert set(passages.values()) == {1}


async def test_a_provider_takes_over_at_once_and_the_packaged_model_when_it_is_taken_out_again(
    daemon: RealDaemon,
) -> None:
    root = write(daemon.folder / "project", FILES | {"settings.py": f'TOKEN = "{SECRET}"\n'})
    upstream = Letters()
    async with serving(upstream) as server:
        await daemon.start()
        async with daemon.client() as client:
            await client.index(root)
            await until(lambda: is_ready(client, root))
            configure(daemon, server)

            async def embedded_by(model: str) -> bool:
                status = await client.status()
                (one,) = status.workspaces
                return status.embeddings.model == model and one.embedded == one.chunks and not one.notices

            await until(lambda: embedded_by("letters"))
            await until(lambda: vectors_of(daemon, "openai-letters-16") == len(FILES) + 1)
            await until(lambda: is_ready(client, root))
            assert (await client.search("step", mode="vector")).hits
            write(daemon.paths.home, {"config.json": "{}"})
            await until(lambda: embedded_by("lucastra-static-r1"))
            await until(lambda: is_ready(client, root))
            sent = upstream.answered.total()
            assert (await client.search("step", mode="vector")).hits
            assert upstream.answered.total() == sent
        log = daemon.paths.log.read_text()
        assert "embedding begins" in log
        # A loopback address that imitates a remote API may be a proxy of it.
        assert not any(SECRET in text for text in upstream.answered)
        assert any("[redacted" in text for text in upstream.answered)


async def test_a_key_that_is_refused_takes_no_vector_away_and_none_is_paid_for_again(daemon: RealDaemon) -> None:
    root = write(daemon.folder / "project", FILES)
    upstream = Letters()
    async with serving(upstream) as server:
        configure(daemon, server)
        await daemon.start()
        async with daemon.client() as client:
            await client.index(root)
            await until(lambda: is_ready(client, root))
            upstream.refuses = True
            write(root, {"new.py": "def zebra_crossing():\n    return 1\n"})

            async def is_told() -> bool:
                return any("its vectors are kept" in problem for problem in (await client.status()).problems)

            async def is_found() -> bool:
                return bool((await client.search("zebra_crossing", mode="keyword")).hits)

            await until(is_told)
            await until(is_found)
            found = await client.search("zebra_crossing")
            assert found.hits[0].path == "new.py"
            assert any("found by keyword only" in notice for notice in found.notices)

            async def all_vectors_but_one() -> bool:
                status = await workspace(client, root)
                return (status.embedded, status.chunks) == (len(FILES), len(FILES) + 1)

            await until(all_vectors_but_one)
            assert (await client.status()).embeddings.model == "letters"
            upstream.refuses = False
            configure(daemon, server, batch_size=6)  # as a user who puts the right key in
            await until(lambda: is_ready(client, root))
            assert (await client.status()).problems == []
            assert (await client.search("zebra_crossing", mode="vector")).hits[0].path == "new.py"
        passages = {text: count for text, count in upstream.answered.items() if ".py" in text}
        assert (len(passages), set(passages.values())) == (len(FILES) + 1, {1})


async def test_offline_nothing_is_asked_of_another_machine(daemon: RealDaemon) -> None:
    root = write(daemon.folder / "project", FILES)
    tree = {"offline": True, "embeddings": {"provider": "openai"}, "llm": {"provider": "openai"}}
    write(daemon.paths.home, {"config.json": json.dumps(tree)})
    daemon.environment["OPENAI_API_KEY"] = "sk-test-0123456789abcdef"
    await daemon.start()
    async with daemon.client() as client:
        await client.index(root)
        await until(lambda: is_ready(client, root))
        status = await client.status()
        assert status.embeddings.provider == "local"
        assert any("offline mode forbids" in problem for problem in status.problems)
        assert (await client.search("step", mode="vector")).hits
        checks = {check.name: check for check in (await client.doctor()).checks if check.status != "ok"}
        assert "offline" in checks["provider llm"].cure
        assert "sk-test" not in str(checks)


# --- a real server -------------------------------------------------------------------------------


@pytest.fixture(scope="module")
def server() -> Iterator[LlamaServer]:
    try:
        with llama_server("smollm2", "--embeddings", "--pooling", "mean") as server:
            yield server
    except Unavailable as reason:
        pytest.skip(f"ran without a real llama.cpp server: {reason}")


async def test_a_real_server_embeds_a_workspace_and_the_command_line(daemon: RealDaemon, server: LlamaServer) -> None:
    long = "\n".join(f"    value_{number} = compute({number}, 'abc', offset={number})" for number in range(60))
    root = write(daemon.folder / "project", {**dict(list(FILES.items())[:6]), "long.py": f"def long():\n{long}\n"})
    tree = {
        "llm": {"provider": "llamafile", "endpoint": server.origin, "api_key": "${TEST_KEY}"},
        "embeddings": {"provider": "llm"},
    }
    daemon.environment["TEST_KEY"] = KEY
    write(daemon.paths.home, {"config.json": json.dumps(tree)})
    (daemon.paths.home / "config.json").chmod(0o600)
    await daemon.start()
    async with daemon.client() as client:
        await client.index(root, wait=False)

        async def embedded() -> bool:
            status = await client.status()
            return status.embeddings.provider == "llamafile" and status.workspaces[0].embedded >= 7

        await until(embedded, 300)
        await until(lambda: is_ready(client, root), 300)
        status = await client.status()
        assert status.embeddings.dimensions == 576
        assert (status.problems, status.workspaces[0].problems) == ([], [])
        found = await client.search("def step_3", mode="vector", limit=3)
        assert found.hits
        assert found.notices == []
        checks = [check for check in (await client.doctor()).checks if check.name in {"embeddings", "provider llm"}]
        assert [check.status for check in checks] == ["ok", "ok"]
    printed = await trio.to_thread.run_sync(_embed, daemon, root)
    assert (len(printed["vector"]), printed["provider"]) == (576, "llamafile")
    assert sum(value * value for value in printed["vector"]) == pytest.approx(1, abs=1e-3)


def _embed(daemon: RealDaemon, cwd: Path) -> Any:
    done = subprocess.run(
        [*CLIENT, "embed", "--json", "--query", "where", "is", "it"],
        env=daemon.environment, cwd=cwd, stdin=subprocess.DEVNULL, capture_output=True, text=True, check=True,
        timeout=60,
    )  # fmt: skip
    return json.loads(done.stdout)
