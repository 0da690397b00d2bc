"""Build a provider from its configuration and the environment."""

import logging
import os
import time
from collections.abc import Callable, Mapping
from random import Random

from lucastrad.config.schema import LlmConfig
from lucastrad.llm.http import Deadlines, Endpoint, is_loopback
from lucastrad.llm.limits import RateLimit
from lucastrad.llm.protocol import Provider
from lucastrad.llm.providers.anthropic import AnthropicProvider
from lucastrad.llm.providers.azure import AzureProvider
from lucastrad.llm.providers.llamafile import LlamafileProvider
from lucastrad.llm.providers.ollama import OllamaProvider
from lucastrad.llm.providers.openai import OpenAiProvider
from lucastrad.llm.registry import DEFAULT
from lucastrad.llm.retry import RetryPolicy
from lucastrad.llm.settings import CONVENTIONS, Settings, sends_key_in_the_clear, settle
from lucastrad.logs import log_event

_LOCAL_STALL_SECONDS = 300.0

logger = logging.getLogger(__name__)


def build_provider(
    config: LlmConfig,
    *,
    name: str = DEFAULT,
    kind: str | None = None,
    environ: Mapping[str, str] | None = None,
    offline: bool = False,
    random: Random | None = None,
    epoch_seconds: Callable[[], float] = time.time,
) -> Provider:
    """The provider that `config` describes, without a connection yet.

    `kind` is that of a configuration that names none; a v1.0 file's is llamafile. `auto` has to be looked for first:
    `Providers` does. Raises LucAstraError (CONFIG_INVALID) where an address, a deployment or a usable key is missing.
    """
    kind = config.provider or kind or "llamafile"
    if kind not in CONVENTIONS:
        raise ValueError(f"no provider can be built of the kind {kind!r}")
    settings = settle(config, kind, name=name, environ=os.environ if environ is None else environ)
    if sends_key_in_the_clear(settings):
        log_event(
            logger, logging.WARNING, "provider key crosses the network without TLS; use https://",
            provider=name, origin=settings.target.origin,
        )  # fmt: skip
    endpoint = Endpoint(
        settings.address,
        settings.target,
        credential=settings.credential,
        headers=settings.headers,
        deadlines=Deadlines(
            connect_seconds=min(10.0, config.timeout_secs),
            stall_seconds=_stall_seconds(config, settings.address),
            total_seconds=config.deadline_secs,
        ),
        retry=RetryPolicy(attempts=config.retry_attempts),
        rate_limit=RateLimit(
            requests_per_minute=config.requests_per_minute, tokens_per_minute=config.tokens_per_minute
        ),
        max_concurrent=config.max_concurrent,
        offline=offline,
        random=random,
        epoch_seconds=epoch_seconds,
    )
    return _adapter(kind, endpoint, settings, config)


def _stall_seconds(config: LlmConfig, address: str) -> float:
    """A server on this machine sends nothing while it loads a model and reads the prompt, which takes minutes."""
    if config.timeout_secs == LlmConfig().timeout_secs and is_loopback(address):
        return _LOCAL_STALL_SECONDS
    return config.timeout_secs


def _adapter(kind: str, endpoint: Endpoint, settings: Settings, config: LlmConfig) -> Provider:
    match kind:
        case "openai":
            return OpenAiProvider(endpoint, settings.defaults, api=config.api)
        case "azure":
            return AzureProvider(endpoint, settings.defaults, api=config.api, api_version=settings.api_version)
        case "anthropic":
            return AnthropicProvider(endpoint, settings.defaults)
        case "ollama":
            return OllamaProvider(endpoint, settings.defaults)
        case _:
            return LlamafileProvider(endpoint, settings.defaults)
