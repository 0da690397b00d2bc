"""One conversation, and another provider for each turn: every one sees what was said before.

    python examples/switching_providers.py ollama/qwen3 anthropic/claude-sonnet-4-5

Where a provider fails, the next is asked the same. `lucastra-client providers` lists the names.
"""

import argparse
import sys

import trio
from lucastra_client import LucAstraError, open_client
from lucastra_protocol.errors import ErrorCode

QUESTIONS = ("Name one way to sort a list of numbers.", "What is its worst case?", "Name another that is better there.")


async def run(providers: list[str]) -> int:
    async with open_client() as client:
        conversation = (await client.conversations.start(title="Who answers?", system="Be brief.")).id
        for number, question in enumerate(QUESTIONS):
            turn = number % len(providers)
            for provider in [*providers[turn:], *providers[:turn]]:
                try:
                    sent = await client.conversations.send(conversation, question, retrieve=False, provider=provider)
                except LucAstraError as error:
                    if error.code not in (ErrorCode.PROVIDER_FAILED, ErrorCode.CONFIG_INVALID):
                        raise
                    print(f"{provider}: {error.message}", file=sys.stderr)
                    continue
                print(f"{sent.turn.provider}/{sent.turn.model}: {sent.turn.answer}")
                break
            else:
                print("no provider answers", file=sys.stderr)
                return 1
    return 0


def main() -> int:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("providers", nargs="+", metavar="NAME[/MODEL]")
    try:
        return trio.run(run, parser.parse_args().providers)
    except LucAstraError as error:
        print(error.message, file=sys.stderr)
        return 1


if __name__ == "__main__":
    sys.exit(main())
