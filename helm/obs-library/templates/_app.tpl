{{/* All objects of a program. Takes a dict:
       top         the root context
       port        where it listens
       partitions  of what its group reads (optional): bounds the replicas
       podNameAs   the setting that is the pod's name (optional): the group member, from which the transactional id is made, or the instance
       file        (optional) a file whose text stands in the values: {value: key in the values, name: file's name, setting: that is its path}
       secretFile  (optional) {name, key: of the Secret; setting: that is its path}
       writable    (optional) a folder that it writes to
       headless    (optional) true: also a Service NAME-pods, whose name leads to each pod */}}
{{- define "obs-library.app" -}}
{{- if .partitions }}{{ include "obs-library.checkReplicas" . }}{{ end -}}
{{- $kinds := list "serviceaccount" "configmap" "service" "deployment" -}}
{{- if include "obs-library.file" . }}{{ $kinds = append $kinds "files" }}{{ end -}}
{{- if .headless }}{{ $kinds = append $kinds "headless" }}{{ end -}}
{{- if .top.Values.autoscaling.enabled }}{{ $kinds = append $kinds "hpa" }}{{ end -}}
{{- if .top.Values.podDisruptionBudget.enabled }}{{ $kinds = append $kinds "pdb" }}{{ end -}}
{{- if .top.Values.serviceMonitor.enabled }}{{ $kinds = append $kinds "servicemonitor" }}{{ end -}}
{{- range append $kinds "test" }}
---
{{ include (printf "obs-library.%s" .) $ }}
{{- end }}
{{- end }}
