{{/* `helm test`: the bus knows this program's user and lists its topics; the Service leads to a pod that is ready and shows metrics. */}}
{{- define "obs-library.test" -}}
{{- $url := printf "http://%s:%d" (include "obs-library.fullname" .top) (int .port) -}}
apiVersion: v1
kind: Pod
metadata:
  name: {{ include "obs-library.fullname" .top }}-test
  namespace: {{ .top.Release.Namespace }}
  labels:
    app.kubernetes.io/name: {{ .top.Chart.Name }}-test
    app.kubernetes.io/instance: {{ .top.Release.Name }}
    app.kubernetes.io/component: test
    {{- include "obs-library.commonLabels" .top | nindent 4 }}
    {{- include "obs-library.networkLabels" .top | nindent 4 }}
  annotations:
    helm.sh/hook: test
    helm.sh/hook-delete-policy: before-hook-creation,hook-succeeded
spec:
  restartPolicy: Never
  activeDeadlineSeconds: 120
  {{- include "obs-library.podSecurity" .top | nindent 2 }}
  initContainers:
    - name: bus
      image: {{ include "obs-library.image" .top | quote }}
      imagePullPolicy: {{ .top.Values.image.pullPolicy }}
      command: [buscat, topics]
      {{- include "obs-library.containerSecurity" .top | nindent 6 }}
      env:
        - {name: OBS_BUS_URL, value: {{ .top.Values.bus.url | quote }}}
        {{- with include "obs-library.busEnv" .top | trim }}
        {{- . | nindent 8 }}
        {{- end }}
      resources: {{- include "obs-library.testResources" . | nindent 8 }}
      {{- with include "obs-library.busVolumeMounts" .top | trim }}
      volumeMounts:
        {{- . | nindent 8 }}
      {{- end }}
  containers:
    {{- range list "readyz" "metrics" }}
    - name: {{ . }}
      image: {{ $.top.Values.test.image | quote }}
      imagePullPolicy: IfNotPresent
      command: [wget, -q, -T, "10", -O, /dev/null, "{{ $url }}/{{ . }}"]
      {{- include "obs-library.containerSecurity" $.top | nindent 6 }}
      resources: {{- include "obs-library.testResources" $ | nindent 8 }}
    {{- end }}
  {{- with include "obs-library.busVolumes" .top | trim }}
  volumes:
    {{- . | nindent 4 }}
  {{- end }}
{{- end }}

{{- define "obs-library.testResources" -}}
requests: {cpu: 10m, memory: 32Mi}
limits: {cpu: 200m, memory: 64Mi}
{{- end }}
