"""Progress of long requests, as LSP work-done progress."""

from typing import TYPE_CHECKING

from lsprotocol.types import PROGRESS
from lucastra_protocol.types import ProgressParams, WorkDone

if TYPE_CHECKING:
    from lucastrad.server.session import Session


class WorkDoneProgress:
    """Tells a client how far a request has come, on the client's token.

    `window/workDoneProgress/cancel` with that token cancels the request.
    """

    def __init__(self, session: "Session", token: int | str, title: str) -> None:
        self._session = session
        self._token = token
        self._title = title
        self._percentage = 0
        self._last: WorkDone | None = None

    async def __aenter__(self) -> "WorkDoneProgress":
        self._session.engine.cancel_by_progress_token(self._token)
        await self._send(WorkDone(kind="begin", title=self._title, percentage=0, cancellable=True))
        return self

    async def __aexit__(self, *exception: object) -> None:
        self._session.engine.progress.tokens.pop(self._token, None)
        # Not awaited: the end belongs to a cancelled request too.
        self._session.engine.send_notification(PROGRESS, ProgressParams(self._token, WorkDone(kind="end")))

    async def report(self, message: str, percentage: int) -> None:
        """Send the news, unless it looks like the last one; the percentage never falls, as LSP asks."""
        self._percentage = max(self._percentage, percentage)
        value = WorkDone(kind="report", message=message, percentage=self._percentage)
        if value != self._last:
            self._last = value
            await self._send(value)

    async def _send(self, value: WorkDone) -> None:
        await self._session.notify(PROGRESS, ProgressParams(self._token, value))
