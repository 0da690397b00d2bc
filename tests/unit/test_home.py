"""Which folder is the home, and which cannot be one."""

import os
from pathlib import Path

import pytest
from lucastra_protocol.errors import ErrorCode, LucAstraError
from lucastra_protocol.paths import Paths


@pytest.mark.parametrize("variable", ["HOME", "LUCASTRA_HOME"])
def test_a_home_that_is_not_utf8_is_refused_with_the_cure(
    variable: str, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.delenv("LUCASTRA_HOME", raising=False)
    monkeypatch.setenv(variable, os.fsdecode(b"/home/ada\xff"))
    with pytest.raises(LucAstraError, match=r"/home/ada\\xff.* is not UTF-8.*set LUCASTRA_HOME to a folder") as caught:
        Paths.from_environment()
    assert caught.value.code == ErrorCode.STORE_UNAVAILABLE
    monkeypatch.setenv("LUCASTRA_HOME", str(tmp_path / "größe"))
    assert Paths.from_environment().home == tmp_path / "größe"
