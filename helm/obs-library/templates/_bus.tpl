{{/* The bus: its address is a setting like others; TLS and SASL are librdkafka's properties (OBS_X), files and a reference to a Secret. */}}

{{- define "obs-library.busUser" -}}
{{- .Values.bus.sasl.username | default .Chart.Name -}}
{{- end }}

{{/* property=value, separated by commas. The password is put in by the kubelet, so that it is in no object but its Secret. */}}
{{- define "obs-library.busProperties" -}}
{{- $bus := .Values.bus -}}
{{- $properties := dict -}}
{{- if or $bus.tls.enabled $bus.sasl.enabled -}}
  {{- $protocol := ternary "SASL_SSL" (ternary "SSL" "SASL_PLAINTEXT" $bus.tls.enabled) (and $bus.tls.enabled $bus.sasl.enabled) -}}
  {{- $_ := set $properties "security.protocol" $protocol -}}
{{- end -}}
{{- if $bus.tls.enabled -}}
  {{- $_ := set $properties "ssl.endpoint.identification.algorithm" "https" -}}
  {{- if $bus.tls.caSecret.name -}}
    {{- $_ := set $properties "ssl.ca.location" (printf "/etc/obs/bus-ca/%s" $bus.tls.caSecret.key) -}}
  {{- end -}}
  {{- if $bus.tls.clientSecret.name -}}
    {{- $_ := set $properties "ssl.certificate.location" (printf "/etc/obs/bus-client/%s" $bus.tls.clientSecret.cert) -}}
    {{- $_ := set $properties "ssl.key.location" (printf "/etc/obs/bus-client/%s" $bus.tls.clientSecret.key) -}}
  {{- end -}}
{{- end -}}
{{- if $bus.sasl.enabled -}}
  {{- $_ := set $properties "sasl.mechanisms" $bus.sasl.mechanism -}}
  {{- $_ := set $properties "sasl.username" (include "obs-library.busUser" .) -}}
  {{- $_ := set $properties "sasl.password" "$(BUS_PASSWORD)" -}}
{{- end -}}
{{- range $name, $value := $bus.properties -}}
  {{- if contains "," (toString $value) -}}
    {{- fail (printf "bus.properties.%s: a value can't have a comma" $name) -}}
  {{- end -}}
  {{- $_ := set $properties $name (include "obs-library.scalar" $value) -}}
{{- end -}}
{{- $pairs := list -}}
{{- range $name := keys $properties | sortAlpha -}}
  {{- $pairs = append $pairs (printf "%s=%s" $name (get $properties $name)) -}}
{{- end -}}
{{- join "," $pairs -}}
{{- end }}

{{- define "obs-library.busEnv" -}}
{{- if .Values.bus.sasl.enabled }}
- name: BUS_PASSWORD
  valueFrom:
    secretKeyRef:
      name: {{ .Values.bus.sasl.passwordSecret.name | default (include "obs-library.busUser" .) }}
      key: {{ .Values.bus.sasl.passwordSecret.key }}
{{- end }}
{{- with include "obs-library.busProperties" . }}
- name: OBS_X
  value: {{ . | quote }}
{{- end }}
{{- end }}

{{- define "obs-library.busVolumeMounts" -}}
{{- $tls := .Values.bus.tls }}
{{- if and $tls.enabled $tls.caSecret.name }}
- {name: bus-ca, mountPath: /etc/obs/bus-ca, readOnly: true}
{{- end }}
{{- if and $tls.enabled $tls.clientSecret.name }}
- {name: bus-client, mountPath: /etc/obs/bus-client, readOnly: true}
{{- end }}
{{- end }}

{{- define "obs-library.busVolumes" -}}
{{- $tls := .Values.bus.tls }}
{{- if and $tls.enabled $tls.caSecret.name }}
- name: bus-ca
  secret:
    secretName: {{ $tls.caSecret.name }}
    defaultMode: 0440
    items: [{key: {{ $tls.caSecret.key }}, path: {{ $tls.caSecret.key }}}]
{{- end }}
{{- if and $tls.enabled $tls.clientSecret.name }}
- name: bus-client
  secret:
    secretName: {{ $tls.clientSecret.name }}
    defaultMode: 0440
{{- end }}
{{- end }}
