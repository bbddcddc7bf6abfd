{{- /* A Valkey that loses nothing, by its name and its part of the values. The password is that of `redis.auth`. */}}
{{- define "vitrine.valkey" -}}
{{- $root := index . 0 -}}
{{- $name := index . 1 -}}
{{- $redis := index . 2 -}}
apiVersion: v1
kind: ConfigMap
metadata:
  {{- include "vitrine.metadata" (list $root $name $name) | nindent 2 }}
data:
  valkey.conf: |
    dir /data
    # What is written is on disk before it is answered: an event before its 202.
    appendonly yes
    appendfsync always
    save ""
    maxmemory {{ $redis.maxMemory }}
    maxmemory-policy noeviction
---
apiVersion: v1
kind: Service
metadata:
  {{- include "vitrine.metadata" (list $root $name $name) | nindent 2 }}
spec:
  selector:
    {{- include "vitrine.selector" (list $root $name) | nindent 4 }}
  ports:
    - {name: redis, port: 6379, targetPort: redis}
---
apiVersion: apps/v1
kind: StatefulSet
metadata:
  {{- include "vitrine.metadata" (list $root $name $name) | nindent 2 }}
spec:
  serviceName: {{ include "vitrine.fullname" $root }}-{{ $name }}
  replicas: 1
  selector:
    matchLabels:
      {{- include "vitrine.selector" (list $root $name) | nindent 6 }}
  template:
    metadata:
      labels:
        {{- include "vitrine.podLabels" (list $root $name) | nindent 8 }}
      annotations:
        checksum/settings: {{ $redis.maxMemory | sha256sum }}
    spec:
      {{- include "vitrine.pod" (list $root "") | nindent 6 }}
      containers:
        - name: redis
          {{- include "vitrine.containerImage" (list $root "redis") | nindent 10 }}
          {{- if $root.Values.redis.auth.enabled }}
          # The password comes by a file in memory: arguments can be read by the whole node.
          command:
            - sh
            - -c
            - >-
              printf 'requirepass %s\n' "$(cat /etc/vitrine/redis/password)" > /tmp/password.conf &&
              exec valkey-server /etc/valkey/valkey.conf --include /tmp/password.conf
          {{- else }}
          command: [valkey-server, /etc/valkey/valkey.conf, --protected-mode, "no"]
          {{- end }}
          ports:
            - {name: redis, containerPort: 6379}
          resources:
            {{- toYaml $redis.resources | nindent 12 }}
          # It loads its log before it answers.
          startupProbe:
            exec:
              command:
                - sh
                - -c
                - {{ ternary "REDISCLI_AUTH=$(cat /etc/vitrine/redis/password) " "" $root.Values.redis.auth.enabled }}valkey-cli ping | grep -q PONG
            timeoutSeconds: 5
            periodSeconds: 5
            failureThreshold: 60
          livenessProbe:
            tcpSocket: {port: redis}
            periodSeconds: 10
            timeoutSeconds: 5
          readinessProbe:
            exec:
              command:
                - sh
                - -c
                - {{ ternary "REDISCLI_AUTH=$(cat /etc/vitrine/redis/password) " "" $root.Values.redis.auth.enabled }}valkey-cli ping | grep -q PONG
            periodSeconds: 5
            timeoutSeconds: 5
          volumeMounts:
            - {name: data, mountPath: /data}
            - {name: settings, mountPath: /etc/valkey, readOnly: true}
            - {name: tmp, mountPath: /tmp}
            {{- if $root.Values.redis.auth.enabled }}
            - {name: configuration, mountPath: /etc/vitrine, readOnly: true}
            {{- end }}
      volumes:
        - name: settings
          configMap: {name: {{ include "vitrine.fullname" $root }}-{{ $name }}}
        - name: tmp
          emptyDir: {medium: Memory, sizeLimit: 1Mi}
        {{- if $root.Values.redis.auth.enabled }}
        {{- include "vitrine.configuration" (list $root (list "redis")) | nindent 8 }}
        {{- end }}
  volumeClaimTemplates:
    - metadata:
        name: data
      spec:
        accessModes: [ReadWriteOnce]
        {{- with $redis.storageClass }}
        storageClassName: {{ . | quote }}
        {{- end }}
        resources:
          requests:
            storage: {{ $redis.size }}
{{- end }}
