"""A provider's model as an Embedder: what is sent, how much at once, and what is taken for an answer."""

import numpy as np
import pytest
import trio
from embedding_provider import EmbeddingProvider, OneProvider
from lucastra_protocol.errors import ErrorCode, LucAstraError

from lucastrad.embeddings.protocol import EmbeddingFailed
from lucastrad.embeddings.provider import ProviderEmbedder, Source, batches, find_space
from lucastrad.llm.errors import AuthenticationFailed, ServerFailed, Unreachable
from lucastrad.llm.protocol import Capabilities
from lucastrad.llm.registry import Choice
from lucastrad.llm.tokens import estimate_texts
from lucastrad.types import Passage, VectorSpace

pytestmark = pytest.mark.trio

SPACE = VectorSpace("openai", "letters", 26)
OPENAI = Source("openai")
LOCAL = Capabilities(embed=True, local=True)


def embedder(
    provider: EmbeddingProvider, source: Source = OPENAI, space: VectorSpace = SPACE, *, batch_size: int = 100
) -> ProviderEmbedder:
    return ProviderEmbedder(
        OneProvider(provider), source, space, batch_size=batch_size, redact=lambda text: text.replace("hunter2", "[…]")
    )


def passages(*texts: str) -> list[Passage]:
    return [Passage("a.py", "f", text) for text in texts]


async def test_a_vector_has_length_one_and_a_text_without_a_letter_the_zero_vector() -> None:
    provider = EmbeddingProvider()
    rows = await embedder(provider).embed_passages([Passage("", "", "aab"), Passage("", "", "123")])
    assert np.allclose(np.linalg.norm(rows, axis=1), [1, 0])
    assert rows[0][0] == pytest.approx(2 * rows[0][1])
    assert rows.dtype == np.float32


async def test_no_passage_is_no_request() -> None:
    provider = EmbeddingProvider()
    assert (await embedder(provider).embed_passages([])).shape == (0, 26)
    assert provider.sent == []


async def test_passages_go_out_in_batches_of_the_configured_size_with_their_place() -> None:
    provider = EmbeddingProvider()
    await embedder(provider, batch_size=2).embed_passages(passages("x", "y", "z"))
    assert provider.sent == [("a.py\nf\nx", "a.py\nf\ny"), ("a.py\nf\nz",)]


async def test_a_batch_has_room_for_the_line_that_shows_which_model_it_is() -> None:
    provider = EmbeddingProvider(loaded="")
    found = await find_space(OneProvider(provider), OPENAI)
    provider.sent.clear()
    asked = ProviderEmbedder(OneProvider(provider), OPENAI, found.called, batch_size=3, redact=str, probe=found.probe)
    rows = await asked.embed_passages(passages("k", "q", "w"))
    assert [row[[10, 16, 22]].argmax() for row in rows] == [0, 1, 2]
    assert [len(texts) for texts in provider.sent] == [3, 2]


async def test_a_batch_is_bounded_by_tokens_too_and_a_longer_text_stands_alone() -> None:
    texts = ["a" * 350, "b" * 350, "c" * 3500, "d"]
    most = estimate_texts(texts[:2]).tokens
    assert list(batches(texts, count=100, tokens=most)) == [texts[:2], texts[2:3], texts[3:]]


async def test_secrets_leave_this_machine_redacted_and_stay_as_they_are_on_it() -> None:
    for capabilities, seen in ((Capabilities(embed=True), "pw […]"), (LOCAL, "pw hunter2")):
        provider = EmbeddingProvider(capabilities=capabilities)
        asked = embedder(provider)
        await asked.embed_passages([Passage("", "", "pw hunter2")])
        await asked.embed_query("pw hunter2")
        assert provider.sent == [(seen,), (seen,)]


async def test_no_half_of_a_secret_is_left_by_a_cut() -> None:
    provider = EmbeddingProvider(context_bytes=600)
    await embedder(provider).embed_passages([Passage("", "", "a" * 508 + "hunter2" * 20)])
    assert not any("hunt" in text for sent in provider.sent for text in sent)


async def test_a_model_that_ollama_runs_elsewhere_is_sent_no_secret() -> None:
    provider = EmbeddingProvider(kind="ollama", capabilities=LOCAL)
    source = Source("ollama", "embedder:cloud")
    space = VectorSpace("ollama", "embedder:cloud", 26)
    await embedder(provider, source, space).embed_passages([Passage("", "", "pw hunter2")])
    assert provider.sent == [("pw […]",)]


async def test_texts_too_long_for_the_model_are_cut_alike_and_the_others_are_whole() -> None:
    provider = EmbeddingProvider(context_bytes=600)
    asked = embedder(provider)
    texts = ["a" * 5000, "b" * 500, "c" * 2000]
    rows = await asked.embed_passages([Passage("", "", text) for text in texts])
    assert [row.argmax() for row in rows] == [0, 1, 2]
    provider.sent.clear()
    await asked.embed_passages([Passage("", "", text) for text in texts])
    assert [[len(text) for text in sent] for sent in provider.sent] == [[512, 500, 512]]


async def test_a_model_that_takes_not_even_a_short_text_fails() -> None:
    with pytest.raises(EmbeddingFailed, match="too large"):
        await embedder(EmbeddingProvider(context_bytes=10)).embed_passages(passages("x" * 300))


async def test_a_text_that_is_no_unicode_is_sent_as_what_json_can_hold() -> None:
    provider = EmbeddingProvider()
    await embedder(provider).embed_passages([Passage("caf\udce9.py", "", "x")])
    assert provider.sent == [("caf?.py\nx",)]


async def test_vectors_of_another_length_are_refused() -> None:
    provider = EmbeddingProvider(dimensions=13)
    with pytest.raises(EmbeddingFailed, match="13 dimensions") as caught:
        await embedder(provider).embed_passages(passages("x"))
    assert (caught.value.code, caught.value.passing) == (ErrorCode.SPACE_MISMATCH, False)


async def test_vectors_of_another_model_of_the_same_length_are_refused() -> None:
    provider = EmbeddingProvider(loaded="/models/other.gguf")
    with pytest.raises(EmbeddingFailed, match=r"other\.gguf where letters was loaded"):
        await embedder(provider).embed_passages(passages("x"))


async def test_a_question_is_asked_once() -> None:
    provider = EmbeddingProvider()
    asked = embedder(provider)
    first, again = await asked.embed_query("where"), await asked.embed_query("where")
    assert np.array_equal(first, again)
    assert provider.sent == [("where",)]
    assert not (await asked.embed_query("  ")).any()


async def test_models_see_the_prefixes_that_they_were_trained_with() -> None:
    provider = EmbeddingProvider(kind="ollama", capabilities=LOCAL)
    space = VectorSpace("ollama", "nomic-embed-text:v1.5", 26)
    asked = embedder(provider, Source("ollama", "nomic-embed-text:v1.5"), space)
    await asked.embed_passages([Passage("", "", "p")])
    await asked.embed_query("q")
    assert provider.sent == [("search_document: p",), ("search_query: q",)]


async def test_after_a_failure_the_next_questions_fail_at_once_for_a_while(
    autojump_clock: trio.testing.MockClock,
) -> None:
    provider = EmbeddingProvider(failure=Unreachable("nothing listens there", provider="llm"))
    asked = embedder(provider)
    for _ in range(3):
        with pytest.raises(EmbeddingFailed, match="nothing listens there"):
            await asked.embed_query("where")
    assert len(provider.sent) == 1
    provider.failure = None
    await trio.sleep(11)
    assert (await asked.embed_query("where")).any()


async def test_a_question_does_not_wait_for_a_slow_provider(autojump_clock: trio.testing.MockClock) -> None:
    class Slow(EmbeddingProvider):
        async def embed(self, request: object) -> object:  # type: ignore[override]
            await trio.sleep_forever()

    with pytest.raises(EmbeddingFailed, match="within 5 s") as caught:
        await embedder(Slow()).embed_query("where")
    assert caught.value.passing


@pytest.mark.parametrize(
    ("failure", "passing"),
    [
        (ServerFailed("it is overloaded", provider="llm"), True),
        (AuthenticationFailed("check the key", provider="llm"), False),
    ],
)
async def test_a_failure_says_whether_it_passes_and_is_heard_of(
    failure: ServerFailed | AuthenticationFailed, passing: bool
) -> None:
    heard: list[EmbeddingFailed] = []
    asked = ProviderEmbedder(
        OneProvider(EmbeddingProvider(failure=failure)), Source("openai"), SPACE,
        batch_size=10, redact=str, failed=heard.append,
    )  # fmt: skip
    with pytest.raises(EmbeddingFailed) as caught:
        await asked.embed_passages(passages("x"))
    assert (caught.value.message, caught.value.passing) == (failure.message, passing)
    assert heard == [caught.value]


async def test_the_space_of_a_source_is_found_by_asking() -> None:
    provider = EmbeddingProvider(kind="llamafile", loaded="/models/nomic.gguf")
    found = await find_space(OneProvider(provider), Source("llamafile"))
    assert found.called == VectorSpace("llamafile", "nomic.gguf", 26)
    assert np.linalg.norm(found.probe) == pytest.approx(1, abs=1e-3)
    shorter = Source("openai", "text-embedding-3-small", 13)
    found = await find_space(OneProvider(provider), shorter)
    assert found.called == VectorSpace("llamafile", "text-embedding-3-small", 13)


async def test_a_model_that_cannot_give_the_configured_length_is_no_source() -> None:
    provider = EmbeddingProvider(capabilities=LOCAL)
    with pytest.raises(EmbeddingFailed, match="set it to null or to 26") as caught:
        await find_space(OneProvider(provider), Source("llamafile", None, 13))
    assert not caught.value.passing


async def test_a_provider_without_embeddings_or_without_a_key_is_no_source() -> None:
    with pytest.raises(EmbeddingFailed, match="no embeddings in its API"):
        await find_space(OneProvider(EmbeddingProvider(capabilities=Capabilities())), Source("anthropic"))

    class Keyless:
        async def choose(self, choice: str | None = None) -> Choice | None:
            raise LucAstraError("set AZURE_OPENAI_ENDPOINT", code=ErrorCode.CONFIG_INVALID)

    with pytest.raises(EmbeddingFailed, match="AZURE_OPENAI_ENDPOINT") as caught:
        await find_space(Keyless(), Source("azure"))
    assert not caught.value.passing
