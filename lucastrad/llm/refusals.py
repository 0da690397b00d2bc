"""Turn what a provider says about a failure into the error that names its cure.

The shapes are those of OpenAI, Azure, Anthropic, llama.cpp, Ollama and of servers that imitate them. Invariant: no
I/O; the endpoint's words are shown only after credentials have been taken out, and none where a key was refused:
OpenAI repeats a part of the key there.
"""

import re
from dataclasses import dataclass, field
from typing import Any

import msgspec

from lucastrad.llm.errors import (
    AuthenticationFailed,
    ContextOverflow,
    ProviderError,
    QuotaExhausted,
    RateLimited,
    RequestRejected,
    ServerFailed,
    UnknownModel,
    Unsupported,
)
from lucastrad.logs import redact

_READ_CHARACTERS = 65_536
_SHOWN_CHARACTERS = 300


@dataclass(frozen=True, slots=True)
class Target:
    """Which endpoint a request went to, in the words of messages."""

    name: str
    """The provider's name in the configuration: `llm`, or one under `providers`."""
    kind: str
    origin: str
    key: str = field(default="", repr=False)
    """The credential, to be taken out of what the endpoint says."""
    key_source: str = ""
    """Where the credential comes from, for people; empty where none is sent."""
    key_variable: str = ""
    """The variable that by convention holds this provider's key."""

    @property
    def section(self) -> str:
        """The configuration's section of this provider."""
        return self.name if self.name == "llm" else f"providers.{self.name}"

    @property
    def title(self) -> str:
        return f"{self.kind} at {self.origin}"

    def quote(self, text: str) -> str:
        """The endpoint's own words, made safe to show."""
        shown = redact(text[:_READ_CHARACTERS], [self.key] if self.key else [])
        shown = " ".join("".join(c if c.isprintable() else " " for c in shown).split())
        return shown if len(shown) <= _SHOWN_CHARACTERS else shown[:_SHOWN_CHARACTERS] + "…"


@dataclass(frozen=True, slots=True)
class Report:
    """What an endpoint says of a failure. `status` is HTTP's, 0 for one inside a stream."""

    status: int
    type: str = ""
    code: str = ""
    message: str = ""

    @property
    def words(self) -> str:
        """Everything said, in lower case, to be searched."""
        return f"{self.type} {self.code} {self.message}".lower()


def read_report(status: int, body: bytes) -> Report:
    """What the body of a refused request says; text that is no JSON is taken as the message."""
    try:
        tree: Any = msgspec.json.decode(body)
    except (msgspec.DecodeError, UnicodeDecodeError, RecursionError):
        return Report(status, message=body.decode("utf-8", "replace"))
    return report_from(tree, status)


def report_from(tree: Any, status: int = 0) -> Report:
    """What a decoded error object says: `{"error": {…}}`, `{"error": "…"}`, or its fields at the top."""
    inner = tree.get("error", tree) if isinstance(tree, dict) else tree
    if not isinstance(inner, dict):
        return Report(status, message=inner if isinstance(inner, str) else "")
    message = inner.get("message") or inner.get("detail") or ""
    return Report(
        status,
        type=_text(inner.get("type")),
        code=_text(inner.get("code")),
        message=message if isinstance(message, str) else msgspec.json.encode(message).decode(),
    )


def _text(value: Any) -> str:
    return value if isinstance(value, str) else str(value) if isinstance(value, int) else ""


_OVERFLOW = re.compile(
    r"context_length_exceeded|exceed_context_size|model_context_window|prompt is too long|maximum context length"
    r"|context (?:length|window|size)|input (?:length|is) (?:exceeds|too long)|request_too_large"
    r"|too many (?:input )?tokens|too large to process|maximum input length"
)
_MODEL_MISSING = re.compile(
    r"model_not_found|deploymentnotfound|model ['\"]?[^'\"]*['\"]? (?:was )?not found"
    r"|not_found_error\s+model:|(?:no such|unknown|invalid) model"
    r"|does not exist or you do not have access|model .* does not exist"
)
_QUOTA = re.compile(
    r"insufficient_quota|billing_(?:hard_limit|not_active)|insufficient (?:balance|credit|fund)|credit balance"
)
_STREAM_STATUS = {
    "authentication_error": 401,
    "permission_error": 403,
    "not_found_error": 404,
    "request_too_large": 413,
    "rate_limit_error": 429,
    "rate_limit_exceeded": 429,
    "tokens": 429,
    "requests": 429,
    "insufficient_quota": 429,
    "overloaded_error": 529,
    "api_error": 500,
    "server_error": 500,
    "timeout_error": 504,
    "invalid_request_error": 400,
    "exceed_context_size_error": 400,
    "not_supported_error": 501,
}


def refusal(
    target: Target, report: Report, *, model: str | None, retry_after_seconds: float | None = None
) -> ProviderError:
    """The error for what an endpoint reports, by its status and its words."""
    status = report.status or _STREAM_STATUS.get(report.type) or _STREAM_STATUS.get(report.code) or 500
    words, name = report.words, target.name
    said = target.quote(report.message) or f"HTTP status {status}"
    if status == 401 or (status == 403 and not _MODEL_MISSING.search(words)):
        return AuthenticationFailed(_key_message(target, status), provider=name)
    if status == 402 or (status in {400, 429} and _QUOTA.search(words)):
        message = f"the account at {target.title} has no credit left: add some there, or choose another provider"
        return QuotaExhausted(message, provider=name)
    if status == 429:
        when = "" if retry_after_seconds is None else f" for {retry_after_seconds:.0f} s"
        message = (
            f"{target.title} asks to wait{when}: too many requests or tokens a minute ({said}); try again later,"
            f" or set `{target.section}.requests_per_minute` and `tokens_per_minute` to the account's limits"
        )
        return RateLimited(message, provider=name, retry_after_seconds=retry_after_seconds)
    if status == 413 or (status in {400, 422, 500} and _OVERFLOW.search(words)):
        message = (
            f"the prompt is too long for {_model(model)} at {target.origin} ({said}): ask with fewer files or start a"
            " new conversation, lower `conversation.max_context_tokens`, or choose a model with a longer context"
        )
        return ContextOverflow(message, provider=name)
    if status in {400, 403, 404, 422} and _MODEL_MISSING.search(words):
        return UnknownModel(_model_message(target, model, said), provider=name)
    if status in {404, 405}:
        message = (
            f"{target.title} has no such address ({said}): check `{target.section}.endpoint`, and that the server"
            f" speaks the {target.kind} API"
        )
        return RequestRejected(message, provider=name)
    if status == 501:
        message = f"{target.title} cannot do this ({said}): choose another model or provider for it"
        return Unsupported(message, provider=name)
    if status >= 500 or status in {408, 409, 425}:
        message = f"{target.title} failed on its side (status {status}: {said}); try again in a while"
        return ServerFailed(message, provider=name, retry_after_seconds=retry_after_seconds)
    message = f"{target.title} did not accept the request ({said}): check the settings of `{target.section}`"
    return RequestRejected(message, provider=name)


def _model(model: str | None) -> str:
    return f"the model {model}" if model else "the model"


def _model_message(target: Target, model: str | None, said: str) -> str:
    named = f"no model {model}" if model else "no such model"
    cure = {
        "ollama": f"run `ollama pull {model or 'MODEL'}`, or set `{target.section}.model` to an installed one",
        "azure": f"set `{target.section}.model` to the name of a deployment of that resource",
    }.get(target.kind, f"set `{target.section}.model` to one that `lucastra-client models` lists")
    return f"{target.title} has {named} ({said}): {cure}"


def _key_message(target: Target, status: int) -> str:
    if not target.key_source:
        variable = target.key_variable or "PROVIDER_API_KEY"
        return (
            f"{target.title} wants a key and none is configured: put it in an environment variable and set"
            f' `{target.section}.api_key` to "${{{variable}}}"'
        )
    if status == 403:
        return f"{target.title} does not allow this with the key from {target.key_source}: check what the key may do"
    return f"{target.title} refused the key from {target.key_source}: check that it is current and of this endpoint"
