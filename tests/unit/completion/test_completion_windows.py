"""What a model is shown of a document, what is kept of completions, and what is told of secrets."""

import pytest
from hypothesis import given
from hypothesis import strategies as st

from lucastrad.completion.cache import CompletionCache
from lucastrad.completion.counts import Origin
from lucastrad.completion.cursor import Cursor, OpenDocument, SecretAtCursor, Trigger, Window, window_of
from lucastrad.completion.prompt import compose, inserted
from lucastrad.completion.suggestion import Suggestion
from lucastrad.workspace.secrets import redact

TOKEN = "ghp_" + "aB3" * 12
TEXT = st.text(st.sampled_from("ab \n\r(é😀"), max_size=80)


def cursor(before: str, after: str = "", trigger: Trigger = Trigger.AUTOMATIC, uri: str = "file:///p/a.py") -> Cursor:
    return Cursor(OpenDocument(uri, None, "python", before + after), before, after, trigger)


@given(TEXT, TEXT, st.integers(1, 30), st.integers(0, 30))
def test_a_window_is_what_stands_around_the_cursor(before: str, after: str, prefix: int, suffix: int) -> None:
    window = window_of(cursor(before, after), prefix_chars=prefix, suffix_chars=suffix)
    assert len(window.prefix) <= prefix
    assert len(window.suffix) <= suffix
    assert "\r" not in window.prefix + window.suffix
    whole = before.replace("\r\n", "\n").replace("\r", "\n")
    assert whole.endswith(window.prefix)
    assert window.from_start is (window.prefix == whole)


def test_a_window_begins_and_ends_with_whole_lines() -> None:
    window = window_of(cursor("one\ntwo\nthr", "ee\nfour\nfive\n"), prefix_chars=9, suffix_chars=9)
    assert window == Window("two\nthr", "ee\nfour\n", from_start=False)


def test_a_key_that_begins_above_the_window_is_redacted_in_it() -> None:
    body = "\n".join(["MIIEpAIBAAKCAQEA" * 4] * 40)
    before = f"-----BEGIN RSA PRIVATE KEY-----\n{body}\n-----END RSA PRIVATE KEY-----\nx = "
    window = window_of(cursor(before), prefix_chars=400, suffix_chars=100, redact=redact)
    assert "MIIE" not in window.prefix
    assert window.line == "x = "


def test_a_secret_across_the_cursor_is_not_sent_in_halves() -> None:
    with pytest.raises(SecretAtCursor):
        window_of(cursor(f'key = "{TOKEN[:20]}', f'{TOKEN[20:]}"\n'), prefix_chars=500, suffix_chars=99, redact=redact)


def suggested(text: str) -> Suggestion:
    return Suggestion("5f0c", text, Origin("llm", "coder", "python"))


@given(st.text(st.sampled_from("ab(\n "), min_size=1, max_size=20), st.data())
def test_typing_into_a_suggestion_leaves_the_rest_of_it(text: str, data: st.DataObject) -> None:
    cache = CompletionCache()
    cache.put(cursor("x = ", "\n"), suggested(text))
    typed = text[: data.draw(st.integers(0, len(text) - 1))]
    assert cache.get(cursor("x = " + typed, "\n")) == suggested(text[len(typed) :])
    assert cache.get(cursor("x = " + typed + "#", "\n")) is None


def test_the_cache_holds_for_the_same_text_of_the_same_document_only() -> None:
    cache = CompletionCache()
    cache.put(cursor("x = ", "\n"), suggested("load()"))
    assert cache.get(cursor("x = load()", "\n")) is None
    assert cache.get(cursor("y = lo", "\n")) is None
    assert cache.get(cursor("x = lo", "\ny\n")) is None
    assert cache.get(cursor("x = lo", "\n", uri="file:///p/b.py")) is None
    assert cache.get(cursor("x = lo", "\n", Trigger.INVOKED)) is None
    cache.put(cursor("z = ", "\n", Trigger.INVOKED), suggested("1"))
    assert cache.get(cursor("z = ", "\n")) == suggested("1")
    cache.put(cursor("w = ", "\n"), suggested(""))
    assert cache.get(cursor("w = ", "\n")) == suggested("")


@pytest.mark.parametrize(
    ("answer", "text"),
    [
        ("load()", "load()"),
        ("```python\nload()\n```", "load()"),
        ("```\nload()", "load()"),
        ("value = load()", "load()"),
        ("\nload()", "load()"),
    ],
)
def test_an_answer_is_reduced_to_what_is_inserted(answer: str, text: str) -> None:
    assert inserted(answer, Window("value = ", "\n"), lines=False) == text


def test_a_file_cannot_end_its_fence() -> None:
    request = compose(Window("</before-x>", ""), 'a"<b>.py', (), lines=False, max_tokens=9, fence="f00")
    assert "</before-f00>" in request.messages[0].text
    assert "a??b?.py" in request.messages[0].text
    assert request.max_tokens == 9
