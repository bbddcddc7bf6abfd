{{/* The settings objects as the code reads them: serving/settings.py, features/store/settings.py. */}}

{{- define "vitrine.store" -}}
state: /var/lib/vitrine
kind: redis
registry: /shared/feast-registry.db
offline: /shared/offline
{{- with .Values.archive.url }}
archive: {{ . | quote }}
{{- end }}
prices:
  {{- .Values.prices | toYaml | nindent 2 }}
{{- with .Values.redis.logMaxBytes }}
log_max_bytes: {{ . | int64 }}
{{- end }}
redis:
  host: {{ include "vitrine.redisHost" . | quote }}
  port: {{ include "vitrine.redisPort" . }}
  {{- if .Values.redis.auth.enabled }}
  password_file: /etc/vitrine/redis/password
  {{- if and .Values.redis.external.username (not .Values.redis.bundled.enabled) }}
  username: {{ .Values.redis.external.username | quote }}
  {{- end }}
  {{- end }}
  {{- if include "vitrine.redisTls" . }}
  tls: true
  {{- if include "vitrine.redisCa" . }}
  tls_ca_file: /etc/vitrine/redis/ca.crt
  {{- end }}
  {{- end }}
{{- if .Values.nats.enabled }}
nats:
  servers:
    {{- include "vitrine.natsServers" . | nindent 4 }}
  replicas: {{ ternary .Values.nats.bundled.replicas .Values.nats.external.replicas .Values.nats.bundled.enabled }}
  events_max_bytes: {{ include "vitrine.bytes" .Values.nats.eventsMaxBytes }}
  rankings_max_bytes: {{ include "vitrine.bytes" .Values.nats.rankingsMaxBytes }}
  {{- if .Values.nats.auth.enabled }}
  username: {{ ternary "vitrine" (.Values.nats.external.username | default "vitrine") .Values.nats.bundled.enabled }}
  password_file: /etc/vitrine/nats/password
  {{- end }}
  {{- if include "vitrine.natsCa" . }}
  tls_ca_file: /etc/vitrine/nats/ca.crt
  {{- end }}
{{- end }}
{{- end }}

{{- define "vitrine.settings" -}}
{{- $own := include "vitrine.ownSettings" . | fromYaml -}}
{{- $settings := mergeOverwrite $own (deepCopy .Values.serving.settings) -}}
{{- range $name, $deployment := $settings.deployments -}}
{{- range $key, $_ := include "vitrine.scaling" $ | fromYaml -}}
{{- $_ := unset $deployment $key -}}
{{- end -}}
{{- end -}}
{{- toYaml $settings -}}
{{- end }}

{{- /* How deployments scale is told to Serve, and not to the application: then a change of it builds nothing anew. Here is
what is not given, as in ReplicaSettings. */}}
{{- define "vitrine.scaling" -}}
min_replicas: 1
max_replicas: 1
target_ongoing_requests: 2
upscale_delay_s: 5
downscale_delay_s: 300
{{- end }}

{{- define "vitrine.ownSettings" -}}
access:
  keys_path: /etc/vitrine/keys/keys.json
  pseudonym_key_path: /etc/vitrine/pseudonym/pseudonym.key
model:
  # A headless Service: the name stands for every server, and calls go round among them.
  grpc_address: {{ include "vitrine.fullname" . }}-model-server:8001
  tokenizer_path: /opt/vitrine/tokenizer.json
  encoder_profile: {{ .Values.modelServer.encoder }}
  {{- if eq .Values.modelServer.encoder "multilingual" }}
  encoder_tokenizer_path: /opt/vitrine/multilingual.model
  {{- end }}
store:
  {{- include "vitrine.store" . | nindent 2 }}
retrieval:
  vectors_path: /var/lib/vitrine/vectors.npz
  neighbors_path: /shared/neighbors.npz
rules_path: /etc/vitrine/rules/rules.yaml
objective_path: /etc/vitrine/rules/objective.yaml
{{- with .Values.webhooks }}
{{- if .hosts }}
alerts:
  hosts: {{ toJson .hosts }}
  {{- if .existingSecret }}
  secret_path: /etc/vitrine/webhook/webhook.secret
  {{- end }}
  private_addresses: {{ .privateAddresses }}
{{- end }}
{{- end }}
{{- if .Values.pictures.enabled }}
pictures:
  {{- .Values.pictures.settings | toYaml | nindent 2 }}
{{- end }}
{{- /* A merge takes false for "not given". */}}
pages: {{ get .Values.serving.settings "pages" | default (and (ne .Values.demo.data "") (not (hasKey .Values.serving.settings "pages"))) }}
{{- end }}

{{- define "vitrine.ingestSettings" -}}
{{- $own := dict "store" (include "vitrine.store" . | fromYaml) -}}
{{- mergeOverwrite $own (deepCopy .Values.ingest.settings) | toYaml -}}
{{- end }}

{{- define "vitrine.pictureSettings" -}}
{{- $settings := include "vitrine.settings" . | fromYaml -}}
{{- pick $settings "store" "model" "pictures" | toYaml -}}
{{- end }}

{{- /*
One volume for all that a pod reads at /etc/vitrine, of the parts named. A mount inside a mount of a
ConfigMap would fail, and a subPath would not follow a changed Secret.
*/}}
{{- define "vitrine.configuration" -}}
{{- $root := index . 0 -}}
{{- $parts := index . 1 -}}
- name: configuration
  projected:
    defaultMode: 0440
    sources:
      {{- range $file := without $parts "rules" "keys" "pseudonym" "redis" "nats" "webhook" }}
      - configMap:
          name: {{ include "vitrine.fullname" $root }}-settings
          items: [{key: {{ $file }}.json, path: {{ $file }}.json}]
      {{- end }}
      {{- if has "rules" $parts }}
      - configMap:
          name: {{ include "vitrine.fullname" $root }}-rules
          items:
            - {key: rules.yaml, path: rules/rules.yaml}
            - {key: objective.yaml, path: rules/objective.yaml}
      {{- end }}
      {{- if has "keys" $parts }}
      - secret:
          name: {{ include "vitrine.keysSecret" $root | quote }}
          items: [{key: keys.json, path: keys/keys.json}]
      {{- end }}
      {{- if has "pseudonym" $parts }}
      - secret:
          name: {{ include "vitrine.pseudonymSecret" $root | quote }}
          items: [{key: pseudonym.key, path: pseudonym/pseudonym.key}]
      {{- end }}
      {{- if and (has "webhook" $parts) $root.Values.webhooks.existingSecret }}
      - secret:
          name: {{ $root.Values.webhooks.existingSecret | quote }}
          items: [{key: webhook.secret, path: webhook/webhook.secret}]
      {{- end }}
      {{- if and (has "redis" $parts) $root.Values.redis.auth.enabled }}
      - secret:
          name: {{ include "vitrine.redisSecret" $root | quote }}
          items: [{key: password, path: redis/password}]
      {{- end }}
      {{- if and (has "redis" $parts) (include "vitrine.redisCa" $root) }}
      - secret:
          name: {{ include "vitrine.redisCa" $root | quote }}
          items: [{key: ca.crt, path: redis/ca.crt}]
      {{- end }}
      {{- if and (has "nats" $parts) $root.Values.nats.enabled $root.Values.nats.auth.enabled }}
      - secret:
          name: {{ include "vitrine.natsSecret" $root | quote }}
          items: [{key: password, path: nats/password}]
      {{- end }}
      {{- if and (has "nats" $parts) (include "vitrine.natsCa" $root) }}
      - secret:
          name: {{ include "vitrine.natsCa" $root | quote }}
          items: [{key: ca.crt, path: nats/ca.crt}]
      {{- end }}
{{- end }}

{{- /* Holds a pod back until the set-up job has registered the features, ten minutes at most. No Python: a node that comes has no time to import. */}}
{{- define "vitrine.waitForSetup" -}}
- name: wait
  {{- include "vitrine.containerImage" (list . "serving") | nindent 2 }}
  command:
    - sh
    - -c
    - |
      for _ in $(seq 1200); do test -f /shared/feast-registry.db && exit 0; sleep 0.5; done
      echo "no feature registry after ten minutes: did the set-up job end well?" >&2; exit 1
  resources:
    requests: {cpu: 10m, memory: 16Mi}
    limits: {cpu: 100m, memory: 32Mi}
  volumeMounts:
    - {name: shared, mountPath: /shared, readOnly: true}
{{- end }}
