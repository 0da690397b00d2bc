"""Keys in the system's keyring: stored by the command, read for `${keyring:NAME}`, shown nowhere."""

import json
import sys
from collections.abc import Iterator
from functools import partial
from pathlib import Path
from types import ModuleType

import pytest
import trio
from lucastra_protocol.keys import KeyringUnavailable, SystemKeyring
from lucastra_protocol.paths import Paths

from lucastrad.config.service import ConfigChange, Configuration


class MemoryKeyring:
    """A backend of the package `keyring`, which keeps its entries in memory."""

    priority = 5.0
    broken = False

    def __init__(self) -> None:
        self.entries: dict[tuple[str, str], str] = {}

    def _check(self) -> None:
        if self.broken:
            raise RuntimeError("Prompt dismissed: hunter2")

    def get_password(self, service: str, name: str) -> str | None:
        self._check()
        return self.entries.get((service, name))

    def set_password(self, service: str, name: str, key: str) -> None:
        self._check()
        self.entries[service, name] = key

    def delete_password(self, service: str, name: str) -> None:
        self._check()
        del self.entries[service, name]


@pytest.fixture
def backend(monkeypatch: pytest.MonkeyPatch) -> Iterator[MemoryKeyring]:
    """What the package `keyring`, which need not be installed here, finds on this machine."""
    found = MemoryKeyring()
    package = ModuleType("keyring")
    package.get_keyring = lambda: found  # type: ignore[attr-defined]
    monkeypatch.setitem(sys.modules, "keyring", package)
    return found


@pytest.fixture
def paths(tmp_path: Path) -> Paths:
    return Paths(home=tmp_path, run=tmp_path / "run")


def write_config(paths: Paths, key: str) -> None:
    paths.config.write_text(json.dumps({"llm": {"provider": "openai", "api_key": key}}))
    paths.config.chmod(0o600)


def configure(paths: Paths, key: str) -> Configuration:
    write_config(paths, key)
    return Configuration.load(paths, environ={})


def test_keys_are_stored_listed_and_removed(backend: MemoryKeyring) -> None:
    keyring = SystemKeyring()
    assert (keyring.names(), keyring.get("openai"), keyring.remove("openai")) == ([], None, False)
    keyring.store("work", "k-1")
    keyring.store("openai", "k-2")
    keyring.store("openai", "k-3")
    assert (keyring.names(), keyring.get("openai")) == (["openai", "work"], "k-3")
    assert keyring.remove("openai")
    assert (keyring.names(), keyring.get("openai")) == (["work"], None)


def test_the_configuration_reads_a_stored_key_and_shows_where_it_is_from(backend: MemoryKeyring, paths: Paths) -> None:
    SystemKeyring().store("openai", "sk-stored-0123456789")
    configuration = configure(paths, "${keyring:openai}")
    key = configuration.current.llm.api_key
    assert key is not None
    assert (key.reveal(), key.source) == ("sk-stored-0123456789", "${keyring:openai}")
    report = configuration.report(None)
    assert report.problems == []
    assert "sk-stored" not in str(report)
    assert report.config["llm"]["api_key"] == "set (from ${keyring:openai})"  # type: ignore[index]


def test_a_key_that_is_not_stored_is_named_with_the_command_that_stores_it(
    backend: MemoryKeyring, paths: Paths
) -> None:
    configuration = configure(paths, "${keyring:openai}")
    assert configuration.current.llm.api_key is None
    (problem,) = configuration.report(None).problems
    assert "lucastra-client keys set openai" in problem


def test_a_keyring_that_is_locked_or_not_there_is_an_error_with_its_cure(backend: MemoryKeyring, paths: Paths) -> None:
    backend.broken = True
    with pytest.raises(KeyringUnavailable, match="unlock it") as caught:
        SystemKeyring().store("openai", "k-1")
    assert "hunter2" not in caught.value.message
    (problem,) = configure(paths, "${keyring:openai}").report(None).problems
    assert "unlock it" in problem
    backend.priority = 0.0
    for ask in (SystemKeyring().names, lambda: SystemKeyring().get("openai")):
        with pytest.raises(KeyringUnavailable, match="no keyring, as over SSH"):
            ask()


def test_without_the_package_the_command_that_installs_it_is_named(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setitem(sys.modules, "keyring", None)
    with pytest.raises(KeyringUnavailable, match=r'pip install "lucastra\[keyring\]"'):
        SystemKeyring().names()


def test_a_list_of_names_that_another_program_wrote_counts_as_empty(backend: MemoryKeyring) -> None:
    for damaged in ("{", "5"):
        backend.entries["lucastra", "(names)"] = damaged
        assert SystemKeyring().names() == []


def test_the_list_of_names_is_no_key_that_a_configuration_can_name(backend: MemoryKeyring, paths: Paths) -> None:
    SystemKeyring().store("openai", "k-1")
    assert configure(paths, "${keyring:(names)}").current.llm.api_key is None


@pytest.mark.trio
async def test_a_keyring_that_takes_its_time_holds_up_nothing_else(paths: Paths) -> None:
    served_meanwhile = trio.Event()

    class Locked(SystemKeyring):
        def get(self, name: str) -> str | None:
            trio.from_thread.run_sync(served_meanwhile.set)  # returns only if the event loop goes on
            return "sk-unlocked-0123456789"

    configuration = Configuration.load(paths, environ={}, keyring=Locked())
    changed = trio.Event()

    async def on_change(change: ConfigChange) -> None:
        changed.set()

    async with trio.open_nursery() as nursery:
        await nursery.start(partial(configuration.watch, on_change, poll_seconds=0.01))
        write_config(paths, "${keyring:openai}")
        with trio.fail_after(30):
            await changed.wait()
        nursery.cancel_scope.cancel()
    assert served_meanwhile.is_set()
    key = configuration.current.llm.api_key
    assert key is not None
    assert key.reveal() == "sk-unlocked-0123456789"
