"""Settle a provider's address, key and limits from the user's configuration and environment.

Invariant: no I/O. A key goes only to the address that it was given for: one of the environment is never sent to an
address of the configuration unless that is the provider's own or the environment's.
"""

import re
from collections.abc import Mapping
from dataclasses import dataclass, field
from urllib.parse import urlsplit

import httpx
from lucastra_protocol.errors import ErrorCode, LucAstraError

from lucastrad.config.schema import LlmConfig
from lucastrad.llm.http import Credential, checked_key, is_loopback, origin_of
from lucastrad.llm.providers import anthropic, azure, llamafile, ollama, openai
from lucastrad.llm.providers.base import Defaults
from lucastrad.llm.refusals import Target


@dataclass(frozen=True, slots=True)
class Convention:
    """What a kind of provider is by default, and the environment variables that it is known by."""

    address: str = ""
    """Empty where there is none to assume."""
    address_variables: tuple[str, ...] = ()
    key_variables: tuple[str, ...] = ()
    token_variables: tuple[str, ...] = ()
    """Bearer tokens, sent instead of a key."""
    model_variables: tuple[str, ...] = ()
    key_header: str = "Authorization"
    key_scheme: str = "Bearer"
    suffixes: tuple[str, ...] = ()
    """Ends of an address that the adapter adds itself."""


CONVENTIONS: Mapping[str, Convention] = {
    "openai": Convention(f"{openai.ORIGIN}/v1", ("OPENAI_BASE_URL",), ("OPENAI_API_KEY",)),
    "azure": Convention(
        "", ("AZURE_OPENAI_ENDPOINT",), ("AZURE_OPENAI_API_KEY",), ("AZURE_OPENAI_AD_TOKEN",),
        ("AZURE_OPENAI_DEPLOYMENT", "AZURE_OPENAI_DEPLOYMENT_NAME"),
        key_header="api-key", key_scheme="", suffixes=("/openai/v1", "/openai"),
    ),
    "anthropic": Convention(
        anthropic.ORIGIN, ("ANTHROPIC_BASE_URL",), ("ANTHROPIC_API_KEY",), ("ANTHROPIC_AUTH_TOKEN",),
        key_header="x-api-key", key_scheme="", suffixes=("/v1",),
    ),
    "llamafile": Convention(llamafile.ENDPOINT, suffixes=("/v1",)),
    "ollama": Convention(ollama.ENDPOINT, ("OLLAMA_HOST",), suffixes=("/v1", "/api")),
}  # fmt: skip
"""By kind, in the order in which `auto` and lists name them."""

_HOST = re.compile(r"[^\s%/?#@\x00-\x20]+")
_AZURE_VERSION_VARIABLES = ("AZURE_OPENAI_API_VERSION", "OPENAI_API_VERSION")


@dataclass(frozen=True, slots=True)
class Settings:
    """Everything that a provider is built from."""

    target: Target
    address: str
    credential: Credential | None
    headers: Mapping[str, str] = field(default_factory=dict)
    defaults: Defaults = field(default_factory=Defaults)
    api_version: str = azure.CURRENT


def settle(config: LlmConfig, kind: str, *, name: str, environ: Mapping[str, str]) -> Settings:
    """The settings of the provider `name`; raises LucAstraError (CONFIG_INVALID) where one is missing or wrong."""
    convention = CONVENTIONS[kind]
    section = name if name == "llm" else f"providers.{name}"
    address, from_environment = _address(config, kind, convention, section=section, environ=environ)
    origin = origin_of(address)
    own_origins = {origin_of(url) for url in (convention.address, from_environment) if url}
    value, source, is_token = _key(config, convention, environ, with_environment=origin in own_origins)
    credential = None
    if value:
        value = checked_key(value, source)
        plain_bearer = is_token or (kind == "azure" and _is_web_token(value))
        header, scheme = ("Authorization", "Bearer") if plain_bearer else (convention.key_header, convention.key_scheme)
        credential = Credential(value, origin=origin, header=header, scheme=scheme)
    return Settings(
        target=Target(
            name, kind, origin,
            key=value, key_source=source if value else "", key_variable=next(iter(convention.key_variables), ""),
        ),
        address=address,
        credential=credential,
        headers=_headers(kind, origin, environ),
        defaults=_defaults(config, kind, origin, convention, section=section, environ=environ),
        api_version=config.api_version or _first(environ, _AZURE_VERSION_VARIABLES)[0] or azure.CURRENT,
    )  # fmt: skip


def ollama_address(host: str) -> str:
    """The address that `OLLAMA_HOST` means: scheme, host and port are each optional, as for `ollama` itself.

    Raises ValueError for one that is none. A server that listens on every interface is asked on this one.
    """
    text = host.strip().strip("\"'")
    scheme, separator, rest = text.partition("://")
    if not separator:
        scheme, rest = "http", text
    if rest.startswith(":"):
        rest = f"127.0.0.1{rest}"
    parts = urlsplit(f"{scheme}://{rest}")
    usual = {"http": 80, "https": 443}.get(scheme, 11434) if separator else 11434
    reached = {"0.0.0.0": "127.0.0.1", "::": "::1"}.get(parts.hostname or "", parts.hostname or "")  # noqa: S104
    if parts.username is not None:
        raise ValueError("an address with a user name in it")
    netloc = f"[{reached}]" if ":" in reached else reached
    return f"{scheme}://{netloc}:{parts.port or usual}{parts.path}".rstrip("/")


def _address(
    config: LlmConfig, kind: str, convention: Convention, *, section: str, environ: Mapping[str, str]
) -> tuple[str, str]:
    """The address in force, and the one that the environment names, which may be empty."""
    named, variable = _first(environ, convention.address_variables)
    try:
        from_environment = _checked(ollama_address(named) if kind == "ollama" and named else named, kind)
    except ValueError:
        if config.endpoint is None:
            raise LucAstraError(
                f"{variable} holds no http:// or https:// address without a user name in it: correct it, or set"
                f" `{section}.endpoint`",
                code=ErrorCode.CONFIG_INVALID,
            ) from None
        from_environment = ""
    chosen = config.endpoint or from_environment or convention.address
    if not chosen:
        raise LucAstraError(
            f"{kind} needs the address of your resource: set `{section}.endpoint`, or AZURE_OPENAI_ENDPOINT, to"
            " https://NAME.openai.azure.com",
            code=ErrorCode.CONFIG_INVALID,
        )
    try:
        return _checked(chosen, kind), from_environment
    except ValueError:
        raise LucAstraError(
            f"`{section}.endpoint` is no http:// or https:// address: correct it", code=ErrorCode.CONFIG_INVALID
        ) from None


def _checked(address: str, kind: str) -> str:
    """The address as the adapter wants it; raises ValueError for one that is none."""
    if not address:
        return ""
    try:
        url = httpx.URL(address.strip())
    except httpx.InvalidURL as error:
        raise ValueError(str(error)) from None
    if url.scheme not in {"http", "https"} or not _HOST.fullmatch(url.host) or url.userinfo:
        raise ValueError("not an address")
    if (url.port or 0) > 65_535:
        raise ValueError("a port above 65535")
    path = url.path.rstrip("/")
    for suffix in CONVENTIONS[kind].suffixes:
        path = path.removesuffix(suffix)
    if kind == "openai" and not path:
        path = "/v1"
    return str(url.copy_with(path=path or "/", query=None, fragment=None)).rstrip("/")


def _key(
    config: LlmConfig, convention: Convention, environ: Mapping[str, str], *, with_environment: bool
) -> tuple[str, str, bool]:
    """The credential, where it comes from, and whether it is a token; empty where there is none."""
    if config.api_key is not None:
        return config.api_key.reveal(), config.api_key.source or "the configuration", False
    if not with_environment:
        return "", "", False
    value, variable = _first(environ, convention.key_variables)
    if value:
        return value, f"${{{variable}}}", False
    value, variable = _first(environ, convention.token_variables)
    return value, f"${{{variable}}}", True


def _is_web_token(value: str) -> bool:
    """Whether this is a JSON Web Token, as Entra ID gives out, and not a key."""
    return value.startswith("eyJ") and value.count(".") == 2


def _headers(kind: str, origin: str, environ: Mapping[str, str]) -> dict[str, str]:
    if kind == "anthropic":
        return dict(anthropic.HEADERS)
    if kind == "openai" and origin == openai.ORIGIN:
        known = {"OpenAI-Organization": "OPENAI_ORG_ID", "OpenAI-Project": "OPENAI_PROJECT_ID"}
        values = {header: environ.get(variable, "").strip() for header, variable in known.items()}
        return {header: value for header, value in values.items() if value and value.isascii() and value.isprintable()}
    return {}


def _defaults(
    config: LlmConfig, kind: str, origin: str, convention: Convention, *, section: str, environ: Mapping[str, str]
) -> Defaults:
    model = config.model or _first(environ, convention.model_variables)[0] or None
    embedding_model = None
    if kind == "openai" and origin == openai.ORIGIN:
        model = model or openai.DEFAULT_MODEL
        embedding_model = openai.DEFAULT_EMBEDDING_MODEL
    elif kind == "anthropic":
        model = model or anthropic.DEFAULT_MODEL
    elif kind == "azure" and model is None:
        raise LucAstraError(
            f"azure needs the name of a deployment: set `{section}.model`, or AZURE_OPENAI_DEPLOYMENT, to one of your"
            " resource",
            code=ErrorCode.CONFIG_INVALID,
        )
    return Defaults(model, embedding_model, config.max_tokens, config.temperature)


def _first(environ: Mapping[str, str], names: tuple[str, ...]) -> tuple[str, str]:
    """The first of the variables that is set and not empty, and its name."""
    for name in names:
        if value := environ.get(name, "").strip():
            return value, name
    return "", names[0] if names else ""


def sends_key_in_the_clear(settings: Settings) -> bool:
    """Whether the key crosses a network without TLS."""
    return (
        settings.credential is not None and settings.address.startswith("http://") and not is_loopback(settings.address)
    )
