"""Small trees on disk, and what a scan makes of them."""

from collections.abc import Mapping
from pathlib import Path

from lucastrad.workspace.scanner import Candidate, ScanRules, Skipped, scan


def plant(root: Path, files: Mapping[str, str | bytes]) -> None:
    """Write `files`; a name that ends in "/" is an empty folder."""
    for name, content in files.items():
        path = root / name
        if name.endswith("/"):
            path.mkdir(parents=True, exist_ok=True)
            continue
        path.parent.mkdir(parents=True, exist_ok=True)
        path.write_bytes(content.encode() if isinstance(content, str) else content)


def candidates(root: Path, rules: ScanRules | None = None) -> set[str]:
    return {entry.path for entry in scan(str(root), rules or ScanRules()) if isinstance(entry, Candidate)}


def reasons(root: Path, rules: ScanRules | None = None) -> dict[str, str]:
    return {e.path: e.reason for e in scan(str(root), rules or ScanRules()) if isinstance(e, Skipped)}
