{{- define "matih-service-lib.endpoint" -}}
apiVersion: v1
kind: Service
metadata:
  name: {{ include "matih-service-lib.fullname" . | quote }}
  namespace: {{ .Release.Namespace | quote }}
  labels:
    {{- include "matih-service-lib.labels" . | nindent 4 }}
  {{- with .Values.service.annotations }}
  annotations:
    {{- range $key, $value := . }}
    {{ $key | quote }}: {{ toString $value | quote }}
    {{- end }}
  {{- end }}
spec:
  type: {{ .Values.service.type | quote }}
  selector:
    {{- include "matih-service-lib.selector" . | nindent 4 }}
  ports:
    - { name: http, port: {{ int .Values.service.port }}, targetPort: http, protocol: TCP }
{{- end -}}

{{- define "matih-service-lib.ingress" -}}
apiVersion: networking.k8s.io/v1
kind: Ingress
metadata:
  name: {{ include "matih-service-lib.fullname" . | quote }}
  namespace: {{ .Release.Namespace | quote }}
  labels:
    {{- include "matih-service-lib.labels" . | nindent 4 }}
  {{- with .Values.ingress.annotations }}
  annotations:
    {{- range $key, $value := . }}
    {{ $key | quote }}: {{ toString $value | quote }}
    {{- end }}
  {{- end }}
spec:
  {{- with .Values.ingress.className }}
  ingressClassName: {{ . | quote }}
  {{- end }}
  {{- if .Values.ingress.tlsSecret }}
  tls:
    - { secretName: {{ .Values.ingress.tlsSecret | quote }}, hosts: [{{ .Values.ingress.host | quote }}] }
  {{- end }}
  rules:
    - host: {{ .Values.ingress.host | quote }}
      http:
        paths:
          - path: {{ .Values.ingress.path | quote }}
            pathType: Prefix
            backend: { service: { name: {{ include "matih-service-lib.fullname" . | quote }}, port: { name: http } } }
{{- end -}}

{{- /* Its port is open to its own namespace, and to nobody else. */ -}}
{{- define "matih-service-lib.networkpolicy" -}}
apiVersion: networking.k8s.io/v1
kind: NetworkPolicy
{{ include "matih-service-lib.metadata" . }}
spec:
  podSelector:
    matchLabels:
      {{- include "matih-service-lib.selector" . | nindent 6 }}
  policyTypes: [Ingress]
  ingress:
    - from: [{ podSelector: {} }]
      ports: [{ protocol: TCP, port: http }]
{{- end -}}

{{- define "matih-service-lib.servicemonitor" -}}
apiVersion: monitoring.coreos.com/v1
kind: ServiceMonitor
{{ include "matih-service-lib.metadata" . }}
spec:
  jobLabel: app.kubernetes.io/name
  selector:
    matchLabels:
      {{- include "matih-service-lib.selector" . | nindent 6 }}
  namespaceSelector: { matchNames: [{{ .Release.Namespace | quote }}] }
  endpoints:
    - { port: http, path: {{ .Values.serviceMonitor.path | quote }}, interval: {{ .Values.serviceMonitor.interval | quote }} }
{{- end -}}
