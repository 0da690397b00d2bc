"""The command line: commands, options and their help.

Invariant: imports argparse and nothing slow, since every start of the command pays for it.
"""

import argparse
import re
import sys
from collections.abc import Sequence
from itertools import islice
from pathlib import Path
from typing import Any, Literal, NoReturn

from lucastra_protocol.version import __version__

PROGRAM = "lucastra-client"
SHELLS = ("bash", "zsh", "fish")

_MAX_QUERY_CHARACTERS = 4096
_MAX_LIMIT = 100
_LEAST_QUESTIONS, _MOST_QUESTIONS = 10, 2000
_PLACE = re.compile(r"^(?P<path>.+?):(?P<line>\d+)(?:[-:]\d+)?:?$", re.DOTALL)
_EXIT_CODES = "Exit codes: 0 found, 1 nothing found, 2 error, 130 interrupted."


class Arguments(argparse.Namespace):
    """What the parser fills in; which of these exist depends on `command`."""

    command: str | None
    json: bool
    color: Literal["auto", "always", "never"]
    quiet: bool

    words: list[str]
    place: tuple[Path, int]
    mode: Literal["hybrid", "vector", "keyword"]
    limit: int
    globs: list[str]
    languages: list[str]
    workspaces: list[Path]
    everywhere: bool
    explain: bool
    full: bool
    no_index: bool

    workspace: Path
    path: Path | None
    force: bool
    no_wait: bool
    questions: int
    files: bool
    skipped: bool
    action: str
    lines: int
    follow: bool
    shell: str


class Parser(argparse.ArgumentParser):
    """Takes words and options in any order, and reports errors as the rest of the command does."""

    def error(self, message: str) -> NoReturn:
        """Print the message and where to read on, and leave with 2."""
        self.exit(2, f"{PROGRAM}: {message}\nSee `{self.prog} --help`.\n")

    def parse_known_args(self, args: Sequence[str] | None = None, namespace: Any = None) -> Any:  # type: ignore[override]
        """Parse words and options in any order; leaves the process when something is not known.

        argparse does neither for a subcommand: it takes all words at the place of the first, and reports
        what is left over from the top-level parser, which knows nothing of the command.
        """
        if args is not None and self._subparsers is None:
            args = self._options_first(args)
        found, unknown = super().parse_known_args(args, namespace)
        if unknown:
            self.error(f"unrecognized arguments: {' '.join(unknown)}")
        return found, []

    def _options_first(self, args: Sequence[str]) -> list[str]:
        options: list[str] = []
        words: list[str] = []
        rest = iter(args)
        for arg in rest:
            if arg == "--":
                words += rest
            elif arg == "-" or not arg.startswith("-"):
                words.append(arg)
            else:
                options.append(arg)
                if self._takes_next(arg):
                    options += islice(rest, 1)
        separator = ["--"] if any(word.startswith("-") for word in words) else []
        return [*options, *separator, *words]

    def _takes_next(self, option: str) -> bool:
        """Whether the argument after `--limit`, `-n` or `-qn` is its value."""
        *flags, last = [option] if option.startswith("--") else [f"-{letter}" for letter in option[1:]]
        takes_value = {name: action.nargs != 0 for action in self._actions for name in action.option_strings}
        return takes_value.get(last, False) and not any(takes_value.get(flag, True) for flag in flags)


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
        epilog=_examples('ask "where are retries decided?"', "search -n 5 load_config", "status", closing=_EXIT_CODES),
        formatter_class=argparse.RawDescriptionHelpFormatter,
    )
    parser.add_argument("--version", action="version", version=f"{PROGRAM} {__version__}")
    commands = parser.add_subparsers(dest="command", metavar="COMMAND", parser_class=Parser)
    _add_queries(commands)
    _add_workspaces(commands)
    _add_daemon(commands)
    return parser


_Commands = argparse._SubParsersAction  # argparse names its own type only so


def _add_queries(commands: "_Commands[Parser]") -> None:
    ask = _command(
        commands,
        "ask",
        "Answer a question about the code, with citations.",
        'ask "how does the scheduler pick the next task?"',
        "ask --path 'src/**' where is the cache invalidated",
        "ask --json -n 3 who calls save_model | jq -r '.citations[].file_path'",
        closing=_EXIT_CODES,
    )
    ask.add_argument("words", nargs="+", metavar="QUESTION", help="the question, quoted or not")
    _filters(ask, limit=5)

    search = _command(
        commands,
        "search",
        "Find passages by meaning, by keyword, or both.",
        "search parse the config file",
        "search --mode keyword HTTPAdapter",
        "search --language python --path '!tests/' retry with backoff",
        closing=_EXIT_CODES,
    )
    search.add_argument("words", nargs="+", metavar="QUERY", help="a phrase or an identifier")
    search.add_argument(
        "--mode",
        choices=("hybrid", "vector", "keyword"),
        default="hybrid",
        help="what to match: both (hybrid, the default), meaning (vector) or words (keyword)",
    )
    _filters(search, limit=10)
    _explain(search)

    related = _command(
        commands,
        "related",
        "Find passages like the one at a place.",
        "related src/client.py:120",
        "related --path 'tests/' src/client.py:120",
        closing=_EXIT_CODES,
    )
    related.add_argument("place", type=_place, metavar="FILE[:LINE]", help="a file, and a line of it (default 1)")
    _filters(related, limit=10)
    _explain(related)


def _add_workspaces(commands: "_Commands[Parser]") -> None:
    index = _command(
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

    evaluate = _command(
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

    status = _command(
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

    workspaces = _command(
        commands,
        "workspaces",
        "List the workspaces, or remove one.",
        "workspaces",
        "workspaces remove ~/src/old-project",
    )
    actions = workspaces.add_subparsers(dest="action", metavar="ACTION", parser_class=Parser)
    workspaces.set_defaults(action="list")
    _command(actions, "list", "List the workspaces, as without an action.", "workspaces list", inner=True)
    remove = _command(
        actions,
        "remove",
        "Forget a workspace.",
        "workspaces remove ~/src/old-project",
        closing="Removing forgets the index; the files themselves stay.",
        inner=True,
    )
    remove.add_argument("workspace", type=Path, metavar="PATH", help="the workspace")


def _add_daemon(commands: "_Commands[Parser]") -> None:
    config = _command(
        commands, "config", "Show the configuration in force, or where its file is.", "config show", "config path"
    )
    config.add_argument("action", nargs="?", choices=("show", "path"), default="show", help="default: show")

    _command(
        commands,
        "doctor",
        "Check the installation, the store and the models.",
        "doctor",
        closing="Exits 1 when a check fails.",
    )
    logs = _command(commands, "logs", "Show the daemon's log.", "logs -n 100", "logs -f")
    logs.add_argument("-n", "--lines", type=_count, default=50, metavar="N", help="the last N lines (default 50)")
    logs.add_argument("-f", "--follow", action="store_true", help="keep showing new lines")
    _command(commands, "stop", "Stop the daemon.", "stop")

    completion = commands.add_parser(
        "completion",
        help="Print the completion script of a shell.",
        description="Print the completion script of a shell.",
        epilog=_examples(
            "completion bash > ~/.local/share/bash-completion/completions/lucastra-client",
            'completion zsh > "${fpath[1]}/_lucastra-client"',
            "completion fish > ~/.config/fish/completions/lucastra-client.fish",
        ),
        formatter_class=argparse.RawDescriptionHelpFormatter,
    )
    completion.add_argument("shell", choices=SHELLS, help="the shell")


def _command(
    commands: "_Commands[Parser]",
    name: str,
    summary: str,
    *examples: str,
    closing: str = "",
    inner: bool = False,
) -> Parser:
    """A command with the options of every command; an `inner` one stands below another that has them too."""
    parser = commands.add_parser(
        name,
        help=summary,
        description=summary,
        epilog=_examples(*examples, closing=closing),
        formatter_class=argparse.RawDescriptionHelpFormatter,
        allow_abbrev=False,  # an abbreviated option would be taken for a flag when options are put first
        # So that what was given before the inner command's name stands.
        argument_default=argparse.SUPPRESS if inner else None,
    )
    output = parser.add_argument_group("output")
    output.add_argument("--json", action="store_true", help="one JSON document")
    output.add_argument("--color", choices=("auto", "always", "never"), help="colours (default: on a terminal)")
    output.add_argument("-q", "--quiet", action="store_true", help="no progress and no notes, only errors")
    if not inner:
        parser.set_defaults(color="auto")
    return parser


def _filters(parser: Parser, *, limit: int) -> None:
    parser.add_argument(
        "-n", "--limit", type=_limit, default=limit, metavar="N", help=f"at most N passages (default {limit})"
    )
    parser.add_argument("--full", action="store_true", help="whole passages, not only their first lines")
    scope = parser.add_argument_group("scope")
    scope.add_argument(
        "--path",
        dest="globs",
        action="append",
        default=[],
        metavar="GLOB",
        help="only files that match (gitignore syntax, from the workspace's root; `!` excludes; may be repeated)",
    )
    scope.add_argument(
        "--language",
        dest="languages",
        action="append",
        default=[],
        metavar="NAME",
        help="only files of this language (may be repeated)",
    )
    where = scope.add_mutually_exclusive_group()
    where.add_argument(
        "--workspace",
        dest="workspaces",
        action="append",
        default=[],
        type=Path,
        metavar="PATH",
        help="search this folder (may be repeated; default: the workspace you stand in)",
    )
    where.add_argument("--all", dest="everywhere", action="store_true", help="search every workspace")
    scope.add_argument("--no-index", action="store_true", help="do not index a folder that is not indexed yet")


def _explain(parser: Parser) -> None:
    parser.add_argument("--explain", action="store_true", help="show what each score is made of")


def _examples(*commands: str, closing: str = "") -> str:
    lines = ["examples:", *(f"  {PROGRAM} {command}" for command in commands)]
    return "\n".join([*lines, "", closing] if closing else lines)


def query(arguments: Arguments) -> str:
    """The words of a query as one text; raises ValueError when it is blank, too long or no UTF-8."""
    text = " ".join(arguments.words).strip()
    if not text:
        raise ValueError("the query is empty")
    if any("\ud800" <= character <= "\udfff" for character in text):  # how Python decodes stray bytes
        raise ValueError("the query is not valid UTF-8")
    if len(text) > _MAX_QUERY_CHARACTERS:
        raise ValueError(f"the query has {len(text)} characters; the limit is {_MAX_QUERY_CHARACTERS}")
    return text


def _limit(text: str) -> int:
    number = _count(text)
    if number > _MAX_LIMIT:
        raise argparse.ArgumentTypeError(f"{number} is over the limit of {_MAX_LIMIT}")
    return number


def _questions(text: str) -> int:
    number = _count(text)
    if not _LEAST_QUESTIONS <= number <= _MOST_QUESTIONS:
        raise argparse.ArgumentTypeError(f"{number} is not between {_LEAST_QUESTIONS} and {_MOST_QUESTIONS}")
    return number


def _count(text: str) -> int:
    if not text.isascii() or not text.isdigit() or int(text) < 1:
        raise argparse.ArgumentTypeError(f"{text!r} is not a number of 1 or more")
    return int(text)


def _place(text: str) -> tuple[Path, int]:
    """`FILE`, `FILE:LINE`, or as other tools print it: `FILE:LINE-END`, `FILE:LINE:COLUMN`."""
    if (match := _PLACE.match(text)) is None or Path(text).exists():
        return Path(text), 1
    line = int(match["line"])
    if line < 1:
        raise argparse.ArgumentTypeError(f"lines are counted from 1: {text!r}")
    return Path(match["path"]), line
