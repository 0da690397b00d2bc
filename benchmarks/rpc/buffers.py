"""How long after a keystroke an unsaved buffer is found."""

from pathlib import Path
from time import perf_counter

from benchmarks.daemon import PrivateDaemon
from benchmarks.distribution import Distribution
from benchmarks.errors import BenchmarkError, within
from benchmarks.lsp_session import open_lsp_session
from benchmarks.rpc.results import Typed

_MODES = ("keyword", "hybrid")
_BYTES = 20_000
_VISIBLE_SECONDS = 10.0
_START = {"line": 0, "character": 0}


async def measure_typing(daemon: PrivateDaemon, tree: Path, edits: int) -> list[Typed]:
    """In each mode, the time from `edits` changes of one buffer, some 20 KB long, until a search first finds each.

    Searches follow one another without a pause, so that a time includes up to one search more than needed.
    """
    files = sorted(tree.rglob("*.py"), key=lambda path: (abs(path.stat().st_size - _BYTES), path))
    document = {"uri": files[0].as_uri(), "languageId": "python", "version": 0, "text": files[0].read_text("utf-8")}
    found = []
    async with open_lsp_session(daemon.paths, tree) as session:
        await session.tell("textDocument/didOpen", {"textDocument": document})
        for mode in _MODES:
            times: list[float] = []
            for number in range(1, edits + 1):
                word = f"{mode}typed{number}"
                change = {"range": {"start": _START, "end": _START}, "text": f"{word} = {number}\n"}
                where = {"uri": document["uri"], "version": len(found) * edits + number}
                began = perf_counter()
                await session.tell("textDocument/didChange", {"textDocument": where, "contentChanges": [change]})
                with within(_VISIBLE_SECONDS, "what was typed"):
                    while True:
                        search = {"query": word, "mode": mode, "limit": 1, "workspaces": [str(tree)]}
                        hits = (await session.ask("lucastra/search", search))["hits"]
                        if hits and word in hits[0]["content"]:
                            break
                if not hits[0]["unsaved"]:
                    raise BenchmarkError(f"what was typed is found in {hits[0]['path']}, and not marked as unsaved")
                times.append((perf_counter() - began) * 1000)
            found.append(Typed(mode, Distribution.of(times)))
    return found
