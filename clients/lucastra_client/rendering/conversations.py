"""Kept conversations, laid out as tables and as what was said."""

from datetime import datetime

from lucastra_protocol.answers import Conversation, HistoryResult, ListResult

from lucastra_client.rendering.reports import Block, Prose, Report, Table, sentence
from lucastra_client.rendering.text import printable_line


def conversations(result: ListResult) -> Report:
    """The conversations, the one that was used last first, in local time."""
    rows = [
        (
            entry.id,
            f"{datetime.fromtimestamp(entry.updated_at).astimezone():%Y-%m-%d %H:%M}",
            f"{entry.turns}",
            printable_line(entry.title),
        )
        for entry in result.conversations
    ]
    blocks: list[Block] = []
    if rows:
        blocks.append(Table(("conversation", "last used", "turns", "title"), rows, numeric=frozenset({"turns"})))
    return Report(result, blocks)


def history(result: HistoryResult, markdown: str) -> Report:
    """What was said: for people the conversation as it is exported, for programs its turns."""
    return Report(result, [Prose(markdown)])


def named(done: str, conversation: Conversation) -> Report:
    """One sentence on what was done with a conversation."""
    title = f" ({conversation.title})" if conversation.title else ""
    return sentence(f"{done} conversation {conversation.id}{title}", {"done": done, "conversation": conversation})
