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

{{- /* Made by KubeRay, which moves it to the new cluster in an upgrade. */}}
{{- define "vitrine.serveService" -}}
{{ include "vitrine.fullname" . }}-serve-svc
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
