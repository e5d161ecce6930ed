"""A server on this machine that answers as Kaggle and its storage do, and fails as asked."""

import base64
import hashlib
import json
import socket
import threading
import time
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass, field
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer

VERSION = 3
PIECE = 16_384


@dataclass
class KaggleServer:
    """What is served and how; what was asked and sent.

    Attributes:
        archive: The bytes of the archive.
        status: Answered to every question of the API.
        cuts: Share of each answer with the archive to send before the connection is cut, used up
            in turn; 1 sends it whole.
        stall_seconds: Silence in place of each cut.
        md5: In place of the archive's own.
        asked: Each request, with its range.
        sent_bytes: Of the archive, in all.
        left: Set once a client has left an answer unread.
    """

    archive: bytes
    status: int = 200
    cuts: list[float] = field(default_factory=list)
    stall_seconds: float = 0.0
    md5: bytes = b""
    asked: list[str] = field(default_factory=list)
    sent_bytes: int = 0
    port: int = 0
    left: threading.Event = field(default_factory=threading.Event)

    def wait_until_left(self) -> None:
        """Wait until the server has noticed an answer left unread: the client is done sooner."""
        assert self.left.wait(timeout=10), "no answer was left unread"


class Handler(BaseHTTPRequestHandler):
    server: "Listener"

    def do_POST(self) -> None:
        state = self.server.state
        self.rfile.read(int(self.headers["Content-Length"]))
        call = self.path.rpartition("/")[2]
        state.asked.append(call)
        if state.status != 200:
            self.answer_json(state.status, {"code": state.status, "message": "said the server"})
        elif call == "GetDataset":
            self.answer_json(200, {"currentVersionNumber": VERSION})
        else:
            self.send_response(302)
            self.send_header("Location", f"http://localhost:{state.port}/storage/archive.zip")
            self.end_headers()

    def answer_json(self, status: int, answer: dict[str, object]) -> None:
        body = json.dumps(answer).encode()
        self.send_response(status)
        self.send_header("Content-Type", "application/json")
        self.send_header("Content-Length", str(len(body)))
        self.end_headers()
        self.wfile.write(body)

    def do_GET(self) -> None:
        state = self.server.state
        wanted = self.headers.get("Range", "")
        state.asked.append(f"archive {wanted}".strip())
        # Before the answer begins: who leaves it may ask again before its body is sent.
        share = state.cuts.pop(0) if state.cuts else 1.0
        start = int(wanted.removeprefix("bytes=").removesuffix("-") or 0)
        body = state.archive[start:]
        md5 = state.md5 or hashlib.md5(state.archive).digest()
        self.send_response(206 if wanted else 200)
        self.send_header("Content-Type", "application/zip")
        self.send_header("Content-Length", str(len(body)))
        self.send_header("Accept-Ranges", "bytes")
        self.send_header("X-Goog-Hash", f"crc32c=AAAAAA==,md5={base64.b64encode(md5).decode()}")
        self.end_headers()
        self.send_some(body, share)

    def send_some(self, body: bytes, share: float) -> None:
        state = self.server.state
        some = body[: int(len(body) * share)]
        try:
            for start in range(0, len(some), PIECE):
                self.wfile.write(some[start : start + PIECE])
                state.sent_bytes += len(some[start : start + PIECE])
        except OSError:  # the client resumes, and has left this answer unread
            state.left.set()
        if share < 1:
            time.sleep(state.stall_seconds)

    def log_message(self, format: str, *args: object) -> None:
        """Keep the tests' output quiet."""


class Listener(ThreadingHTTPServer):
    state: KaggleServer

    def server_bind(self) -> None:
        """Keep the buffer small, so that what is counted as sent is what was read, nearly."""
        self.socket.setsockopt(socket.SOL_SOCKET, socket.SO_SNDBUF, PIECE)
        super().server_bind()


@contextmanager
def serving(archive: bytes) -> Iterator[KaggleServer]:
    """Serve on a free port of this machine until the block ends."""
    with Listener(("localhost", 0), Handler) as listener:
        listener.state = KaggleServer(archive, port=listener.server_port)
        thread = threading.Thread(target=listener.serve_forever, kwargs={"poll_interval": 0.01})
        thread.start()
        try:
            yield listener.state
        finally:
            listener.shutdown()
            thread.join()
