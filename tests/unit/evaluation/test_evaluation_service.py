"""A whole evaluation, with threads for workers and an embedder that counts words."""

import os
import subprocess
import zlib
from collections.abc import AsyncIterator, Sequence
from contextlib import asynccontextmanager
from pathlib import Path
from typing import Any

import numpy as np
import pytest
import trio
from in_process import ThreadPool
from lucastra_protocol.errors import ErrorCode, LucAstraError
from numpy.typing import NDArray

from lucastrad.embeddings.cache import EmbeddingCache
from lucastrad.embeddings.spaces import EmbeddingSpaces
from lucastrad.evaluation.report import EvaluationProgress, Topic
from lucastrad.evaluation.service import EvaluationService
from lucastrad.indexing.workspaces import WorkspaceService
from lucastrad.search.service import SearchService
from lucastrad.text.words import terms
from lucastrad.types import Passage, SearchMode, VectorSpace
from lucastrad.workers import Job
from lucastrad.workspace.scanner import ScanRules

pytestmark = pytest.mark.trio

DEEDS = {
    "close": "Close every connection that nobody uses any more.",
    "price": "Add up what all things in the basket cost.",
    "greet": "Say good morning to whoever comes in.",
    "paint": "Draw the outline of a house in blue.",
}


class Workers(ThreadPool):
    """A job for a file called `killer.py` fails."""

    async def run(self, job: Job, request: bytes, *, timeout_seconds: float) -> bytes:
        if job.__name__ == "strip_job" and b"killer.py" in request:
            raise RuntimeError("the worker died")
        return await super().run(job, request, timeout_seconds=timeout_seconds)


class WordEmbedder:
    """A text's vector counts its words, each in one of 64 places."""

    space = VectorSpace("local", "words", 64)
    batch_size = 2

    def _vector(self, text: str) -> NDArray[np.float32]:
        vector = np.zeros(64, np.float32)
        for term in terms(text):
            vector[zlib.crc32(term.encode()) % 64] += 1
        return vector / max(1e-9, float(np.linalg.norm(vector)))

    async def embed_passages(self, passages: Sequence[Passage]) -> NDArray[np.float32]:
        await trio.lowlevel.checkpoint()
        return np.stack([self._vector(f"{passage.symbol} {passage.text}") for passage in passages])

    async def embed_query(self, text: str) -> NDArray[np.float32]:
        await trio.lowlevel.checkpoint()
        return self._vector(text)


@asynccontextmanager
async def daemon(home: Path, **options: Any) -> AsyncIterator[tuple[WorkspaceService, EvaluationService]]:
    """The services, as long as the block lasts."""
    embeddings = EmbeddingSpaces(
        WordEmbedder(), lambda space: EmbeddingCache(home / "embeddings", space, max_bytes=1 << 24)
    )
    pool: Any = Workers()
    workspaces = WorkspaceService(
        home, pool=pool, builders=pool, embeddings=embeddings, rules_for=lambda _: ScanRules()
    )
    evaluations = EvaluationService(
        home,
        workspaces=workspaces,
        search=SearchService(workspaces, embeddings),
        embeddings=embeddings,
        pool=pool,
        rules_for=lambda _: ScanRules(),
        **options,
    )
    async with trio.open_nursery() as nursery:
        await nursery.start(workspaces.run)
        with trio.fail_after(30):
            yield workspaces, evaluations
        nursery.cancel_scope.cancel()
    embeddings.close()


@pytest.fixture
def shop(tmp_path: Path) -> Path:
    """A file for each deed, whose words stand in its documentation and, most of them, in its code."""
    root = tmp_path.resolve() / "shop"
    root.mkdir()
    for name, deed in DEEDS.items():
        words = "_".join(deed.lower().rstrip(".").split()[:5])
        (root / f"{name}.py").write_text(
            f'def {name}(things):\n    """{deed}"""\n    {words} = things\n    return {words}\n'
        )
    return root


def commit(root: Path, message: str) -> None:
    environment = {name: value for name, value in os.environ.items() if not name.startswith("GIT_")}
    environment |= {"GIT_CONFIG_GLOBAL": os.devnull, "GIT_CONFIG_SYSTEM": os.devnull}
    for arguments in (["init", "-q", "."], ["add", "."], ["commit", "-q", "-m", message]):
        person = ["-c", "user.name=Ada", "-c", "user.email=ada@example.org"]
        subprocess.run(["git", *person, *arguments], cwd=root, env=environment, check=True)


def files_of(folder: Path) -> dict[str, bytes]:
    return {str(path.relative_to(folder)): path.read_bytes() for path in folder.rglob("*") if path.is_file()}


async def test_docs_and_commits_are_asked_and_the_store_is_as_before(tmp_path: Path, shop: Path) -> None:
    commit(shop, "Open the shop")
    (shop / "price.py").write_text((shop / "price.py").read_text() + "# rebates lower it\n")
    commit(shop, "Let rebates lower what the basket costs")
    home = tmp_path / "home"
    async with daemon(home) as (workspaces, evaluations):
        await workspaces.index(shop, wait=True)
        before = files_of(home / "workspaces")
        progress: list[EvaluationProgress] = []

        async def report(news: EvaluationProgress) -> None:
            progress.append(news)

        found = await evaluations.evaluate(shop / "price.py", questions=50, progress=report)
        assert files_of(home / "workspaces") == before
        assert not (home / "evaluation").exists()
        again = await evaluations.evaluate(shop, questions=50)
    assert {(one.text, one.answers) for one in found.asked} == {
        *((deed, (f"{name}.py:1",)) for name, deed in DEEDS.items()),
        ("Let rebates lower what the basket costs", ("price.py",)),
    }
    assert (found.root, found.total.questions, found.notices) == (str(shop), 5, ())
    assert [(group.name, group.questions) for group in found.sources] == [("definitions", 4), ("commits", 1)]
    assert all(one.ranks.get(SearchMode.KEYWORD) == 1 for one in found.asked)
    assert [step.share for step in progress] == sorted(step.share for step in progress)
    assert progress[-1].message == "asking: 4 of 5 questions"
    assert (again.asked, again.total) == (found.asked, found.total)


async def test_documentation_itself_is_not_searched(tmp_path: Path, shop: Path) -> None:
    (shop / "other.py").write_text('def shut(x):\n    """Turn off whatever still glows."""\n    y = x\n    return y\n')
    async with daemon(tmp_path / "home") as (workspaces, evaluations):
        await workspaces.index(shop, wait=True)
        found = await evaluations.evaluate(shop, questions=50)
    (glowing,) = [one for one in found.asked if one.text == "Turn off whatever still glows."]
    assert SearchMode.KEYWORD not in glowing.ranks, "its words stand nowhere but in the documentation"


async def test_tests_are_searched_and_not_asked_about(tmp_path: Path, shop: Path) -> None:
    (shop / "tests").mkdir()
    for number in range(30):
        (shop / "tests" / f"test_{number}.py").write_text(f"def test_{number}():\n    x = 1\n    assert x\n")
    async with daemon(tmp_path / "home") as (workspaces, evaluations):
        await workspaces.index(shop, wait=True)
        found = await evaluations.evaluate(shop, questions=50)
    assert {one.text for one in found.asked} == set(DEEDS.values())
    assert Topic.DOCUMENTATION not in {one.topic for one in found.advice}, "nobody documents tests"


async def test_without_git_the_docs_are_asked_and_a_notice_says_why_no_commits(tmp_path: Path, shop: Path) -> None:
    async with daemon(tmp_path / "home") as (workspaces, evaluations):
        await workspaces.index(shop, wait=True)
        found = await evaluations.evaluate(shop, questions=50)
    assert [group.name for group in found.sources] == ["definitions"]
    assert any("no git history" in notice for notice in found.notices)


async def test_commits_to_skipped_files_are_advised_about(tmp_path: Path, shop: Path) -> None:
    (shop / ".lucastraignore").write_text("greet.py\n")
    commit(shop, "begin")
    (shop / "greet.py").write_text("# another greeting\n")
    commit(shop, "Greet whoever comes in with a smile")
    async with daemon(tmp_path / "home") as (workspaces, evaluations):
        await workspaces.index(shop, wait=True)
        found = await evaluations.evaluate(shop, questions=50)
    (advice,) = [one for one in found.advice if one.topic is Topic.SKIPPED]
    assert "1 of 1 commits" in advice.text
    assert ".lucastraignore" in advice.text


async def test_a_file_that_a_worker_dies_of_is_left_out(tmp_path: Path, shop: Path) -> None:
    (shop / "killer.py").write_text("x = 1\n")
    async with daemon(tmp_path / "home") as (workspaces, evaluations):
        await workspaces.index(shop, wait=True)
        found = await evaluations.evaluate(shop, questions=50)
    assert {one.text for one in found.asked} == set(DEEDS.values())


async def test_of_a_large_workspace_some_files_are_drawn_and_a_notice_says_so(tmp_path: Path, shop: Path) -> None:
    async with daemon(tmp_path / "home", most_passages=2) as (workspaces, evaluations):
        await workspaces.index(shop, wait=True)
        found = await evaluations.evaluate(shop, questions=50)
    assert found.total.questions == 2
    assert any("definitions were searched in 2 of 4 files" in notice for notice in found.notices)


async def test_where_there_is_nothing_to_ask_the_error_names_the_cure(tmp_path: Path) -> None:
    root = tmp_path.resolve() / "plain"
    root.mkdir()
    (root / "a.py").write_text("x = 1\n")
    async with daemon(tmp_path / "home") as (workspaces, evaluations):
        await workspaces.index(root, wait=True)
        with pytest.raises(LucAstraError, match=r"nothing to ask .*no git history.*write docstrings"):
            await evaluations.evaluate(root, questions=50)
        assert not (tmp_path / "home" / "evaluation").exists()


async def test_a_folder_in_no_workspace_is_refused_with_the_cure(tmp_path: Path, shop: Path) -> None:
    async with daemon(tmp_path / "home") as (_, evaluations):
        with pytest.raises(LucAstraError, match="lucastra-client index") as refused:
            await evaluations.evaluate(shop, questions=50)
    assert refused.value.code is ErrorCode.WORKSPACE_NOT_FOUND


async def test_a_cancelled_evaluation_leaves_no_file_and_the_next_one_works(tmp_path: Path, shop: Path) -> None:
    home = tmp_path / "home"
    async with daemon(home) as (workspaces, evaluations):
        await workspaces.index(shop, wait=True)
        with trio.CancelScope() as scope:

            async def cancel(news: EvaluationProgress) -> None:
                if news.message.startswith("asking"):
                    scope.cancel()
                await trio.lowlevel.checkpoint()

            await evaluations.evaluate(shop, questions=50, progress=cancel)
        assert scope.cancelled_caught
        assert not (home / "evaluation").exists()
        assert (await evaluations.evaluate(shop, questions=50)).total.questions == 4


async def test_evaluations_take_turns(tmp_path: Path, shop: Path) -> None:
    messages: list[str] = []

    async def report(news: EvaluationProgress) -> None:
        messages.append(news.message)

    async with daemon(tmp_path / "home") as (workspaces, evaluations):
        await workspaces.index(shop, wait=True)
        async with trio.open_nursery() as nursery:
            for _ in range(2):
                nursery.start_soon(lambda: evaluations.evaluate(shop, questions=50, progress=report))
    assert messages.count("waiting for another evaluation") == 1
    assert messages.count("reading the git history") == 2
