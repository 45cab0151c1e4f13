{{/* Scaling on the processor's load (docs/adr: consumer lag or CPU). Up by two at most a minute, down by one each five: every change of
     members stops the group for a moment. */}}
{{- define "obs-library.hpa" -}}
{{- $scaling := .top.Values.autoscaling -}}
apiVersion: autoscaling/v2
kind: HorizontalPodAutoscaler
metadata:
  {{- include "obs-library.metadata" .top | nindent 2 }}
spec:
  scaleTargetRef:
    apiVersion: apps/v1
    kind: Deployment
    name: {{ include "obs-library.fullname" .top }}
  minReplicas: {{ int $scaling.minReplicas }}
  maxReplicas: {{ int $scaling.maxReplicas }}
  metrics:
    - type: Resource
      resource:
        name: cpu
        target: {type: Utilization, averageUtilization: {{ int $scaling.targetCPUUtilizationPercentage }}}
  behavior:
    scaleUp:
      stabilizationWindowSeconds: {{ int $scaling.scaleUpStabilizationSeconds }}
      policies: [{type: Pods, value: 2, periodSeconds: 60}]
    scaleDown:
      stabilizationWindowSeconds: {{ int $scaling.scaleDownStabilizationSeconds }}
      policies: [{type: Pods, value: 1, periodSeconds: 300}]
{{- end }}

{{- define "obs-library.pdb" -}}
apiVersion: policy/v1
kind: PodDisruptionBudget
metadata:
  {{- include "obs-library.metadata" .top | nindent 2 }}
spec:
  maxUnavailable: {{ int .top.Values.podDisruptionBudget.maxUnavailable }}
  unhealthyPodEvictionPolicy: AlwaysAllow
  selector:
    matchLabels:
      {{- include "obs-library.selectorLabels" .top | nindent 6 }}
{{- end }}

{{/* A rolling update starts a pod more than there are. In a group with a member for each partition it would get none and never be ready. */}}
{{- define "obs-library.checkReplicas" -}}
{{- $most := sub (int .partitions) 1 -}}
{{- $scaling := .top.Values.autoscaling -}}
{{- if gt (int .top.Values.replicas) (int $most) -}}
  {{- fail (printf "replicas: %d is too many: %s reads %d partitions and a rolling update starts one pod more, so give at most %d" (int .top.Values.replicas) .top.Chart.Name (int .partitions) $most) -}}
{{- end -}}
{{- if gt (int $scaling.maxReplicas) (int $most) -}}
  {{- fail (printf "autoscaling.maxReplicas: %d is too many: %s reads %d partitions and a rolling update starts one pod more, so give at most %d" (int $scaling.maxReplicas) .top.Chart.Name (int .partitions) $most) -}}
{{- end -}}
{{- if lt (int $scaling.maxReplicas) (int $scaling.minReplicas) -}}
  {{- fail (printf "autoscaling.maxReplicas: %d is less than minReplicas, %d" (int $scaling.maxReplicas) (int $scaling.minReplicas)) -}}
{{- end -}}
{{- end }}
