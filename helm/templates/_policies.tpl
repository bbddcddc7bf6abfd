{{/* Peers and ports of the network policies. */}}

{{- define "vitrine.peers" -}}
{{- $root := index . 0 -}}
{{- range rest . }}
- podSelector:
    matchLabels:
      {{- include "vitrine.selector" (list $root .) | nindent 6 }}
{{- end }}
{{- end }}

{{- define "vitrine.toApi" -}}
- ports:
    {{- range .Values.networkPolicy.apiPorts }}
    - {port: {{ . }}}
    {{- end }}
{{- end }}

{{- define "vitrine.toStore" -}}
{{- if .Values.redis.bundled.enabled -}}
- to:
    {{- include "vitrine.peers" (list . "redis") | nindent 4 }}
  ports: [{port: 6379}]
{{- else -}}
# Where it is, a name tells and no address.
- ports: [{port: {{ .Values.redis.external.port }}}]
{{- end }}
{{- if .Values.nats.enabled }}
{{- if .Values.nats.bundled.enabled }}
- to:
    {{- include "vitrine.peers" (list . "nats") | nindent 4 }}
  ports: [{port: 4222}]
{{- else }}
{{- range .Values.nats.external.servers }}
- ports: [{port: {{ regexFind ":[0-9]+$" . | trimPrefix ":" | default 4222 }}}]
{{- end }}
{{- end }}
{{- end }}
{{- end }}

{{- define "vitrine.toArchive" -}}
{{- if .Values.archive.url -}}
# Where it is, a name tells and no address.
- ports: [{port: {{ .Values.archive.port }}}]
{{- end }}
{{- end }}

{{- define "vitrine.toWebhooks" -}}
{{- if .Values.webhooks.hosts -}}
# A name tells where they are, and no address; the application calls no private one unless it may.
- ports: [{port: {{ .Values.webhooks.port }}}]
{{- end }}
{{- end }}

{{- define "vitrine.toPictures" -}}
{{- $fetch := .Values.pictures.settings.fetch | default dict -}}
{{- if $fetch.hosts -}}
- to:
    {{- if $fetch.private }}
    - ipBlock: {cidr: 0.0.0.0/0}
    - ipBlock: {cidr: "::/0"}
    {{- else }}
    # A second lock beside the worker's own: no address of a private network.
    - ipBlock: {cidr: 0.0.0.0/0, except: [10.0.0.0/8, 100.64.0.0/10, 127.0.0.0/8, 169.254.0.0/16, 172.16.0.0/12, 192.168.0.0/16]}
    - ipBlock: {cidr: "::/0", except: ["fc00::/7", "fe80::/10"]}
    {{- end }}
  ports:
    {{- range .Values.pictures.ports }}
    - {port: {{ . }}}
    {{- end }}
{{- end }}
{{- end }}

{{- define "vitrine.toTraces" -}}
{{- if include "vitrine.collected" . -}}
- to:
    {{- include "vitrine.peers" (list . "collector") | nindent 4 }}
  ports: [{port: 4318}]
{{- else if .Values.tracing.enabled -}}
{{- $address := urlParse .Values.tracing.endpoint -}}
{{- $port := regexFind ":[0-9]+$" $address.host | trimPrefix ":" -}}
- ports: [{port: {{ $port | default (ternary 443 80 (eq $address.scheme "https")) }}}]
{{- end }}
{{- end }}
