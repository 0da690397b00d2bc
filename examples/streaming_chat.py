"""A chat about a project in forty lines, without an event loop: one question a line, answers as they are written.

    python examples/streaming_chat.py ~/src/project

The daemon keeps the conversation: `lucastra-client conversations` lists it, `lucastra-client chat -c` goes on with it.
"""

import argparse
import sys

from lucastra_client import BlockingClient, LucAstraError
from lucastra_protocol.answers import DeltaEvent, PassagesEvent


def answer(client: BlockingClient, conversation: str, folder: str, question: str) -> None:
    with client.conversations.send_stream(conversation, question, workspaces=folder) as stream:
        for event in stream:
            if isinstance(event, PassagesEvent):
                print(f"({len(event.citations)} passages)", file=sys.stderr)
            elif isinstance(event, DeltaEvent):
                print(event.text, end="", flush=True)
        result = stream.result
    print()
    for citation in result.citations:
        start, end = citation.hit.range.lines()
        print(f"[{citation.number}] {citation.hit.path}:{start}-{end}")
    for notice in result.notices:
        print(notice, file=sys.stderr)


def main() -> int:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("folder")
    folder = parser.parse_args().folder
    try:
        with BlockingClient() as client:
            client.index(folder)
            conversation = client.conversations.start(title="Example").id
            for line in sys.stdin:
                if line.strip():
                    answer(client, conversation, folder, line.strip())
    except LucAstraError as error:
        print(error.message, file=sys.stderr)
        return 1
    return 0


if __name__ == "__main__":
    sys.exit(main())
