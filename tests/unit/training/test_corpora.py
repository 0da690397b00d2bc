"""Only packages of permissive licences are learnt from, and none that the benchmarks ask about."""

import hashlib
import io
import json
import os
import tarfile
import zipfile
from pathlib import Path

import pytest

from training.corpora import (
    LicenceError,
    MissingPackages,
    Package,
    Registry,
    accepted_licence,
    archive_of,
    base_name,
    fetch,
    packages,
    pin,
    sources,
)
from training.held_out import HELD_OUT


@pytest.mark.parametrize(
    ("declared", "accepted"),
    [
        ("MIT", "MIT"),
        ("Expat", "MIT"),
        ("The MIT License (MIT)", "MIT"),
        ("Apache Software License", "Apache-2.0"),
        ("Apache License, Version 2.0", "Apache-2.0"),
        ("BSD-3-Clause", "BSD"),
        ("BSD License", "BSD"),
        ("ISC License (ISCL)", "ISC"),
        ("MIT or Apache-2.0", "MIT"),
        ("GPL-2.0-only OR MIT", "MIT"),
        ("(MIT AND Zlib)", "MIT+Zlib"),
        ("Python Software Foundation License", "PSF-2.0"),
    ],
)
def test_permissive_licences_are_known_by_their_many_names(declared: str, accepted: str) -> None:
    assert accepted_licence(declared) == accepted


@pytest.mark.parametrize(
    "declared",
    ["", "GPL-3.0-only", "LGPL-2.1-or-later", "MPL-2.0", "MIT AND LGPL-3.0-or-later", "Other/Proprietary License"],
)
def test_other_licences_are_refused(declared: str) -> None:
    with pytest.raises(LicenceError):
        accepted_licence(declared)


def test_the_listing_is_pinned_whole_and_holds_nothing_of_the_benchmarks() -> None:
    listed = packages()
    assert len(listed) > 500
    assert {one.registry for one in listed} == set(Registry)
    assert all(len(one.sha256) == 64 and one.licence for one in listed)
    assert not {base_name(one.name) for one in listed} & HELD_OUT
    assert len({(one.registry, one.file) for one in listed}) == len(listed)
    assert any(one.held_back for one in listed)


def test_a_held_out_package_cannot_be_listed(tmp_path: Path) -> None:
    listing = tmp_path / "packages.txt"
    listing.write_text(f"pypi Django==5.2 django.whl BSD {'0' * 64}\n")
    with pytest.raises(ValueError, match="held out"):
        packages(listing)


def wheel(folder: Path, files: dict[str, str]) -> Path:
    archive = folder / "thing-1.0-py3-none-any.whl"
    archive.parent.mkdir(parents=True, exist_ok=True)
    with zipfile.ZipFile(archive, "w") as file:
        file.writestr("thing-1.0.dist-info/METADATA", "Name: thing\nLicense-Expression: MIT\n\n# Thing\n")
        for name, text in files.items():
            file.writestr(name, text)
    return archive


def test_a_package_s_own_sources_are_read_and_copies_of_others_are_not(tmp_path: Path) -> None:
    files = {
        "thing/core.py": "own",
        "thing/tests/test_core.py": "tests",
        "thing/_vendor/other.py": "a copy",
        "thing/flask/app.py": "a copy",
        "thing/data.json": "data",
    }
    archive = wheel(tmp_path / "pypi", files)
    package = pin(archive, Registry.PYPI, "thing", "1.0")
    assert package.licence == "MIT"
    assert {file.path for file in sources(package, tmp_path)} == {"README.md", "thing/core.py"}


def test_a_tarball_s_outer_folder_is_no_part_of_a_path(tmp_path: Path) -> None:
    archive = tmp_path / "npm" / "thing-1.0.tgz"
    archive.parent.mkdir()
    with tarfile.open(archive, "w:gz") as tar:
        for name, text in (("package/package.json", json.dumps({"license": "ISC"})), ("package/src/a.js", "x")):
            info = tarfile.TarInfo(name)
            info.size = len(text)
            tar.addfile(info, io.BytesIO(text.encode()))
    package = pin(archive, Registry.NPM, "thing", "1.0")
    assert package.licence == "ISC"
    assert [file.path for file in sources(package, tmp_path)] == ["src/a.js"]


def test_a_file_with_the_pinned_checksum_is_not_fetched_again(tmp_path: Path) -> None:
    package = pin(wheel(tmp_path / "pypi", {}), Registry.PYPI, "thing", "1.0")
    modified = archive_of(package, tmp_path).stat().st_mtime_ns
    assert fetch([package], tmp_path) == [package]
    assert archive_of(package, tmp_path).stat().st_mtime_ns == modified


def test_a_listing_s_line_says_all_that_it_was_made_of() -> None:
    package = Package(Registry.NPM, "@scope/thing", "1.0", "scope-thing-1.0.tgz", "MIT", "a" * 64, held_back=True)
    assert package.line == f"npm @scope/thing==1.0 scope-thing-1.0.tgz MIT {'a' * 64} dev"


NPM = """#!/bin/sh
echo "$@" >>calls
for pin in "$@"; do test "$pin" = gone@1 && exit 1; done
for pin in "$@"; do case $pin in *@1) echo content >"${pin%@1}.tgz" ;; esac; done
"""
"""Packs what it is told, but nothing where one package of a call is gone."""


def test_packages_are_fetched_together_and_singly_where_one_of_them_is_gone(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    npm = tmp_path / "bin" / "npm"
    npm.parent.mkdir()
    npm.write_text(NPM)
    npm.chmod(0o700)
    monkeypatch.setenv("PATH", f"{npm.parent}:{os.environ['PATH']}")
    checksum = hashlib.sha256(b"content\n").hexdigest()
    names = [f"p{number}" for number in range(39)]
    wanted = [Package(Registry.NPM, name, "1", f"{name}.tgz", "MIT", checksum) for name in [*names, "gone"]]
    assert [package.name for package in fetch(wanted, tmp_path)] == names
    calls = [line.split()[2:] for line in (tmp_path / "npm" / "calls").read_text().splitlines()]
    assert [len(call) for call in calls[:2]] == [32, 8]
    assert calls[2:] == [[f"{name}@1"] for name in [*names[32:], "gone"]]


def test_too_many_missing_packages_are_an_error(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("PATH", str(tmp_path))  # no pip, no npm, no apt-get
    with pytest.raises(MissingPackages, match="gone==1"):
        fetch([Package(Registry.PYPI, "gone", "1", "gone.whl", "MIT", "0" * 64)], tmp_path)
