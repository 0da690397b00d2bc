"""The commands that a model answers: ask and complete, and how an answer is shown while it comes.

A question begins a conversation, or goes on with one, so that the next can go on from its answer.
"""

import re
from contextlib import suppress
from typing import TYPE_CHECKING, Literal, TypeVar

import msgspec
from lucastra_protocol import types as wire
from lucastra_protocol.answers import CompleteResult, SendResult
from lucastra_protocol.errors import LucAstraError

from lucastra_client.arguments import PROGRAM, Arguments, words
from lucastra_client.conversation_commands import find, latest
from lucastra_client.queries import FOUND, NOTHING, Coverage, conclude, cover
from lucastra_client.rendering.reports import Lines, Report
from lucastra_client.rendering.writing import Unshown
from lucastra_client.shell import Shell

if TYPE_CHECKING:
    from lucastra_client.client import Client
    from lucastra_client.streams import AnswerStream

Result = TypeVar("Result", wire.AskResult, SendResult, CompleteResult)
_BACKTICKS = re.compile("`{3,}")


async def ask(shell: Shell) -> int:
    """`ask QUESTION…`"""
    arguments = shell.arguments
    check_system(arguments)
    question, context = _asked(shell)
    async with shell.open() as client:
        covered = await cover(shell, client, shell.cwd)
        if not covered.searchable:
            result = wire.AskResult()
            shell.show.answer(question, result)
        elif arguments.resume or arguments.conversation or arguments.model or await _has_provider(client):
            result = await _converse(shell, client, covered, with_context(question, context))
        else:
            result = await _passages(shell, client, covered, with_context(question, context))
    return told(shell, covered, result)


async def complete(shell: Shell) -> int:
    """`complete PROMPT…`"""
    arguments = shell.arguments
    prompt = with_context(*_asked(shell))
    async with shell.open() as client:
        stream = client.complete_stream(
            prompt,
            system=arguments.system,
            provider=arguments.model,
            max_tokens=arguments.max_tokens,
            temperature=arguments.temperature,
        )
        result = await show_answer(shell, prompt, stream)
    return told(shell, Coverage([], []), result)


async def embed(shell: Shell) -> int:
    """`embed TEXT…`"""
    text, piped = _asked(shell)
    kind: Literal["query", "passage"] = "query" if shell.arguments.query else "passage"
    async with shell.open() as client:
        result = await client.embed("\n".join(part for part in (text, piped) if part), kind=kind)
    (vector,) = result.vectors
    document = {
        "vector": vector, "provider": result.provider, "model": result.model, "dimensions": result.dimensions
    }  # fmt: skip
    shell.show.report(Report(document, [Lines([msgspec.json.encode(vector).decode()])]))
    return FOUND


async def show_answer(
    shell: Shell, question: str, stream: "AnswerStream[Result]", *, conversation: str | None = None
) -> wire.AskResult:
    """Show an answer while it comes, unless the command line asks for all of it at once."""
    at_once = getattr(shell.arguments, "no_stream", False)
    with Unshown() if at_once else shell.show.writing() as writing:
        async with stream:
            async for event in stream:
                writing.take(event)
    result = _as_answer(stream.result)
    shell.show.answer(question, result, conversation=conversation, written=writing.written)
    return result


def told(shell: Shell, covered: Coverage, result: wire.AskResult) -> int:
    """Tell what the user should know of an answer; returns the exit code."""
    shown = len(result.citations) or result.answer is not None
    code = conclude(shell, covered, shown, result.freshness, result.notices)
    return code if result.found else NOTHING


def with_context(question: str, context: str) -> str:
    """The question, and what was piped in below it in a fence that it does not hold itself."""
    if not context:
        return question
    fence = "`" * max([3, *(len(run) + 1 for run in _BACKTICKS.findall(context))])
    return f"{question}\n\n{fence}\n{context}\n{fence}"


async def resumed(client: "Client", arguments: Arguments) -> str | None:
    """The conversation that the command line names to go on with."""
    if arguments.conversation:
        return (await find(client, arguments.conversation)).id
    return (await latest(client)).id if arguments.resume else None


async def _converse(shell: Shell, client: "Client", covered: Coverage, text: str) -> wire.AskResult:
    arguments = shell.arguments
    known = await resumed(client, arguments)
    conversation = known or (await client.conversations.start(system=arguments.system)).id
    stream = client.conversations.send_stream(
        conversation,
        text,
        provider=arguments.model,
        limit=arguments.limit,
        workspaces=covered.folders,
        paths=covered.paths(arguments),
        languages=arguments.languages,
    )
    try:
        return await show_answer(shell, text, stream, conversation=conversation)
    except LucAstraError:
        if known is None:
            await _forget_unanswered(client, conversation)
        raise


async def _forget_unanswered(client: "Client", conversation: str) -> None:
    """`ask -c` is to go on from an answer, not from a question that failed at once."""
    with suppress(LucAstraError):
        turns = (await client.conversations.history(conversation)).turns
        if not any(turn.answer for turn in turns):
            await client.conversations.delete(conversation)


async def _passages(shell: Shell, client: "Client", covered: Coverage, question: str) -> wire.AskResult:
    arguments = shell.arguments
    stream = client.ask_stream(
        question,
        limit=arguments.limit,
        workspaces=covered.folders,
        paths=covered.paths(arguments),
        languages=arguments.languages,
        system=arguments.system,
    )
    return await show_answer(shell, question, stream)


async def _has_provider(client: "Client") -> bool:
    return any(provider.default for provider in await client.providers())


def _asked(shell: Shell) -> tuple[str, str]:
    """The question, and what goes along with it; without words, what was piped in is the question."""
    try:
        question = words(shell.arguments)
    except ValueError as error:
        raise LucAstraError(f"{error}; see `{PROGRAM} {shell.arguments.command} --help`") from None
    context = shell.piped().strip()
    if not question and not context:
        raise LucAstraError(f"the query is empty; see `{PROGRAM} {shell.arguments.command} --help`")
    return (question, context) if question else (context, "")


def check_system(arguments: Arguments) -> None:
    if arguments.system and (arguments.resume or arguments.conversation):
        raise LucAstraError(
            "a conversation keeps the system text that it began with; leave out -s, or leave out -c and --cid to "
            "begin another one"
        )


def _as_answer(result: wire.AskResult | SendResult | CompleteResult) -> wire.AskResult:
    if isinstance(result, wire.AskResult):
        return result
    if isinstance(result, CompleteResult):
        return wire.AskResult(
            answer=result.text,
            provider=result.provider,
            model=result.model,
            finish=result.finish,
            usage=result.usage,
            notices=result.notices,
        )
    turn = result.turn
    return wire.AskResult(
        citations=result.citations,
        uncited=result.uncited,
        answer=turn.answer if turn.answer or turn.provider else None,
        found=turn.found,
        provider=turn.provider,
        model=turn.model,
        finish=turn.finish or "stop",
        usage=turn.usage,
        notices=result.notices,
        freshness=result.freshness,
    )
