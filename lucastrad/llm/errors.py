"""What can go wrong between the daemon and a language-model provider.

Invariant: no message holds a credential, and every one names what to do.
"""

from typing import ClassVar

from lucastra_protocol.errors import ErrorCode, LucAstraError


class ProviderError(LucAstraError):
    """A provider did not do what was asked."""

    code = ErrorCode.PROVIDER_FAILED
    reason: ClassVar[str] = "provider_failed"
    """A fixed name for programs."""
    passing: ClassVar[bool] = False
    """Whether the same request may succeed a little later."""

    def __init__(self, message: str, *, provider: str, retry_after_seconds: float | None = None) -> None:
        super().__init__(message)
        self.provider = provider
        self.partial_text = ""
        """What of the answer had arrived. Not empty only for errors in the middle of a stream."""
        self.retry_after_seconds = retry_after_seconds
        """How long the provider asks to wait; None where it does not say."""


class AuthenticationFailed(ProviderError):
    """The key is missing, wrong, or not allowed to do this."""

    reason = "authentication_failed"


class UnknownModel(ProviderError):
    """The endpoint has no model, or no deployment, of that name."""

    reason = "unknown_model"


class ContextOverflow(ProviderError):
    """The prompt, or prompt and answer together, is longer than the model's context."""

    reason = "context_overflow"


class RateLimited(ProviderError):
    """Too many requests or tokens in a short time."""

    reason = "rate_limited"
    passing = True


class QuotaExhausted(ProviderError):
    """The account has no credit left; waiting does not help."""

    reason = "quota_exhausted"


class RequestRejected(ProviderError):
    """The endpoint understood the request and will not take it."""

    reason = "request_rejected"


class Unsupported(ProviderError):
    """The API, the model or the server has no such function."""

    reason = "unsupported"


class Redirected(ProviderError):
    """The endpoint answered with a redirect, which is not followed: it would carry text and key elsewhere."""

    reason = "redirected"


class OfflineRefused(ProviderError):
    """Offline mode forbids this connection."""

    reason = "offline"


class Unreachable(ProviderError):
    """No connection, or it ended before an answer began."""

    reason = "unreachable"
    passing = True


class ServerFailed(ProviderError):
    """The provider says that the fault is its own, or that it is overloaded."""

    reason = "server_failed"
    passing = True


class Stalled(ProviderError):
    """No byte came for longer than allowed."""

    reason = "stalled"


class DeadlineExceeded(ProviderError):
    """The answer as a whole took longer than allowed."""

    reason = "deadline_exceeded"


class Truncated(ProviderError):
    """The connection ended before the answer did."""

    reason = "truncated"


class MalformedEvent(ProviderError):
    """The endpoint sent what its API does not define."""

    reason = "malformed_event"
