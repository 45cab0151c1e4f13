{{/* Labels of what this chart makes. */}}
{{- define "observability-platform.labels" -}}
app.kubernetes.io/part-of: observability-platform
app.kubernetes.io/managed-by: {{ .Release.Service }}
app.kubernetes.io/instance: {{ .Release.Name }}
helm.sh/chart: {{ printf "%s-%s" .Chart.Name .Chart.Version }}
{{- end }}

{{/* A file's name as an object's: golden-signals.yaml -> golden-signals. */}}
{{- define "observability-platform.base" -}}
{{ base . | trimSuffix (ext .) }}
{{- end }}

{{/* Labels of an object of the Kafka. */}}
{{- define "observability-platform.kafkaLabels" -}}
strimzi.io/cluster: {{ .Values.kafka.name }}
{{ include "observability-platform.labels" . }}
{{- end }}
