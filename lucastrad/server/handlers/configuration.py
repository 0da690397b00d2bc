"""An editor's own settings, its section `lucastra`: `workspace/didChangeConfiguration` and `workspace/configuration`.

Invariant: they belong to one session and only narrow what the configuration in force allows. They may come with a
repository (`.vscode/settings.json`), so that nothing here names a model, an address, a key or a file.
"""

import logging
from collections.abc import Callable
from typing import TYPE_CHECKING, Annotated, Any

import msgspec
import trio
from lsprotocol import types as lsp
from msgspec import Meta
from pygls.exceptions import JsonRpcException

from lucastrad.config.schema import Config

if TYPE_CHECKING:
    from lucastrad.server.session import Session

SECTION = "lucastra"
_ANSWER_SECONDS = 10.0
_OWN = frozenset(Config.__struct_fields__)

logger = logging.getLogger(__name__)


class EditorCompletion(msgspec.Struct, frozen=True):
    """`lucastra.completion`."""

    enabled: bool = True
    """false: this editor is offered no inline completions."""
    automatic: bool = True
    """false: only when the user asks for one."""


class EditorSearch(msgspec.Struct, frozen=True):
    """`lucastra.search`."""

    limit: Annotated[int, Meta(ge=1, le=100)] | None = None
    """Hits of a command that names no number."""


class EditorSettings(msgspec.Struct, frozen=True):
    """What an editor may set; other keys are for its extension, or for config.json."""

    completion: EditorCompletion = EditorCompletion()
    search: EditorSearch = EditorSearch()


def initialized(session: "Session", params: lsp.InitializedParams) -> None:
    """Ask for the editor's settings, and to be told of their changes where that must be asked."""
    session.start(_begin(session))


def did_change_configuration(session: "Session", params: lsp.DidChangeConfigurationParams) -> None:
    """Take new settings: ask for them where the editor answers, as what it sends may be old or empty."""
    if session.engine.client_can("workspace.configuration"):
        session.start(_pull(session))
    else:
        settings = params.settings
        _apply(session, settings.get(SECTION) if isinstance(settings, dict) else None)


async def _begin(session: "Session") -> None:
    engine = session.engine
    if engine.client_can("workspace.did_change_configuration.dynamic_registration"):
        registration = lsp.Registration(
            id=SECTION,
            method=lsp.WORKSPACE_DID_CHANGE_CONFIGURATION,
            register_options=lsp.DidChangeConfigurationRegistrationOptions(section=SECTION),
        )
        with trio.move_on_after(_ANSWER_SECONDS):
            try:
                await engine.server.client_register_capability_async(lsp.RegistrationParams([registration]))
            except JsonRpcException as error:
                logger.info("an editor does not tell of changed settings: error %d", error.code)
    if engine.client_can("workspace.configuration"):
        await _pull(session)


async def _pull(session: "Session") -> None:
    item = lsp.ConfigurationItem(section=SECTION)
    with trio.move_on_after(_ANSWER_SECONDS):
        try:
            answer = await session.engine.server.workspace_configuration_async(lsp.ConfigurationParams([item]))
        except JsonRpcException as error:
            logger.info("an editor does not tell its settings: error %d", error.code)
            return
        _apply(session, answer[0] if answer else None)


def _apply(session: "Session", settings: Any) -> None:
    """Bring a section into force as a whole; one with a wrong value changes nothing, and the user is told."""
    try:
        session.settings = msgspec.convert({} if settings is None else settings, EditorSettings)
    except msgspec.ValidationError as error:
        session.warn(f"the editor's settings under `{SECTION}` are not in force: {error}")
        return
    if isinstance(settings, dict) and (misplaced := _misplaced(settings)):
        session.log(
            lsp.MessageType.Warning,
            f"{', '.join(misplaced)} in the editor's settings: ignored, since they may come with a repository; "
            f"set them in {session.services.home / 'config.json'}",
        )


def _misplaced(settings: dict[str, Any]) -> list[str]:
    """Keys of config.json that an editor's settings cannot set."""
    own = [f"{SECTION}.{key}" for key in settings if key in _OWN - {"completion", "search"}]
    for section in ("completion", "search"):
        values, known = settings.get(section), type(getattr(EditorSettings(), section)).__struct_fields__
        own += [f"{SECTION}.{section}.{key}" for key in values or {} if key not in known]
    return own


HANDLERS: dict[str, Callable[..., Any]] = {
    lsp.INITIALIZED: initialized,
    lsp.WORKSPACE_DID_CHANGE_CONFIGURATION: did_change_configuration,
}
