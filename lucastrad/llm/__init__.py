"""Language-model providers: one Protocol, one HTTP client, and a format for each API that they speak."""

from typing import Any

__all__ = ["LLMService"]


def __getattr__(name: str) -> Any:
    if name == "LLMService":  # v1.1's import path; loaded when it is used, which no code of ours does
        from lucastrad.llm.compatibility import LLMService

        return LLMService
    raise AttributeError(f"module {__name__!r} has no attribute {name!r}")
