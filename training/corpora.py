"""Fetch the packages that the model learns from, and read their sources.

`packages.txt` pins every one of them: registry, name, version, file, licence, SHA-256. Downloads go through the
registries' own clients (pip, npm, apt) into a cache folder and are resumed: a file with the right checksum is kept.
Only permissive licences are learnt from, as the packages' own metadata declare them; vendored copies of other
projects are left out, since they may be under other terms.
"""

import hashlib
import io
import json
import re
import shutil
import subprocess
import tarfile
import tempfile
import zipfile
from collections.abc import Iterable, Iterator
from contextlib import contextmanager, suppress
from dataclasses import dataclass
from enum import StrEnum
from pathlib import Path, PurePosixPath
from typing import Final

from training.held_out import HELD_OUT

PACKAGES: Final = Path(__file__).with_name("packages.txt")
_MAX_MISSING: Final = 0.1
"""Debian's mirrors drop superseded versions: so large a share of the packages may be missing."""
_AT_ONCE: Final = 32
"""Packages of one call: for most of them starting a client takes longer than the download."""
_LARGEST_SOURCE_BYTES: Final = 400_000
"""Larger files are bundles of several projects, or generated."""


class Registry(StrEnum):
    """Where a package comes from, and so how it is fetched and read."""

    PYPI = "pypi"
    NPM = "npm"
    DEBIAN = "debian"
    """A binary package that ships sources (`golang-*-dev`, `librust-*-dev`)."""
    DEBIAN_SOURCE = "debian-source"


@dataclass(frozen=True, slots=True)
class Package:
    """One line of `packages.txt`."""

    registry: Registry
    name: str
    version: str
    file: str
    licence: str
    sha256: str
    held_back: bool = False
    """Kept for the dev set: never learnt from, but looked at while choosing what to keep."""

    @property
    def line(self) -> str:
        pinned = f"{self.registry} {self.name}=={self.version} {self.file} {self.licence} {self.sha256}"
        return f"{pinned} dev" if self.held_back else pinned


@dataclass(frozen=True, slots=True)
class SourceFile:
    """A file of a package; `path` is the one that a checkout of the package would have."""

    path: str
    text: str


class LicenceError(Exception):
    """A package's metadata name no licence that is accepted here."""


class MissingPackages(Exception):
    """Too many packages cannot be had any more; the message lists them."""


def packages(listing: Path = PACKAGES) -> list[Package]:
    """The pinned packages, in the listing's order. Raises ValueError for a line of another form."""
    found = []
    for line in listing.read_text(encoding="utf-8").splitlines():
        if not line or line.startswith("#"):
            continue
        registry, pin, file, licence, sha256, *rest = line.split()
        name, equals, version = pin.partition("==")
        if not equals or rest not in ([], ["dev"]):
            raise ValueError(f"{listing.name}: not a pinned package: {line}")
        if base_name(name) in HELD_OUT:
            raise ValueError(f"{listing.name}: {name} is held out for the benchmarks")
        found.append(Package(Registry(registry), name, version, file, licence, sha256, bool(rest)))
    return found


def base_name(name: str) -> str:
    """A package's name as `held_out` has it: lower case, without scope."""
    return name.lower().replace("_", "-").rpartition("/")[2]


# Fetching


def fetch(wanted: Iterable[Package], cache: Path) -> list[Package]:
    """Download what the cache lacks; return the packages that are there, with the pinned checksum.

    Raises MissingPackages when more than a tenth cannot be had.
    """
    wanted = list(wanted)
    lacking = [package for package in wanted if not _intact(package, cache)]
    for registry in Registry:
        batch = [package for package in lacking if package.registry is registry]
        if batch:
            _download(registry, batch, cache)
    missing = [package for package in lacking if not _intact(package, cache)]
    if len(missing) > _MAX_MISSING * len(wanted):
        raise MissingPackages("cannot be fetched any more: " + ", ".join(f"{p.name}=={p.version}" for p in missing))
    return [package for package in wanted if package not in missing]


def archive_of(package: Package, cache: Path) -> Path:
    """Where the cache holds a package's file."""
    return _folder(cache, package.registry) / package.file


def _folder(cache: Path, registry: Registry) -> Path:
    folder = cache / registry
    folder.mkdir(parents=True, exist_ok=True)
    return folder


def _intact(package: Package, cache: Path) -> bool:
    archive = archive_of(package, cache)
    return archive.exists() and sha256_of(archive) == package.sha256


def sha256_of(path: Path) -> str:
    """Hexadecimal."""
    with path.open("rb") as file:
        return hashlib.file_digest(file, "sha256").hexdigest()


def _download(registry: Registry, batch: list[Package], cache: Path) -> None:
    folder = _folder(cache, registry)
    with _client(registry) as (command, pinned):
        for start in range(0, len(batch), _AT_ONCE):
            _run(
                *command,
                *(f"{one.name}{pinned}{one.version}" for one in batch[start : start + _AT_ONCE]),
                folder=folder,
            )
        for package in batch:  # a call that names one that is gone brings none
            if not _intact(package, cache):
                _run(*command, f"{package.name}{pinned}{package.version}", folder=folder)


@contextmanager
def _client(registry: Registry) -> Iterator[tuple[tuple[str, ...], str]]:
    """(what downloads into the working directory, what stands between a name and its version)."""
    if registry is Registry.PYPI:
        # The wheels of one platform, whatever this machine is: the pinned checksums are theirs.
        platform = ("--platform=manylinux_2_28_x86_64", "--platform=manylinux2014_x86_64", "--python-version=3.11")
        yield ("pip", "download", "-q", "--no-deps", "--only-binary=:all:", *platform), "=="
    elif registry is Registry.NPM:
        yield ("npm", "pack", "--silent"), "@"
    else:
        with _apt() as options:
            source = ("source", "--only-source", "--download-only")
            yield ("apt-get", *options, *(("download",) if registry is Registry.DEBIAN else source)), "="


@contextmanager
def _apt() -> Iterator[tuple[str, ...]]:
    """Options of apt-get with package lists of its own: the machine's configuration is neither needed nor changed."""
    with tempfile.TemporaryDirectory() as scratch:
        state = Path(scratch)
        (state / "lists" / "partial").mkdir(parents=True)
        (state / "cache" / "archives" / "partial").mkdir(parents=True)
        url = "http://deb.debian.org/debian bookworm main\n"
        (state / "sources.list").write_text(f"deb {url}deb-src {url}", encoding="utf-8")
        options = (
            f"-oDir::Etc::SourceList={state}/sources.list",
            "-oDir::Etc::SourceParts=/dev/null",
            f"-oDir::State::Lists={state}/lists",
            f"-oDir::Cache={state}/cache",
            "-q",
        )
        _run("apt-get", *options, "update", folder=state)
        yield options


def _run(*command: str, folder: Path) -> None:
    """What fails, also for want of the client or of time, shows as a missing file."""
    if shutil.which(command[0]) is None:
        return
    quiet = subprocess.DEVNULL
    with suppress(subprocess.TimeoutExpired):
        subprocess.run(command, cwd=folder, check=False, stdout=quiet, stderr=quiet, timeout=900)


# Reading

_TESTS: Final = "test tests testing testdata __tests__ spec specs fixtures benchmarks docs examples locale locales i18n"
_COPIES: Final = (
    "node_modules vendor vendored _vendor _vendored third_party third-party thirdparty 3rdparty extern external "
    "externals _external deps _distutils distutils eigen eigen3 unsupported generated gen"
)
_SKIPPED_FOLDERS: Final = frozenset((*_TESTS.split(), *_COPIES.split()))
_SKIPPED_NAME: Final = re.compile(r"\.min\.|[._]pb2|\.pb\.|[._]test\.|\.spec\.|^test_|_generated\.|\.bundle\.")
_SUFFIXES: Final = ".py .js .mjs .cjs .jsx .ts .tsx .mts .go .rs .java .c .h .cc .cpp .cxx .hh .hpp .md .rst .markdown"
_TEXT_SUFFIXES: Final = frozenset(_SUFFIXES.split())


def sources(package: Package, cache: Path) -> Iterator[SourceFile]:
    """The files of a package that are worth learning from, in the archive's order."""
    for path, data in _members(package, archive_of(package, cache)):
        try:
            text = data.decode("utf-8")
        except UnicodeDecodeError:
            continue
        yield SourceFile(path, text)


def _members(package: Package, archive: Path) -> Iterator[tuple[str, bytes]]:
    if package.registry is Registry.PYPI:
        yield from _zipped(archive)
        return
    with _tar_of(package, archive) as tar:
        for member in tar:
            if not member.isfile() or member.size > _LARGEST_SOURCE_BYTES:
                continue
            path = _own_path(package.registry, member.name)
            if _is_wanted(path):
                file = tar.extractfile(member)
                if file is not None:
                    yield path, file.read()


def _zipped(archive: Path) -> Iterator[tuple[str, bytes]]:
    with zipfile.ZipFile(archive) as wheel:
        for info in wheel.infolist():
            if info.filename.endswith(".dist-info/METADATA"):
                head, _, description = wheel.read(info).decode("utf-8", "replace").partition("\n\n")
                yield ("README.rst" if "text/x-rst" in head else "README.md"), description.encode()
            elif info.file_size <= _LARGEST_SOURCE_BYTES and _is_wanted(info.filename):
                yield info.filename, wheel.read(info)


def _tar_of(package: Package, archive: Path) -> tarfile.TarFile:
    if package.registry is not Registry.DEBIAN:
        return tarfile.open(archive)
    packed = subprocess.run(("dpkg-deb", "--fsys-tarfile", str(archive)), check=True, capture_output=True).stdout
    return tarfile.open(fileobj=io.BytesIO(packed))


_DEBIAN_ROOTS: Final = re.compile(r"^\./usr/(?:share/cargo/registry/[^/]+/|share/gocode/src/[^/]+/)")


def _own_path(registry: Registry, name: str) -> str:
    """Without the folders that only the packaging adds."""
    if registry is Registry.DEBIAN:
        return _DEBIAN_ROOTS.sub("", name).removeprefix("./")
    return name.removeprefix("./").partition("/")[2]


def _is_wanted(path: str) -> bool:
    pure = PurePosixPath(path.lower())
    if pure.suffix not in _TEXT_SUFFIXES or _SKIPPED_NAME.search(pure.name):
        return False
    folders = {folder.replace("_", "-") for folder in pure.parts[:-1]} | set(pure.parts[:-1])
    return not folders & _SKIPPED_FOLDERS and not folders & HELD_OUT and pure.stem not in HELD_OUT


# Licences

_ACCEPTED: Final = (
    ("MIT", r"(?:mit|expat)(?: license)?(?:-0|-cmu)?|mit no attribution license"),
    ("Apache-2.0", r"(?:apache|asl)(?: software)?(?: license)?[ ,-]*(?:version |v)?(?:2(?:\.0)?)?(?: license)?"),
    ("Apache-2.0-LLVM", r"apache-2(?:\.0)?[- ](?:with[- ])?llvm[- ]exceptions?"),
    ("BSD", r"(?:new |modified |simplified )?(?:[23]-clause )?bsd(?: license)?"),
    ("BSD", r"bsd[- ](?:[234c](?:[- ]?clause)?3?)(?:[-~]google)?(?: license)?"),
    ("BSD", r"go"),  # Debian's short name of the Go project's licence
    ("ISC", r"isc(?: license)?"),
    ("PSF-2.0", r"psf(?:-2\.0)?|python software foundation license|python-2\.0"),
    ("0BSD", r"0bsd"),
    ("Zlib", r"zlib(?:/libpng)?(?: license)?"),
    ("Unlicense", r"unlicense"),
)  # fmt: skip


def accepted_licence(declared: str) -> str:
    """A short name for a declared licence or SPDX expression; raises LicenceError unless it is permissive.

    One accepted alternative of an `OR` is enough; of an `AND` every part must be accepted.
    """
    text = re.sub(r" \((?:iscl|unlicense|mit|mit-0)\)|[()]|,(?= version)", "", declared.strip().lower())
    for alternative in re.split(r"\s+or\s+|/", text):
        names = [_accepted(part) for part in re.split(r"\s+and\s+|,\s+", alternative)]
        if names and all(names):
            return "+".join(dict.fromkeys(name for name in names if name))
    raise LicenceError(declared[:80])


def _accepted(part: str) -> str | None:
    part = part.strip(" .").removeprefix("the ")
    return next((name for name, pattern in _ACCEPTED if re.fullmatch(pattern, part)), None)


def declared_licence(package_file: Path, registry: Registry) -> str:
    """What the metadata inside an archive say; for a Debian source the `.debian.tar` beside it."""
    if registry is Registry.PYPI:
        return _wheel_licence(package_file)
    if registry is Registry.NPM:
        with tarfile.open(package_file) as tar:
            manifest = next(m for m in tar if PurePosixPath(m.name).parts[1:] == ("package.json",))
            read = tar.extractfile(manifest)
            licence = json.loads(read.read())["license"] if read else ""
            return str(licence["type"] if isinstance(licence, dict) else licence)
    if registry is Registry.DEBIAN:
        with _tar_of(Package(registry, "", "", "", "", ""), package_file) as tar:
            return _copyright_licence(tar, re.compile(r"\./usr/share/doc/[^/]+/copyright"))
    source = package_file.name.partition("_")[0]
    packaging = max(package_file.parent.glob(f"{source}_*.debian.tar.*"))
    with tarfile.open(packaging) as tar:
        return _copyright_licence(tar, re.compile(r"debian/copyright"))


def _wheel_licence(archive: Path) -> str:
    with zipfile.ZipFile(archive) as wheel:
        name = next(name for name in wheel.namelist() if name.endswith(".dist-info/METADATA") and name.count("/") == 1)
        head = wheel.read(name).decode("utf-8", "replace").partition("\n\n")[0]
    if found := re.search(r"^License-Expression: (.+)$", head, re.MULTILINE):
        return found[1]
    if classified := re.findall(r"^Classifier: License :: OSI Approved :: (.+)$", head, re.MULTILINE):
        return " AND ".join(classified)
    found = re.search(r"^License: (.+)$", head, re.MULTILINE)
    return found[1] if found else ""


def _copyright_licence(tar: tarfile.TarFile, place: re.Pattern[str]) -> str:
    """Of the stanza `Files: *` in Debian's machine-readable copyright file, or else of the first stanza."""
    member = next(m for m in tar if place.fullmatch(m.name))
    read = tar.extractfile(member)
    text = read.read().decode("utf-8", "replace") if read else ""
    stanzas = re.split(r"\n\s*\n", text)
    main = [stanza for stanza in stanzas if re.search(r"^Files:\s*\*", stanza, re.MULTILINE)]
    found = re.search(r"^License: *(.+)$", "\n".join([*main, *stanzas]), re.MULTILINE)
    return found[1] if found else ""


def pin(archive: Path, registry: Registry, name: str, version: str, *, held_back: bool = False) -> Package:
    """The package of a downloaded file; raises LicenceError. How `packages.txt` is extended."""
    licence = accepted_licence(declared_licence(archive, registry))
    return Package(registry, name, version, archive.name, licence, sha256_of(archive), held_back)
