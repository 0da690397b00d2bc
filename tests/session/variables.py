"""The variables of a transcript: what stands for the ids that messages carry."""

from collections import Counter
from collections.abc import Callable
from typing import Any

from peer import Message

EXAMPLES = {
    "workspace": "/projects/sample",
    "home": "/home/me/.lucastra",
    "version": "1.0.0",
    "conversation": "5f0c1a9be27d",
    "fork": "b81e02d4c6fa",
    "completion": "0a4be19c77d2",
    "shown": "5d0c0f0e-6a3a-4f0b-9a70-2f3e6f1f8a11",
    "configuration": "0b9a7f62-54d5-4a3e-8f6c-6f0f4f0c8d22",
    "created": "c1f8a0de-93b1-4d57-b1c5-1c8a3c8f0e33",
    "progress": "9e2b6d35-7a44-4c0f-8d3b-2a6d5e9b1f44",
}

_IDS: dict[str, Callable[[Any], dict[str, str]]] = {
    "lucastra/conversation/start": lambda result: {"conversation": result["id"]},
    "lucastra/conversation/fork": lambda result: {"fork": result["id"]},
    "textDocument/inlineCompletion": lambda result: (
        {"completion": result["items"][0]["command"]["arguments"][0]["id"]} if result["items"] else {}
    ),
    "window/showDocument": lambda request: {"shown": request["id"]},
    "window/workDoneProgress/create": lambda request: {
        "created": request["id"],
        "progress": request["params"]["token"],
    },
    "workspace/configuration": lambda request: {"configuration": request["id"]},
}
"""The ids in a method's result, or in a request of the daemon's own, by the variable that stands for them."""


class Variables:
    """The values that a run has given the variables; the second of a name has the name with a 2."""

    def __init__(self, known: dict[str, str]) -> None:
        """`known` is added to."""
        self.known = known
        self._met: Counter[str] = Counter()

    def meet(self, method: str | None, named: Any) -> None:
        """Learn from a method's result, or from a request of the daemon's own."""
        if method not in _IDS or named is None:
            return
        for name, value in _IDS[method](named).items():
            if value not in self.known.values():
                self._met[name] += 1
                self.known[name if self._met[name] == 1 else f"{name}{self._met[name]}"] = value

    def hidden(self, message: Message) -> Message:
        """The message with variables in the place of their values."""
        return {name: self._hidden(value) for name, value in message.items()}

    def hidden_text(self, text: str) -> str:
        for name, value in self.known.items():
            text = text.replace(value, f"${{{name}}}")
        return text

    def _hidden(self, value: Any) -> Any:
        match value:
            case str():
                return self.hidden_text(value)
            case dict():
                return {key: self._hidden(item) for key, item in value.items()}
            case list():
                return [self._hidden(item) for item in value]
            case _:
                return value


def example_of(name: str) -> str:
    """An example of a variable's value; those of one name differ."""
    base = name.rstrip("0123456789")
    return EXAMPLES[base] if name == base else f"{EXAMPLES[base][:-2]}{int(name[len(base) :]):02}"
