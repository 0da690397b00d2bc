"""A tree of source files made from a seed: the same one each time, and changed the same way."""

import random
from pathlib import Path

_VERBS = ("load", "parse", "merge", "split", "render", "encode", "resolve", "publish", "verify", "retry", "cancel")
_NOUNS = ("config", "header", "basket", "invoice", "session", "socket", "cursor", "ledger", "schema", "journal")


class GeneratedTree:
    """Some hundred small modules below `root`, changed from time to time."""

    def __init__(self, root: Path, *, files: int, seed: int) -> None:
        self.root = root
        self._random = random.Random(seed)
        self._made = 0
        self.names: list[str] = []
        """The relative paths of the files that are there."""
        for _ in range(files):
            self._add()

    def change(self, *, rewritten: int, deleted: int, added: int) -> None:
        """Rewrite, delete and add so many files."""
        for name in self._random.sample(self.names, rewritten):
            self._write(name)
        for _ in range(deleted):
            (self.root / self.names.pop(self._random.randrange(len(self.names)))).unlink()
        for _ in range(added):
            self._add()

    def identifiers(self, count: int) -> list[str]:
        """Function names, each of which stands in one file only."""
        chosen = self._random.sample(self.names, count)
        return [self._random.choice(_functions(self.root / name)) for name in chosen]

    def _add(self) -> None:
        self._made += 1
        self.names.append(f"pkg{self._made % 7}/module{self._made}.py")
        self._write(self.names[-1])

    def _write(self, name: str) -> None:
        path = self.root / name
        path.parent.mkdir(parents=True, exist_ok=True)
        path.write_text("\n\n".join(self._function() for _ in range(4)))

    def _function(self) -> str:
        verb, noun, other = self._random.choice(_VERBS), self._random.choice(_NOUNS), self._random.choice(_NOUNS)
        number = self._random.randrange(10**9)
        return (
            f"def {verb}_{noun}_{number}({other}, timeout):\n"
            f'    """{verb.title()} the {noun} of the {other} before it expires."""\n'
            f"    {noun} = {other}.{verb}(timeout={number % 97})\n"
            f"    if not {noun}:\n"
            f"        raise LookupError('no {noun} in {other} {number}')\n"
            f"    return {noun}\n"
        )


def _functions(path: Path) -> list[str]:
    return [line[4:].partition("(")[0] for line in path.read_text().splitlines() if line.startswith("def ")]
