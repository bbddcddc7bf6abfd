{{/* Names, labels, images, and what every pod has. Arguments in lists: the root context comes first. */}}

{{- define "vitrine.fullname" -}}
{{- $named := ternary .Release.Name (printf "%s-%s" .Release.Name .Chart.Name) (contains .Chart.Name .Release.Name) -}}
{{- /* KubeRay adds up to 22 characters to a name of 63. */ -}}
{{- .Values.fullnameOverride | default $named | trunc 40 | trimSuffix "-" -}}
{{- end }}

{{- define "vitrine.labels" -}}
{{- $root := index . 0 -}}
{{ include "vitrine.selector" . }}
app.kubernetes.io/name: {{ $root.Chart.Name }}
app.kubernetes.io/managed-by: {{ $root.Release.Service }}
app.kubernetes.io/version: {{ $root.Chart.AppVersion | quote }}
helm.sh/chart: {{ printf "%s-%s" $root.Chart.Name $root.Chart.Version }}
{{- end }}

{{- /* Without the name label: KubeRay puts its own on Ray's pods. Never version or chart: immutable. */}}
{{- define "vitrine.selector" -}}
app.kubernetes.io/part-of: vitrine
app.kubernetes.io/instance: {{ (index . 0).Release.Name | quote }}
app.kubernetes.io/component: {{ index . 1 }}
{{- end }}

{{- /* Of pods: no version either, or a chart without any change for a pod would restart it. */}}
{{- define "vitrine.podLabels" -}}
{{ include "vitrine.selector" . }}
app.kubernetes.io/name: {{ (index . 0).Chart.Name }}
{{- end }}

{{- define "vitrine.metadata" -}}
{{- $root := index . 0 -}}
name: {{ list (include "vitrine.fullname" $root) (index . 2) | compact | join "-" | quote }}
namespace: {{ $root.Release.Namespace | quote }}
labels:
  {{- include "vitrine.labels" . | nindent 2 }}
{{- end }}

{{- define "vitrine.image" -}}
{{- $root := index . 0 -}}
{{- $image := get $root.Values.images (index . 1) -}}
{{- with $root.Values.images.registry }}{{ . }}/{{ end -}}
{{- $image.repository -}}
{{- if $image.digest }}@{{ $image.digest }}{{ else }}:{{ $image.tag | default $root.Chart.AppVersion }}{{ end -}}
{{- end }}

{{- define "vitrine.containerImage" -}}
image: {{ include "vitrine.image" . | quote }}
imagePullPolicy: {{ (index . 0).Values.images.pullPolicy }}
securityContext:
  {{- include "vitrine.containerSecurity" . | nindent 2 }}
{{- end }}

{{- define "vitrine.containerSecurity" -}}
allowPrivilegeEscalation: false
readOnlyRootFilesystem: true
capabilities: {drop: [ALL]}
{{- end }}

{{- define "vitrine.pod" -}}
{{- $root := index . 0 -}}
serviceAccountName: {{ printf "%s%s" (include "vitrine.fullname" $root) (index . 1) | quote }}
automountServiceAccountToken: false
enableServiceLinks: false
securityContext:
  runAsNonRoot: true
  runAsUser: 10001
  runAsGroup: 10001
  fsGroup: 10001
  fsGroupChangePolicy: OnRootMismatch
  seccompProfile: {type: RuntimeDefault}
{{- with $root.Values.images.pullSecrets }}
imagePullSecrets:
  {{- range . }}
  - name: {{ . | quote }}
  {{- end }}
{{- end }}
{{- end }}

{{- /* A token for Kubernetes's API, mounted by those that talk to it. */}}
{{- define "vitrine.apiToken" -}}
projected:
  sources:
    - serviceAccountToken: {path: token, expirationSeconds: 3607}
    - configMap: {name: kube-root-ca.crt, items: [{key: ca.crt, path: ca.crt}]}
    - downwardAPI: {items: [{path: namespace, fieldRef: {fieldPath: metadata.namespace}}]}
{{- end }}

{{- define "vitrine.place" -}}
{{- with .nodeSelector }}
nodeSelector:
  {{- toYaml . | nindent 2 }}
{{- end }}
{{- with .tolerations }}
tolerations:
  {{- toYaml . | nindent 2 }}
{{- end }}
{{- end }}

{{- /* Two of a kind on different nodes and zones where there are several; never a reason not to start. */}}
{{- define "vitrine.spread" -}}
topologySpreadConstraints:
  {{- range list "kubernetes.io/hostname" "topology.kubernetes.io/zone" }}
  - maxSkew: 1
    topologyKey: {{ . }}
    whenUnsatisfiable: ScheduleAnyway
    labelSelector:
      matchLabels:
        {{- include "vitrine.selector" $ | nindent 8 }}
  {{- end }}
{{- end }}

{{- define "vitrine.sharedClaim" -}}
{{- .Values.sharedVolume.existingClaim | default (printf "%s-shared" (include "vitrine.fullname" .)) -}}
{{- end }}

{{- define "vitrine.keysSecret" -}}
{{- .Values.auth.existingSecret | default (printf "%s-keys" (include "vitrine.fullname" .)) -}}
{{- end }}

{{- define "vitrine.pseudonymSecret" -}}
{{- .Values.pseudonyms.existingSecret | default (printf "%s-pseudonym" (include "vitrine.fullname" .)) -}}
{{- end }}

{{- define "vitrine.redisSecret" -}}
{{- .Values.redis.auth.existingSecret | default (printf "%s-redis" (include "vitrine.fullname" .)) -}}
{{- end }}

{{- define "vitrine.redisHost" -}}
{{- if .Values.redis.bundled.enabled -}}
{{ include "vitrine.fullname" . }}-redis
{{- else -}}
{{ required "redis.external.host is needed when redis.bundled.enabled is false" .Values.redis.external.host }}
{{- end -}}
{{- end }}

{{- define "vitrine.redisPort" -}}
{{- ternary 6379 .Values.redis.external.port .Values.redis.bundled.enabled -}}
{{- end }}

{{- define "vitrine.redisTls" -}}
{{- if and .Values.redis.external.tls (not .Values.redis.bundled.enabled) }}yes{{ end -}}
{{- end }}

{{- define "vitrine.redisCa" -}}
{{- if include "vitrine.redisTls" . }}{{ .Values.redis.external.caSecret }}{{ end -}}
{{- end }}

{{- /* Of those that read or write the archive. */}}
{{- define "vitrine.archiveKeys" -}}
{{- if and .Values.archive.url .Values.archive.existingSecret -}}
envFrom:
  - secretRef: {name: {{ .Values.archive.existingSecret | quote }}}
{{- end -}}
{{- end }}

{{- define "vitrine.natsSecret" -}}
{{- .Values.nats.auth.existingSecret | default (printf "%s-nats" (include "vitrine.fullname" .)) -}}
{{- end }}

{{- define "vitrine.natsServers" -}}
{{- if .Values.nats.bundled.enabled -}}
- nats://{{ include "vitrine.fullname" . }}-nats:4222
{{- else -}}
{{ required "nats.external.servers is needed when nats.bundled.enabled is false" .Values.nats.external.servers | toYaml }}
{{- end -}}
{{- end }}

{{- define "vitrine.natsCa" -}}
{{- if and .Values.nats.enabled (not .Values.nats.bundled.enabled) }}{{ .Values.nats.external.caSecret }}{{ end -}}
{{- end }}

{{- /* How many of the smallest unit a quantity is: thousandths of a plain or decimal one, bytes of a binary one. */}}
{{- define "vitrine.smallest" -}}
{{- $quantity := toString . -}}
{{- $number := regexFind "^[0-9.]+" $quantity -}}
{{- $unit := trimPrefix $number $quantity -}}
{{- $binary := hasSuffix "i" $unit -}}
{{- $amount := float64 $number -}}
{{- $below := true -}}
{{- range ternary (list "" "Ki" "Mi" "Gi" "Ti") (list "m" "" "k" "M" "G" "T") $binary -}}
{{- if eq . $unit }}{{ $below = false }}{{ else if $below }}{{ $amount = mulf $amount (ternary 1024 1000 $binary) }}{{ end -}}
{{- end -}}
{{ round $amount 0 | int64 }}
{{- end }}

{{- define "vitrine.bytes" -}}
{{- $amount := include "vitrine.smallest" . | int64 -}}
{{ ternary $amount (div $amount 1000) (hasSuffix "i" (toString .)) }}
{{- end }}

{{- /*
As Kubernetes writes it: "1" for 1000m, 2Gi for 2048Mi. KubeRay writes its objects back in that form, and what
differs from ours is then its own: the next upgrade by Helm 4 (server-side apply) would be refused.
*/}}
{{- define "vitrine.quantity" -}}
{{- $binary := hasSuffix "i" (toString .) -}}
{{- $base := ternary 1024 1000 $binary -}}
{{- $amount := include "vitrine.smallest" . | int64 -}}
{{- $shown := ternary "" "m" $binary -}}
{{- $whole := gt $amount 0 -}}
{{- range ternary (list "Ki" "Mi" "Gi" "Ti") (list "" "k" "M" "G" "T") $binary -}}
{{- $whole = and $whole (eq 0 (mod $amount $base)) -}}
{{- if $whole }}{{ $amount = div $amount $base }}{{ $shown = . }}{{ end -}}
{{- end -}}
{{ ternary "0" (printf "%d%s" $amount $shown) (eq $amount 0) }}
{{- end }}

{{- define "vitrine.resources" -}}
{{- range $kind, $amounts := . }}
{{ $kind }}:
  {{- range $name, $amount := $amounts }}
  {{ $name }}: {{ include "vitrine.quantity" $amount | quote }}
  {{- end }}
{{- end }}
{{- end }}

{{- define "vitrine.tracesEndpoint" -}}
{{- .Values.tracing.endpoint | default (printf "http://%s-collector:4318/v1/traces" (include "vitrine.fullname" .)) -}}
{{- end }}

{{- define "vitrine.collected" -}}
{{- if and .Values.tracing.enabled (not .Values.tracing.endpoint) }}yes{{ end -}}
{{- end }}

{{- /* docs/tracing.md */}}
{{- define "vitrine.tracingEnvironment" -}}
{{- $root := index . 0 -}}
{{- if $root.Values.tracing.enabled -}}
- {name: OTEL_TRACES_EXPORTER, value: otlp}
- {name: OTEL_EXPORTER_OTLP_TRACES_ENDPOINT, value: {{ include "vitrine.tracesEndpoint" $root | quote }}}
- {name: OTEL_SERVICE_NAME, value: {{ index . 1 }}}
{{- end -}}
{{- end }}

{{- /* api, what for, how to get it */}}
{{- define "vitrine.needs" -}}
{{- $root := index . 0 -}}
{{- if not ($root.Capabilities.APIVersions.Has (index . 1)) -}}
{{- fail (printf "%s needs %s, which this cluster does not have: %s" (index . 2) (index . 1) (index . 3)) -}}
{{- end -}}
{{- end }}

{{- define "vitrine.needsMonitoring" -}}
{{- include "vitrine.needs" (list (index . 0) "monitoring.coreos.com/v1" (index . 1) "install the Prometheus operator") -}}
{{- end }}
