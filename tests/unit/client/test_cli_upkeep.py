"""`keys` and `config migrate`, which need no daemon; and what they never show."""

import io
import json
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import pytest
from lucastra_client.arguments import parse
from lucastra_client.shell import Shell, renderer_for
from lucastra_client.upkeep import keys, migrate_config
from lucastra_protocol.errors import LucAstraError
from lucastra_protocol.keys import KeyringUnavailable, SystemKeyring
from lucastra_protocol.paths import Paths


@dataclass
class MemoryKeyring(SystemKeyring):
    stored: dict[str, str] = field(default_factory=dict)

    def store(self, name: str, key: str) -> None:
        self.stored[name] = key

    def remove(self, name: str) -> bool:
        return self.stored.pop(name, None) is not None

    def names(self) -> list[str]:
        return sorted(self.stored)


class User:
    """A home folder with a keyring."""

    def __init__(self, home: Path) -> None:
        self.paths = Paths(home=home, run=home / "run")
        self.keyring = MemoryKeyring()
        self.types = ""
        self.pipes = ""

    def asked(self, prompt: str) -> str:
        """What is typed at a prompt."""
        return self.types

    def run(self, *line: str) -> tuple[int, str, str]:
        """The exit code, standard output and standard error of a command line."""
        arguments = parse(list(line))
        out, err = io.StringIO(), io.StringIO()

        def unreachable(*_: Any, **__: Any) -> Any:
            raise AssertionError("no daemon is needed")

        shell = Shell(
            arguments,
            self.paths.home,
            self.paths,
            out,
            err,
            show=renderer_for(arguments, self.paths.home, out),
            open=unreachable,
            open_running=unreachable,
            stop=unreachable,
            piped=lambda: self.pipes,
            ask_secret=self.asked,
            keyring=self.keyring,
        )
        code = (keys if arguments.command == "keys" else migrate_config)(shell)
        return code, out.getvalue(), err.getvalue()


@pytest.fixture
def user(tmp_path: Path) -> User:
    return User(tmp_path)


def test_a_key_that_is_typed_or_piped_is_stored_and_not_shown(user: User) -> None:
    user.types = "sk-typed-1"
    code, out, err = user.run("keys", "set", "openai")
    assert (code, user.keyring.stored) == (0, {"openai": "sk-typed-1"})
    assert '"api_key": "${keyring:openai}"' in out
    user.pipes = "sk-piped-2\n"
    code, more, _ = user.run("keys", "set", "openai", "--json")
    assert (code, user.keyring.stored) == (0, {"openai": "sk-piped-2"})
    assert json.loads(more) == {"reference": "${keyring:openai}"}
    assert "sk-" not in out + more + err


def test_stored_keys_are_listed_by_name_and_removed(user: User) -> None:
    code, out, err = user.run("keys")
    assert (code, out) == (1, "")
    assert "keys set NAME" in err
    user.keyring.stored = {"work": "k-1", "openai": "k-2"}
    assert user.run("keys", "list")[:2] == (0, "openai\nwork\n")
    assert json.loads(user.run("keys", "--json")[1]) == {"keys": ["openai", "work"]}
    assert user.run("keys", "remove", "work")[0] == 0
    assert user.run("keys", "remove", "work")[:2] == (1, "there is no key work\n")
    assert user.keyring.stored == {"openai": "k-2"}


@pytest.mark.parametrize("typed", ["", "  ", "two words", "line\nbreak", "schl\u00fcssel"])
def test_what_can_be_no_key_is_refused(user: User, typed: str) -> None:
    user.types = typed
    with pytest.raises(LucAstraError, match="copy it again"):
        user.run("keys", "set", "openai")
    assert user.keyring.stored == {}


def test_nobody_is_asked_for_a_key_that_could_not_be_stored(user: User, monkeypatch: pytest.MonkeyPatch) -> None:
    def unavailable(_: MemoryKeyring) -> list[str]:
        raise KeyringUnavailable("this session has no keyring")

    def asked(_: str) -> str:
        raise AssertionError("asked")

    monkeypatch.setattr(MemoryKeyring, "names", unavailable)
    monkeypatch.setattr(User, "asked", staticmethod(asked))
    with pytest.raises(KeyringUnavailable):
        user.run("keys", "set", "openai")


def test_an_input_that_ends_before_any_key_is_refused(user: User, monkeypatch: pytest.MonkeyPatch) -> None:
    def ended(_: str) -> str:
        raise EOFError

    monkeypatch.setattr(User, "asked", staticmethod(ended))
    with pytest.raises(LucAstraError, match="empty"):
        user.run("keys", "set", "openai")


def test_a_key_is_not_taken_from_the_command_line_nor_by_an_odd_name(user: User) -> None:
    for line in (["keys", "set", "openai", "sk-1"], ["keys", "set", "(names)"]):
        with pytest.raises(SystemExit):
            parse(line)


def test_a_daemon_that_runs_reads_its_configuration_again(user: User) -> None:
    user.paths.config.write_text("{}")
    before = user.paths.config.stat().st_mtime_ns
    user.types = "sk-typed-1"
    user.run("keys", "set", "openai")
    assert user.paths.config.stat().st_mtime_ns > before


def test_an_old_configuration_is_migrated_and_what_changed_is_told(user: User) -> None:
    user.paths.config.write_text('{"endpoint": "http://localhost:8080"}')
    code, out, _ = user.run("config", "migrate")
    assert code == 0
    assert 'moved endpoint into "llm"' in out
    assert f"the file as it was is {user.paths.config}.bak" in out
    assert json.loads(user.paths.config.read_text())["llm"]["provider"] == "llamafile"
    assert "nothing was changed" in user.run("config", "migrate")[1]
    assert json.loads(user.run("config", "migrate", "--json")[1]) == {"changes": [], "backup": None}
    user.paths.config.write_text("{")
    with pytest.raises(LucAstraError, match="correct it first"):
        user.run("config", "migrate")
