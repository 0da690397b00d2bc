"""Every method and notification of the contract."""

import msgspec

from lucastra_protocol import answers, types
from lucastra_protocol.answers import CLIENT_NOTIFICATIONS, NOTIFICATIONS
from lucastra_protocol.types import Method, Notification

_ASK = msgspec.structs.replace(types.ASK, events=answers.EVENTS)

METHODS: tuple[Method, ...] = (
    *(_ASK if method is types.ASK else method for method in types.CORE_METHODS),
    *answers.METHODS,
)

__all__ = ["CLIENT_NOTIFICATIONS", "METHODS", "NOTIFICATIONS", "Method", "Notification"]
