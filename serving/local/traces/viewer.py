"""A collector and viewer of traces for one machine: `make serve TRACES=view` or `=console`."""

import sys
import threading
from collections.abc import Mapping
from http import HTTPStatus
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from typing import Any

import orjson

from serving.local.traces.otlp import MAX_BYTES, BrokenSpansError, read_spans
from serving.local.traces.page import page, summaries, trace
from serving.local.traces.store import TraceStore

# A page of another site cannot send these unasked, nor under a name of ours (DNS rebinding).
_CONTENT_TYPES = ("application/x-protobuf", "application/json")
_HOSTS = ("127.0.0.1", "localhost")


class TraceViewer(ThreadingHTTPServer):
    """Takes OTLP over HTTP on a free loopback port and shows it, on a thread of its own.

    GET / is the page; /traces and /traces/{id} are its JSON; spans are posted to /v1/traces.
    """

    daemon_threads = True
    request_queue_size = 64

    def __init__(self) -> None:
        self.store = TraceStore()
        self.page = page()
        super().__init__(("127.0.0.1", 0), _Handler)
        threading.Thread(target=self.serve_forever, name="traces", daemon=True).start()

    @property
    def url(self) -> str:
        """Where the page is."""
        return f"http://127.0.0.1:{self.server_address[1]}"

    @property
    def otlp_url(self) -> str:
        """Where spans are sent to."""
        return f"{self.url}/v1/traces"

    def close(self) -> None:
        """Stop and give the port back."""
        self.shutdown()
        self.server_close()

    def __exit__(self, *_: object) -> None:
        self.close()

    def handle_error(self, request: Any, client_address: Any) -> None:
        """A caller that left is no error; others are printed."""
        if not isinstance(sys.exception(), ConnectionError):
            super().handle_error(request, client_address)


class _Handler(BaseHTTPRequestHandler):
    server: TraceViewer
    timeout = 30  # of a read: a caller that stalls must not hold a thread for ever

    def do_GET(self) -> None:
        match self.path.partition("?")[0].split("/"):
            case _ if not self._is_ours():
                self._answer(HTTPStatus.FORBIDDEN)
            case ["", ""]:
                self._answer(HTTPStatus.OK, *self.server.page)
            case ["", "traces"]:
                self._answer_json({"traces": summaries(self.server.store)})
            case ["", "traces", trace_id]:
                self._answer_json(trace(self.server.store, trace_id))
            case _:
                self._answer(HTTPStatus.NOT_FOUND)

    def do_POST(self) -> None:
        self._answer(self._take())

    def _take(self) -> HTTPStatus:
        if not self._is_ours():
            return HTTPStatus.FORBIDDEN
        if self.path != "/v1/traces":
            return HTTPStatus.NOT_FOUND
        kind = self.headers.get_content_type()
        if kind not in _CONTENT_TYPES:
            return HTTPStatus.UNSUPPORTED_MEDIA_TYPE
        length = self.headers.get("content-length", "")
        if not length.isdecimal():
            return HTTPStatus.LENGTH_REQUIRED
        if len(length) > 9 or int(length) > MAX_BYTES:
            return HTTPStatus.REQUEST_ENTITY_TOO_LARGE
        body = self.rfile.read(int(length))
        try:
            spans = read_spans(body, kind, self.headers.get("content-encoding", ""))
        except BrokenSpansError:
            return HTTPStatus.BAD_REQUEST
        self.server.store.add(spans)
        return HTTPStatus.OK

    def _is_ours(self) -> bool:
        return self.headers.get("host", "").partition(":")[0] in _HOSTS

    def _answer_json(self, document: Mapping[str, Any] | None) -> None:
        if document is None:
            self._answer(HTTPStatus.NOT_FOUND)
        else:
            self._answer(
                HTTPStatus.OK, orjson.dumps(document), {"content-type": "application/json"}
            )

    def _answer(
        self, status: HTTPStatus, body: bytes = b"", headers: Mapping[str, str] | None = None
    ) -> None:
        self.send_response(status)
        for name, value in {**(headers or {}), "cache-control": "no-store"}.items():
            self.send_header(name, value)
        self.send_header("content-length", str(len(body)))
        self.end_headers()
        self.wfile.write(body)

    def log_message(self, format: str, *args: object) -> None:
        """Nothing: a line for each export tells nobody anything."""
