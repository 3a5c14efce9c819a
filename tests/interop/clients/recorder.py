"""A proxy before a node that keeps what passes, and can give an answer of its own in the node's place."""

from __future__ import annotations

import threading
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer

import httpx

__all__ = ["Answer", "Recorder", "Request", "recorder"]

HOP = {"connection", "keep-alive", "transfer-encoding", "date", "server"}
"""Headers between two ends of a connection, which the proxy writes itself."""


@dataclass(frozen=True)
class Request:
    method: str
    path: str
    kind: str | None
    body: bytes


@dataclass(frozen=True)
class Answer:
    status: int
    headers: dict[str, str]
    body: bytes


class Recorder:
    """Keeps what passes. Where ``instead`` is set, it is the answer and the node is not asked."""

    def __init__(self, upstream: httpx.Client) -> None:
        self.passed: list[tuple[Request, Answer]] = []
        self.instead: Answer | None = None
        self.url = ""
        self._upstream = upstream

    def answer(self, request: Request) -> Answer:
        """Ask the node and keep both, or give the answer that is set."""
        if self.instead is not None:
            return self.instead
        headers = {} if request.kind is None else {"content-type": request.kind}
        got = self._upstream.request(request.method, request.path, content=request.body, headers=headers)
        kept = {name: value for name, value in got.headers.items() if name not in HOP}
        answer = Answer(got.status_code, kept, got.content)
        self.passed.append((request, answer))
        return answer


def _handler(recorder: Recorder) -> type[BaseHTTPRequestHandler]:
    class Handler(BaseHTTPRequestHandler):
        protocol_version = "HTTP/1.1"

        def do_request(self) -> None:
            body = self.rfile.read(int(self.headers.get("content-length", 0)))
            request = Request(self.command, self.path, self.headers.get("content-type"), body)
            answer = recorder.answer(request)
            self.send_response_only(answer.status)
            for name, value in answer.headers.items():
                self.send_header(name, value)
            if "content-length" not in answer.headers and request.method != "HEAD":
                self.send_header("content-length", str(len(answer.body)))
            self.end_headers()
            self.wfile.write(answer.body)

        do_GET = do_HEAD = do_POST = do_PUT = do_DELETE = do_request  # noqa: N815 - names of the library

        def log_message(self, *_: object) -> None:
            """Say nothing."""

    return Handler


@contextmanager
def recorder(upstream: httpx.Client) -> Iterator[Recorder]:
    """A recorder that listens on loopback."""
    made = Recorder(upstream)
    server = ThreadingHTTPServer(("127.0.0.1", 0), _handler(made))
    server.daemon_threads = True
    thread = threading.Thread(target=server.serve_forever, daemon=True)
    thread.start()
    made.url = f"http://127.0.0.1:{server.server_port}"
    try:
        yield made
    finally:
        server.shutdown()
        server.server_close()
        thread.join()
