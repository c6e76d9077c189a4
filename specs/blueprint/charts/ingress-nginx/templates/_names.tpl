{{- define "ingress-nginx.name" -}}
{{- .Values.nameOverride | default .Chart.Name | trunc 63 | trimSuffix "-" -}}
{{- end -}}

{{- define "ingress-nginx.fullname" -}}
{{- .Values.fullnameOverride | default (printf "%s-%s" .Release.Name (include "ingress-nginx.name" .)) | trunc 40 | trimSuffix "-" -}}
{{- end -}}

{{- define "ingress-nginx.controller" -}}
{{- printf "%s-controller" (include "ingress-nginx.fullname" .) -}}
{{- end -}}

{{- define "ingress-nginx.account" -}}
{{- .Values.serviceAccount.name | default (ternary (include "ingress-nginx.fullname" .) "default" .Values.serviceAccount.create) -}}
{{- end -}}

{{- define "ingress-nginx.selector" -}}
app.kubernetes.io/name: {{ include "ingress-nginx.name" . | quote }}
app.kubernetes.io/instance: {{ .Release.Name | quote }}
app.kubernetes.io/component: controller
{{- end -}}

{{- define "ingress-nginx.labels" -}}
{{ include "ingress-nginx.selector" . }}
app.kubernetes.io/part-of: {{ include "ingress-nginx.name" . | quote }}
app.kubernetes.io/managed-by: {{ .Release.Service | quote }}
app.kubernetes.io/version: {{ .Chart.AppVersion | quote }}
helm.sh/chart: {{ printf "%s-%s" .Chart.Name .Chart.Version | quote }}
{{- end -}}

{{- define "ingress-nginx.metadata" -}}
namespace: {{ .Release.Namespace | quote }}
labels:
  {{- include "ingress-nginx.labels" . | nindent 2 }}
{{- end -}}
