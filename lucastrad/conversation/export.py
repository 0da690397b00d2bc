"""A conversation as a file to keep or to send: Markdown for people, JSON for programs."""

from collections.abc import Sequence
from datetime import UTC, datetime

import msgspec

from lucastrad.conversation.turns import Conversation, Source, Turn, TurnState

JSON_FORMAT = "lucastra-conversation"
JSON_VERSION = 1


def to_markdown(conversation: Conversation, turns: Sequence[Turn]) -> str:
    """Questions as headings, answers as they were written, and what they cite."""
    parts = [f"# {_line(conversation.title) or 'Conversation'}\n"]
    parts.append(f"{_day(conversation.created_at)}, conversation `{conversation.id}`\n")
    if conversation.system:
        parts.append(_quoted(conversation.system))
    for turn in turns:
        parts.append(f"## {turn.number}. {_line(turn.question)}\n")
        if "\n" in turn.question.strip():
            parts.append(_quoted(turn.question))
        if turn.answer:
            parts.append(turn.answer.rstrip() + "\n")
        if turn.state is not TurnState.COMPLETE:
            parts.append(f"*The answer is incomplete: {turn.problem or 'it was being written'}.*\n")
        if turn.sources:
            parts.append("".join(_line_of(source) for source in turn.sources))
        if turn.provider:
            parts.append(f"*{turn.provider}{f'/{turn.model}' if turn.model else ''}*\n")
    return "\n".join(parts)


def to_json(conversation: Conversation, turns: Sequence[Turn]) -> str:
    """Everything that is kept, with names as in the store."""
    document = {
        "format": JSON_FORMAT,
        "version": JSON_VERSION,
        "conversation": conversation,
        "turns": turns,
    }
    return msgspec.json.format(msgspec.json.encode(document), indent=2).decode() + "\n"


def _line_of(source: Source) -> str:
    symbol = f" ({source.symbol})" if source.symbol else ""
    return f"- [{source.number}] `{source.path}:{source.start_line}-{source.end_line}`{symbol}\n"


def _line(text: str) -> str:
    return " ".join(text.split())


def _quoted(text: str) -> str:
    return "".join(f"> {line}".rstrip() + "\n" for line in text.strip().split("\n"))


def _day(at: float) -> str:
    return datetime.fromtimestamp(at, UTC).strftime("%Y-%m-%d %H:%M UTC")
