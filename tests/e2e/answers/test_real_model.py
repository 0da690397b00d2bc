"""An answer with citations by a real model on a real llama.cpp server, through the daemon.

What so small a model says is not judged; that its citations exist, and that text, usage and end arrive, is.
"""

import json
from collections.abc import Iterator

import pytest
from llama_server import KEY, LlamaServer, Unavailable, llama_server
from lucastra_protocol import answers
from real_daemon import RealDaemon, write

pytestmark = [pytest.mark.slow, pytest.mark.trio, pytest.mark.timeout(900)]

FILES = {
    "retry.py": "def retry(call, attempts=5):\n    for _ in range(attempts):\n        call()\n",
    "basket.py": "class Basket:\n    def total(self):\n        return sum(self.prices)\n",
}


@pytest.fixture(scope="module")
def server() -> Iterator[LlamaServer]:
    try:
        with llama_server("smollm2") as server:
            yield server
    except Unavailable as reason:
        pytest.skip(f"ran without a real llama.cpp server: {reason}")


@pytest.mark.parametrize("api", ["llamafile", "openai", "anthropic"])
async def test_a_real_model_answers_with_citations_that_exist(
    daemon: RealDaemon, server: LlamaServer, api: str
) -> None:
    llm = {"provider": api, "endpoint": server.origin, "api_key": "${TEST_KEY}", "max_tokens": 48, "temperature": 0.0}
    daemon.environment["TEST_KEY"] = KEY
    config = {"llm": llm | ({} if api == "llamafile" else {"model": "smollm2"}), "conversation": {}}
    config["conversation"] = {"max_context_tokens": 1500}
    write(daemon.paths.home, {"config.json": json.dumps(config)})
    (daemon.paths.home / "config.json").chmod(0o600)
    root = write(daemon.folder / "shop", FILES)
    await daemon.start()
    async with daemon.client() as client:
        await client.index(root)
        conversation = (await client.conversations.start()).id
        for question in ("how often does retry call?", "and what does Basket.total return?"):
            async with client.conversations.send_stream(conversation, question, limit=2) as stream:
                events = [event async for event in stream]
                result = stream.result
            passages, ended = events[0], events[-1]
            assert isinstance(passages, answers.PassagesEvent)
            assert isinstance(ended, answers.UsageEvent)
            streamed = "".join(event.text for event in events if isinstance(event, answers.DeltaEvent))
            assert streamed == result.turn.answer != ""
            assert result.turn.usage.input_tokens
            assert result.turn.usage.output_tokens
            numbers = {citation.number for citation in passages.citations}
            assert numbers == set(range(1, len(numbers) + 1)) != set()
            assert {citation.number for citation in result.citations} <= numbers
            for citation in passages.citations:
                start, end = citation.hit.range.lines()
                lines = (root / citation.hit.path).read_text().splitlines()
                assert "\n".join(lines[start - 1 : end]) == citation.hit.content.rstrip("\n")
        assert [turn.state for turn in (await client.conversations.history(conversation)).turns] == ["complete"] * 2
    await daemon.stop()
