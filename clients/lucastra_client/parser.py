"""The pieces of the command line: a parser that takes words and options in any order, and options of many commands.

Invariant: imports argparse and nothing slow, since every start of the command pays for it.
"""

import argparse
from collections.abc import Sequence
from itertools import islice
from pathlib import Path
from typing import Any, NoReturn

PROGRAM = "lucastra-client"
EXIT_CODES = "Exit codes: 0 found, 1 nothing found, 2 error, 130 interrupted."

_MAX_LIMIT = 100


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


Commands = argparse._SubParsersAction  # argparse names its own type only so


def add_command(
    commands: "Commands[Parser]",
    name: str,
    summary: str,
    *examples: str,
    closing: str = "",
    inner: bool = False,
    streams: bool = False,
    documents: bool = True,
) -> Parser:
    """A command with the options of every command; an `inner` one stands below another that has them too.

    One that `streams` shows its result while it comes, and can be told how; one without `documents` is for people only.
    """
    parser = commands.add_parser(
        name,
        help=summary,
        description=summary,
        epilog=examples_text(*examples, closing=closing),
        formatter_class=argparse.RawDescriptionHelpFormatter,
        allow_abbrev=False,  # an abbreviated option would be taken for a flag when options are put first
        # So that what was given before the inner command's name stands.
        argument_default=argparse.SUPPRESS if inner else None,
    )
    output = parser.add_argument_group("output")
    if documents:
        form = output.add_mutually_exclusive_group()
        form.add_argument("--json", action="store_true", help="one JSON document")
        if streams:
            form.add_argument("--jsonl", action="store_true", help="a JSON document for each event, one a line")
            form.add_argument("--no-stream", action="store_true", help="show the answer when it is complete")
    else:
        parser.set_defaults(json=False)
    output.add_argument("--color", choices=("auto", "always", "never"), help="colours (default: on a terminal)")
    output.add_argument("-q", "--quiet", action="store_true", help="no progress and no notes, only errors")
    if not inner:
        parser.set_defaults(color="auto")
    return parser


def add_filters(parser: Parser, *, limit: int) -> None:
    """The options of what looks for passages."""
    parser.add_argument(
        "-n", "--limit", type=passage_count, metavar="N", help=f"at most N passages (default {limit}, or as configured)"
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


def examples_text(*commands: str, closing: str = "") -> str:
    """What `--help` ends with."""
    lines = ["examples:", *(f"  {PROGRAM} {command}" for command in commands)]
    return "\n".join([*lines, "", closing] if closing else lines)


def passage_count(text: str) -> int:
    """A number of passages, as argparse converts it."""
    number = positive(text)
    if number > _MAX_LIMIT:
        raise argparse.ArgumentTypeError(f"{number} is over the limit of {_MAX_LIMIT}")
    return number


def positive(text: str) -> int:
    """A number of 1 or more, as argparse converts it."""
    if not text.isascii() or not text.isdigit() or int(text) < 1:
        raise argparse.ArgumentTypeError(f"{text!r} is not a number of 1 or more")
    return int(text)
