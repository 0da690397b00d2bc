"""What one completion came to."""

from dataclasses import dataclass

from lucastrad.completion.counts import Origin


@dataclass(frozen=True, slots=True)
class Timing:
    """Milliseconds that a completion waited."""

    context_ms: float
    """For passages to draw on, before the model was asked."""
    upstream_ms: float
    """For the provider: from the call to the end of what was read of its answer."""


@dataclass(frozen=True, slots=True)
class Suggestion:
    """A text to insert at the cursor."""

    id: str
    """What is left of a suggestion when some of it was typed has the same."""
    text: str
    """Empty where there is nothing to offer."""
    origin: Origin
    timing: Timing | None = None
    """None where no model was asked: it is what is left of an earlier one."""
