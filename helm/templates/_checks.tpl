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
{{- if lt (include "vitrine.bytes" .Values.serving.head.resources.limits.memory | int64) (mul 1400 1024 1024) -}}
{{- fail (printf "serving.head.resources.limits.memory: %s is too little, 1400Mi is the least: Ray would end Serve's controller again and again" .Values.serving.head.resources.limits.memory) -}}
{{- end -}}
{{- if and .Values.nats.enabled .Values.nats.bundled.enabled -}}
{{- $bounds := add (include "vitrine.bytes" .Values.nats.eventsMaxBytes | int64) (include "vitrine.bytes" .Values.nats.rankingsMaxBytes | int64) -}}
{{- if gt (mulf $bounds 1.1) (include "vitrine.bytes" .Values.nats.bundled.size | float64) -}}
{{- fail (printf "nats.bundled.size: %s is too little for nats.eventsMaxBytes and nats.rankingsMaxBytes and a tenth more" .Values.nats.bundled.size) -}}
{{- end -}}
{{- end -}}
{{- if and .Values.nats.enabled .Values.redis.logMaxBytes -}}
{{- fail "redis.logMaxBytes bounds a log in Redis; with nats.enabled give nats.eventsMaxBytes and nats.rankingsMaxBytes" -}}
{{- end -}}
{{- $way := list (ternary "ingress.enabled" "" .Values.ingress.enabled) (ternary "httpRoute.enabled" "" .Values.httpRoute.enabled) (ternary "" (printf "service.type: %s" .Values.service.type) (eq .Values.service.type "ClusterIP")) | compact -}}
{{- if and $way .Values.networkPolicy.enabled (not .Values.networkPolicy.clients) -}}
{{- fail (printf "networkPolicy.clients is needed with %s: by default only pods may ask, and what is no pod (a cloud's balancer, a controller in the host's network) is let in by its addresses. Name who asks: [{namespaceSelector: {matchLabels: {kubernetes.io/metadata.name: ingress-nginx}}}], or [{ipBlock: {cidr: 10.0.0.0/8}}]" (first $way)) -}}
{{- end -}}
{{- $there := lookup "ray.io/v1" "RayService" .Release.Namespace (include "vitrine.fullname" .) -}}
{{- if dig "metadata" "deletionTimestamp" "" $there -}}
{{- fail (printf "the RayService %s of an installation before is still being removed: try again when `kubectl get rayservice --namespace %s` does not list it" (include "vitrine.fullname" .) .Release.Namespace) -}}
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
