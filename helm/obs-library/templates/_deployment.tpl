{{- define "obs-library.deployment" -}}
{{- $values := .top.Values -}}
apiVersion: apps/v1
kind: Deployment
metadata:
  {{- include "obs-library.metadata" .top | nindent 2 }}
spec:
  {{- if not $values.autoscaling.enabled }}
  replicas: {{ int $values.replicas }}
  {{- end }}
  revisionHistoryLimit: 5
  {{- /* Longer than a group's session: a partition isn't handed from one pod that leaves to one that leaves next (ADR-018). */}}
  minReadySeconds: 15
  strategy:
    type: RollingUpdate
    rollingUpdate: {maxSurge: 1, maxUnavailable: 0}
  selector:
    matchLabels:
      {{- include "obs-library.selectorLabels" .top | nindent 6 }}
  template:
    metadata:
      annotations:
        checksum/config: {{ printf "%s%s" (include "obs-library.configmap" .) (include "obs-library.file" .) | sha256sum }}
        {{- with $values.podAnnotations }}
        {{- toYaml . | nindent 8 }}
        {{- end }}
      labels:
        {{- include "obs-library.selectorLabels" .top | nindent 8 }}
        {{- include "obs-library.commonLabels" .top | nindent 8 }}
        {{- include "obs-library.networkLabels" .top | nindent 8 }}
        {{- with $values.podLabels }}
        {{- toYaml . | nindent 8 }}
        {{- end }}
    spec:
      {{- include "obs-library.podSecurity" .top | nindent 6 }}
      terminationGracePeriodSeconds: {{ int $values.terminationGracePeriodSeconds }}
      {{- include "obs-library.scheduling" .top | nindent 6 }}
      containers:
        - name: {{ .top.Chart.Name }}
          {{- include "obs-library.container" . | nindent 10 }}
      {{- with include "obs-library.volumes" . | trim }}
      volumes:
        {{- . | nindent 8 }}
      {{- end }}
{{- end }}

{{- define "obs-library.container" -}}
image: {{ include "obs-library.image" .top | quote }}
imagePullPolicy: {{ .top.Values.image.pullPolicy }}
{{ include "obs-library.containerSecurity" .top }}
envFrom:
  - configMapRef:
      name: {{ include "obs-library.fullname" .top }}
{{- with include "obs-library.env" . | trim }}
env:
  {{- . | nindent 2 }}
{{- end }}
ports:
  - {name: http, containerPort: {{ int .port }}, protocol: TCP}
{{ include "obs-library.probes" .top }}
resources:
  {{- toYaml .top.Values.resources | nindent 2 }}
{{- with include "obs-library.volumeMounts" . | trim }}
volumeMounts:
  {{- . | nindent 2 }}
{{- end }}
{{- end }}

{{- define "obs-library.env" -}}
{{- with .podNameAs }}
- name: OBS_{{ upper . }}
  valueFrom: {fieldRef: {fieldPath: metadata.name}}
{{- end }}
{{ include "obs-library.busEnv" .top }}
{{- with .top.Values.extraEnv }}
{{ toYaml . }}
{{- end }}
{{- end }}

{{/* /readyz waits for the bus and for partitions, so nothing is restarted because Kafka is away: only /healthz decides that. */}}
{{- define "obs-library.probes" -}}
startupProbe:
  httpGet: {path: /healthz, port: http}
  periodSeconds: 2
  timeoutSeconds: 2
  failureThreshold: {{ max 1 (div (int .Values.startupSeconds) 2) }}
livenessProbe:
  httpGet: {path: /healthz, port: http}
  periodSeconds: 10
  timeoutSeconds: 5
  failureThreshold: 3
readinessProbe:
  httpGet: {path: /readyz, port: http}
  periodSeconds: 5
  timeoutSeconds: 2
  failureThreshold: 2
{{- end }}

{{- define "obs-library.volumeMounts" -}}
{{- if include "obs-library.file" . }}
- {name: files, mountPath: /etc/obs/files, readOnly: true}
{{- end }}
{{- if .secretFile }}
- {name: secret, mountPath: /etc/obs/secret, readOnly: true}
{{- end }}
{{- with .writable }}
- {name: data, mountPath: {{ . }}}
{{- end }}
{{ include "obs-library.busVolumeMounts" .top }}
{{- end }}

{{- define "obs-library.volumes" -}}
{{- if include "obs-library.file" . }}
- name: files
  configMap:
    name: {{ include "obs-library.fullname" .top }}-files
{{- end }}
{{- with .secretFile }}
- name: secret
  secret:
    secretName: {{ .name }}
    defaultMode: 0440
    items: [{key: {{ .key }}, path: {{ .key }}}]
{{- end }}
{{- if .writable }}
- name: data
  emptyDir: {sizeLimit: 64Mi}
{{- end }}
{{ include "obs-library.busVolumes" .top }}
{{- end }}
