{{/* The beginning of NOTES.txt. Takes (dict "top" ROOT "port" PORT). */}}
{{- define "obs-library.notes" -}}
{{- $name := include "obs-library.fullname" .top -}}
{{- $namespace := .top.Release.Namespace -}}
{{ .top.Chart.Name }} {{ .top.Chart.AppVersion }} as {{ $name }} in {{ $namespace }}, on {{ .top.Values.bus.url }}.

  kubectl -n {{ $namespace }} rollout status deployment/{{ $name }}
  kubectl -n {{ $namespace }} logs -l app.kubernetes.io/name={{ .top.Chart.Name }} --prefix --tail=20
  kubectl -n {{ $namespace }} port-forward svc/{{ $name }} {{ .port }}
  helm -n {{ $namespace }} test {{ .top.Release.Name }}

It becomes ready once it is connected to the bus{{ if .group }} and has partitions{{ end }}.
{{- end }}
