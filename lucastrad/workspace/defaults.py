"""What is left out of every index unless `.lucastraignore` names it with `!`.

Names that projects also use for their own source (`build`, `vendor`, `target`, …) are skipped only
beside the file that makes a tool fill them: `target/` beside `Cargo.toml` is output, elsewhere it is
someone's code.
"""

from collections.abc import Collection, Mapping

VERSION_CONTROL = "version control"
VENDORED = "vendored dependencies"
VIRTUAL_ENVIRONMENT = "virtual environment"
BUILD_OUTPUT = "build output"
CACHE = "cache"
EDITOR_STATE = "editor state"
LOCK_FILE = "lock file"
BINARY = "binary"

VERSION_CONTROL_NAMES = frozenset(
    {".git", ".hg", ".svn", ".bzr", ".jj", ".sl", ".pijul", "_darcs", "CVS", ".fslckout"},
)

_FOLDERS: dict[str, str] = dict.fromkeys(
    ("node_modules", "bower_components", "jspm_packages", "site-packages", "__pypackages__"), VENDORED
) | dict.fromkeys((".venv",), VIRTUAL_ENVIRONMENT)
_FOLDERS |= dict.fromkeys(
    (".eggs", ".next", ".nuxt", ".output", ".svelte-kit", ".angular", ".expo", ".dart_tool", ".stack-work",
     "dist-newstyle", "zig-out", "elm-stuff", "DerivedData", "cmake-build-debug", "cmake-build-release",
     "htmlcov", ".aws-sam", ".serverless", ".terraform"),
    BUILD_OUTPUT,
)  # fmt: skip
_FOLDERS |= dict.fromkeys(
    ("__pycache__", ".cache", ".mypy_cache", ".pytest_cache", ".ruff_cache", ".hypothesis", ".tox", ".nox",
     ".ipynb_checkpoints", ".gradle", ".parcel-cache", ".turbo", ".sass-cache", ".yarn", ".pnpm-store",
     ".zig-cache", "zig-cache", ".direnv", ".nyc_output", ".bundle", ".import-linter_cache"),
    CACHE,
)  # fmt: skip
_FOLDERS |= dict.fromkeys((".idea", ".vs", ".vscode-test", ".history"), EDITOR_STATE)

PRUNED_FOLDERS = frozenset(_FOLDERS) | VERSION_CONTROL_NAMES
"""Folder names that are skipped wherever they stand."""

_PYTHON = ("setup.py", "setup.cfg", "pyproject.toml")
_JAVA = ("build.gradle", "build.gradle.kts", "pom.xml")
_DOTNET = (".csproj", ".fsproj", ".vbproj", ".vcxproj", ".sln")

_GUARDED: dict[str, tuple[str, tuple[str, ...]]] = {
    "build": (BUILD_OUTPUT, (*_PYTHON, *_JAVA, "CMakeLists.txt", "package.json", "pubspec.yaml")),
    "dist": (BUILD_OUTPUT, (*_PYTHON, "package.json")),
    "out": (BUILD_OUTPUT, (*_JAVA, "package.json", "foundry.toml")),
    "target": (BUILD_OUTPUT, ("Cargo.toml", "pom.xml", "build.sbt", "project.clj", "deps.edn")),
    "bin": (BUILD_OUTPUT, _DOTNET),
    "obj": (BUILD_OUTPUT, _DOTNET),
    "coverage": (BUILD_OUTPUT, ("package.json",)),
    "_build": (BUILD_OUTPUT, ("mix.exs", "rebar.config", "dune-project", "conf.py")),
    "deps": (VENDORED, ("mix.exs",)),
    "vendor": (VENDORED, ("go.mod", "composer.json", "Gemfile")),
    "Pods": (VENDORED, ("Podfile",)),
    "Carthage": (VENDORED, ("Cartfile",)),
}
"""Folder name → reason, and the neighbours (names, or suffixes that start with a dot) that prove it."""

CONTENT_MARKERS: Mapping[str, str] = {"pyvenv.cfg": VIRTUAL_ENVIRONMENT, "CACHEDIR.TAG": CACHE}
"""Files whose presence makes the folder that holds them one to skip (PEP 405; bford.info/cachedir)."""

_LOCK_FILES = frozenset(
    {"package-lock.json", "npm-shrinkwrap.json", "pnpm-lock.yaml", "bun.lockb", "go.sum", "gradle.lockfile",
     "packages.lock.json", "cartfile.resolved", "package.resolved", ".terraform.lock.hcl", "deno.lock"},
)  # fmt: skip

_BINARY_SUFFIXES = """
.png .jpg .jpeg .gif .bmp .ico .icns .webp .avif .heic .tif .tiff .psd .ai .eps .xcf .sketch .fig .blend
.mp3 .mp4 .m4a .m4v .wav .flac .ogg .oga .ogv .opus .aac .avi .mov .mkv .webm .wmv .mid
.ttf .otf .woff .woff2 .eot .pfb
.zip .tar .gz .tgz .bz2 .tbz2 .xz .txz .zst .lz4 .lzma .7z .rar .jar .war .ear .whl .egg .gem .nupkg .crate
.apk .aab .ipa .deb .rpm .dmg .iso .img .msi .cab .appimage .flatpak
.exe .dll .so .dylib .lib .a .o .obj .elf .class .pyc .pyo .pyd .wasm .node .rlib .rmeta .pdb .ilk
.dex .beam .cma .cmxa .cmi .cmo .cmx
.pdf .doc .docx .xls .xlsx .ppt .pptx .odt .ods .odp .epub .mobi
.sqlite .sqlite3 .db .db-wal .db-shm .mdb .accdb .parquet .feather .arrow .avro .rdb
.npy .npz .pkl .pickle .joblib .h5 .hdf5 .pth .ckpt .onnx .pb .tflite .safetensors .gguf .ggml .mat .rds
.glb .fbx .3ds .dwg .stl .ply .unitypackage .pak .uasset .umap
.gmo .suo .ncb .sdf .ipch .gch .pch .swp .swo
"""

_FILE_SUFFIXES: dict[str, str] = (
    dict.fromkeys((suffix.lower() for suffix in _BINARY_SUFFIXES.split()), BINARY)
    | dict.fromkeys((".map",), "source map")
    | dict.fromkeys((".lock", ".lockb"), LOCK_FILE)
    # One sentence in a hundred languages: of Django's passages they are a seventh, and never the answer.
    | dict.fromkeys((".po", ".pot", ".xlf", ".xliff"), "translation catalog")
    | dict.fromkeys((".log",), "log file")
    | dict.fromkeys((".bak", ".orig", ".rej"), "backup copy")
)
_FILE_NAMES: dict[str, str] = dict.fromkeys(_LOCK_FILES, LOCK_FILE) | {
    ".ds_store": EDITOR_STATE,
    "thumbs.db": EDITOR_STATE,
    "tags": "tag file",
    "cscope.out": "tag file",
    ".coverage": BUILD_OUTPUT,
}


def folder_reason(name: str, neighbours: Collection[str]) -> str | None:
    """Why a folder called `name`, beside entries called `neighbours`, is skipped; None if it is not."""
    if name in VERSION_CONTROL_NAMES:
        return VERSION_CONTROL
    if reason := _FOLDERS.get(name):
        return reason
    if name.endswith((".egg-info", ".dist-info")):
        return BUILD_OUTPUT
    if (guarded := _GUARDED.get(name)) is None:
        return None
    reason, markers = guarded
    for marker in markers:
        if marker in neighbours:
            return reason
        if marker.startswith(".") and any(neighbour.endswith(marker) for neighbour in neighbours):
            return reason
    return None


def content_reason(names: Collection[str]) -> str | None:
    """Why a folder that holds entries called `names` is skipped; None if it is not."""
    for marker, reason in CONTENT_MARKERS.items():
        if marker in names:
            return reason
    return None


def guarded_folders(name: str) -> list[str]:
    """The neighbouring folders whose verdict may change when a file called `name` comes or goes."""
    return [
        folder
        for folder, (_, markers) in _GUARDED.items()
        if any(name == marker or (marker.startswith(".") and name.endswith(marker)) for marker in markers)
    ]


def file_reason(name: str) -> str | None:
    """Why a file called `name` is skipped; None if it is not."""
    name = name.lower()
    dot = name.rfind(".")
    if dot >= 0 and (reason := _FILE_SUFFIXES.get(name[dot:])):
        return reason
    return _FILE_NAMES.get(name)
