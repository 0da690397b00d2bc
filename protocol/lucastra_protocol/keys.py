"""Keys in the system's keyring: the client stores them, and the daemon reads those that `${keyring:NAME}` names.

The package `keyring` is optional (`pip install "lucastra[keyring]"`). Invariant: no message holds a key.
"""

import importlib
import json
import threading
from typing import Any, Final

from lucastra_protocol.errors import ErrorCode, LucAstraError

SERVICE: Final = "lucastra"
REFERENCE: Final = "keyring:"
"""What a reference to a stored key begins with, between `${` and `}`."""
INSTALL: Final = 'pip install "lucastra[keyring]"'
_NAMES: Final = "(names)"
"""The entry that lists the others, which no keyring does for us; no key can be called so."""
_ANSWER_SECONDS: Final = 5.0
_ELSEWHERE: Final = "or put the key in an environment variable and write ${VARIABLE} in config.json"


class KeyringUnavailable(LucAstraError):
    """There is no keyring, it is locked, or it does not answer."""

    def __init__(self, message: str) -> None:
        super().__init__(message, code=ErrorCode.CONFIG_INVALID)


class SystemKeyring:
    """The keyring of the user's session. Every method blocks, and raises KeyringUnavailable."""

    def get(self, name: str) -> str | None:
        """The key; None where there is none. Bounded in time: a locked keyring may ask its user, who is not there."""
        found: list[str | None] = []
        failure: list[KeyringUnavailable] = []

        def ask() -> None:
            try:
                found.append(self._read(name))
            except KeyringUnavailable as error:
                failure.append(error)

        thread = threading.Thread(target=ask, name="keyring", daemon=True)
        thread.start()
        thread.join(_ANSWER_SECONDS)
        if failure:
            raise failure[0]
        if not found:
            raise KeyringUnavailable(
                f"the system's keyring has not answered within {_ANSWER_SECONDS:g} s: unlock it and save config.json"
                f" again, {_ELSEWHERE}"
            )
        return found[0]

    def store(self, name: str, key: str) -> None:
        """Store a key, in place of one of the same name."""
        backend = _backend()
        with _Translated(backend):
            backend.set_password(SERVICE, name, key)
            self._list(backend, {*self.names(), name})

    def remove(self, name: str) -> bool:
        """Remove a key; False where there is none."""
        backend = _backend()
        with _Translated(backend):
            there = backend.get_password(SERVICE, name) is not None
            if there:
                backend.delete_password(SERVICE, name)
            self._list(backend, {*self.names()} - {name})
        return there

    def names(self) -> list[str]:
        """What the stored keys are called."""
        try:
            listed = json.loads(self._read(_NAMES) or "[]")
        except ValueError:
            return []
        return sorted(str(name) for name in listed) if isinstance(listed, list) else []

    def _read(self, name: str) -> str | None:
        backend = _backend()
        with _Translated(backend):
            found: str | None = backend.get_password(SERVICE, name)
            return found
        return None

    @staticmethod
    def _list(backend: Any, names: set[str]) -> None:
        backend.set_password(SERVICE, _NAMES, json.dumps(sorted(names)))


class _Translated:
    """Turns what a keyring raises into KeyringUnavailable: backends raise errors of their own, of many libraries."""

    def __init__(self, backend: Any) -> None:
        self._name = type(backend).__module__

    def __enter__(self) -> None:
        return None

    def __exit__(self, kind: type[BaseException] | None, error: BaseException | None, traceback: Any) -> None:
        if isinstance(error, Exception) and not isinstance(error, LucAstraError):
            raise KeyringUnavailable(
                f"the system's keyring ({self._name}) did not do it ({type(error).__name__}): unlock it and save"
                f" config.json again, {_ELSEWHERE}"
            ) from None


def _backend() -> Any:
    try:
        keyring: Any = importlib.import_module("keyring")
    except ImportError:
        raise KeyringUnavailable(f"the package keyring is not installed: run `{INSTALL}`, {_ELSEWHERE}") from None
    with _Translated(keyring):
        backend = keyring.get_keyring()
        if backend.priority > 0:
            return backend
    raise KeyringUnavailable(
        f"this session has no keyring, as over SSH or in a container: start one, such as GNOME Keyring, {_ELSEWHERE}"
    )
