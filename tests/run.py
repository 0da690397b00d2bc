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
        fast = ["-m", "pytest", "-q", "-m", "not slow", "-n", "auto"]
        slow = ["-m", "pytest", "-q", "-m", "slow", "-n", "2", "--dist", "loadscope", "--durations=15"]
        coverage: list[list[str]] = []
        if options.fast:
            steps.append(["python", *fast])
        else:
            # Daemons and workers are processes of their own: each writes its own data file.
            environment["COVERAGE_FILE"] = str(Path(scratch) / "coverage")
            steps += [
                ["python", "-m", "coverage", "run", *fast],
                # Two at once: each starts processes of its own, and waits for them half of the time. Of a module one by
                # one, since its tests share a browser or a server.
                ["python", "-m", "coverage", "run", *slow],
            ]
            coverage = [["python", "-m", "coverage", "combine", "-q"], ["python", "-m", "coverage", "report"]]
        failed = [step for step in steps if not passes(step, environment, tools)]
        if not any("pytest" in step for step in failed):  # what half a run has covered says nothing
            failed += [step for step in coverage if not passes(step, environment, tools)]
    for step in failed:
        print(f"FAILED: {' '.join(step)}", file=sys.stderr)
    return 1 if failed else 0


def install(folder: Path) -> Path:
    """Make the virtual environment current; return its folder of commands."""
    if not (folder / "bin" / "python").exists():
        venv.create(folder, with_pip=True)
    tools = folder / "bin"
    pip = [str(tools / "python"), "-m", "pip", "install", "-q", "--disable-pip-version-check"]
    subprocess.run([*pip, "-e", f"{ROOT}[dev]"], check=True)
    return tools


def passes(step: list[str], environment: dict[str, str], tools: Path) -> bool:
    print(f"\n$ {' '.join(step)}", flush=True)
    status = subprocess.run([str(tools / step[0]), *step[1:]], cwd=ROOT, env=environment, check=False).returncode
    if status < 0:
        print(f"ended by {signal.Signals(-status).name}", file=sys.stderr, flush=True)
    return status == 0


if __name__ == "__main__":
    sys.exit(main())
