"""The commands that put an installation in order: the keys in the system's keyring, and `config migrate`.

Invariant: imports no Trio; neither needs a daemon. A key is neither shown nor taken from the command line, which other
users and the shell's history see.
"""

import json
import subprocess
import sys

from lucastra_protocol.errors import ErrorCode, LucAstraError

from lucastra_client.arguments import PROGRAM
from lucastra_client.queries import FOUND, NOTHING
from lucastra_client.rendering.reports import Lines, Report, sentence
from lucastra_client.rendering.text import printable_line
from lucastra_client.shell import Shell

_MIGRATION_SECONDS = 60.0


def keys(shell: Shell) -> int:
    """`keys [list | set NAME | remove NAME]`"""
    match shell.arguments.action:
        case "set":
            return _store(shell, shell.arguments.name)
        case "remove":
            return _remove(shell, shell.arguments.name)
        case _:
            names = shell.keyring.names()
            shell.show.report(Report({"keys": names}, [Lines([printable_line(name) for name in names])]))
            if not names:
                shell.note(f"no key is stored; `{PROGRAM} keys set NAME` stores one")
            return FOUND if names else NOTHING


def _store(shell: Shell, name: str) -> int:
    shell.keyring.names()  # raises where there is no keyring, before anybody has typed a key
    try:
        key = (shell.piped() or shell.ask_secret(f"Key {name} (not shown): ")).strip()
    except EOFError:  # neither a terminal nor a pipe with anything in it
        key = ""
    if not key or not all("!" <= character <= "~" for character in key):
        raise LucAstraError("that is no key: it is empty, or holds blanks or line breaks; copy it again")
    shell.keyring.store(name, key)
    _read_again(shell)
    reference = f"${{keyring:{name}}}"
    shell.show.report(
        sentence(f'the key is stored; write "api_key": "{reference}" into config.json', {"reference": reference})
    )
    return FOUND


def _remove(shell: Shell, name: str) -> int:
    removed = shell.keyring.remove(name)
    _read_again(shell)
    text = f"the key {name} is removed" if removed else f"there is no key {name}"
    shell.show.report(sentence(text, {"removed": removed}))
    return FOUND if removed else NOTHING


def _read_again(shell: Shell) -> None:
    """A daemon that runs reads its configuration, and the keys with it, when the file's time changes."""
    if shell.paths.config.exists():
        shell.paths.config.touch()


def migrate_config(shell: Shell) -> int:
    """`config migrate`"""
    path = shell.paths.config
    # By the daemon's own code, which knows every form; client and daemon share no modules.
    command = [sys.executable, "-P", "-m", "lucastrad.config.migration", str(path)]
    done = subprocess.run(command, capture_output=True, text=True, timeout=_MIGRATION_SECONDS, check=False)
    if done.returncode:
        why = done.stderr.strip().splitlines()[-1:] or [f"exit status {done.returncode}"]
        raise LucAstraError(why[0], code=ErrorCode.CONFIG_INVALID)
    document = json.loads(done.stdout)
    if not document["changes"]:
        shell.show.report(sentence(f"{path} is in today's form: nothing was changed", document))
        return FOUND
    lines = [*document["changes"], f"the file as it was is {document['backup']}"]
    shell.show.report(Report(document, [Lines([printable_line(line) for line in lines])]))
    return FOUND
