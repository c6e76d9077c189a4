{{- /*
A tree of settings as environment variables, one line each: `redis.keyPrefix` below the prefix
`MATIH` becomes MATIH_REDIS_KEY_PREFIX. A list is joined by commas. The name of a Secret is not a
setting: `matih-service-lib.secrets` turns it into one.
*/ -}}
{{- define "matih-service-lib.flat" -}}
{{- $prefix := .prefix -}}
{{- range $key, $value := .tree -}}
{{- $name := printf "%s_%s" $prefix ($key | snakecase | upper) -}}
{{- if or (eq $key "existingSecret") (eq $key "enabled") (kindIs "invalid" $value) -}}
{{- else if kindIs "map" $value -}}
{{- include "matih-service-lib.flat" (dict "prefix" $name "tree" $value) -}}
{{- else if kindIs "slice" $value -}}
{{- printf "%s: %s\n" $name (join "," $value | quote) -}}
{{- else if kindIs "float64" $value -}}
{{- printf "%s: %s\n" $name (int64 $value | toString | quote) -}}
{{- else -}}
{{- printf "%s: %s\n" $name (toString $value | quote) -}}
{{- end -}}
{{- end -}}
{{- end -}}

{{- /* All that the process is told in the clear. */ -}}
{{- define "matih-service-lib.config" -}}
{{- range $name, $value := .Values.env -}}
{{- if not (kindIs "invalid" $value) -}}
{{- printf "%s: %s\n" $name (toString $value | quote) -}}
{{- end -}}
{{- end -}}
{{- if .Values.database.enabled -}}
{{- include "matih-service-lib.flat" (dict "prefix" "MATIH_DATABASE" "tree" .Values.database) -}}
{{- end -}}
{{- include "matih-service-lib.flat" (dict "prefix" "MATIH" "tree" .Values.stores) -}}
{{- if .Values.llm.enabled -}}
{{- include "matih-service-lib.flat" (dict "prefix" "MATIH_LLM" "tree" .Values.llm) -}}
{{- end -}}
{{- end -}}

{{- /* What stands in Secrets: the values never pass through Helm. */ -}}
{{- define "matih-service-lib.secrets" -}}
{{- range .Values.secretEnv }}
- name: {{ .name | quote }}
  valueFrom: { secretKeyRef: { name: {{ .secret | quote }}, key: {{ .key | quote }} } }
{{- end }}
{{- if and .Values.database.enabled .Values.database.existingSecret }}
- name: MATIH_DATABASE_PASSWORD
  valueFrom: { secretKeyRef: { name: {{ .Values.database.existingSecret | quote }}, key: password } }
{{- end }}
{{- range $store, $settings := .Values.stores }}
{{- if and (kindIs "map" $settings) (get (default dict $settings) "existingSecret") }}
- name: {{ printf "MATIH_%s_PASSWORD" ($store | snakecase | upper) | quote }}
  valueFrom: { secretKeyRef: { name: {{ $settings.existingSecret | quote }}, key: password } }
{{- end }}
{{- end }}
{{- end -}}

{{- define "matih-service-lib.configmap" -}}
apiVersion: v1
kind: ConfigMap
{{ include "matih-service-lib.metadata" . }}
data:
  {{- include "matih-service-lib.config" . | trim | nindent 2 }}
{{- end -}}
