"""Which full scans of a workspace are asked for, and which of them what is known waits for."""


class Scans:
    """Tickets of the scans: they count up, and a scan answers every request that came before it began."""

    def __init__(self) -> None:
        self._begun = self._done = 0
        self._wanted = self._due = 1  # nothing is known before the first

    def request(self, *, routine: bool = False) -> int:
        """Ask for a scan, and return its ticket: that of one that has not begun yet serves all.

        A `routine` one is not waited for: nothing says that it will find anything.
        """
        if self._wanted == self._begun:
            self._wanted += 1
        if not routine:
            self._due = self._wanted
        return self._wanted

    @property
    def wanted(self) -> bool:
        """Whether one is to begin, or runs."""
        return self._done < self._wanted

    @property
    def due(self) -> bool:
        """Whether what is known may be wrong until one is done."""
        return self._done < self._due

    def begin(self) -> int:
        """The one that is wanted begins; its ticket."""
        self._begun = self._wanted
        return self._begun

    def end(self, ticket: int) -> None:
        """It saw everything."""
        self._done = ticket

    def is_done(self, ticket: int) -> bool:
        """Whether the scan with this ticket, or a later one, saw everything."""
        return self._done >= ticket

    def again(self) -> None:
        """None that has begun counts."""
        self._wanted = self._due = max(self._wanted, self._begun + 1)

    def forget(self) -> None:
        """None runs any more, and one is due."""
        self.again()
        self._begun = self._done
