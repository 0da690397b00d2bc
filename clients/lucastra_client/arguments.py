"""The command line: commands, options and their help.

Invariant: imports argparse and nothing slow, since every start of the command pays for it.
"""

import argparse
import re
import sys
from pathlib import Path
from typing import Literal

from lucastra_protocol.version import __version__

from lucastra_client import answer_arguments
from lucastra_client.parser import (
    EXIT_CODES,
    PROGRAM,
    Commands,
    Parser,
    add_command,
    add_filters,
    examples_text,
    positive,
)

__all__ = ["PROGRAM", "SHELLS", "Arguments", "build_parser", "parse", "query", "words"]

SHELLS = ("bash", "zsh", "fish")

_MAX_QUERY_CHARACTERS = 4096
_LEAST_QUESTIONS, _MOST_QUESTIONS = 10, 2000
_KEY_NAME = re.compile(r"[A-Za-z0-9][A-Za-z0-9_-]{0,63}")
_PLACE = re.compile(r"^(?P<path>.+?):(?P<line>\d+)(?:[-:]\d+)?:?$", re.DOTALL)


class Arguments(argparse.Namespace):
    """What the parser fills in; which of these exist depends on `command`."""

    command: str | None
    json: bool
    color: Literal["auto", "always", "never"]
    quiet: bool

    words: list[str]
    place: tuple[Path, int]
    mode: Literal["hybrid", "vector", "keyword"]
    limit: int | None
    listed: int
    globs: list[str]
    languages: list[str]
    workspaces: list[Path]
    everywhere: bool
    explain: bool
    full: bool
    no_index: bool

    model: str | None
    system: str
    resume: bool
    conversation: str | None
    no_search: bool
    jsonl: bool
    no_stream: bool
    max_tokens: int | None
    temperature: float | None
    query: bool
    provider: str | None
    check: bool
    title: str
    turn: int | None

    workspace: Path
    path: Path | None
    force: bool
    no_wait: bool
    questions: int
    name: str
    files: bool
    skipped: bool
    action: str
    lines: int
    follow: bool
    shell: str


def parse(argv: list[str] | None = None) -> Arguments:
    """Parse the command line; leaves the process for --help, --version and errors."""
    parser = build_parser()
    arguments = parser.parse_args(argv, namespace=Arguments())
    if arguments.command is None:
        parser.print_help(sys.stderr)
        parser.exit(2)
    return arguments


def build_parser() -> argparse.ArgumentParser:
    """The whole command line, for parsing and for shell completion."""
    parser = Parser(
        prog=PROGRAM,
        description="Search and ask about the code around you. The daemon is started when needed.",
        epilog=examples_text(
            'ask "where are retries decided?"', "search -n 5 load_config", "status", closing=EXIT_CODES
        ),
        formatter_class=argparse.RawDescriptionHelpFormatter,
    )
    parser.add_argument("--version", action="version", version=f"{PROGRAM} {__version__}")
    commands = parser.add_subparsers(dest="command", metavar="COMMAND", parser_class=Parser)
    answer_arguments.add(commands)
    _add_queries(commands)
    _add_workspaces(commands)
    _add_daemon(commands)
    return parser


def _add_queries(commands: "Commands[Parser]") -> None:
    search = add_command(
        commands,
        "search",
        "Find passages by meaning, by keyword, or both.",
        "search parse the config file",
        "search --mode keyword HTTPAdapter",
        "search --language python --path '!tests/' retry with backoff",
        closing=EXIT_CODES,
    )
    search.add_argument("words", nargs="+", metavar="QUERY", help="a phrase or an identifier")
    search.add_argument(
        "--mode",
        choices=("hybrid", "vector", "keyword"),
        default="hybrid",
        help="what to match: both (hybrid, the default), meaning (vector) or words (keyword)",
    )
    add_filters(search, limit=10)
    _explain(search)

    related = add_command(
        commands,
        "related",
        "Find passages like the one at a place.",
        "related src/client.py:120",
        "related --path 'tests/' src/client.py:120",
        closing=EXIT_CODES,
    )
    related.add_argument("place", type=_place, metavar="FILE[:LINE]", help="a file, and a line of it (default 1)")
    add_filters(related, limit=10)
    _explain(related)


def _add_workspaces(commands: "Commands[Parser]") -> None:
    index = add_command(
        commands,
        "index",
        "Index a folder and keep it indexed.",
        "index",
        "index ~/src/django",
        closing="Without PATH: the git repository you stand in, or else the folder.",
    )
    index.add_argument("path", nargs="?", type=Path, metavar="PATH", help="the folder")
    index.add_argument("--force", action="store_true", help="even the home folder or the whole file system")
    index.add_argument("--no-wait", action="store_true", help="return at once and index in the background")

    evaluate = add_command(
        commands,
        "eval",
        "Measure how well your code is found, and what would improve it.",
        "eval",
        "eval ~/src/django --questions 1000",
        "eval --json | jq .total.relevance",
        closing="Asks what docstrings, doc comments and commits say, of the whole workspace; leaves its index alone.",
    )
    evaluate.add_argument("path", nargs="?", type=Path, metavar="FOLDER", help="the folder (default: where you stand)")
    evaluate.add_argument(
        "--questions",
        type=_questions,
        default=300,
        metavar="N",
        help="at most N questions, 10 to 2000, the same ones each time (default 300)",
    )

    status = add_command(
        commands,
        "status",
        "Show the daemon and its workspaces.",
        "status",
        "status --files --skipped",
        closing="Exits 1 when the daemon is not running.",
    )
    status.add_argument(
        "path",
        nargs="?",
        type=Path,
        metavar="PATH",
        help="only the workspace of this folder; with --files, only what is below it",
    )
    status.add_argument("--files", action="store_true", help="list the workspace's files, with why one was skipped")
    status.add_argument("--skipped", action="store_true", help="list only the skipped files")

    workspaces = add_command(
        commands,
        "workspaces",
        "List the workspaces, or remove one.",
        "workspaces",
        "workspaces remove ~/src/old-project",
    )
    actions = workspaces.add_subparsers(dest="action", metavar="ACTION", parser_class=Parser)
    workspaces.set_defaults(action="list")
    add_command(actions, "list", "List the workspaces, as without an action.", "workspaces list", inner=True)
    remove = add_command(
        actions,
        "remove",
        "Forget a workspace.",
        "workspaces remove ~/src/old-project",
        closing="Removing forgets the index; the files themselves stay.",
        inner=True,
    )
    remove.add_argument("workspace", type=Path, metavar="PATH", help="the workspace")


def _add_daemon(commands: "Commands[Parser]") -> None:
    config = add_command(
        commands,
        "config",
        "Show the configuration in force, where its file is, or bring that up to date.",
        "config show",
        "config path",
        "config migrate",
        closing="`migrate` rewrites a file of v1.0 or v1.1 in today's form, and keeps it as it was beside it.",
    )
    config.add_argument("action", nargs="?", choices=("show", "path", "migrate"), default="show", help="default: show")
    _add_keys(commands)

    add_command(
        commands,
        "doctor",
        "Check the installation, the store and the models.",
        "doctor",
        closing="Exits 1 when a check fails.",
    )
    logs = add_command(commands, "logs", "Show the daemon's log.", "logs -n 100", "logs -f")
    logs.add_argument("-n", "--lines", type=positive, default=50, metavar="N", help="the last N lines (default 50)")
    logs.add_argument("-f", "--follow", action="store_true", help="keep showing new lines")
    add_command(commands, "stop", "Stop the daemon.", "stop")

    completion = commands.add_parser(
        "completion",
        help="Print the completion script of a shell.",
        description="Print the completion script of a shell.",
        epilog=examples_text(
            "completion bash > ~/.local/share/bash-completion/completions/lucastra-client",
            'completion zsh > "${fpath[1]}/_lucastra-client"',
            "completion fish > ~/.config/fish/completions/lucastra-client.fish",
        ),
        formatter_class=argparse.RawDescriptionHelpFormatter,
    )
    completion.add_argument("shell", choices=SHELLS, help="the shell")


def _add_keys(commands: "Commands[Parser]") -> None:
    keys = add_command(
        commands,
        "keys",
        "List the providers' keys in the system's keyring, store one, or remove one.",
        "keys",
        "keys set openai",
        "keys set openai < key.txt",
        "keys remove openai",
        closing='config.json names a stored key as in {"llm": {"api_key": "${keyring:openai}"}}. No key is ever shown.',
    )
    actions = keys.add_subparsers(dest="action", metavar="ACTION", parser_class=Parser)
    keys.set_defaults(action="list")
    add_command(actions, "list", "List the names of the stored keys, as without an action.", "keys list", inner=True)
    for name, summary in (
        ("set", "Store a key, which is asked for or read from standard input."),
        ("remove", "Remove a key."),
    ):
        action = add_command(actions, name, summary, f"keys {name} openai", inner=True)
        action.add_argument("name", type=_key_name, metavar="NAME", help="what config.json calls it")


def _explain(parser: Parser) -> None:
    parser.add_argument("--explain", action="store_true", help="show what each score is made of")


def query(arguments: Arguments) -> str:
    """The words of a query as one text; raises ValueError when it is blank, too long or no UTF-8."""
    text = words(arguments)
    if not text:
        raise ValueError("the query is empty")
    if len(text) > _MAX_QUERY_CHARACTERS:
        raise ValueError(
            f"the query has {len(text)} characters; the limit is {_MAX_QUERY_CHARACTERS}: "
            "keep what tells most, such as the end of a traceback"
        )
    return text


def words(arguments: Arguments) -> str:
    """The words of the command line as one text, which may be empty; raises ValueError when it is no UTF-8."""
    text = " ".join(arguments.words).strip()
    if any("\ud800" <= character <= "\udfff" for character in text):  # how Python decodes stray bytes
        raise ValueError("the query is not valid UTF-8")
    return text


def _questions(text: str) -> int:
    number = positive(text)
    if not _LEAST_QUESTIONS <= number <= _MOST_QUESTIONS:
        raise argparse.ArgumentTypeError(f"{number} is not between {_LEAST_QUESTIONS} and {_MOST_QUESTIONS}")
    return number


def _key_name(text: str) -> str:
    if not _KEY_NAME.fullmatch(text):
        raise argparse.ArgumentTypeError(f"{text!r} is no name of a key: use letters, digits, - and _")
    return text


def _place(text: str) -> tuple[Path, int]:
    """`FILE`, `FILE:LINE`, or as other tools print it: `FILE:LINE-END`, `FILE:LINE:COLUMN`."""
    if (match := _PLACE.match(text)) is None or Path(text).exists():
        return Path(text), 1
    line = int(match["line"])
    if line < 1:
        raise argparse.ArgumentTypeError(f"lines are counted from 1: {text!r}")
    return Path(match["path"]), line
