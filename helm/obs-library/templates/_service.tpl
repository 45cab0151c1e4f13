{{- define "obs-library.service" -}}
apiVersion: v1
kind: Service
metadata:
  {{- include "obs-library.metadata" .top | nindent 2 }}
spec:
  type: ClusterIP
  selector:
    {{- include "obs-library.selectorLabels" .top | nindent 4 }}
  ports:
    - {name: http, port: {{ int .port }}, targetPort: http, protocol: TCP, appProtocol: http}
{{- end }}

{{/* A name that leads to each of the pods, for who talks to all of them. Without the selector's labels: a ServiceMonitor must find one Service. */}}
{{- define "obs-library.headless" -}}
apiVersion: v1
kind: Service
metadata:
  name: {{ include "obs-library.fullname" .top }}-pods
  namespace: {{ .top.Release.Namespace }}
  labels:
    {{- include "obs-library.commonLabels" .top | nindent 4 }}
spec:
  type: ClusterIP
  clusterIP: None
  selector:
    {{- include "obs-library.selectorLabels" .top | nindent 4 }}
  ports:
    - {name: http, port: {{ int .port }}, targetPort: http, protocol: TCP, appProtocol: http}
{{- end }}

{{- define "obs-library.serviceaccount" -}}
apiVersion: v1
kind: ServiceAccount
metadata:
  {{- include "obs-library.metadata" .top | nindent 2 }}
  {{- with .top.Values.serviceAccount.annotations }}
  annotations:
    {{- toYaml . | nindent 4 }}
  {{- end }}
automountServiceAccountToken: false
{{- end }}

{{/* Both forms of histograms: else every query of _bucket goes empty. What is counted from the stream moves between replicas with its
     partition and must stay one series (docs/metrics.md, "Several replicas"). */}}
{{- define "obs-library.servicemonitor" -}}
{{- $values := .top.Values.serviceMonitor -}}
apiVersion: monitoring.coreos.com/v1
kind: ServiceMonitor
metadata:
  {{- include "obs-library.metadata" .top | nindent 2 }}
    {{- with $values.labels }}
    {{- toYaml . | nindent 4 }}
    {{- end }}
spec:
  jobLabel: app.kubernetes.io/name
  scrapeClassicHistograms: true
  scrapeNativeHistograms: true
  namespaceSelector:
    matchNames: [{{ .top.Release.Namespace }}]
  selector:
    matchLabels:
      {{- include "obs-library.selectorLabels" .top | nindent 6 }}
  endpoints:
    - port: http
      path: /metrics
      interval: {{ $values.interval }}
      scrapeTimeout: {{ $values.scrapeTimeout }}
      metricRelabelings:
        {{- range list "instance" "pod" "container" "endpoint" }}
        - action: replace
          sourceLabels: [__name__]
          regex: http_server_.*|log_records_total|system_.*
          targetLabel: {{ . }}
          replacement: ""
        {{- end }}
{{- end }}
