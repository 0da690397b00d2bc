"""`lucastrad doctor` and `lucastrad rebuild`, on the index of a real daemon."""

import json
import shutil
import sqlite3
import subprocess
import sys
from contextlib import closing
from pathlib import Path
from typing import Any

import pytest
from user_home import Home

pytestmark = pytest.mark.slow

QUERIES = ("total price of the basket", "retry after a failure", "sells things")


def lucastrad(home: Home, *arguments: str, check: int = 0) -> "subprocess.CompletedProcess[str]":
    done = subprocess.run(
        [sys.executable, "-P", "-m", "lucastrad", *arguments],
        cwd=home.folder,
        env=home.environment,
        capture_output=True,
        text=True,
        timeout=60,
        check=False,
    )
    assert done.returncode == check, f"{arguments}: exit {done.returncode}\n{done.stdout}\n{done.stderr}"
    return done


def findings(home: Home, *, check: int = 0) -> dict[str, dict[str, str]]:
    """What doctor finds, by the first word of what it is about, without the workspace's name."""
    document = json.loads(lucastrad(home, "doctor", "--json", check=check).stdout)
    return {finding["name"].rpartition(": ")[2].split()[0]: finding for finding in document["checks"]}


def store(home: Home) -> Path:
    (file,) = home.folder.glob(".lucastra/workspaces/*/workspace.json")
    return file.parent


def damage(folder: Path) -> None:
    """Overwrite a piece of every file."""
    for path in sorted(path for path in folder.rglob("*") if path.is_file()):
        data = bytearray(path.read_bytes())
        middle = len(data) // 2
        data[middle : middle + 16] = bytes(byte ^ 0xFF for byte in data[middle : middle + 16])
        path.write_bytes(data)


def contents(home: Home) -> dict[str, bytes]:
    """Every file of the index; SQLite's shared memory is nobody's content."""
    files = [path for path in (home.folder / ".lucastra").rglob("*") if path.is_file()]
    kept = [path for path in files if path.suffix not in {".log", ".sqlite3-shm", ".sqlite3-wal"}]
    return {str(path): path.read_bytes() for path in kept}


def hits(home: Home, project: Path) -> dict[tuple[str, str], Any]:
    return {
        (mode, query): home.json("search", "--mode", mode, "--explain", query, cwd=project)["hits"]
        for mode in ("vector", "keyword", "hybrid")
        for query in QUERIES
    }


def embedded_rows(home: Home) -> list[tuple[bytes, int]]:
    (cache,) = home.folder.glob(".lucastra/embeddings/*.sqlite3")
    with closing(sqlite3.connect(cache)) as connection:
        return connection.execute("SELECT key, rowid FROM vectors ORDER BY rowid").fetchall()


@pytest.fixture
def indexed(home: Home, project: Path) -> Path:
    """The project, indexed, and no daemon."""
    home.client("index", cwd=project, check=0)
    home.client("stop", cwd=project, check=0)
    return project


def test_a_whole_index_is_found_whole_and_nothing_is_written(home: Home, indexed: Path) -> None:
    before = contents(home)
    found = findings(home)
    assert {name: finding["status"] for name, finding in found.items()} == {
        "catalog": "ok", "keyword": "ok", "vectors": "ok", "embedding": "ok"
    }  # fmt: skip
    assert "3 files" in found["catalog"]["detail"]
    assert contents(home) == before
    lines = lucastrad(home, "doctor").stdout.splitlines()
    assert len(lines) == 4
    assert all(line.startswith("ok ") for line in lines)


def test_beside_a_daemon_it_looks_and_disturbs_nothing(home: Home, project: Path) -> None:
    home.client("index", cwd=project, check=0)
    pid = home.daemon_pid
    assert {finding["status"] for finding in findings(home).values()} == {"ok"}
    (project / "later.py").write_text("def later():\n    return 'later'\n")
    home.client("index", cwd=project, check=0)
    assert home.json("search", "--mode", "vector", "later", cwd=project)["hits"][0]["file_path"].endswith("later.py")
    assert {finding["status"] for finding in findings(home).values()} == {"ok"}
    assert home.daemon_pid == pid


@pytest.mark.parametrize(("folder", "name"), [("vectors", "vectors"), ("keywords", "keyword")])
def test_damage_is_named_with_a_cure_that_works(home: Home, indexed: Path, folder: str, name: str) -> None:
    damage(store(home) / folder)
    found = findings(home, check=1)
    assert [about for about, finding in found.items() if finding["status"] != "ok"] == [name]
    command = found[name]["cure"].split("`")[3].split()
    assert command[:2] == ["lucastrad", "rebuild"]
    (line,) = [line for line in lucastrad(home, "doctor", check=1).stdout.splitlines() if line.startswith("error")]
    assert found[name]["cure"] in line
    lucastrad(home, *command[1:])
    assert {finding["status"] for finding in findings(home).values()} == {"ok"}


def test_a_damaged_catalog_and_a_damaged_cache_are_found(home: Home, indexed: Path) -> None:
    (cache,) = home.folder.glob(".lucastra/embeddings/*.sqlite3")
    for database in (cache, store(home) / "catalog.sqlite3"):
        kept = database.read_bytes()
        with database.open("r+b") as file:
            file.seek(4096)
            file.write(b"\xa5" * 4096)
        damaged = [about for about, finding in findings(home, check=1).items() if finding["status"] == "error"]
        assert damaged == ["embedding" if database == cache else "catalog"]
        if database != cache:
            assert "damaged" in lucastrad(home, "rebuild", check=1).stderr
        database.write_bytes(kept)


def test_vectors_and_catalog_that_disagree_are_found(home: Home, indexed: Path) -> None:
    with closing(sqlite3.connect(store(home) / "catalog.sqlite3")) as connection, connection:
        (chunk,) = connection.execute("SELECT max(id) FROM chunks").fetchone()
        connection.execute("UPDATE chunks SET id=? WHERE id=?", (chunk + 1, chunk))
        connection.execute("UPDATE texts SET chunk=? WHERE chunk=?", (chunk + 1, chunk))
    detail = findings(home, check=1)["vectors"]["detail"]
    assert "1 of" in detail
    assert "vectors are missing" in detail
    assert "1 vectors are of passages that do not exist" in detail


def test_what_was_lost_is_rebuilt_and_answers_as_before_with_nothing_embedded(home: Home, project: Path) -> None:
    home.client("index", cwd=project, check=0)
    answers, rows = hits(home, project), embedded_rows(home)
    refused = lucastrad(home, "rebuild", check=75)
    assert "lucastra-client stop" in refused.stderr
    home.client("stop", cwd=project, check=0)
    for folder in ("vectors", "keywords"):
        shutil.rmtree(store(home) / folder)
    said = lucastrad(home, "rebuild", str(project / "shop")).stdout
    count = len(rows)
    assert said == f"{project}: {count} passages in the keyword index; {count} vectors from the embedding cache\n"
    assert {finding["status"] for finding in findings(home).values()} == {"ok"}
    assert hits(home, project) == answers
    assert home.json("index", cwd=project)["embedded_chunks"] == 0
    assert embedded_rows(home) == rows


def test_one_index_is_rebuilt_alone_and_vectors_that_are_nowhere_are_counted(home: Home, indexed: Path) -> None:
    (cache,) = home.folder.glob(".lucastra/embeddings/*.sqlite3")
    with closing(sqlite3.connect(cache)) as connection, connection:
        connection.execute("DELETE FROM vectors WHERE rowid = 1")
    keywords = {path: path.stat().st_mtime_ns for path in (store(home) / "keywords").iterdir()}
    said = lucastrad(home, "rebuild", "--vectors").stdout
    assert "1 missing: the daemon embeds them" in said
    assert "keyword index" not in said
    assert {path: path.stat().st_mtime_ns for path in (store(home) / "keywords").iterdir()} == keywords
    assert home.json("index", cwd=indexed)["embedded_chunks"] == 1
    home.client("stop", cwd=indexed, check=0)
    assert "/nowhere is in no workspace; known: " in lucastrad(home, "rebuild", "/nowhere", check=1).stderr
