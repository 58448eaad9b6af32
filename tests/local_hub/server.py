"""HTTP between the client and the routes."""

import re
import socket
import threading
import traceback
from contextlib import suppress
from dataclasses import dataclass, field
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from typing import TYPE_CHECKING
from urllib.parse import parse_qs, urlsplit

from . import commit_routes, content_routes, repository_routes, transfer_routes  # noqa: F401 (they enter the table)
from .accounts import identify
from .replies import Refusal, Reply
from .routes import Call, answer

if TYPE_CHECKING:
    from .hub import LocalHub


@dataclass
class Request:
    """A request as the log keeps it.

    Attributes:
        path: Without the query, still quoted.
        had_token: Whether an Authorization header came, be it right or wrong.
        user: Whose token it was; None if nobody's.
        status: What was answered; None while the answer is made, and if the connection was cut during an upload.
        sent: Bytes of the body that came.
        files: Paths within the repository that a preupload, commit or download speaks of.
    """

    method: str
    path: str
    query: dict[str, list[str]]
    had_token: bool
    user: str | None = None
    status: int | None = None
    sent: int = 0
    files: tuple[str, ...] = field(default=())


class _Cut(Exception):
    """The connection is to break here."""


class _Handler(BaseHTTPRequestHandler):
    protocol_version = "HTTP/1.1"
    disable_nagle_algorithm = True
    wbufsize = -1
    server: "Server"

    def setup(self):
        super().setup()
        self.server.connections.add(self.connection)

    def finish(self):
        self.server.connections.discard(self.connection)
        super().finish()

    def log_message(self, format, *args):
        pass  # the hub keeps its own log

    def _answer(self):
        hub, url = self.server.hub, urlsplit(self.path)
        headers = {name.lower(): value for name, value in self.headers.items()}
        query = parse_qs(url.query, keep_blank_values=True)
        request = Request(self.command, url.path, query, "authorization" in headers)
        hub.requests.append(request)
        try:
            body = self._read(request, headers, hub.upload_limit(self.command, url.path))
            reply = self._reply(request, headers, body)
            request.status = reply.status
            self._send(reply)
        except (_Cut, ConnectionError):
            self.close_connection = True
            self.connection.close()

    do_GET = do_HEAD = do_POST = do_PUT = do_DELETE = _answer

    def _reply(self, request: Request, headers: dict[str, str], body: bytes) -> Reply:
        hub = self.server.hub
        status = hub.faults.status_for(request.method, request.path)
        if status is not None:
            return Refusal(status).reply()
        try:
            with hub.lock:
                account = identify(hub.accounts, headers.get("authorization"))
                request.user = account.name if account else None
                call = Call(hub, request.method, request.query, headers, body, account)
                try:
                    return answer(call, request.path)
                finally:
                    request.files = tuple(call.named_files)
        except Refusal as refusal:
            return refusal.reply()
        except Exception as error:  # a flaw of this server or a request it does not understand: tests must see it
            hub.errors.append(traceback.format_exc())
            return Refusal(501, f"The local hub failed: {error!r}").reply()  # the client does not repeat after 501

    def _read(self, request: Request, headers: dict[str, str], limit: int | None) -> bytes:
        """The body; breaks off after `limit` bytes."""
        pieces = []
        for size in self._piece_sizes(headers):
            left = size if limit is None else min(size, limit - request.sent)
            pieces.append(self.rfile.read(left))
            request.sent += len(pieces[-1])
            if len(pieces[-1]) < size:
                raise _Cut
        if limit is not None:
            raise _Cut
        return b"".join(pieces)

    def _piece_sizes(self, headers: dict[str, str]):
        if "chunked" not in headers.get("transfer-encoding", ""):
            yield int(headers.get("content-length", 0))
            return
        while size := int(self.rfile.readline().split(b";")[0], 16):
            yield size
            self.rfile.readline()
        while self.rfile.readline().strip():
            pass

    def _send(self, reply: Reply) -> None:
        self.send_response(reply.status)
        for name, value in reply.headers.items():
            self.send_header(name, re.sub(r"[\r\n]+", " ", value).encode("latin-1", "replace").decode("latin-1"))
        self.send_header("Content-Length", str(len(reply.body)))
        self.end_headers()
        if self.command != "HEAD":
            self.wfile.write(reply.body[: reply.cut])
        self.wfile.flush()
        if reply.cut is not None and reply.cut < len(reply.body):
            self.connection.shutdown(socket.SHUT_RDWR)
            raise _Cut


class Server(ThreadingHTTPServer):
    """Listens on a free port of the loopback interface, in a thread of its own, until closed."""

    request_queue_size = 64
    daemon_threads = True

    def __init__(self, hub: "LocalHub"):
        super().__init__(("127.0.0.1", 0), _Handler)
        self.hub = hub
        self.connections: set[socket.socket] = set()
        self._thread = threading.Thread(target=self.serve_forever, args=(0.02,), daemon=True)
        self._thread.start()

    def close(self) -> None:
        """Stops listening and hangs up on everyone."""
        self.shutdown()
        self._thread.join()
        self.server_close()
        for connection in list(self.connections):
            with suppress(OSError):  # the other side was faster
                connection.shutdown(socket.SHUT_RDWR)

    def handle_error(self, request, client_address):
        pass  # a client that hangs up is no news
