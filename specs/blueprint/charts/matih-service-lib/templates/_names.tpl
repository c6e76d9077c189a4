{{- /* The name of the service: of its labels and, unless overridden, of its objects. */ -}}
{{- define "matih-service-lib.name" -}}
{{- .Values.nameOverride | default .Chart.Name | trunc 63 | trimSuffix "-" -}}
{{- end -}}

{{- define "matih-service-lib.fullname" -}}
{{- .Values.fullnameOverride | default (printf "%s-%s" .Release.Name (include "matih-service-lib.name" .)) | trunc 63 | trimSuffix "-" -}}
{{- end -}}

{{- define "matih-service-lib.account" -}}
{{- if .Values.serviceAccount.create -}}
{{- .Values.serviceAccount.name | default (include "matih-service-lib.fullname" .) -}}
{{- else -}}
{{- .Values.serviceAccount.name | default "default" -}}
{{- end -}}
{{- end -}}

{{- /* The labels that select its pods: they never change, so no version is among them. */ -}}
{{- define "matih-service-lib.selector" -}}
app.kubernetes.io/name: {{ include "matih-service-lib.name" . | quote }}
app.kubernetes.io/instance: {{ .Release.Name | quote }}
{{- end -}}

{{- define "matih-service-lib.labels" -}}
{{ include "matih-service-lib.selector" . }}
app.kubernetes.io/managed-by: {{ .Release.Service | quote }}
app.kubernetes.io/version: {{ .Values.image.tag | default .Chart.AppVersion | trunc 63 | quote }}
helm.sh/chart: {{ printf "%s-%s" .Chart.Name .Chart.Version | replace "+" "_" | trunc 63 | quote }}
matih.ai/cost-center: {{ .Values.billing.costCenter | quote }}
matih.ai/application: {{ .Values.billing.application | quote }}
matih.ai/team: {{ .Values.billing.team | quote }}
matih.ai/workload-type: {{ .Values.billing.workloadType | quote }}
matih.ai/service: {{ .Values.billing.service | quote }}
{{- end -}}

{{- define "matih-service-lib.metadata" -}}
metadata:
  name: {{ include "matih-service-lib.fullname" . | quote }}
  namespace: {{ .Release.Namespace | quote }}
  labels:
    {{- include "matih-service-lib.labels" . | nindent 4 }}
{{- end -}}
