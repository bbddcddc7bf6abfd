"""The environment of the local Ray node, with what Serve writes into HAProxy's configuration."""

import secrets
from pathlib import Path

from serving.local.machine import free_window

# Serve has no settings for these: they follow the last line that it lets us write into HAProxy's
# defaults. HAProxy can repeat only a request that it has whole. A replica takes four more than the
# six that its admission works on, so that a turn goes to the shop whose it is; with 48 a third of
# the answers were late at twice the capacity (docs/bench.md). Beyond it a request waits in HAProxy,
# where it costs the event loop of a replica nothing, and a quarter of a second at most, so that it
# is still answered within its budget. One that waits longer is refused in the words of our
# API, not in Serve's (a plain 500). The header says when the request came, and
# its budget goes on from then (serving/http/middleware.py); another one whose connection it was
# (serving/http/access/peers.py). A node that is gone answers no connection: HAProxy waits for it at
# each try, 5 s by default, before it asks the next replica.
HAPROXY_DEFAULTS = """\
leastconn
option http-buffer-request
option forwardfor header x-vitrine-peer
default-server maxconn 10
timeout queue 250ms
timeout connect 250ms
unique-id-format %[date(0,ms)]
unique-id-header x-vitrine-received
http-error status 503 content-type application/problem+json hdr retry-after 1 lf-string '\
{"type":"urn:vitrine:problem:overloaded","title":"Service Unavailable","status":503,\
"detail":"no replica is free","code":"overloaded",\
"request_id":"%[req.hdr(x-request-id),json(utf8s)]"}'
"""
# Serve has no settings for these either: they stand in HAProxy's backend, after the first value of
# its line of server defaults, the rest of which follows. (HAProxy takes rules for answers only in
# defaults that have a name, and Serve's have none.) uvicorn names itself in every answer, and Serve
# puts the request id as it was sent behind ours, which is the one in the logs. Of those who wait,
# the one comes first whose key, or address when no header has one, has fewest requests under way: a
# flood stands behind all others. What is counted by is kept as a hash, and for as long as it asks.
HAPROXY_FAST_INTERVAL = """\
250ms
stick-table type binary len 32 size 20k expire 10s store conn_cur
http-request track-sc0 req.hdr(authorization),sha2(256) if { req.hdr(authorization) -m found }
http-request track-sc0 src,sha2(256) unless { req.hdr(authorization) -m found }
http-request set-priority-class sc_conn_cur(0)
http-response del-header server
http-response set-header x-request-id %[res.fhdr(x-request-id,1)] \
if { res.fhdr_cnt(x-request-id) gt 1 }
default-server"""


def ray_environment(run: Path) -> dict[str, str]:
    """What must be set before the Ray node starts (docs/adr/0004: HAProxy, throughput mode).

    run: of this run alone, closed to other users; Ray's token is put there.
    """
    first = free_window()
    token = run / "ray-token"
    token.write_text(secrets.token_hex(32))
    return {
        # Ray's ports listen on all interfaces: who has not the token runs no code here. Ray turns
        # this on by itself only where `ray.init` makes the node.
        "RAY_AUTH_MODE": "token",
        "RAY_AUTH_TOKEN_PATH": str(token),
        # A port that a replica has left may be another stack's next replica's: HAProxy would go on
        # sending requests there. So each stack has ports of its own.
        "RAY_SERVE_DIRECT_INGRESS_MIN_HTTP_PORT": str(first),
        "RAY_SERVE_DIRECT_INGRESS_MAX_HTTP_PORT": str(first + 15),
        "RAY_SERVE_DIRECT_INGRESS_MIN_GRPC_PORT": str(first + 16),
        "RAY_SERVE_DIRECT_INGRESS_MAX_GRPC_PORT": str(first + 31),
        "RAY_SERVE_THROUGHPUT_OPTIMIZED": "1",
        # By default the controller looks after its replicas ten times a second: .04 of a processor.
        "RAY_SERVE_CONTROL_LOOP_INTERVAL_S": "0.3",
        "RAY_SERVE_ENABLE_HA_PROXY": "1",
        # By default HAProxy has four threads. On two processors they take turns with the processes
        # that rank, and HAProxy's part of a ranking takes .43 ms instead of .19 (docs/bench.md).
        "RAY_SERVE_HAPROXY_NBTHREAD": "1",
        "RAY_SERVE_CONTROLLER_CALLBACK_IMPORT_PATH": (
            "serving.local.node.controller:without_fallback_proxy"
        ),
        # When a replica dies over a request, another one answers it. Every request may be sent
        # twice: rankings change nothing, and events have ids.
        "RAY_SERVE_HAPROXY_RETRY_ON": "conn-failure empty-response",
        "RAY_SERVE_HAPROXY_BALANCE_ALGORITHM": HAPROXY_DEFAULTS,
        "RAY_SERVE_HAPROXY_HEALTH_CHECK_FASTINTER": HAPROXY_FAST_INTERVAL,
        # A dead proxy is found after three checks, which come every 10 s by default.
        "RAY_SERVE_PROXY_HEALTH_CHECK_PERIOD_S": "2",
        # By default a proxy that needs more than 5 s to start, as on a busy machine, is killed, and
        # the whole start fails.
        "RAY_SERVE_PROXY_READY_CHECK_TIMEOUT_S": "30",
        "RAY_SERVE_HAPROXY_TUNE_BUFSIZE": "65536",  # a request that is asked again must fit
        # Two stacks on one machine must not share these.
        "RAY_SERVE_HAPROXY_CONFIG_FILE_LOC": str(run / "haproxy.cfg"),
        "RAY_SERVE_HAPROXY_SOCKET_PATH": str(run / "haproxy.sock"),
        "RAY_SERVE_HAPROXY_SERVER_STATE_BASE": str(run),
        "RAY_SERVE_HAPROXY_SERVER_STATE_FILE": str(run / "haproxy-state"),
        # HAProxy would tell the machine's syslog every path, with the shoppers' ids in it.
        "RAY_SERVE_HAPROXY_LOG_TARGET": "/dev/null",
        # Nor a process of Serve's, which reads a line for each request: metrics are ours.
        "RAY_SERVE_HAPROXY_METRICS_ENABLED": "0",
        # Ray runs its workers at niceness 15: a neighbour's batch job would come first.
        "RAY_worker_niceness": "0",
        "RAY_USAGE_STATS_ENABLED": "0",
        "RAY_DISABLE_IMPORT_WARNING": "1",
    }
