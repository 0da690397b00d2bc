"""The programs in examples/, run as they stand against a real daemon and an HTTP upstream."""

import os
import subprocess
import sys
from pathlib import Path

import pytest
import trio
from dialects import ANTHROPIC, CHAT
from real_daemon import PATIENCE_SECONDS, RealDaemon
from test_answers_end_to_end import Upstream, answering, shop

pytestmark = [pytest.mark.slow, pytest.mark.trio]
EXAMPLES = Path(__file__).parents[3] / "examples"
TESTED = {"rag_pipeline.py", "streaming_chat.py", "switching_providers.py"}


async def run(daemon: RealDaemon, name: str, *arguments: str, typed: str = "") -> "subprocess.CompletedProcess[bytes]":
    environment = {"PYTHONPATH": os.environ.get("PYTHONPATH", ""), **daemon.environment}
    with trio.fail_after(PATIENCE_SECONDS):
        done = await trio.run_process(
            [sys.executable, str(EXAMPLES / name), *arguments],
            env=environment,
            stdin=typed.encode(),
            capture_stdout=True,
            capture_stderr=True,
            check=False,
        )
    assert done.returncode == 0, done.stderr.decode()
    return done


async def test_every_example_is_tested() -> None:
    assert {path.name for path in EXAMPLES.glob("*.py")} == TESTED


async def test_the_pipeline_answers_from_the_passages_that_it_found(daemon: RealDaemon) -> None:
    upstream = Upstream(["It waits ", "longer [1]."])
    async with answering(daemon, upstream) as client:
        root = await shop(daemon, client)
        done = await run(daemon, "rag_pipeline.py", str(root), "how are failed calls repeated?")
    lines = done.stdout.decode().splitlines()
    assert lines[0] == "It waits longer [1]."
    assert any(line.startswith("[1] shop/retry.py:1-") for line in lines)
    assert "def retry_with_backoff" in upstream.asked()


async def test_the_chat_streams_and_keeps_its_conversation(daemon: RealDaemon) -> None:
    upstream = Upstream(["It waits [1]."], ["Five times [1]."])
    async with answering(daemon, upstream) as client:
        root = await shop(daemon, client)
        typed = "how are failed calls repeated?\nhow often are they repeated?\n"
        done = await run(daemon, "streaming_chat.py", str(root), typed=typed)
        (kept,) = (await client.conversations.list()).conversations
    shown = done.stdout.decode()
    assert "It waits [1].\n[1] shop/" in shown
    assert "Five times [1].\n[1] shop/" in shown
    assert (kept.title, kept.turns) == ("Example", 2)


async def test_each_provider_of_the_conversation_sees_what_the_others_said(daemon: RealDaemon) -> None:
    upstream = Upstream(["Quicksort."], ["Quadratic."], ["Mergesort."])
    async with answering(daemon, upstream):
        done = await run(daemon, "switching_providers.py", CHAT.name, "missing", ANTHROPIC.name)
    first, second, third = done.stdout.decode().splitlines()
    assert first.startswith(f"{CHAT.name}/")
    assert second.startswith(f"{ANTHROPIC.name}/")
    assert third == f"{second.partition(':')[0]}: Mergesort."
    assert "missing: " in done.stderr.decode()
    assert "Quicksort." in upstream.asked(-2)
