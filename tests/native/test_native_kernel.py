"""The native kernel runs its tests and thousands of mutated graph files clean under the compilers' sanitizers."""

import os
import shutil
import subprocess
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path

import pytest

pytestmark = [pytest.mark.slow, pytest.mark.timeout(600)]

HERE = Path(__file__).resolve().parent
KERNEL = HERE.parents[1] / "lucastrad" / "storage" / "vectors" / "kernel"
BUILD_SECONDS = 400
RUN_SECONDS = 200
MUTATED_FILES = 4000


@dataclass(frozen=True)
class Sanitizer:
    flags: str
    options: dict[str, str]


ADDRESS_AND_UNDEFINED = Sanitizer(
    "-fsanitize=address,undefined -fno-sanitize-recover=all",
    {"ASAN_OPTIONS": "detect_stack_use_after_return=1:strict_string_checks=1", "UBSAN_OPTIONS": "print_stacktrace=1"},
)
THREAD = Sanitizer("-fsanitize=thread", {"TSAN_OPTIONS": "halt_on_error=1:second_deadlock_stack=1"})


def tool(name: str) -> str:
    found = shutil.which(name)
    assert found, f"{name} is needed to build the kernel's tests: pip install cmake ninja (in the dev extra)"
    return found


def run(command: Sequence[str | Path], seconds: float, environment: dict[str, str] | None = None) -> str:
    done = subprocess.run(
        command,
        env=os.environ | (environment or {}),
        stdout=subprocess.PIPE,
        stderr=subprocess.STDOUT,
        text=True,
        errors="replace",
        timeout=seconds,
        check=False,
    )
    assert done.returncode == 0, f"{' '.join(map(str, command))} ended with {done.returncode}:\n{done.stdout}"
    return done.stdout


def build(folder: Path, sanitizer: Sanitizer, *targets: str) -> None:
    configure: list[str | Path] = [
        *(tool("cmake"), "-G", "Ninja", "-S", KERNEL, "-B", folder),
        f"-DCMAKE_MAKE_PROGRAM={tool('ninja')}",
        f"-DLUCASTRA_KERNEL_TESTS={HERE}",
        "-DCMAKE_BUILD_TYPE=None",
        f"-DCMAKE_CXX_FLAGS={sanitizer.flags} -O1 -g -fno-omit-frame-pointer",
    ]
    run(configure, BUILD_SECONDS)
    run([tool("cmake"), "--build", folder, "--target", *targets], BUILD_SECONDS)


def fixed_addresses() -> list[str]:
    """ThreadSanitizer's shadow leaves no room for kernels that place memory at random over more than 28 bits."""
    setarch = shutil.which("setarch")
    if setarch is None:
        return []
    allowed = subprocess.run([setarch, "-R", "true"], capture_output=True, check=False).returncode == 0
    return [setarch, "-R"] if allowed else []  # containers may forbid it: then the addresses must do as they are


def passed(output: str) -> int:
    return sum(line.startswith("ok ") for line in output.splitlines())


def test_kernel_reads_and_writes_only_its_own_memory(tmp_path: Path) -> None:
    build(tmp_path, ADDRESS_AND_UNDEFINED, "kernel_test", "fuzz_graph_file")
    output = run([tmp_path / "kernel_test"], RUN_SECONDS, ADDRESS_AND_UNDEFINED.options)
    assert passed(output) > 30, output
    fuzz = [str(tmp_path / "fuzz_graph_file"), "--iterations", str(MUTATED_FILES), "--seed", "1"]
    output = run(fuzz, RUN_SECONDS, ADDRESS_AND_UNDEFINED.options | {"TMPDIR": str(tmp_path)})
    assert output == f"{MUTATED_FILES} inputs\n"


def test_searches_beside_a_writer_share_no_memory_unguarded(tmp_path: Path) -> None:
    build(tmp_path, THREAD, "kernel_test")
    output = run([*fixed_addresses(), str(tmp_path / "kernel_test")], RUN_SECONDS, THREAD.options)
    assert passed(output) > 30, output
