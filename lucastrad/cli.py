"""The command `lucastrad`: `serve`, `--stdio`, `mcp`, `stop`, `doctor`, `rebuild`.

Invariant: importing this module imports no numpy, no pygls and no service.
"""

import argparse
import json
import logging
import os
import sys
from collections.abc import Sequence
from functools import partial
from pathlib import Path
from typing import TYPE_CHECKING

from lucastra_protocol.errors import ErrorCode, LucAstraError
from lucastra_protocol.paths import Paths
from lucastra_protocol.version import __version__

if TYPE_CHECKING:
    from lucastrad.config.schema import EmbeddingsConfig


def main(arguments: Sequence[str] | None = None) -> int:
    """Run the command; return its exit status."""
    parser = _parser()
    options = parser.parse_args(arguments)
    if not options.stdio and options.command is None:
        parser.print_help(sys.stderr)
        return 2
    try:
        paths = Paths.from_environment()
        if options.stdio:
            from lucastrad.server import relay

            return relay.main(paths)
        commands = {"serve": _serve, "mcp": _mcp, "stop": _stop, "doctor": _doctor, "rebuild": _rebuild}
        return commands[options.command](paths, options)
    except (LucAstraError, KeyboardInterrupt) as error:
        return _tell([error])
    except BaseExceptionGroup as group:
        if group.split((LucAstraError, KeyboardInterrupt))[1] is not None:
            raise
        return _tell(group.exceptions)


def _parser() -> argparse.ArgumentParser:
    parser = argparse.ArgumentParser(
        prog="lucastrad",
        description="The LucAstra daemon: a live index of your code, shared by every editor and shell.",
        epilog="Editors start `lucastrad --stdio`, which starts the daemon when none runs.",
    )
    parser.add_argument("--version", action="version", version=f"lucastrad {__version__}")
    parser.add_argument("--stdio", action="store_true", help="relay between an editor and the daemon")
    commands = parser.add_subparsers(dest="command", metavar="COMMAND")
    serve = commands.add_parser("serve", help="run the daemon in the foreground")
    serve.add_argument("--tcp", action="store_true", help="listen on a loopback TCP port too; clients need its token")
    serve.add_argument("--offline", action="store_true", help="forbid every connection that is not to this machine")
    serve.add_argument(
        "--idle-exit-minutes",
        type=_minutes,
        metavar="N",
        help="leave after N minutes without clients; 0: never (default: the configuration's, 180)",
    )
    mcp = commands.add_parser(
        "mcp",
        help="serve a coding agent over the Model Context Protocol",
        description="Serve a coding agent over the Model Context Protocol, on standard streams; agents start this. "
        'The daemon is started when none runs. Needs `pip install "lucastra[mcp]"`.',
    )
    mcp.add_argument(
        "folder", nargs="?", type=Path, default=Path(), metavar="FOLDER", help="the project (default: this folder)"
    )
    commands.add_parser("stop", help="stop the daemon that runs")
    doctor = commands.add_parser(
        "doctor",
        help="check every file of the index, whether a daemon runs or not",
        description="Check every file of the index; nothing is written. Exits with 1 when something is damaged.",
    )
    doctor.add_argument("--json", action="store_true", help="print one JSON document")
    rebuild = commands.add_parser(
        "rebuild",
        help="build the search indexes anew; the daemon must be stopped",
        description="Build the search indexes anew from what is stored of the files and of their embeddings.",
    )
    rebuild.add_argument("folders", nargs="*", type=Path, metavar="FOLDER", help="a workspace (default: all of them)")
    which = rebuild.add_mutually_exclusive_group()
    which.add_argument("--vectors", action="store_true", help="only the index for search by meaning")
    which.add_argument("--keywords", action="store_true", help="only the index for search by keyword")
    return parser


def _minutes(text: str) -> float:
    try:
        minutes = float(text)
    except ValueError:
        minutes = -1.0
    if not 0 <= minutes < float("inf"):
        raise argparse.ArgumentTypeError(f"{text!r} is not a number of minutes")
    return minutes


def _serve(paths: Paths, options: argparse.Namespace) -> int:
    # Workers and the event loop share the cores: a BLAS that starts a thread per core slows both.
    # numpy reads these when it is imported, which is below.
    for variable in ("OPENBLAS_NUM_THREADS", "OMP_NUM_THREADS"):
        os.environ.setdefault(variable, "1")
    import trio
    from lucastra_protocol.connect import store_is_free

    from lucastrad import app

    if sys.stderr.isatty() and store_is_free(paths):
        print(f"lucastrad {__version__} serves {paths.home}; Ctrl-C stops it", file=sys.stderr)
    return trio.run(
        partial(app.run, paths, tcp=options.tcp, idle_exit_minutes=options.idle_exit_minutes, offline=options.offline)
    )


def _mcp(paths: Paths, options: argparse.Namespace) -> int:
    # Another process image, as the agent's server is a client, and daemon and client import nothing of each other.
    # -P: `-m` would import modules from the folder it stands in, which here is the agent's project.
    os.execv(sys.executable, [sys.executable, "-P", "-m", "lucastra_client.mcp_server", os.fspath(options.folder)])  # noqa: S606


def _stop(paths: Paths, options: argparse.Namespace) -> int:
    import trio
    from lucastra_protocol.connect import stop_daemon

    print("lucastrad has stopped" if trio.run(stop_daemon, paths) else "lucastrad is not running")
    return 0


def _doctor(paths: Paths, options: argparse.Namespace) -> int:
    from dataclasses import asdict

    from lucastrad import maintenance
    from lucastrad.types import CheckStatus

    findings = maintenance.examine(paths.home, _embedding_settings(paths))
    if options.json:
        print(json.dumps({"checks": [asdict(finding) for finding in findings]}, indent=2))
    else:
        for finding in findings:
            cure = f"; {finding.cure}" if finding.cure else ""
            print(_printable(f"{finding.status:<7}  {finding.name}: {finding.detail}{cure}"))
    return 1 if any(finding.status is CheckStatus.ERROR for finding in findings) else 0


def _rebuild(paths: Paths, options: argparse.Namespace) -> int:
    from lucastrad import maintenance

    keywords, vectors = options.keywords or not options.vectors, options.vectors or not options.keywords
    settings = _embedding_settings(paths)
    for done in maintenance.rebuild(paths, settings, options.folders, keywords=keywords, vectors=vectors):
        parts = [f"{done.chunks} passages in the keyword index"] if keywords else []
        if vectors:
            missing = done.chunks - done.vectors
            later = f", {missing} missing: the daemon embeds them when it runs next" if missing else ""
            parts.append(f"{done.vectors} vectors from the embedding cache{later}")
        print(_printable(f"{done.root}: {'; '.join(parts)}"))
    return 0


def _embedding_settings(paths: Paths) -> "EmbeddingsConfig":
    from lucastrad.config.service import Configuration

    # What is wrong with the index is a finding; nobody reads the same twice.
    logging.getLogger("lucastrad").addHandler(logging.NullHandler())
    return Configuration.load(paths).current.embeddings


def _printable(text: str) -> str:
    return "".join(character if character.isprintable() else "\ufffd" for character in text)


def _tell(errors: Sequence[BaseException]) -> int:
    """Print what went wrong; return the exit status."""
    from lucastra_protocol.connect import EXIT_STORE_OWNED

    status = 1
    for error in errors:
        if isinstance(error, BaseExceptionGroup):
            status = _tell(error.exceptions)
        elif isinstance(error, KeyboardInterrupt):
            status = 130
        elif isinstance(error, LucAstraError):
            print(f"lucastrad: {error.message}", file=sys.stderr)
            if error.code == ErrorCode.INDEX_LOCKED:
                status = EXIT_STORE_OWNED
    return status
