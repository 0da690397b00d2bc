"""The command line of what models answer: ask, chat, complete, embed, conversations, models, providers.

Invariant: imports argparse and nothing slow, since every start of the command pays for it.
"""

import argparse

from lucastra_client.parser import EXIT_CODES, Commands, Parser, add_command, add_filters, positive

_MOST_LISTED = 1000
_MAX_TEMPERATURE = 2.0
_LISTED = 20


def add(commands: "Commands[Parser]") -> None:
    """Add the commands."""
    _add_ask(commands)
    _add_chat(commands)
    _add_complete(commands)
    _add_embed(commands)
    _add_conversations(commands)
    models = add_command(
        commands,
        "models",
        "List the models of the language-model providers.",
        "models",
        "models ollama",
        closing="What stands there is what -m takes, as PROVIDER/MODEL.",
    )
    models.add_argument("provider", nargs="?", metavar="PROVIDER", help="only those of this provider")
    providers = add_command(
        commands, "providers", "List the language-model providers.", "providers", "providers --check"
    )
    providers.add_argument("--check", action="store_true", help="ask each whether it would answer now")


def _add_ask(commands: "Commands[Parser]") -> None:
    ask = add_command(
        commands,
        "ask",
        "Answer a question about the code, with citations.",
        'ask "how does the scheduler pick the next task?"',
        "ask -c and who calls that",
        "ask does this break a caller < change.diff",
        "ask --path 'src/**' where is the cache invalidated",
        "ask --json -n 3 who calls save_model | jq -r '.citations[].file_path'",
        closing=f"Standard input, where it is piped, goes along with the question.\n{EXIT_CODES}",
        streams=True,
    )
    ask.add_argument("words", nargs="*", metavar="QUESTION", help="the question, quoted or not")
    _add_model(ask)
    _add_resume(ask)
    add_filters(ask, limit=5)


def _add_chat(commands: "Commands[Parser]") -> None:
    chat = add_command(
        commands,
        "chat",
        "Talk about the code, with citations.",
        "chat",
        "chat -c",
        "chat --no-search -m ollama/qwen3",
        closing="Ctrl-C stops an answer, Ctrl-D leaves; /help tells more.",
        documents=False,
    )
    _add_model(chat)
    _add_resume(chat)
    chat.add_argument("--no-search", action="store_true", help="ask the model alone, without passages of the code")
    add_filters(chat, limit=5)


def _add_complete(commands: "Commands[Parser]") -> None:
    complete = add_command(
        commands,
        "complete",
        "Give a prompt to a language model, without passages.",
        'complete "a regular expression for ISO dates"',
        "complete -s 'Write a commit message.' < change.diff",
        closing="Standard input, where it is piped, goes along with the prompt.",
        streams=True,
    )
    complete.add_argument("words", nargs="*", metavar="PROMPT", help="the prompt, quoted or not")
    _add_model(complete)
    complete.add_argument("--max-tokens", type=positive, metavar="N", help="at most N tokens of answer")
    complete.add_argument(
        "-t", "--temperature", type=_temperature, metavar="T", help="0 (always the likeliest word) to 2"
    )


def _add_embed(commands: "Commands[Parser]") -> None:
    embed = add_command(
        commands,
        "embed",
        "Print a text's vector, by the embedding model that searches use.",
        'embed "def load_config(path):"',
        "embed --query where is the configuration loaded",
        "embed < src/config.py | jq length",
        "embed --json hello | jq .model",
        closing="Prints a JSON list of numbers; --json adds which model they are of.",
    )
    embed.add_argument("words", nargs="*", metavar="TEXT", help="the text; without it, what is piped in")
    embed.add_argument("--query", action="store_true", help="as a question that is searched for, not as a passage")


def _add_conversations(commands: "Commands[Parser]") -> None:
    conversations = add_command(
        commands,
        "conversations",
        "List the conversations, or work on one.",
        "conversations",
        "conversations show 3f2a",
        "conversations fork 3f2a --turn 2",
        "conversations export 3f2a > talk.md",
        closing="An ID may be shortened to as much of it as no other one begins with.",
    )
    actions = conversations.add_subparsers(dest="action", metavar="ACTION", parser_class=Parser)
    conversations.set_defaults(action="list", listed=_LISTED)

    def action(name: str, summary: str, example: str) -> Parser:
        parser = add_command(actions, name, summary, f"conversations {example}", inner=True)
        if name != "list":
            parser.add_argument("conversation", metavar="ID", help="the conversation")
        return parser

    listed = action("list", "List the conversations, as without an action.", "list -n 100")
    listed.add_argument(
        "-n", "--limit", dest="listed", type=_listed, metavar="N", help=f"the N that were used last (default {_LISTED})"
    )
    action("show", "Show what was said.", "show 3f2a")
    rename = action("rename", "Give a conversation another title.", "rename 3f2a How retries work")
    rename.add_argument("words", nargs="+", metavar="TITLE", help="the title, quoted or not")
    action("delete", "Delete a conversation.", "delete 3f2a")
    fork = action("fork", "Go on from a turn in a new conversation.", "fork 3f2a --turn 2")
    fork.add_argument(
        "--turn", type=positive, default=None, metavar="N", help="the last turn to take over (default: all)"
    )
    fork.add_argument("--title", default=None, help="the new one's title (default: that of the other)")
    action("export", "Print a conversation as Markdown, or with --json as JSON.", "export 3f2a > talk.md")


def _add_model(parser: Parser) -> None:
    group = parser.add_argument_group("model")
    group.add_argument(
        "-m", "--model", metavar="PROVIDER/MODEL", help="who answers: a provider, or one of its models (see `models`)"
    )
    group.add_argument("-s", "--system", default="", metavar="TEXT", help="what the model is to heed as well")


def _add_resume(parser: Parser) -> None:
    group = parser.add_argument_group("conversation").add_mutually_exclusive_group()
    group.add_argument("-c", "--continue", dest="resume", action="store_true", help="go on with the last conversation")
    group.add_argument("--cid", dest="conversation", metavar="ID", help="go on with this conversation")


def _listed(text: str) -> int:
    number = positive(text)
    if number > _MOST_LISTED:
        raise argparse.ArgumentTypeError(f"{number} is over the limit of {_MOST_LISTED}")
    return number


def _temperature(text: str) -> float:
    try:
        number = float(text)
    except ValueError:
        number = -1.0
    if not 0 <= number <= _MAX_TEMPERATURE:
        raise argparse.ArgumentTypeError(f"{text!r} is not a number from 0 to 2")
    return number
