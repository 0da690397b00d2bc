"""Install what the tests need into a virtual environment of its own, and run them.

    python3 tests/run.py          everything: format, lint, types, layers, all tests, coverage
    python3 tests/run.py --fast   what every commit must pass, in under a minute (no real processes)

Needs Python 3.11 or later and nothing else: it runs before anything is installed.
"""

import argparse
import os
import signal
import subprocess
import sys
import tempfile
import venv
from pathlib import Path

ROOT = Path(__file__).resolve().parent.parent
PACKAGES = ("lucastrad", "clients", "protocol")


def main() -> int:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--fast", action="store_true", help="leave out the slow tests and coverage")
    parser.add_argument("--venv", type=Path, default=ROOT / ".venv-tests", help="where to install what is needed")
    options = parser.parse_args()
    if sys.version_info < (3, 11):  # noqa: UP036 - it runs before any installer has checked
        print(f"Python 3.11 or later is needed; this is {sys.version.split()[0]}", file=sys.stderr)
        return 2
    tools = install(options.venv)
    steps: list[list[str]] = [
        ["ruff", "format", "--check", "."],
        ["ruff", "check", "."],
        ["mypy"],
        ["lint-imports"],
    ]
    # A process that ends late may still write its coverage while the folder goes.
    with tempfile.TemporaryDirectory(prefix="lucastra-tests-", ignore_cleanup_errors=True) as scratch:
        environment = os.environ | {"PATH": f"{tools}{os.pathsep}{os.environ['PATH']}"}
        if options.fast:
            steps.append(["python", "-m", "pytest", "-q", "-m", "not slow"])
        else:
            # Daemons and workers are processes of their own: each writes its own data file.
            environment["COVERAGE_FILE"] = str(Path(scratch) / "coverage")
            steps += [
                ["python", "-m", "coverage", "run", "-m", "pytest", "-q", "--durations=15"],
                ["python", "-m", "coverage", "combine", "-q"],
                ["python", "-m", "coverage", "report"],
            ]
        failed: list[str] = []
        for step in steps:
            if step[0] == "python" and failed and "coverage" in failed[-1]:
                break  # what half a run has covered says nothing, and would push the reason off the screen
            if status := run(step, environment, tools):
                failed.append(f"{' '.join(step)} ({describe(status)})")
    for step_and_status in failed:
        print(f"FAILED: {step_and_status}", file=sys.stderr)
    return 1 if failed else 0


def install(folder: Path) -> Path:
    """Make the virtual environment current; return its folder of commands."""
    if not (folder / "bin" / "python").exists():
        venv.create(folder, with_pip=True)
    tools = folder / "bin"
    pip = [str(tools / "python"), "-m", "pip", "install", "-q", "--disable-pip-version-check"]
    subprocess.run([*pip, "-e", f"{ROOT}[dev]"], check=True)
    return tools


def run(step: list[str], environment: dict[str, str], tools: Path) -> int:
    print(f"\n$ {' '.join(step)}", flush=True)
    return subprocess.run([str(tools / step[0]), *step[1:]], cwd=ROOT, env=environment, check=False).returncode


def describe(status: int) -> str:
    return f"exit status {status}" if status > 0 else f"ended by {signal.Signals(-status).name}"


if __name__ == "__main__":
    sys.exit(main())
