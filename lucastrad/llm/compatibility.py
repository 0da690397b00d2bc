"""The blocking face of v1.0 and v1.1: `LLMService(endpoint).infer(prompt)`. Deprecated, and working.

It asks the endpoint itself, without a daemon, through the same providers as the daemon does.
"""

import warnings
from collections.abc import Mapping
from typing import Any, Self

import msgspec
import trio
from lucastra_protocol.errors import ErrorCode, LucAstraError
from lucastra_protocol.paths import Paths

from lucastrad.config.schema import Config, LlmConfig, Secret
from lucastrad.llm.protocol import CompletionRequest, Message, Role
from lucastrad.llm.registry import DEFAULT, Providers

_USE = "use lucastra_client.BlockingClient().complete(prompt), which the daemon answers"


class LLMService:
    """A language model, asked one prompt at a time. Use `lucastra_client.BlockingClient` in new code."""

    def __init__(self, endpoint: str | None = None, **settings: Any) -> None:
        """`endpoint` is a llamafile's or llama.cpp server's address; `settings` are keys of `llm` in config.json, such
        as `provider` and `model`. Raises LucAstraError (CONFIG_INVALID) for one that is wrong.
        """
        warnings.warn(f"LLMService is deprecated: {_USE}", DeprecationWarning, stacklevel=2)
        self._config = Config(llm=_llm({"provider": "llamafile", "endpoint": endpoint, **settings}))

    @classmethod
    def from_config(cls, config: Config | Mapping[str, Any] | None = None) -> Self:
        """The model that a configuration names: None for the user's own file, or a mapping as that file's JSON has it,
        of which the section `llm` counts.

        Raises LucAstraError (CONFIG_INVALID) where it names none.
        """
        warnings.warn(f"LLMService is deprecated: {_USE}", DeprecationWarning, stacklevel=2)
        service = cls.__new__(cls)
        if config is None:
            from lucastrad.config.service import Configuration

            config = Configuration.load(Paths.from_environment()).current
        elif not isinstance(config, Config):
            settings = config.get("llm", config)
            config = Config(llm=_llm({"provider": "llamafile", **settings}))
        service._config = config
        return service

    def infer(
        self, prompt: str, *, system: str = "", max_tokens: int | None = None, temperature: float | None = None
    ) -> str:
        """The model's whole answer. Blocks; raises LucAstraError where no model answers."""
        request = CompletionRequest(
            (Message(Role.USER, prompt),), system=system, max_tokens=max_tokens, temperature=temperature
        )
        return trio.run(self._infer, request)

    async def _infer(self, request: CompletionRequest) -> str:
        providers = Providers(self._config)
        try:
            choice = await providers.choose()
            if choice is None:
                raise LucAstraError(
                    'the configuration names no language model: add {"llm": {"provider": "llamafile"}}',
                    code=ErrorCode.CONFIG_INVALID,
                )
            return (await choice.provider.complete(request)).text
        finally:
            with trio.CancelScope(shield=True):  # bounded: idle connections are closed, and no request is left
                await providers.aclose()


def _llm(settings: Mapping[str, Any]) -> LlmConfig:
    def decode(wanted: type, raw: object) -> object:
        return Secret(str(raw), f"the argument of {LLMService.__name__}") if wanted is Secret else raw

    try:
        return msgspec.convert(dict(settings), LlmConfig, dec_hook=decode)
    except msgspec.ValidationError as error:
        raise LucAstraError(f"`{DEFAULT}`: {error}", code=ErrorCode.CONFIG_INVALID) from None
