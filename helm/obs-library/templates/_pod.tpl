{{/* The restricted Pod Security standard, and no token of the API server. */}}
{{- define "obs-library.podSecurity" -}}
serviceAccountName: {{ include "obs-library.fullname" . }}
automountServiceAccountToken: false
enableServiceLinks: false
{{- with .Values.imagePullSecrets }}
imagePullSecrets:
  {{- toYaml . | nindent 2 }}
{{- end }}
securityContext:
  runAsNonRoot: true
  runAsUser: 65532
  runAsGroup: 65532
  fsGroup: 65532
  seccompProfile: {type: RuntimeDefault}
{{- end }}

{{- define "obs-library.containerSecurity" -}}
securityContext:
  allowPrivilegeEscalation: false
  readOnlyRootFilesystem: true
  capabilities: {drop: [ALL]}
{{- end }}

{{- define "obs-library.scheduling" -}}
topologySpreadConstraints:
  {{- $when := dict "topology.kubernetes.io/zone" "ScheduleAnyway" "kubernetes.io/hostname" .Values.topologySpread.whenUnsatisfiable }}
  {{- range $key, $unsatisfiable := $when }}
  - maxSkew: {{ int $.Values.topologySpread.maxSkew }}
    topologyKey: {{ $key }}
    whenUnsatisfiable: {{ $unsatisfiable }}
    labelSelector:
      matchLabels:
        {{- include "obs-library.selectorLabels" $ | nindent 8 }}
    matchLabelKeys: [pod-template-hash]
  {{- end }}
{{- range $key := list "nodeSelector" "tolerations" "affinity" "priorityClassName" }}
{{- with get $.Values $key }}
{{ dict $key . | toYaml }}
{{- end }}
{{- end }}
{{- end }}
