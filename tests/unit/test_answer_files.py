"""Answers as files: for this user only, and few."""

from pathlib import Path

import pytest
from lucastra_protocol.errors import ErrorCode, LucAstraError

from lucastrad.server.answer_files import MOST_FILES, write_answer


def test_the_newest_answers_are_kept_for_this_user_only(tmp_path: Path) -> None:
    paths = [write_answer(tmp_path, "answer", f"{number}") for number in range(MOST_FILES + 3)]
    kept = sorted((tmp_path / "answers").iterdir())
    assert kept == paths[3:]
    assert kept[0].stat().st_mode & 0o777 == 0o600
    assert kept[0].parent.stat().st_mode & 0o777 == 0o700


def test_a_folder_that_cannot_be_written_is_named(tmp_path: Path) -> None:
    (tmp_path / "answers").write_text("a file stands where the folder belongs")
    with pytest.raises(LucAstraError, match="answers") as refused:
        write_answer(tmp_path, "answer", "text")
    assert refused.value.code == ErrorCode.STORE_UNAVAILABLE
