"""The two models of the daemon that is measured, of which one at a time is configured."""

import json
from typing import TYPE_CHECKING, Any

import trio
from lucastra_client import Client

from benchmarks.daemon import PrivateDaemon
from benchmarks.editors.results import Model
from benchmarks.errors import within

if TYPE_CHECKING:
    from model_server import ModelServer

_KEY = "BENCHMARK_MODEL_KEY"
_SWITCH_SECONDS = 30.0
_POLL_SECONDS = 0.05
_ANSWER_TOKENS = 8
"""Answers are measured up to the first, and what follows would keep the model busy for the next."""
_PROMPT_TOKENS = 1000
"""So that a small model on one thread begins its answer within some seconds."""
_ANSWER_SECONDS = 300
"""Without a byte from the server: it reads the whole prompt before it sends any."""


class Models:
    """Which model completes and answers."""

    def __init__(self, instant: "ModelServer", real_origin: str, real_key: str) -> None:
        self.instant = instant
        self._real_key = real_key
        self._llm: dict[Model, dict[str, Any]] = {
            Model.INSTANT: instant.configuration,
            Model.REAL: {
                "provider": "llamafile",
                "endpoint": real_origin,
                "api_key": f"${{{_KEY}}}",
                "max_tokens": _ANSWER_TOKENS,
                "temperature": 0.0,
                "timeout_secs": _ANSWER_SECONDS,
            },
        }

    def configure(self, daemon: PrivateDaemon) -> None:
        """Let a daemon that is not spawned yet begin with the instant model."""
        daemon.environment[_KEY] = self._real_key
        daemon.paths.home.mkdir(mode=0o700, parents=True, exist_ok=True)
        self._write(daemon, Model.INSTANT)

    async def use(self, daemon: PrivateDaemon, client: Client, model: Model) -> None:
        """Configure `model`, and wait until the daemon that runs has taken it over."""
        await trio.to_thread.run_sync(self._write, daemon, model)
        origin = self._llm[model]["endpoint"]
        with within(_SWITCH_SECONDS, f"the change to the {model} model"):
            while True:
                if any(one.default and one.origin == origin for one in await client.providers()):
                    return
                await trio.sleep(_POLL_SECONDS)

    def _write(self, daemon: PrivateDaemon, model: Model) -> None:
        config = {"llm": self._llm[model], "conversation": {"max_context_tokens": _PROMPT_TOKENS}}
        written = daemon.paths.config.with_suffix(".new")
        written.touch(mode=0o600)
        written.write_text(json.dumps(config), "utf-8")
        written.replace(daemon.paths.config)
