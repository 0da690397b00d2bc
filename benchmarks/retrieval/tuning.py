"""The tuning set: questions about public repositories, each at a fixed revision.

A folder with `repos.json` and `annotations/NAME.json`, from the benchmark that the semble project published (MIT).
"""

import json
import os
import subprocess
import tempfile
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from benchmarks.errors import BenchmarkError
from benchmarks.retrieval.scoring import Question, Target

SET_VARIABLE = "LUCASTRA_TUNING_SET"
REPOSITORIES_VARIABLE = "LUCASTRA_TUNING_REPOSITORIES"
HOW = (
    f"give its folder (repos.json and annotations/) with --tuning or {SET_VARIABLE}; "
    "it is the benchmark data of the semble project"
)


@dataclass(frozen=True, slots=True)
class TuningRepository:
    """What is asked about one repository, at its revision."""

    name: str
    language: str
    tree: Path
    """What is indexed; targets are relative to it."""
    questions: tuple[Question, ...]


@dataclass(frozen=True, slots=True)
class TuningSet:
    """Those that could be had, and why others could not."""

    repositories: list[TuningRepository]
    missing: list[str]


def load(folder: Path, repositories: Path | None, cache: Path) -> TuningSet:
    """Read the set, with the repositories below `repositories` (NAME/ each), and others cloned into `cache`.

    Raises BenchmarkError for a folder that holds no such set.
    """
    try:
        entries: list[dict[str, Any]] = json.loads((folder / "repos.json").read_bytes())
        found = TuningSet([], [])
        for entry in entries:
            annotations = json.loads((folder / "annotations" / f"{entry['name']}.json").read_bytes())
            try:
                checkout = _checkout(entry, repositories, cache)
            except BenchmarkError as error:
                found.missing.append(str(error))
            else:
                found.repositories.append(_repository(entry, checkout, annotations))
    except (OSError, ValueError, KeyError) as error:
        raise BenchmarkError(f"{folder} holds no tuning set ({error!r}); {HOW}") from error
    return found


def _repository(entry: dict[str, Any], checkout: Path, annotations: list[dict[str, Any]]) -> TuningRepository:
    root = entry.get("benchmark_root", "")
    tree = checkout / root
    questions = tuple(
        Question(
            one["query"],
            tuple(_target(where, checkout, root) for where in (*one["relevant"], *one["secondary"])),
            one["category"],
        )
        for one in annotations
    )
    return TuningRepository(entry["name"], entry["language"], tree, questions)


def _target(where: str | dict[str, Any], checkout: Path, root: str) -> Target:
    """Paths are relative to the repository's root, some to its indexed folder."""
    path = where if isinstance(where, str) else where["path"]
    if root and (checkout / path).exists():
        path = path.removeprefix(f"{root}/")
    if isinstance(where, str) or "start_line" not in where:
        return Target(path)
    return Target(path, int(where["start_line"]), int(where["end_line"]))


def _checkout(entry: dict[str, Any], repositories: Path | None, cache: Path) -> Path:
    name, revision = str(entry["name"]), str(entry["revision"])
    if repositories is not None and (repositories / name).is_dir():
        return (repositories / name).resolve()
    kept = cache / "repositories" / f"{name}-{revision[:12]}"
    if not kept.is_dir():
        kept.parent.mkdir(parents=True, exist_ok=True)
        with tempfile.TemporaryDirectory(prefix="clone-", dir=kept.parent, ignore_cleanup_errors=True) as folder:
            unfinished = Path(folder) / name
            _git("clone", "--quiet", "--no-checkout", "--filter=blob:none", str(entry["url"]), str(unfinished))
            _git("-C", str(unfinished), "checkout", "--quiet", "--detach", revision)
            unfinished.rename(kept)
    return kept


def _git(*arguments: str) -> None:
    done = subprocess.run(
        ["git", *arguments],
        env=os.environ | {"GIT_TERMINAL_PROMPT": "0"},
        stdin=subprocess.DEVNULL,
        capture_output=True,
        text=True,
        check=False,
    )
    if done.returncode != 0:
        raise BenchmarkError(
            f"`git {' '.join(arguments)}` failed ({done.stderr.strip()}); put a checkout into a folder and give that "
            f"with --repositories or {REPOSITORIES_VARIABLE}"
        )
