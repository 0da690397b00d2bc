"""What benchmarks share with the tests, whose own code installs and drives it: real editors, a real model server."""

import sys
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import TYPE_CHECKING

from benchmarks.errors import BenchmarkError

if TYPE_CHECKING:
    from llama_server import LlamaServer
    from model_server import ModelServer
    from toolchain import Toolchain

_TESTS = Path(__file__).resolve().parents[2] / "tests"
# Last: nothing that LucAstra uses comes from there.
sys.path += [str(_TESTS / folder) for folder in ("", "editors", "editors/nvim", "providers")]

WEIGHTS = "qwen"
WEIGHTS_NAME = "Qwen2.5-Coder-0.5B-Instruct Q4_K_M on one thread"


def install() -> "Toolchain":
    """The editors and what drives them, fetched on first use. Raises BenchmarkError, which names what is missing."""
    from nvim_session import binary
    from toolchain import Missing, toolchain

    try:
        # It takes the thread that first imports it for the main one, and handles signals there: not in one of Trio's.
        import pynvim  # noqa: F401

        binary()
        return toolchain()
    except ImportError as missing:
        raise BenchmarkError(f'{missing}: pip install -e ".[editors]"') from missing
    except (Missing, RuntimeError) as missing:
        raise BenchmarkError(str(missing)) from missing


@contextmanager
def instant_model() -> "Iterator[ModelServer]":
    """A scripted model server of this process, which answers at once."""
    from model_server import model_server

    with model_server() as server:
        yield server


@contextmanager
def real_model() -> "Iterator[tuple[LlamaServer, str]]":
    """A llama.cpp server with a small coding model, and its key. Raises BenchmarkError where it cannot be had."""
    from llama_server import KEY, Unavailable, llama_server

    try:
        with llama_server(WEIGHTS) as server:
            yield server, KEY
    except Unavailable as reason:
        raise BenchmarkError(f"there is no real model to measure with: {reason}") from reason


@contextmanager
def driving(program: str) -> Iterator[None]:
    """Say which editor did not do what was expected of it, in place of a traceback of its driver."""
    from playwright.sync_api import Error

    try:
        yield
    except (AssertionError, Error) as error:
        raise BenchmarkError(f"{program} did not do what it was told: {error}") from error
