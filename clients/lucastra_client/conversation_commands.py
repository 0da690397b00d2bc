"""The command that works on kept conversations: conversations."""

from typing import TYPE_CHECKING

from lucastra_protocol.answers import Conversation, HistoryResult, ListResult, Turn
from lucastra_protocol.errors import ErrorCode, LucAstraError

from lucastra_client.arguments import PROGRAM
from lucastra_client.queries import FOUND, NOTHING
from lucastra_client.rendering import conversations as reports
from lucastra_client.rendering.text import printable
from lucastra_client.shell import Shell

if TYPE_CHECKING:
    from lucastra_client.client import Client

_PER_PAGE = 1000


async def conversations(shell: Shell) -> int:
    """`conversations [list | show | rename | delete | fork | export]`"""
    arguments = shell.arguments
    async with shell.open() as client:
        if arguments.action == "list":
            return await _list(shell, client)
        chosen = await find(client, str(arguments.conversation))
        if arguments.action == "show":
            text = await client.conversations.export(chosen.id)
            shell.show.report(reports.history(await _history(client, chosen), text))
        elif arguments.action == "rename":
            renamed = await client.conversations.rename(chosen.id, " ".join(arguments.words))
            shell.show.report(reports.named("renamed", renamed))
        elif arguments.action == "delete":
            await client.conversations.delete(chosen.id)
            shell.show.report(reports.named("deleted", chosen))
        elif arguments.action == "fork":
            fork = await client.conversations.fork(chosen.id, turn=arguments.turn, title=arguments.title)
            shell.show.report(reports.named("began", fork))
            shell.note(f"go on with it by `{PROGRAM} chat --cid {fork.id}`")
        else:
            text = await client.conversations.export(chosen.id, as_json=arguments.json)
            shell.out.write(printable(text) if shell.out.isatty() else text)
    return FOUND


async def _list(shell: Shell, client: "Client") -> int:
    result = await client.conversations.list(limit=shell.arguments.listed)
    shell.show.report(reports.conversations(result))
    if not shell.for_programs:
        for notice in result.notices:
            shell.note(notice)
    if not result.conversations:
        shell.note(f"there is no conversation yet; begin one by `{PROGRAM} chat`")
        return NOTHING
    if (more := result.total - len(result.conversations)) > 0:
        shell.note(f"{more:,} more; see them by `{PROGRAM} conversations list -n {min(result.total, _PER_PAGE)}`")
    return FOUND


async def _history(client: "Client", conversation: Conversation) -> HistoryResult:
    """All turns."""
    turns: list[Turn] = []
    while True:
        page = await client.conversations.history(
            conversation.id, after=turns[-1].number if turns else 0, limit=_PER_PAGE
        )
        turns += page.turns
        if len(page.turns) < _PER_PAGE:
            return HistoryResult(conversation=page.conversation, turns=turns)


async def find(client: "Client", given: str) -> Conversation:
    """The conversation of this id, or the only one whose id begins so; raises LucAstraError."""
    found: list[Conversation] = []
    offset = 0
    while True:
        page: ListResult = await client.conversations.list(offset=offset, limit=_PER_PAGE)
        for conversation in page.conversations:
            if conversation.id == given:
                return conversation
            if given and conversation.id.startswith(given):
                found.append(conversation)
        offset += len(page.conversations)
        if not page.conversations or offset >= page.total:
            break
    if len(found) > 1:
        ids = ", ".join(conversation.id for conversation in found[:3])
        raise LucAstraError(f"{given} begins the ids of {len(found)} conversations ({ids} …); give more of it")
    if not found:
        raise LucAstraError(
            f"there is no conversation {given}; `{PROGRAM} conversations` lists them",
            code=ErrorCode.CONVERSATION_NOT_FOUND,
        )
    return found[0]


async def latest(client: "Client") -> Conversation:
    """The conversation that was used last; raises LucAstraError where there is none."""
    page = await client.conversations.list(limit=1)
    if not page.conversations:
        raise LucAstraError(
            "there is no conversation to go on with yet; leave out -c to begin one",
            code=ErrorCode.CONVERSATION_NOT_FOUND,
        )
    return page.conversations[0]
