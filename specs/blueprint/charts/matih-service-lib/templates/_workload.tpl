{{- define "matih-service-lib.probe" -}}
httpGet: { path: {{ .path | quote }}, port: {{ int .port }} }
periodSeconds: {{ int .periodSeconds }}
failureThreshold: {{ int .failureThreshold }}
timeoutSeconds: 5
{{- end -}}

{{- define "matih-service-lib.container" -}}
- name: {{ include "matih-service-lib.name" . | quote }}
  image: {{ printf "%s/%s:%s" .Values.image.registry .Values.image.repository (.Values.image.tag | default .Chart.AppVersion) | quote }}
  imagePullPolicy: {{ .Values.image.pullPolicy | quote }}
  ports:
    - { name: http, containerPort: {{ int .Values.service.port }}, protocol: TCP }
  envFrom:
    - configMapRef: { name: {{ include "matih-service-lib.fullname" . | quote }} }
  {{- with include "matih-service-lib.secrets" . }}
  env:
    {{- trim . | nindent 4 }}
  {{- end }}
  startupProbe:
    {{- include "matih-service-lib.probe" .Values.probes.startup | nindent 4 }}
  readinessProbe:
    {{- include "matih-service-lib.probe" .Values.probes.readiness | nindent 4 }}
  livenessProbe:
    {{- include "matih-service-lib.probe" .Values.probes.liveness | nindent 4 }}
  resources:
    {{- range $part, $amounts := .Values.resources }}
    {{ $part }}:
      {{- range $resource, $amount := $amounts }}
      {{- if not (kindIs "invalid" $amount) }}
      {{ $resource | quote }}: {{ toString $amount | quote }}
      {{- end }}
      {{- end }}
    {{- end }}
  securityContext:
    {{- toYaml .Values.securityContext | nindent 4 }}
  volumeMounts:
    - { name: scratch, mountPath: /tmp }
{{- end -}}

{{- define "matih-service-lib.deployment" -}}
apiVersion: apps/v1
kind: Deployment
{{ include "matih-service-lib.metadata" . }}
spec:
  {{- if not .Values.autoscaling.enabled }}
  replicas: {{ int .Values.replicaCount }}
  {{- end }}
  revisionHistoryLimit: 3
  strategy:
    {{- toYaml .Values.strategy | nindent 4 }}
  selector:
    matchLabels:
      {{- include "matih-service-lib.selector" . | nindent 6 }}
  template:
    metadata:
      labels:
        {{- include "matih-service-lib.labels" . | nindent 8 }}
        {{- range $key, $value := .Values.podLabels }}
        {{ $key | quote }}: {{ toString $value | quote }}
        {{- end }}
      annotations:
        # The process reads its settings once: when they change, it starts anew.
        matih.ai/config: {{ include "matih-service-lib.config" . | sha256sum | trunc 32 | quote }}
        {{- range $key, $value := .Values.podAnnotations }}
        {{ $key | quote }}: {{ toString $value | quote }}
        {{- end }}
    spec:
      serviceAccountName: {{ include "matih-service-lib.account" . | quote }}
      {{- with .Values.imagePullSecrets }}
      imagePullSecrets:
        {{- range . }}
        - { name: {{ .name | quote }} }
        {{- end }}
      {{- end }}
      securityContext:
        {{- toYaml .Values.podSecurityContext | nindent 8 }}
      topologySpreadConstraints:
        - maxSkew: 1
          topologyKey: kubernetes.io/hostname
          whenUnsatisfiable: ScheduleAnyway
          labelSelector:
            matchLabels:
              {{- include "matih-service-lib.selector" . | nindent 14 }}
      containers:
        {{- include "matih-service-lib.container" . | nindent 8 }}
      volumes:
        - { name: scratch, emptyDir: {} }
{{- end -}}
