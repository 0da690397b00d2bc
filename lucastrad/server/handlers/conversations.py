"""`lucastra/conversation/*`."""

from collections.abc import Callable
from typing import TYPE_CHECKING, Any, cast

from lucastra_protocol import answers as wire
from lucastra_protocol.types import Empty, FinishReason, Range, TokenUsage

from lucastrad.assistant.answers import Question
from lucastrad.conversation.turns import Conversation, Source, Turn
from lucastrad.server.handlers.answers import citations_to_wire, emitter, telling_failures
from lucastrad.server.handlers.wire import file_uri, query_from_wire, text_to_wire

if TYPE_CHECKING:
    from lucastrad.server.session import Session


async def start(session: "Session", params: wire.StartParams) -> wire.Conversation:
    """Begin a conversation."""
    conversation = await session.services.conversations.start(title=params.title, system=params.system)
    return conversation_to_wire(conversation)


@telling_failures
async def send(session: "Session", params: wire.SendParams) -> wire.SendResult:
    """Ask within a conversation."""
    question = Question(
        params.text,
        scope=query_from_wire(params.text, params, session.services.settings) if params.retrieve else None,
        choice=params.provider,
    )
    emit = emitter(session, params.partial_result_token)
    said = await session.services.conversations.send(params.conversation, question, emit)
    return wire.SendResult(
        turn=turn_to_wire(said.turn),
        citations=citations_to_wire(said.answer.cited),
        uncited=citations_to_wire(said.answer.uncited),
        freshness=said.answer.freshness.value,
        notices=[text_to_wire(notice) for notice in said.answer.notices],
    )


async def history(session: "Session", params: wire.HistoryParams) -> wire.HistoryResult:
    """Tell a conversation's turns."""
    conversation, turns = await session.services.conversations.history(
        params.conversation, after=params.after, limit=params.limit
    )
    return wire.HistoryResult(
        conversation=conversation_to_wire(conversation), turns=[turn_to_wire(turn) for turn in turns]
    )


async def list_(session: "Session", params: wire.ListParams) -> wire.ListResult:
    """List the conversations."""
    service = session.services.conversations
    conversations, total = await service.conversations(offset=params.offset, limit=params.limit)
    return wire.ListResult(
        conversations=[conversation_to_wire(conversation) for conversation in conversations],
        total=total,
        notices=[text_to_wire(notice) for notice in service.notices],
    )


async def rename(session: "Session", params: wire.RenameParams) -> wire.Conversation:
    """Give a conversation another title."""
    return conversation_to_wire(await session.services.conversations.rename(params.conversation, params.title))


async def delete(session: "Session", params: wire.ConversationParams) -> Empty:
    """Delete a conversation."""
    await session.services.conversations.delete(params.conversation)
    return Empty()


async def fork(session: "Session", params: wire.ForkParams) -> wire.Conversation:
    """Go on from a turn in a new conversation."""
    conversation = await session.services.conversations.fork(params.conversation, turn=params.turn, title=params.title)
    return conversation_to_wire(conversation)


async def export(session: "Session", params: wire.ExportParams) -> wire.ExportResult:
    """A whole conversation as text."""
    text = await session.services.conversations.export(params.conversation, as_markdown=params.format == "markdown")
    return wire.ExportResult(text=text_to_wire(text))


async def follow(session: "Session", params: wire.FollowParams) -> Empty:
    """Tell the session of a conversation's changes, or no longer."""
    if params.follow:
        await session.feed.follow(params.conversation)
    else:
        session.feed.unfollow(params.conversation)
    return Empty()


def conversation_to_wire(conversation: Conversation) -> wire.Conversation:
    """A conversation without its turns."""
    forked = bool(conversation.forked_from)
    return wire.Conversation(
        id=conversation.id,
        title=text_to_wire(conversation.title),
        created_at=conversation.created_at,
        updated_at=conversation.updated_at,
        system=conversation.system,
        forked_from=conversation.forked_from if forked else None,
        forked_at=conversation.forked_at if forked else None,
        turns=conversation.turns,
    )


def turn_to_wire(turn: Turn) -> wire.Turn:
    """One turn."""
    return wire.Turn(
        number=turn.number,
        question=turn.question,
        started_at=turn.started_at,
        answer=text_to_wire(turn.answer),
        state=turn.state.value,
        finished_at=turn.finished_at,
        retrieved=turn.retrieved,
        found=turn.found,
        provider=turn.provider or None,
        model=turn.model or None,
        finish=cast("FinishReason | None", turn.finish or None),
        usage=TokenUsage(input_tokens=turn.input_tokens, output_tokens=turn.output_tokens),
        sources=[_source_to_wire(source) for source in turn.sources],
        left_out=turn.exchanges_left_out,
        problem=text_to_wire(turn.problem),
    )


def _source_to_wire(source: Source) -> wire.Source:
    return wire.Source(
        number=source.number,
        uri=file_uri(source.workspace, source.path),
        path=text_to_wire(source.path),
        workspace=text_to_wire(source.workspace),
        range=Range.of_lines(source.start_line, source.end_line),
        language=source.language,
        symbol=text_to_wire(source.symbol),
        kind=source.kind,
    )


HANDLERS: dict[str, Callable[..., Any]] = {
    wire.START.name: start,
    wire.SEND.name: send,
    wire.HISTORY.name: history,
    wire.LIST.name: list_,
    wire.RENAME.name: rename,
    wire.DELETE.name: delete,
    wire.FORK.name: fork,
    wire.EXPORT.name: export,
    wire.FOLLOW.name: follow,
}
