{{/* The program's settings as its environment. All take (dict "top" ROOT …), see _app.tpl. */}}

{{/* Numbers as the programs read them: Helm's are floating-point, 1000000 would be 1e+06. */}}
{{- define "obs-library.scalar" -}}
{{- if and (kindIs "float64" .) (eq (floor .) .) -}}{{ int64 . }}
{{- else if kindIs "slice" . -}}{{ join "," . }}
{{- else -}}{{ toString . }}
{{- end -}}
{{- end }}

{{- define "obs-library.configmap" -}}
apiVersion: v1
kind: ConfigMap
metadata:
  {{- include "obs-library.metadata" .top | nindent 2 }}
data:
  OBS_BUS_URL: {{ .top.Values.bus.url | quote }}
  OBS_LISTEN: {{ printf "0.0.0.0:%d" (int .port) | quote }}
  OBS_LOG_FORMAT: {{ .top.Values.settings.log_format | default "json" | quote }}
  {{- range $name, $value := omit .top.Values.settings "log_format" }}
  {{- if not (kindIs "invalid" $value) }}
  OBS_{{ upper $name }}: {{ include "obs-library.scalar" $value | quote }}
  {{- end }}
  {{- end }}
  {{- if include "obs-library.file" . }}
  OBS_{{ upper .file.setting }}: /etc/obs/files/{{ .file.name }}
  {{- end }}
  {{- with .secretFile }}
  OBS_{{ upper .setting }}: /etc/obs/secret/{{ .key }}
  {{- end }}
{{- end }}

{{/* Apart from the settings, which become environment variables. */}}
{{- define "obs-library.files" -}}
apiVersion: v1
kind: ConfigMap
metadata:
  name: {{ include "obs-library.fullname" .top }}-files
  namespace: {{ .top.Release.Namespace }}
  labels:
    {{- include "obs-library.selectorLabels" .top | nindent 4 }}
    {{- include "obs-library.commonLabels" .top | nindent 4 }}
data:
  {{ .file.name }}: |
    {{- include "obs-library.file" . | nindent 4 }}
{{- end }}

{{/* The text of the one file that a program may be given in its values ("": none). */}}
{{- define "obs-library.file" -}}
{{- if .file }}{{ get .top.Values .file.value }}{{ end -}}
{{- end }}
