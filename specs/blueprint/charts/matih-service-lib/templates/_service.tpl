{{- define "matih-service-lib.serviceaccount" -}}
apiVersion: v1
kind: ServiceAccount
metadata:
  name: {{ include "matih-service-lib.account" . | quote }}
  namespace: {{ .Release.Namespace | quote }}
  labels:
    {{- include "matih-service-lib.labels" . | nindent 4 }}
  {{- with .Values.serviceAccount.annotations }}
  annotations:
    {{- range $key, $value := . }}
    {{ $key | quote }}: {{ toString $value | quote }}
    {{- end }}
  {{- end }}
{{- end -}}

{{- define "matih-service-lib.autoscaler" -}}
apiVersion: autoscaling/v2
kind: HorizontalPodAutoscaler
{{ include "matih-service-lib.metadata" . }}
spec:
  scaleTargetRef: { apiVersion: apps/v1, kind: Deployment, name: {{ include "matih-service-lib.fullname" . | quote }} }
  minReplicas: {{ int .Values.autoscaling.minReplicas }}
  maxReplicas: {{ int .Values.autoscaling.maxReplicas }}
  metrics:
    - type: Resource
      resource:
        name: cpu
        target: { type: Utilization, averageUtilization: {{ int .Values.autoscaling.targetCPUUtilizationPercentage }} }
{{- end -}}

{{- define "matih-service-lib.disruptionbudget" -}}
apiVersion: policy/v1
kind: PodDisruptionBudget
{{ include "matih-service-lib.metadata" . }}
spec:
  maxUnavailable: {{ int .Values.podDisruptionBudget.maxUnavailable }}
  selector:
    matchLabels:
      {{- include "matih-service-lib.selector" . | nindent 6 }}
{{- end -}}

{{- /* All objects of a service: the one line of a service's own chart. */ -}}
{{- define "matih-service-lib.service" -}}
{{ include "matih-service-lib.configmap" . }}
---
{{ include "matih-service-lib.deployment" . }}
---
{{ include "matih-service-lib.endpoint" . }}
{{- if .Values.serviceAccount.create }}
---
{{ include "matih-service-lib.serviceaccount" . }}
{{- end }}
{{- if .Values.autoscaling.enabled }}
---
{{ include "matih-service-lib.autoscaler" . }}
{{- end }}
{{- if .Values.podDisruptionBudget.enabled }}
---
{{ include "matih-service-lib.disruptionbudget" . }}
{{- end }}
{{- if .Values.ingress.enabled }}
---
{{ include "matih-service-lib.ingress" . }}
{{- end }}
{{- if .Values.networkPolicy.enabled }}
---
{{ include "matih-service-lib.networkpolicy" . }}
{{- end }}
{{- if .Values.serviceMonitor.enabled }}
---
{{ include "matih-service-lib.servicemonitor" . }}
{{- end }}
{{- end -}}
