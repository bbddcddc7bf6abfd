{{/* What a schema cannot say; the message names the key. */}}

{{- define "vitrine.checks" -}}
{{- $workers := .Values.serving.workers -}}
{{- if gt (int $workers.minReplicas) (int $workers.maxReplicas) -}}
{{- fail "serving.workers.minReplicas is more than serving.workers.maxReplicas" -}}
{{- end -}}
{{- range $name, $replicas := .Values.serving.settings.deployments -}}
{{- if gt (int ($replicas.min_replicas | default 1)) (int ($replicas.max_replicas | default 1)) -}}
{{- fail (printf "serving.settings.deployments.%s: min_replicas is more than max_replicas" $name) -}}
{{- end -}}
{{- end -}}
{{- $scaling := .Values.modelServer.autoscaling -}}
{{- if gt (int $scaling.minReplicas) (int $scaling.maxReplicas) -}}
{{- fail "modelServer.autoscaling.minReplicas is more than modelServer.autoscaling.maxReplicas" -}}
{{- end -}}
{{- $rollout := .Values.modelServer.rollout -}}
{{- if not (or $rollout.maxSurge $rollout.maxUnavailable) -}}
{{- fail "modelServer.rollout: maxSurge and maxUnavailable cannot both be 0" -}}
{{- end -}}
{{- if and .Values.loadtest.enabled (not .Values.demo.data) -}}
{{- fail "loadtest.enabled needs demo.data: shoppers are drawn from it" -}}
{{- end -}}
{{- if and .Values.loadtest.enabled (not .Values.loadtest.keySecret) (or .Values.auth.existingSecret .Values.auth.keys) -}}
{{- fail "loadtest.keySecret is needed when the keys are your own (auth)" -}}
{{- end -}}
{{- range list "ingress" "httpRoute" -}}
{{- if and (get $.Values .).enabled (eq $.Values.serving.upgrade.strategy "NewClusterWithIncrementalUpgrade") -}}
{{- fail (printf "%s.enabled: with NewClusterWithIncrementalUpgrade KubeRay makes the Gateway itself" .) -}}
{{- end -}}
{{- end -}}
{{- end }}
