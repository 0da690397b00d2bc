"""Shell completion scripts, generated from the parser by shtab."""

import argparse

import shtab

from lucastra_client.arguments import build_parser

_COMPLETIONS = {
    "path": shtab.DIRECTORY,
    "workspace": shtab.DIRECTORY,
    "workspaces": shtab.DIRECTORY,
    "place": shtab.FILE,
}
"""What an argument completes to, by the name it is stored under."""


def script(shell: str) -> str:
    """The completion script for one of `arguments.SHELLS`."""
    parser = build_parser()
    _annotate(parser)
    return shtab.complete(parser, shell=shell)


def _annotate(parser: argparse.ArgumentParser) -> None:
    for action in parser._actions:
        if isinstance(action, argparse._SubParsersAction):
            for command in action.choices.values():
                _annotate(command)
        elif action.dest in _COMPLETIONS:
            action.complete = _COMPLETIONS[action.dest]  # type: ignore[attr-defined]
