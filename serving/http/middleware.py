"""What every request and response has: id, trace, size limit, timings, problems in one form."""

import logging
import math
import re
import time
import uuid
from functools import lru_cache
from http import HTTPStatus
from typing import Any

import orjson
from opentelemetry import propagate, trace
from opentelemetry.context import Context
from starlette.datastructures import Headers
from starlette.requests import ClientDisconnect, Request
from starlette.responses import Response
from starlette.types import ASGIApp, Message, Receive, Scope, Send

from features.telemetry.logs import REQUEST_ID
from serving.errors import InvalidRequestError
from serving.http.paths import routed_path
from serving.http.receiving import BodyLimits, bounded
from serving.telemetry.metrics import REQUEST_SECONDS, REQUESTS
from serving.telemetry.stages import LateTraces, Stages

_LOG = logging.getLogger("vitrine.http")
_TRACER = trace.get_tracer("vitrine")
_REQUEST_ID = re.compile(r"[\w.:-]{1,128}", re.ASCII)
_CLIENT_CLOSED = 499  # nginx's number for a caller that left; it is nobody's failure here
# A parent that no sampler follows.
_UNSAMPLED = trace.set_span_in_context(
    trace.NonRecordingSpan(trace.SpanContext(1, 1, is_remote=False)), Context()
)
_requests = lru_cache(1_000)(REQUESTS.labels)  # endpoints and statuses are closed sets
_request_seconds = lru_cache(1_000)(REQUEST_SECONDS.labels)
_METHODS = frozenset(("GET", "HEAD", "POST", "PUT", "DELETE", "PATCH", "OPTIONS"))
_MILLISECONDS = re.compile(r"[0-9]{13}")  # enough until the year 2286
_RECEIVED = "x-vitrine-received"  # when HAProxy had the request, unix milliseconds
_MAX_WAITED_S = 0.5  # HAProxy waits half as long: more is a clock that is wrong


class RequestMiddleware:
    """ASGI middleware around the whole application.

    late_traces: keeps slow and failed requests that were not sampled; None: they go untraced.
    decided: the server in front of us has decided who is sampled. None of its spans: not this one.
    """

    def __init__(
        self,
        app: ASGIApp,
        limits: BodyLimits,
        late_traces: LateTraces | None = None,
        decided: bool = False,
    ) -> None:
        self._app = app
        self._limits = limits
        self._late_traces = late_traces
        self._decided = decided

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        """Answer one request."""
        if scope["type"] != "http":
            await self._app(scope, receive, send)
            return
        headers = Headers(scope=scope)
        # A request begins where it began to wait: its budget, its timings and who is slow go by it.
        waited_s = _waited_s(headers)
        started_s = time.perf_counter() - waited_s
        started_ns = time.time_ns() - int(waited_s * 1e9)
        asked_id = headers.get("x-request-id", "")
        request_id = asked_id if _REQUEST_ID.fullmatch(asked_id) else uuid.uuid4().hex
        REQUEST_ID.set(request_id)  # of this request's own context
        stages = Stages(waited_s)
        scope.setdefault("state", {}).update(request_id=request_id, stages=stages)
        method = scope["method"] if scope["method"] in _METHODS else "_OTHER"
        routed = dict(scope)
        if method == "HEAD":  # is a GET of which nothing is sent but the headers
            routed["method"] = "GET"
        status = 500
        started = False

        async def send_out(message: Message) -> None:
            nonlocal status, started
            if message["type"] == "http.response.start":
                status, started = message["status"], True
                total = f"total;dur={1000 * (time.perf_counter() - started_s):.2f}"
                timing = ", ".join(filter(None, [stages.header(), total]))
                headers_out = [
                    *message["headers"],
                    (b"x-request-id", request_id.encode()),
                    (b"server-timing", timing.encode()),
                ]
                message = {**message, "headers": headers_out}
            elif method == "HEAD":
                message = {**message, "body": b""}
            await send(message)

        parent = self._parent(headers)
        with _TRACER.start_as_current_span(
            method, parent, trace.SpanKind.SERVER, {"http.request.method": method}
        ) as span:
            try:
                routed["path"] = routed_path(scope)
                limit = self._limits.of(routed["path"])
                await self._app(routed, bounded(headers, receive, limit), send_out)
            except ClientDisconnect:
                status = _CLIENT_CLOSED
            except InvalidRequestError as error:  # of the path; those of routes are answered there
                answer = problem(Request(scope), error.status_code, error.code, str(error))
                await answer(scope, receive, send_out)
            except Exception:
                if started:
                    raise
                # The log gets the traceback; the wire gets only this.
                _LOG.exception("request %s failed", request_id)
                answer = problem(Request(scope), 500, "internal", "internal error")
                await answer(scope, receive, send_out)
            finally:
                endpoint = getattr(routed.get("route"), "path_format", "unknown")
                span.update_name(f"{method} {endpoint}")
                attributes: dict[str, str | int] = {
                    "http.route": endpoint, "http.response.status_code": status,
                }  # fmt: skip
                if "shop" in scope["state"]:
                    attributes["shop"] = scope["state"]["shop"]
                span.set_attributes(attributes)
                if status >= HTTPStatus.INTERNAL_SERVER_ERROR:
                    span.set_status(trace.StatusCode.ERROR)
                if self._late_traces is not None and not span.is_recording():
                    attributes["http.request.method"] = method
                    self._late_traces.consider(
                        f"{method} {endpoint}", propagate.extract(headers), started_ns, status,
                        stages, attributes,
                    )  # fmt: skip
                stages.observe()
                _requests(endpoint, status).inc()
                _request_seconds(endpoint).observe(time.perf_counter() - started_s)

    def _parent(self, headers: Headers) -> Context | None:
        """The caller's trace, unless the server in front of us has joined it already."""
        if trace.get_current_span().get_span_context().is_valid:
            return None
        return _UNSAMPLED if self._decided else propagate.extract(headers)


def _waited_s(headers: Headers) -> float:
    """How long HAProxy kept the request until a replica was free; 0 without a credible word."""
    said = headers.getlist(_RECEIVED)  # HAProxy's own stands last, behind a caller's
    if not said or not _MILLISECONDS.fullmatch(said[-1]):
        return 0.0
    waited_s = time.time() - int(said[-1]) / 1000
    return waited_s if 0 < waited_s <= _MAX_WAITED_S else 0.0


def problem(
    request: Request,
    status: int,
    code: str,
    detail: str,
    retry_after_s: float | None = None,
    **more: Any,
) -> Response:
    """An RFC 9457 problem document. more: members of its own."""
    # Seconds are whole on the wire, and 0 would ask for the same failure again at once.
    content = {
        "type": f"urn:vitrine:problem:{code}",
        "title": HTTPStatus(status).phrase,
        "status": status,
        "detail": detail,
        "code": code,
        "request_id": request.scope.get("state", {}).get("request_id", ""),
        **more,
    }
    headers = (
        {} if retry_after_s is None else {"retry-after": str(max(1, math.ceil(retry_after_s)))}
    )
    if status == HTTPStatus.UNAUTHORIZED:
        headers["www-authenticate"] = "Bearer"
    return Response(orjson.dumps(content), status, headers, "application/problem+json")
