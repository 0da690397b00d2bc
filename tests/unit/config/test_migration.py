"""Files of v1.0 and v1.1 in today's form: nothing that counts is lost, and the file as it was is kept."""

import json
import subprocess
import sys
from pathlib import Path
from typing import Any

import pytest
from lucastra_protocol.errors import LucAstraError

from lucastrad.config.document import parse
from lucastrad.config.layers import merge, user_layer
from lucastrad.config.migration import migrate, migrated

V1_0 = {"endpoint": "http://localhost:8080", "temperature": 0.2, "max_tokens": 512}
V1_1: dict[str, Any] = {
    "llm": {"provider": "openai", "api_key": "${OPENAI_API_KEY}"},
    "vector_search": {"enabled": True, "index_path": "/old", "top_k": 7},
    "observability": {"tracing": True},
}


@pytest.mark.parametrize("tree", [V1_0, V1_1, {"llm": {"model": "x"}}, {"llm": {"model": "x"}, "temperature": 1}])
def test_the_migrated_file_means_what_the_file_before_it_meant_and_says_it_without_a_notice(
    tree: dict[str, Any],
) -> None:
    def read(content: dict[str, Any]) -> Any:
        path = Path("/home/ada/.lucastra/config.json")
        document = parse(json.dumps(content).encode())
        return user_layer(document, path, environ={"OPENAI_API_KEY": "k-123"}, home=path.parent)

    after, changes = migrated(tree)
    assert merge([read(after)])[0] == merge([read(tree)])[0]
    assert not read(after).problems
    assert changes
    assert migrated(after) == (after, ())


def test_what_changed_is_named() -> None:
    tree, changes = migrated(V1_0 | {"observability": {}, "vector_search": {"index_path": "/old", "m": 8}})
    assert tree == {"llm": {"provider": "llamafile", **V1_0}, "vector_search": {"m": 8}}
    assert [change.partition(":")[0] for change in changes] == [
        'moved endpoint, temperature, max_tokens into "llm"',
        'wrote "provider"',
        "left out observability",
        "left out vector_search.index_path",
    ]


def test_the_file_as_it_was_is_kept_under_a_name_of_its_own(tmp_path: Path) -> None:
    path = tmp_path / "config.json"
    for number, name in enumerate(("config.json.bak", "config.json.bak1")):
        before = json.dumps(V1_0 | {"max_tokens": 100 + number})
        path.write_text(before)
        path.chmod(0o600)
        done = migrate(path)
        assert done.backup == tmp_path / name
        assert done.backup.read_text() == before
        assert (done.backup.stat().st_mode & 0o777, path.stat().st_mode & 0o777) == (0o600, 0o600)
        assert json.loads(path.read_text())["llm"]["provider"] == "llamafile"
    assert migrate(path) == migrate(path)
    assert migrate(path).changes == ()
    assert len(list(tmp_path.iterdir())) == 3


def test_a_linked_file_is_rewritten_where_it_is(tmp_path: Path) -> None:
    real = tmp_path / "dotfiles" / "lucastra.json"
    real.parent.mkdir()
    real.write_text(json.dumps(V1_0))
    link = tmp_path / "config.json"
    link.symlink_to(real)
    migrate(link)
    assert link.is_symlink()
    assert "llamafile" in real.read_text()


@pytest.mark.parametrize(("content", "says"), [(None, "there is none"), ("{,}", r"config\.json:1:2: .*correct it")])
def test_a_file_that_cannot_be_read_is_left_alone(tmp_path: Path, content: str | None, says: str) -> None:
    path = tmp_path / "config.json"
    if content is not None:
        path.write_text(content)
    with pytest.raises(LucAstraError, match=says):
        migrate(path)
    assert [file.read_text() for file in tmp_path.iterdir()] == ([] if content is None else [content])


def test_a_key_that_stands_in_the_file_is_shown_by_no_message(tmp_path: Path) -> None:
    path = tmp_path / "config.json"
    path.write_text(json.dumps(V1_0 | {"api_key": "sk-secret-0123456789"}))
    command = [sys.executable, "-P", "-m", "lucastrad.config.migration", str(path)]
    done = subprocess.run(command, capture_output=True, text=True, check=True, timeout=60)
    assert "sk-secret" not in done.stdout + done.stderr
    assert json.loads(done.stdout)["backup"] == str(tmp_path / "config.json.bak")


@pytest.mark.parametrize("llm", [None, "openai", [1]])
def test_flat_keys_beside_a_section_that_is_none_are_not_lost(llm: object) -> None:
    today, _ = migrated({"endpoint": "http://localhost:8080", "api_key": "${KEY}", "llm": llm})
    kept = today if llm is not None else today["llm"]
    assert isinstance(kept, dict)
    assert (kept["endpoint"], kept["api_key"]) == ("http://localhost:8080", "${KEY}")
