"""The trace viewer of `make serve`: what it answers, and whom it refuses."""

import hashlib
import re
import socket
from base64 import b64encode
from collections.abc import Iterator

import httpx
import pytest
from opentelemetry.trace import SpanContext
from opentelemetry.util.types import AnyValue

from serving.local.traces.viewer import TraceViewer
from tests.support.trace_maker import TraceMaker


@pytest.fixture
def client(viewer: TraceViewer) -> Iterator[httpx.Client]:
    with httpx.Client(base_url=viewer.url) as found:
        yield found


# --- the page and its JSON ---


def test_the_list_has_the_newest_first_and_names_what_an_operator_looks_for(
    maker: TraceMaker, client: httpx.Client
) -> None:
    answered: dict[str, AnyValue] = {"http.response.status_code": 500, "sampled": "late"}
    failed = maker.span("POST /v1/search", None, 500, 300, answered, failed=True)
    ranking = maker.ranking()
    first, second = client.get("/traces").json()["traces"]
    assert first == {
        "trace_id": f"{failed.get_span_context().trace_id:032x}",
        "name": "POST /v1/search",
        "start_ms": pytest.approx(maker.now_ns / 1e6 + 500, abs=0.01),
        "duration_ms": 300,
        "spans": 1,
        "services": ["vitrine"],
        "failed": True,
        "status": 500,
        "late": True,
    }
    assert second["trace_id"] == f"{ranking.get_span_context().trace_id:032x}"
    assert (second["name"], second["status"]) == ("POST /v1/rank", 200)
    assert second["duration_ms"] == pytest.approx(18.7)  # of the answer, not of the record after it
    assert second["services"] == ["triton-inference-server", "vitrine"]
    assert (second["spans"], second["failed"], second["late"]) == (12, False, False)


def test_a_trace_is_told_as_rows_of_a_tree_with_times_from_its_start(
    maker: TraceMaker, client: httpx.Client
) -> None:
    trace_id = f"{maker.ranking().get_span_context().trace_id:032x}"
    found = client.get(f"/traces/{trace_id}").json()
    told = [(row["depth"], row["name"]) for row in found["rows"]]
    assert told == [
        (0, "replica_handle_request Ingress __call__"),
        (1, "POST /v1/rank"),
        (2, "ranking.validate"),
        (2, "ranking.features"),
        (2, "ranking.score"),
        (3, "ranking.batch_wait"),
        (3, "ranking.model"),
        (4, "InferRequest"),
        (5, "ranker"),
        (6, "compute"),
        (2, "ranking.slate"),
        (2, "ranking.record"),
    ]
    model = found["rows"][6]
    assert (model["offset_ms"], model["duration_ms"]) == (
        pytest.approx(6.4, abs=0.001),
        pytest.approx(10.1, abs=0.001),
    )
    assert model["attributes"]["batch.requests"] == 3
    assert not any(row["orphan"] for row in found["rows"])


def test_a_link_says_where_it_leads_as_far_as_that_is_kept(
    maker: TraceMaker, client: httpx.Client
) -> None:
    leader = maker.ranking().get_span_context()
    gone = SpanContext(5, 7, is_remote=True)
    follower = maker.ranking([leader, gone]).get_span_context()
    rows = client.get(f"/traces/{follower.trace_id:032x}").json()["rows"]
    assert next(row["links"] for row in rows if row["name"] == "ranking.model") == [
        {
            "trace_id": f"{leader.trace_id:032x}",
            "span_id": f"{leader.span_id:016x}",
            "trace": "POST /v1/rank",
            "span": "ranking.model",
        },
        {"trace_id": f"{5:032x}", "span_id": f"{7:016x}", "trace": None, "span": None},
    ]


def test_the_page_is_complete_and_its_policy_lets_in_nothing_else(client: httpx.Client) -> None:
    answer = client.get("/")
    assert answer.headers["content-type"] == "text/html; charset=utf-8"
    policy = answer.headers["content-security-policy"]
    assert "default-src 'none'" in policy
    assert "unsafe" not in policy
    assert "http" not in policy
    assert not re.search(r"""(?:src|href)=["'](?!data:)""", answer.text.split("<script")[0])
    for tag in ("style", "script"):
        (content,) = re.findall(rf"<{tag}[^>]*>(.*?)</{tag}>", answer.text, re.DOTALL)
        digest = b64encode(hashlib.sha256(content.encode()).digest()).decode()
        assert f"{tag}-src 'sha256-{digest}'" in policy
        assert "innerHTML" not in content


# --- refusals ---


@pytest.mark.parametrize(
    "path", ["/traces/unknown", "/traces/", "/other", "/v1/traces", "//[", "*"]
)
def test_what_is_not_there_is_404(client: httpx.Client, path: str) -> None:
    assert _status(client, f"GET {path} HTTP/1.1\r\nHost: localhost\r\n\r\n") == 404


def test_spans_are_taken_at_one_address_only(client: httpx.Client) -> None:
    headers = {"content-type": "application/json"}
    assert client.post("/", content=b"{}", headers=headers).status_code == 404
    assert client.post("/v1/traces", content=b"{}", headers=headers).status_code == 200


@pytest.mark.parametrize("method", ["PUT", "DELETE", "OPTIONS", "PATCH"])
def test_other_methods_are_not_there(client: httpx.Client, method: str) -> None:
    assert client.request(method, "/traces").status_code == 501


def test_a_name_that_is_not_ours_is_refused(client: httpx.Client) -> None:
    headers = {"host": "evil.example", "content-type": "application/json"}
    assert client.get("/traces", headers=headers).status_code == 403
    assert client.post("/v1/traces", content=b"{}", headers=headers).status_code == 403
    assert client.get("/traces", headers={"host": "localhost:9000"}).status_code == 200


def test_what_a_page_of_another_site_may_send_unasked_is_refused(client: httpx.Client) -> None:
    answer = client.post("/v1/traces", content=b"{}", headers={"content-type": "text/plain"})
    assert answer.status_code == 415


@pytest.mark.parametrize(
    ("length", "status"), [("-1", 411), ("x", 411), ("", 411), ("16777217", 413), ("9" * 5000, 413)]
)
def test_a_length_that_cannot_be_is_refused(client: httpx.Client, length: str, status: int) -> None:
    head = "POST /v1/traces HTTP/1.1\r\nHost: localhost\r\nContent-Type: application/json\r\n"
    assert _status(client, f"{head}Content-Length: {length}\r\n\r\n") == status


def test_a_closed_viewer_gives_its_port_back() -> None:
    with TraceViewer() as viewer:
        port = viewer.server_address[1]
    with socket.socket() as probe:
        assert probe.connect_ex(("127.0.0.1", port)) != 0


def test_a_caller_that_leaves_is_not_printed(
    viewer: TraceViewer, capfd: pytest.CaptureFixture[str]
) -> None:
    for _ in range(3):
        with socket.create_connection(("127.0.0.1", viewer.server_address[1])) as connection:
            # Close with a reset, so that the answer has nowhere to go.
            connection.setsockopt(socket.SOL_SOCKET, socket.SO_LINGER, b"\1\0\0\0\0\0\0\0")
            connection.sendall(b"GET / HTTP/1.1\r\nHost: localhost\r\n\r\n")
    assert httpx.get(viewer.url).status_code == 200
    assert capfd.readouterr().err == ""


def _status(client: httpx.Client, request: str) -> int:
    """The status of a request that no client would write."""
    port = client.base_url.port
    assert port is not None
    with socket.create_connection(("127.0.0.1", port), timeout=10) as connection:
        connection.sendall(request.encode())
        return int(connection.makefile("rb").readline().split()[1])
