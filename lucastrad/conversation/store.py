"""Conversations in SQLite.

Invariants: a question is there before its answer is asked for, and a finished turn before anyone is told so: both
survive a power cut. What arrives in between survives a kill of the process. At most one turn of a conversation is
running, and none that a daemon which ended has left. Synchronous: one thread at a time may call.
"""

import sqlite3
import time
from collections.abc import Iterator, Sequence
from contextlib import contextmanager, suppress
from pathlib import Path
from typing import NamedTuple

import msgspec

from lucastrad.assistant.answers import Exchange
from lucastrad.conversation.errors import ConversationNotFound, ConversationsUnavailable, TurnNotFound
from lucastrad.conversation.turns import Conversation, Source, Turn, TurnState, title_of
from lucastrad.storage.fs import ensure_private_folder
from lucastrad.storage.sqlite import (
    StoreCorrupt,
    StoreUnavailable,
    connect,
    damage,
    set_aside,
    transaction,
    translated_values,
)

VERSION = 1
"""Of the tables, kept as SQLite's user_version."""
INTERRUPTED = "the daemon ended before the answer did"
UNKEPT = "the rest of the answer could not be kept"

_SCHEMA = """
CREATE TABLE conversations(
    id TEXT PRIMARY KEY, title TEXT NOT NULL, system TEXT NOT NULL, created_at REAL NOT NULL,
    updated_at REAL NOT NULL, forked_from TEXT NOT NULL, forked_at INTEGER NOT NULL
) WITHOUT ROWID;
CREATE INDEX by_update ON conversations(updated_at DESC, id);
CREATE TABLE turns(
    conversation TEXT NOT NULL REFERENCES conversations(id) ON DELETE CASCADE, number INTEGER NOT NULL,
    question TEXT NOT NULL, answer TEXT NOT NULL, state TEXT NOT NULL, started_at REAL NOT NULL, finished_at REAL,
    retrieved INTEGER NOT NULL, found INTEGER NOT NULL, provider TEXT NOT NULL, model TEXT NOT NULL,
    input_tokens INTEGER, output_tokens INTEGER, finish TEXT NOT NULL, sources BLOB NOT NULL,
    exchanges_left_out INTEGER NOT NULL, problem TEXT NOT NULL, PRIMARY KEY(conversation, number)
);
CREATE INDEX running ON turns(state) WHERE state = 'running';
"""
_TURN = (
    "number, question, answer, state, started_at, finished_at, retrieved, found, provider, model, input_tokens,"
    " output_tokens, finish, sources, exchanges_left_out, problem"
)
_CONVERSATION = (
    "id, title, system, created_at, updated_at, forked_from, forked_at,"
    " (SELECT count(*) FROM turns WHERE conversation = id)"
)


class PartialAnswer(NamedTuple):
    """What of an answer has arrived."""

    conversation: str
    turn: int
    text: str


class ConversationStore:
    """The tables of one file. Made by `open_store`."""

    def __init__(self, durable: sqlite3.Connection, lasting: sqlite3.Connection) -> None:
        """`durable` commits survive a power cut, `lasting` ones a kill; they may be one connection."""
        self._durable = durable
        self._lasting = lasting

    def close(self) -> None:
        """Close the file."""
        for connection in (self._lasting, self._durable):
            with suppress(sqlite3.Error):
                connection.close()

    # --- conversations ---------------------------------------------------------------------------

    def create(self, conversation: Conversation) -> None:
        """Add a conversation without turns."""
        with self._changing() as connection:
            self._insert(connection, conversation)

    def conversation(self, id_: str) -> Conversation:
        """Raises ConversationNotFound."""
        with _reading():
            row = self._durable.execute(f"SELECT {_CONVERSATION} FROM conversations WHERE id = ?", (id_,)).fetchone()
            if row is None:
                raise ConversationNotFound(id_)
            return _conversation(row)

    def conversations(self, offset: int, limit: int) -> tuple[list[Conversation], int]:
        """One page, the one that was used last first, and how many there are."""
        with _reading():
            rows = self._durable.execute(
                f"SELECT {_CONVERSATION} FROM conversations ORDER BY updated_at DESC, id LIMIT ? OFFSET ?",
                (limit, offset),
            ).fetchall()
            (total,) = self._durable.execute("SELECT count(*) FROM conversations").fetchone()
            return [_conversation(row) for row in rows], int(total)

    def rename(self, id_: str, title: str) -> None:
        """Raises ConversationNotFound."""
        with self._changing() as connection:
            if not connection.execute("UPDATE conversations SET title = ? WHERE id = ?", (title, id_)).rowcount:
                raise ConversationNotFound(id_)

    def delete(self, id_: str) -> None:
        """Delete a conversation with its turns; forks of it stay. Raises ConversationNotFound."""
        with self._changing() as connection:
            if not connection.execute("DELETE FROM conversations WHERE id = ?", (id_,)).rowcount:
                raise ConversationNotFound(id_)

    def fork(self, id_: str, turn: int | None, *, new_id: str, title: str | None, at: float) -> Conversation:
        """A new conversation with the turns up to `turn` (all for None); raises ConversationNotFound, TurnNotFound.

        A turn that is being answered is taken over as far as its answer was kept.
        """
        with self._changing() as connection:
            source = self.conversation(id_)
            last = source.turns if turn is None else turn
            if not 0 <= last <= source.turns:
                raise TurnNotFound(id_, last, source.turns)
            fork = Conversation(
                new_id, source.title if title is None else title, at, at, source.system, id_, last, turns=last
            )
            self._insert(connection, fork)
            connection.execute(
                f"INSERT INTO turns(conversation, {_TURN}) SELECT ?, {_TURN} FROM turns"
                " WHERE conversation = ? AND number <= ?",
                (new_id, id_, last),
            )
            connection.execute(
                "UPDATE turns SET state = ?, finished_at = ? WHERE conversation = ? AND state = ?",
                (TurnState.PARTIAL, at, new_id, TurnState.RUNNING),
            )
            return fork

    @staticmethod
    def _insert(connection: sqlite3.Connection, new: Conversation) -> None:
        connection.execute(
            "INSERT INTO conversations(id, title, system, created_at, updated_at, forked_from, forked_at)"
            " VALUES (?, ?, ?, ?, ?, ?, ?)",
            (new.id, new.title, new.system, new.created_at, new.updated_at, new.forked_from, new.forked_at),
        )

    # --- turns -----------------------------------------------------------------------------------

    def begin_turn(self, id_: str, question: str, *, retrieved: bool, at: float) -> Turn:
        """Add a running turn; the first names a conversation without a title.

        One that is running still was never ended, because the disk was full then: it becomes partial. Raises
        ConversationNotFound.
        """
        with self._changing() as connection:
            conversation = self.conversation(id_)
            connection.execute(
                "UPDATE turns SET state = ?, problem = ?, finished_at = ? WHERE conversation = ? AND state = ?",
                (TurnState.PARTIAL, UNKEPT, at, id_, TurnState.RUNNING),
            )
            turn = Turn(conversation.turns + 1, question, at, retrieved=retrieved)
            marks = ", ".join("?" * (_TURN.count(",") + 2))
            connection.execute(f"INSERT INTO turns(conversation, {_TURN}) VALUES ({marks})", (id_, *_row(turn)))
            connection.execute(
                "UPDATE conversations SET updated_at = ?, title = iif(title = '', ?, title) WHERE id = ?",
                (at, title_of(question), id_),
            )
            return turn

    def keep_partial(self, answers: Sequence[PartialAnswer]) -> None:
        """Keep what has arrived of running answers."""
        with _unavailable(), transaction(self._lasting):
            self._lasting.executemany(
                "UPDATE turns SET answer = ? WHERE conversation = ? AND number = ? AND state = 'running'",
                [(answer.text, answer.conversation, answer.turn) for answer in answers],
            )

    def finish_turn(self, id_: str, turn: Turn) -> None:
        """Keep a turn as it ended."""
        columns = [name.strip() for name in _TURN.split(",")][1:]
        assignments = ", ".join(f"{name} = ?" for name in columns)
        with self._changing() as connection:
            connection.execute(
                f"UPDATE turns SET {assignments} WHERE conversation = ? AND number = ?",
                (*_row(turn)[1:], id_, turn.number),
            )
            connection.execute("UPDATE conversations SET updated_at = ? WHERE id = ?", (turn.finished_at, id_))

    def turns(self, id_: str, *, after: int, limit: int) -> list[Turn]:
        """Turns with numbers above `after`, in order."""
        with _reading():
            rows = self._durable.execute(
                f"SELECT {_TURN} FROM turns WHERE conversation = ? AND number > ? ORDER BY number LIMIT ?",
                (id_, after, limit),
            ).fetchall()
            return [_turn(row) for row in rows]

    def exchanges(self, id_: str, *, max_characters: int) -> tuple[list[Exchange], int]:
        """The newest turns that have an answer, oldest first, up to about `max_characters`; and how many have one."""
        found: list[Exchange] = []
        characters = 0
        answered = "conversation = ? AND answer <> ''"
        with _reading():
            (total,) = self._durable.execute(f"SELECT count(*) FROM turns WHERE {answered}", (id_,)).fetchone()
            rows = self._durable.execute(
                f"SELECT question, answer FROM turns WHERE {answered} ORDER BY number DESC", (id_,)
            )
            for question, answer in rows:
                characters += len(question) + len(answer)
                if found and characters > max_characters:
                    break
                found.append(Exchange(question, answer))
            rows.close()
        return found[::-1], int(total)

    @contextmanager
    def _changing(self) -> Iterator[sqlite3.Connection]:
        with _unavailable(), transaction(self._durable):
            yield self._durable


class OpenedStore(NamedTuple):
    """A store, and what the user should know of how it was opened."""

    store: ConversationStore
    notice: str = ""


def open_store(path: Path | None, *, now: float | None = None, examine: bool = False) -> OpenedStore:
    """The store in the file `path`, or one in memory; turns that were left running become partial.

    A damaged file is set aside and a new one begun; `examine` looks at every page of it, which takes as long as
    reading it. Raises ConversationsUnavailable for a file that cannot be opened, or that a newer version has written.
    """
    now = time.time() if now is None else now
    if path is None:
        connection = sqlite3.connect(":memory:", isolation_level=None, check_same_thread=False)
        _prepare(connection, now)
        return OpenedStore(ConversationStore(connection, connection))
    try:
        ensure_private_folder(path.parent)
    except OSError as error:
        raise ConversationsUnavailable(
            f"{path.parent} cannot be made or written ({error.strerror}); make it writable, or set"
            " conversation.persist_path to another folder"
        ) from error
    with _unavailable():
        try:
            return OpenedStore(_open(path, now, examine=examine))
        except StoreCorrupt:
            kept = set_aside(path, f"damaged-{int(now)}")
            notice = f"the file of the conversations was damaged: it was kept as {kept}, and a new one begun"
            return OpenedStore(_open(path, now, examine=False), notice)


def _open(path: Path, now: float, *, examine: bool) -> ConversationStore:
    with translated_values():
        durable = connect(path, durable=True)
        try:
            if examine and (problems := damage(durable)):
                raise StoreCorrupt(problems[0])
            path.chmod(0o600)
            _prepare(durable, now)
            return ConversationStore(durable, connect(path, durable=False))
        except BaseException:
            durable.close()
            raise


def _prepare(connection: sqlite3.Connection, now: float) -> None:
    """Make the tables, or check that they are there, and end what a daemon that is gone left running."""
    connection.execute("PRAGMA foreign_keys = ON")
    with transaction(connection):
        (version,) = connection.execute("PRAGMA user_version").fetchone()
        if version > VERSION:
            raise ConversationsUnavailable(
                "a newer version of LucAstra has written the conversations; install that version again, or set"
                " conversation.persist_path to another folder"
            )
        if version == 0:
            for statement in _SCHEMA.split(";"):
                connection.execute(statement)
            connection.execute(f"PRAGMA user_version = {VERSION}")
        connection.execute(f"SELECT {_CONVERSATION} FROM conversations LIMIT 1").fetchone()
        connection.execute(
            "UPDATE turns SET state = ?, problem = ?, finished_at = ? WHERE state = ?",
            (TurnState.PARTIAL, INTERRUPTED, now, TurnState.RUNNING),
        )


@contextmanager
def _unavailable() -> Iterator[None]:
    """Name the conversations, and not the index, where their file cannot be written."""
    try:
        yield
    except StoreUnavailable as error:
        raise ConversationsUnavailable(
            f"the conversations cannot be read or written ({error.__cause__}); free disk space, or check the"
            " permissions of LucAstra's folder"
        ) from error


@contextmanager
def _reading() -> Iterator[None]:
    with _unavailable(), translated_values():
        yield


_SOURCES = msgspec.json.Decoder(tuple[Source, ...])
_ENCODER = msgspec.json.Encoder()


def _row(turn: Turn) -> tuple[object, ...]:
    return (
        turn.number, turn.question, turn.answer, turn.state, turn.started_at, turn.finished_at, turn.retrieved,
        turn.found, turn.provider, turn.model, turn.input_tokens, turn.output_tokens, turn.finish,
        _ENCODER.encode(turn.sources), turn.exchanges_left_out, turn.problem,
    )  # fmt: skip


def _turn(row: tuple[object, ...]) -> Turn:
    """Raises ValueError for what no writer has written."""
    names = [name.strip() for name in _TURN.split(",")]
    values = dict(zip(names, row, strict=True))
    sources = values["sources"]
    if not isinstance(sources, bytes):
        raise ValueError("sources are no JSON")
    values["sources"] = _SOURCES.decode(sources)
    return msgspec.convert(values, Turn, strict=False)


def _conversation(row: tuple[object, ...]) -> Conversation:
    names = ("id", "title", "system", "created_at", "updated_at", "forked_from", "forked_at", "turns")
    return msgspec.convert(dict(zip(names, row, strict=True)), Conversation, strict=False)
