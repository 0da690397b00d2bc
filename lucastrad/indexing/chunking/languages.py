"""Tell a file's language from its name and first line; no file is opened here.

Names are those of the grammar package, plus `text` for everything else. Two of its grammars are parts of others
and no file's language: `markdown_inline`, and `php_only`, which is PHP without `<?php`.
"""

import re
from functools import lru_cache
from pathlib import PurePosixPath
from typing import Final

TEXT: Final = "text"

EXTENSIONS: Final = {
    "asciidoc": "adoc asciidoc asc",
    "astro": "astro",
    "bash": "sh bash zsh ksh bats ebuild eclass command bashrc zshrc",
    "batch": "bat cmd",
    "c": "c h idc cats",
    "clojure": "clj cljs cljc cljx edn bb boot",
    "cmake": "cmake",
    "cpp": "cc cpp cxx c++ hh hpp hxx h++ ipp tpp txx inl ino cu cuh cppm ixx",
    "csharp": "cs csx cake",
    "css": "css pcss postcss",
    "dart": "dart",
    "dockerfile": "dockerfile containerfile",
    "dtd": "dtd ent",
    "elixir": "ex exs",
    "embedded_template": "erb ejs rhtml",
    "erlang": "erl hrl escript app.src xrl yrl",
    "fortran": "f90 f95 f03 f08 f f77 for ftn fpp",
    "gitignore": "gitignore",
    "go": "go",
    "gotmpl": "gotmpl tmpl gohtml gotpl",
    "graphql": "graphql gql graphqls",
    "groovy": "groovy gradle gvy gy gsh jenkinsfile",
    "haskell": "hs hs-boot hsc",
    "hcl": "tf tfvars hcl nomad tofu",
    "heex": "heex leex eex",
    "html": "html htm xhtml shtml",
    "ini": "ini cfg editorconfig desktop service socket timer",
    "java": "java jav jsh",
    "javascript": "js mjs cjs jsx es6 jsm",
    "jinja2": "j2 jinja jinja2",
    "json": "json geojson webmanifest har avsc ipynb topojson tfstate",
    "json5": "json5",
    "jsonc": "jsonc code-workspace code-snippets sublime-settings sublime-keymap",
    "jsonnet": "jsonnet libsonnet",
    "julia": "jl",
    "just": "just",
    "kdl": "kdl",
    "kotlin": "kt kts",
    "latex": "tex sty cls ltx dtx ins bib",
    "lua": "lua rockspec nse p8",
    "make": "mk mak make makefile",
    "markdown": "md markdown mdx mkd mkdn mdown qmd rmd",
    "nix": "nix",
    "objc": "m mm",
    "ocaml": "ml mli mll mly eliom",
    "org": "org",
    "perl": "pl pm t psgi perl",
    "php": "php phtml php3 php4 php5 php7 phps inc",
    "powershell": "ps1 psm1 psd1",
    "properties": "properties",
    "proto": "proto",
    "python": "py pyi pyw pyx pxd wsgi",
    "r": "r rprofile",
    "racket": "rkt rktd rktl scrbl",
    "rst": "rst rest",
    "ruby": "rb rake gemspec ru podspec jbuilder thor rbi rbw",
    "rust": "rs",
    "scala": "scala sc sbt",
    "scheme": "scm ss sld sls sps",
    "scss": "scss",
    "solidity": "sol",
    "sql": "sql ddl dml psql pgsql mysql",
    "starlark": "bzl bazel star sky",
    "svelte": "svelte",
    "swift": "swift swiftinterface",
    "toml": "toml",
    "tsx": "tsx",
    "typescript": "ts mts cts",
    "typst": "typ",
    "vim": "vim vimrc vmb",
    "vue": "vue",
    "wat": "wat wast",
    "xml": "xml xsd xsl xslt svg wsdl rss atom plist pom csproj vbproj fsproj props targets vcxproj nuspec "
    "resx xaml axml storyboard xib kml gpx opml xmi ui qrc jelly launch urdf xacro glade",
    "yaml": "yml yaml clang-format clang-tidy sublime-syntax cff",
    "zig": "zig zon",
}

_NAMES: Final = {
    "bash": ".bashrc .bash_profile .bash_aliases .bash_logout .profile .zshrc .zshenv .zprofile .envrc "
    "pkgbuild apkbuild",
    "cmake": "cmakelists.txt",
    "dockerfile": "dockerfile containerfile",
    "gitignore": ".gitignore .dockerignore .npmignore .eslintignore .prettierignore .hgignore .gcloudignore "
    ".helmignore .vscodeignore .stylelintignore .rgignore .ignore .lucastraignore .gitattributes codeowners",
    "groovy": "jenkinsfile",
    "ini": ".editorconfig .gitconfig .gitmodules .npmrc .pylintrc .flake8 .coveragerc .pypirc .hgrc",
    "javascript": "jakefile",
    "json": ".babelrc .eslintrc .prettierrc .stylelintrc .jshintrc .arcconfig composer.lock pipfile.lock "
    "flake.lock deno.lock",
    "jsonc": "tsconfig.json jsconfig.json devcontainer.json .swcrc",
    "just": "justfile .justfile",
    "make": "makefile gnumakefile bsdmakefile kbuild",
    "perl": "cpanfile",
    "python": "sconstruct sconscript snakefile wscript",
    "r": ".rprofile",
    "ruby": "rakefile gemfile guardfile podfile vagrantfile brewfile capfile fastfile appfile dangerfile",
    "starlark": "build workspace module.bazel build.bazel workspace.bazel tiltfile buck",
    "toml": "pipfile cargo.lock poetry.lock uv.lock pdm.lock gopkg.lock",
    "vim": ".vimrc _vimrc .gvimrc .exrc",
    "yaml": ".clang-format .clang-tidy .clangd .yamllint pubspec.lock",
}

_INTERPRETERS: Final = {
    **dict.fromkeys(("sh", "bash", "zsh", "dash", "ksh", "ash", "bats"), "bash"),
    **dict.fromkeys(("python", "pypy", "uv"), "python"),
    **dict.fromkeys(("node", "nodejs", "bun"), "javascript"),
    **dict.fromkeys(("deno", "ts-node", "tsx"), "typescript"),
    **dict.fromkeys(("ruby", "rake", "jruby"), "ruby"),
    **dict.fromkeys(("lua", "luajit"), "lua"),
    **dict.fromkeys(("guile", "chibi-scheme", "gosh"), "scheme"),
    **dict.fromkeys(("bb", "clojure"), "clojure"),
    **dict.fromkeys(("Rscript", "littler"), "r"),
    **dict.fromkeys(("runhaskell", "stack"), "haskell"),
    **{"perl": "perl", "php": "php", "julia": "julia", "elixir": "elixir", "escript": "erlang"},
    **{"racket": "racket", "groovy": "groovy", "swift": "swift", "scala": "scala", "kotlin": "kotlin"},
    **{"make": "make", "just": "just", "pwsh": "powershell", "ocaml": "ocaml", "dart": "dart"},
}

_BY_EXTENSION: Final = {ext: language for language, exts in EXTENSIONS.items() for ext in exts.split()}
_BY_NAME: Final = {name: language for language, names in _NAMES.items() for name in names.split()}
_SHEBANG: Final = re.compile(
    r"#!\s*(?:\S*/)?(?:env\s+(?:-\S+\s+|\w+=\S*\s+)*(?:\S*/)?)?([A-Za-z][\w-]*?)[\d.]*(?=\s|$)"
)
_MODELINE: Final = re.compile(r"-\*-\s*(?:.*?mode:\s*)?([\w+-]+)")
_MODES: Final = {"c++": "cpp", "sh": "bash", "shell-script": "bash", "js": "javascript", "makefile": "make"}
# One extension, two languages: the first line decides (MATLAB's `.m` has no grammar here and starts
# with `function`, `%` or `classdef`).
_NOT_OBJC: Final = re.compile(r"\s*(%|function\b|classdef\b|clear\b|close\b|clc\b)")
_TEMPLATE_SUFFIXES: Final = frozenset({"in", "tmpl", "template", "tpl", "dist", "example", "sample", "orig", "bak"})


def language_of(path: str, first_line: str = "") -> str:
    """The language of a file by its name, or else its `#!` line or Emacs mode; `text` when unknown."""
    language = _by_name(PurePosixPath(path).name)
    if language == "objc" and path.endswith(".m") and _NOT_OBJC.match(first_line):
        return TEXT
    return language or _by_first_line(first_line) or TEXT


@lru_cache(maxsize=4096)
def _by_name(name: str) -> str:
    lowered = name.lower()
    if found := _BY_NAME.get(lowered):
        return found
    if lowered.startswith(("dockerfile.", "containerfile.")):
        return "dockerfile"
    if lowered.startswith(("makefile.", "gnumakefile.")):
        return "make"
    if name.endswith(".C"):
        return "cpp"
    pieces = lowered.split(".")
    # `config.yaml.in` and `settings.py.example` are what stands before the last dot.
    while len(pieces) > 2 and pieces[-1] in _TEMPLATE_SUFFIXES:
        pieces.pop()
    if len(pieces) < 2:
        return ""
    return _BY_EXTENSION.get(".".join(pieces[-2:])) or _BY_EXTENSION.get(pieces[-1], "")


def _by_first_line(line: str) -> str:
    if match := _SHEBANG.match(line):
        return _INTERPRETERS.get(match[1], "")
    if line.startswith("<?xml"):
        return "xml"
    if line.startswith("<?php"):
        return "php"
    if line[:15].lower() == "<!doctype html>":
        return "html"
    if match := _MODELINE.search(line[:200]):
        mode = match[1].lower()
        mode = _MODES.get(mode, mode)
        return mode if mode in EXTENSIONS else ""
    return ""
