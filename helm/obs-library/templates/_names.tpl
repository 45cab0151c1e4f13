{{/* Names and labels. All of them take the chart's root context. */}}

{{- define "obs-library.fullname" -}}
{{- .Values.fullnameOverride | default .Release.Name | trunc 52 | trimSuffix "-" -}}
{{- end }}

{{- define "obs-library.selectorLabels" -}}
app.kubernetes.io/name: {{ .Chart.Name }}
app.kubernetes.io/instance: {{ .Release.Name }}
{{- end }}

{{- define "obs-library.commonLabels" -}}
app.kubernetes.io/version: {{ .Chart.AppVersion | quote }}
app.kubernetes.io/part-of: observability-platform
app.kubernetes.io/managed-by: {{ .Release.Service }}
helm.sh/chart: {{ printf "%s-%s" .Chart.Name .Chart.Version | replace "+" "_" }}
{{- with .Values.commonLabels }}
{{ toYaml . }}
{{- end }}
{{- end }}

{{- define "obs-library.metadata" -}}
name: {{ include "obs-library.fullname" . }}
namespace: {{ .Release.Namespace }}
labels:
  {{- include "obs-library.selectorLabels" . | nindent 2 }}
  {{- include "obs-library.commonLabels" . | nindent 2 }}
{{- end }}

{{/* What network policies select pods by, beside the name: who talks to the bus. */}}
{{- define "obs-library.networkLabels" -}}
observability-platform/bus-client: "true"
{{- end }}

{{- define "obs-library.image" -}}
{{- $image := .Values.image -}}
{{- with $image.registry }}{{ trimSuffix "/" . }}/{{ end -}}
{{- $image.repository | default .Chart.Name -}}
{{- if $image.digest }}@{{ $image.digest }}{{ else }}:{{ $image.tag | default .Chart.AppVersion }}{{ end -}}
{{- end }}
