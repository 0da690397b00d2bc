"""Files are published whole, and folders are private."""

from pathlib import Path

import pytest

from lucastrad.storage.fs import ensure_private_folder, publish


def test_publish_replaces_the_whole_file_and_leaves_no_temporary(tmp_path: Path) -> None:
    target = tmp_path / "state.json"
    publish(target, b"old")
    publish(target, b"new ", memoryview(b"content"))
    assert target.read_bytes() == b"new content"
    assert list(tmp_path.iterdir()) == [target]
    assert target.stat().st_mode & 0o777 == 0o600


def test_a_publish_that_fails_leaves_the_old_file(tmp_path: Path) -> None:
    target = tmp_path / "state.json"
    publish(target, b"old")
    with pytest.raises(TypeError):
        publish(target, b"half", "not bytes")  # type: ignore[arg-type]
    assert target.read_bytes() == b"old"
    assert list(tmp_path.iterdir()) == [target]


def test_a_private_folder_is_closed_to_others_even_if_it_was_open(tmp_path: Path) -> None:
    folder = tmp_path / "a" / "b"
    folder.mkdir(parents=True, mode=0o755)
    ensure_private_folder(folder)
    assert folder.stat().st_mode & 0o777 == 0o700
