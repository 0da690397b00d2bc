"""How many tokens a prompt takes, where no tokenizer of its model is at hand."""

from collections.abc import Sequence
from math import ceil

from lucastrad.llm.protocol import CompletionRequest, TokenCount

_BYTES_PER_TOKEN = 3.5
"""Python and Markdown of this repository: 3.6 to 4.4 bytes a token with Qwen2.5's tokenizer."""
_TOKENS_PER_MESSAGE = 8
"""Markers of the role and of the message's ends."""


def estimate(request: CompletionRequest) -> TokenCount:
    """Tokens of a prompt from its size in UTF-8, rather too many than too few."""
    texts = [message.text for message in request.messages] + [request.system]
    return estimate_texts(texts)


def estimate_texts(texts: Sequence[str]) -> TokenCount:
    """Tokens of several texts from their size in UTF-8."""
    size = sum(len(text.encode("utf-8", "replace")) for text in texts)
    return TokenCount(ceil(size / _BYTES_PER_TOKEN) + _TOKENS_PER_MESSAGE * len(texts), exact=False)
