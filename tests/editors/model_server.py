"""A language-model server on a loopback port that imitates llama.cpp's and says what a test tells it to."""

import json
import threading
from collections.abc import Iterator, Sequence
from contextlib import contextmanager, suppress
from dataclasses import dataclass, field
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from typing import Any

MODEL = "scripted-1"
WAIT_SECONDS = 30.0
_PAGES = {
    "/health": {"status": "ok"},
    "/props": {"default_generation_settings": {"n_ctx": 8192}, "model_path": f"/{MODEL}"},
    "/v1/models": {"object": "list", "data": [{"id": MODEL, "object": "model"}]},
}


@dataclass
class ModelServer:
    """Answers questions with `answer` and fills in `fill`; what it was asked to write is in `requests`."""

    port: int = 0
    answer: Sequence[str] = ("It ", "runs.")
    """The pieces of an answer, each sent by itself."""
    fill: str = "return 1"
    gate: threading.Event | None = None
    """Where it is set, it is waited for after the first piece of an answer."""
    requests: list[dict[str, Any]] = field(default_factory=list)

    @property
    def configuration(self) -> dict[str, Any]:
        """The daemon's `llm` for this server."""
        # A provider that needs no key: one in the configuration file would rightly be a problem in the status.
        return {
            "provider": "llamafile",
            "endpoint": f"http://127.0.0.1:{self.port}",
            "model": MODEL,
            "retry_attempts": 0,
        }


@contextmanager
def model_server() -> Iterator[ModelServer]:
    """A running server; it is gone when the block ends."""
    script = ModelServer()
    server = ThreadingHTTPServer(("127.0.0.1", 0), _handler_of(script))
    server.daemon_threads = True
    script.port = server.server_address[1]
    thread = threading.Thread(target=server.serve_forever, name="model server")
    thread.start()
    try:
        yield script
    finally:
        if script.gate is not None:
            script.gate.set()
        server.shutdown()
        server.server_close()
        thread.join()


def _handler_of(script: ModelServer) -> type[BaseHTTPRequestHandler]:
    class Handler(BaseHTTPRequestHandler):
        protocol_version = "HTTP/1.0"  # the end of the connection is the end of a stream

        def do_GET(self) -> None:
            self._json(_PAGES.get(self.path, {}))

        def do_POST(self) -> None:
            body = json.loads(self.rfile.read(int(self.headers["Content-Length"])))
            if self.path == "/apply-template":
                self._json({"prompt": "\n".join(message["content"] for message in body["messages"])})
            elif self.path == "/tokenize":
                self._json({"tokens": list(range(len(body["content"]) // 4))})
            else:
                script.requests.append({"path": self.path, **body})
                with suppress(ConnectionError):  # a daemon that has enough, or is asked for something newer, hangs up
                    self._start("text/event-stream")
                    self._write_answer() if self.path.endswith("/chat/completions") else self._write_fill()

        def _write_answer(self) -> None:
            for number, piece in enumerate(script.answer):
                if number == 1 and script.gate is not None:
                    script.gate.wait(WAIT_SECONDS)
                self._event({"choices": [{"index": 0, "delta": {"content": piece}, "finish_reason": None}]})
            self._event({"choices": [{"index": 0, "delta": {}, "finish_reason": "stop"}]})
            self.wfile.write(b"data: [DONE]\n\n")

        def _write_fill(self) -> None:
            self._event({"content": script.fill, "stop": False})
            self._event({"content": "", "stop": True, "stop_type": "eos"})

        def _json(self, value: Any) -> None:
            self._start("application/json")
            self.wfile.write(json.dumps(value).encode())

        def _start(self, kind: str) -> None:
            self.send_response(200)
            self.send_header("Content-Type", kind)
            self.end_headers()

        def _event(self, event: dict[str, Any]) -> None:
            self.wfile.write(f"data: {json.dumps({'id': '1', 'model': MODEL, **event})}\n\n".encode())
            self.wfile.flush()

        def log_message(self, format: str, *args: Any) -> None:  # noqa: A002 - the base class's name
            """Nothing: what was asked is in `requests`."""

    return Handler
