"""The queue's laws: a path is in work at most once, nothing is lost, and what was saved goes first."""

from hypothesis import strategies as st
from hypothesis.stateful import RuleBasedStateMachine, invariant, precondition, rule

from lucastrad.indexing.queue import FileQueue
from lucastrad.types import Stat
from lucastrad.workspace.scanner import Candidate

PATHS = st.sampled_from([f"{name}.py" for name in "abcdefgh"])


def candidate(path: str, version: int = 0, size: int = 10) -> Candidate:
    return Candidate(path, Stat(size, version, version, 1))


class QueueMachine(RuleBasedStateMachine):
    """A twin that remembers the newest finding of each path that is not yet taken."""

    def __init__(self) -> None:
        super().__init__()
        self.queue = FileQueue()
        self.waiting: dict[str, int] = {}
        self.urgent: set[str] = set()
        self.in_work: list[list[Candidate]] = []
        self.version = 0

    @rule(paths=st.sets(PATHS, min_size=1), urgent=st.booleans())
    def put(self, paths: set[str], urgent: bool) -> None:
        self.version += 1
        self.queue.put([candidate(path, self.version) for path in sorted(paths)], urgent=urgent)
        for path in paths:
            self.waiting[path] = self.version
            (self.urgent.add if urgent else self.urgent.discard)(path)

    @rule()
    def take(self) -> None:
        busy = {file.path for batch in self.in_work for file in batch}
        batch = self.queue.take()
        taken = [file.path for file in batch]
        # Everything that may be taken is, as the batch has room; what is in work waits.
        assert set(taken) == self.waiting.keys() - busy
        assert len(taken) == len(set(taken))
        first_of_backlog = next((at for at, path in enumerate(taken) if path not in self.urgent), len(taken))
        assert not any(path in self.urgent for path in taken[first_of_backlog:])
        for file in batch:
            assert file.stat.mtime_ns == self.waiting.pop(file.path)
            self.urgent.discard(file.path)
        if batch:
            self.in_work.append(batch)

    @precondition(lambda self: self.in_work)
    @rule(data=st.data())
    def done(self, data: st.DataObject) -> None:
        self.queue.done(self.in_work.pop(data.draw(st.integers(0, len(self.in_work) - 1))))

    @invariant()
    def counts_what_waits_and_what_is_in_work(self) -> None:
        assert len(self.queue) == len(self.waiting) + sum(map(len, self.in_work))


TestFileQueue = QueueMachine.TestCase


def test_a_batch_is_bounded_by_files_and_by_bytes() -> None:
    queue = FileQueue()
    queue.put([candidate(f"small{n}.py") for n in range(1000)], urgent=False)
    many = queue.take()
    queue = FileQueue()
    queue.put([candidate(f"large{n}.py", size=300_000) for n in range(1000)], urgent=False)
    few = queue.take()
    assert 1 < len(few) < len(many) < 1000


def test_saved_files_do_not_wait_for_the_backlog() -> None:
    queue = FileQueue()
    queue.put([candidate(f"old{n}.py") for n in range(1000)], urgent=False)
    queue.put([candidate("saved.py"), candidate("old500.py", 1)], urgent=True)
    assert [file.path for file in queue.take()[:2]] == ["saved.py", "old500.py"]
