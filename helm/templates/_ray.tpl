{{/* What the Ray nodes of the application share. */}}

{{- /* That of pyproject.toml: KubeRay chooses health checks by it. */}}
{{- define "vitrine.rayVersion" -}}2.60.0{{- end }}

{{- define "vitrine.rayNeeded" -}}
{{- include "vitrine.needs" (list . "ray.io/v1" "Vitrine" "helm install kuberay-operator kuberay-operator --repo https://ray-project.github.io/kuberay-helm --namespace kuberay-system --create-namespace") -}}
{{- end }}

{{- /* The smallest object store that Ray takes, in bytes: answers do not pass through it. */}}
{{- define "vitrine.objectStoreMemory" -}}{{ mul 80 1024 1024 }}{{- end }}

{{- /* Nodes of the cluster that answers now; 0 when there is none, and where nobody can be asked (helm template). */}}
{{- define "vitrine.nodesNow" -}}
{{- $service := lookup "ray.io/v1" "RayService" .Release.Namespace (include "vitrine.fullname" .) | default dict -}}
{{- $active := dig "status" "activeServiceStatus" "rayClusterName" "" $service -}}
{{- if $active -}}
{{- dig "status" "desiredWorkerReplicas" 0 (lookup "ray.io/v1" "RayCluster" .Release.Namespace $active | default dict) -}}
{{- else -}}
0
{{- end -}}
{{- end }}

{{- /* Where the state of Ray's head lies. */}}
{{- define "vitrine.headRedisAddress" -}}
{{- if .Values.redis.head.enabled -}}
redis://{{ include "vitrine.fullname" . }}-head-redis:6379
{{- else -}}
{{ include "vitrine.redisAddress" . }}
{{- end -}}
{{- end }}

{{- define "vitrine.redisAddress" -}}
{{ ternary "rediss" "redis" (eq "yes" (include "vitrine.redisTls" .)) }}://{{ include "vitrine.redisHost" . }}:{{ include "vitrine.redisPort" . }}
{{- end }}

{{- /* Must be set before the Ray node starts; serving/local/ray_environment.py has the same, docs/adr/0004 why. */}}
{{- define "vitrine.rayEnvironment" -}}
- {name: RAY_SERVE_THROUGHPUT_OPTIMIZED, value: "1"}
- {name: RAY_SERVE_ENABLE_HA_PROXY, value: "1"}
# When a replica dies over a request, another one answers it.
- {name: RAY_SERVE_HAPROXY_RETRY_ON, value: conn-failure empty-response}
# Serve has no settings for these: they follow the last line that it lets us write into HAProxy's defaults.
- name: RAY_SERVE_HAPROXY_BALANCE_ALGORITHM
  value: |
    leastconn
    option http-buffer-request
    option forwardfor header x-vitrine-peer
    default-server maxconn 10
    timeout queue 250ms
    timeout connect 250ms
    unique-id-format %[date(0,ms)]
    unique-id-header x-vitrine-received
    http-error status 503 content-type application/problem+json hdr retry-after 1 lf-string '{"type":"urn:vitrine:problem:overloaded","title":"Service Unavailable","status":503,"detail":"no replica is free","code":"overloaded","request_id":"%[req.hdr(x-request-id),json(utf8s)]"}'
# Nor for these: they stand in its backend, before the rest of the line of server defaults.
- name: RAY_SERVE_HAPROXY_HEALTH_CHECK_FASTINTER
  value: |-
    250ms
    stick-table type binary len 32 size 20k expire 10s store conn_cur
    http-request track-sc0 req.hdr(authorization),sha2(256) if { req.hdr(authorization) -m found }
    http-request track-sc0 src,sha2(256) unless { req.hdr(authorization) -m found }
    http-request set-priority-class sc_conn_cur(0)
    http-response del-header server
    http-response set-header x-request-id %[res.fhdr(x-request-id,1)] if { res.fhdr_cnt(x-request-id) gt 1 }
    default-server
# A request that is asked again must fit.
- {name: RAY_SERVE_HAPROXY_TUNE_BUFSIZE, value: "65536"}
# A dead proxy is found after three checks, which come every 10 s by default.
- {name: RAY_SERVE_PROXY_HEALTH_CHECK_PERIOD_S, value: "2"}
# By default a proxy that needs more than 5 s to start, as on a busy node, is killed.
- {name: RAY_SERVE_PROXY_READY_CHECK_TIMEOUT_S, value: "30"}
# HAProxy would tell a syslog every path, with the shoppers' ids in it.
- {name: RAY_SERVE_HAPROXY_LOG_TARGET, value: /dev/null}
# Nor Serve itself, which reads a line for each request: metrics are ours (docs/adr/0013).
- {name: RAY_SERVE_HAPROXY_METRICS_ENABLED, value: "0"}
# Ray runs its workers at niceness 15: a neighbour's batch job would come first.
- {name: RAY_worker_niceness, value: "0"}
- {name: RAY_USAGE_STATS_ENABLED, value: "0"}
- {name: RAY_DISABLE_IMPORT_WARNING, value: "1"}
# prometheus_client takes either name, and Feast makes a folder for the one that is missing.
- {name: PROMETHEUS_MULTIPROC_DIR, value: /metrics}
- {name: PROMETHEUS_MULTIPROCESS_DIR, value: /metrics}
{{- if and (include "vitrine.redisCa" .) (not .Values.redis.head.enabled) }}
- {name: RAY_REDIS_CA_CERT, value: /etc/vitrine/redis/ca.crt}
{{- end }}
{{- with include "vitrine.tracingEnvironment" (list . "vitrine") }}
{{ . }}
- {name: RAY_SERVE_TRACING_EXPORTER_IMPORT_PATH, value: "features.telemetry.spans:span_processors"}
- {name: RAY_SERVE_TRACING_SAMPLING_RATIO, value: {{ $.Values.tracing.ratio | quote }}}
{{- end }}
{{- end }}

{{- define "vitrine.rayMounts" -}}
- {name: configuration, mountPath: /etc/vitrine, readOnly: true}
- {name: tmp, mountPath: /tmp}
- {name: metrics, mountPath: /metrics}
{{- end }}

{{- /* Ray writes its session to /tmp, and nothing to the image: the root stays read-only. */}}
{{- define "vitrine.rayVolumes" -}}
- name: tmp
  emptyDir: {}
- name: metrics
  emptyDir: {medium: Memory, sizeLimit: 64Mi}
{{- end }}

{{- /* Raylet, and on the head its GCS; served by Ray's agent. */}}
{{- define "vitrine.rayHealth" -}}
httpGet: {path: /api/healthz, port: 52365}
periodSeconds: 5
timeoutSeconds: 5
{{- end }}
