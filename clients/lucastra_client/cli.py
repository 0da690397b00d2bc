"""`lucastra-client`: parse, run one command, and turn what went wrong into a message and an exit code.

Invariant: imports nothing slow; Trio, msgspec and rich load when a command needs them.
"""

import os
import sys

from lucastra_protocol.errors import LucAstraError

from lucastra_client.arguments import PROGRAM, Arguments, parse

ERROR = 2
INTERRUPTED = 130
BROKEN_PIPE = 141
"""128 + SIGPIPE: what a shell reports of a program whose reader went away."""


def main(argv: list[str] | None = None) -> int:
    """Run the command line and return its exit code."""
    arguments = parse(argv)
    try:
        code = _run(arguments)
        sys.stdout.flush()
    except KeyboardInterrupt:
        return INTERRUPTED
    except BrokenPipeError:
        # The interpreter flushes standard output again at exit, and would complain then.
        os.dup2(os.open(os.devnull, os.O_WRONLY), sys.stdout.fileno())
        return BROKEN_PIPE
    except LucAstraError as error:
        _complain(error.message)
        return ERROR
    except BaseExceptionGroup as group:
        if group.subgroup(KeyboardInterrupt) is not None:
            return INTERRUPTED
        _complain(_unexpected(group))
        return ERROR
    except Exception as error:
        _complain(_unexpected(error))
        return ERROR
    return code


def _run(arguments: Arguments) -> int:
    if arguments.command == "completion":
        from lucastra_client.completion import script

        print(script(arguments.shell))
        return 0
    for stream in (sys.stdout, sys.stderr):
        if hasattr(stream, "reconfigure"):  # what the locale cannot write becomes `?`, not a traceback
            stream.reconfigure(errors="replace")

    from lucastra_client.commands import run

    return run(arguments)


def _complain(message: str) -> None:
    from lucastra_client.rendering.text import printable

    if os.environ.get("LUCASTRA_DEBUG") == "1":
        import traceback

        traceback.print_exc()
    print(f"{PROGRAM}: {printable(message)}", file=sys.stderr)


def _unexpected(error: BaseException) -> str:
    detail = str(error) or type(error).__name__
    return f"unexpected error: {detail}; set LUCASTRA_DEBUG=1 to see where, and please report it"


if __name__ == "__main__":
    sys.exit(main())
