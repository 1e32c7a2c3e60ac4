{{- define "egret.name" -}}
{{- if contains .Chart.Name .Release.Name -}}
{{- .Release.Name | trunc 50 | trimSuffix "-" -}}
{{- else -}}
{{- printf "%s-%s" .Release.Name .Chart.Name | trunc 50 | trimSuffix "-" -}}
{{- end -}}
{{- end -}}

{{- define "egret.selector" -}}
app.kubernetes.io/name: {{ .Chart.Name }}
app.kubernetes.io/instance: {{ .Release.Name }}
{{- end -}}

{{- define "egret.labels" -}}
{{ include "egret.selector" . }}
app.kubernetes.io/version: {{ .Chart.AppVersion | quote }}
app.kubernetes.io/managed-by: {{ .Release.Service }}
helm.sh/chart: {{ printf "%s-%s" .Chart.Name .Chart.Version }}
{{- end -}}

{{- define "egret.serviceAccount" -}}
{{- if .Values.serviceAccount.create -}}
{{- default (include "egret.name" .) .Values.serviceAccount.name -}}
{{- else -}}
{{- default "default" .Values.serviceAccount.name -}}
{{- end -}}
{{- end -}}

{{- define "egret.image" -}}
{{- if .Values.image.digest -}}
{{ .Values.image.repository }}@{{ .Values.image.digest }}
{{- else -}}
{{ .Values.image.repository }}:{{ default .Chart.AppVersion .Values.image.tag }}
{{- end -}}
{{- end -}}

{{- define "egret.containerSecurity" -}}
allowPrivilegeEscalation: false
readOnlyRootFilesystem: true
runAsNonRoot: true
capabilities:
  drop: [ALL]
{{- end -}}

{{- define "egret.podSecurity" -}}
runAsNonRoot: true
runAsUser: 65532
runAsGroup: 65532
fsGroup: 65532
fsGroupChangePolicy: OnRootMismatch
seccompProfile:
  type: RuntimeDefault
{{- end -}}

{{- /* From outside where the listener can be reached, else in the container. */ -}}
{{- define "egret.probe" -}}
{{- if .of.Values.admin.tls.secretName -}}
httpGet: { path: {{ .path }}, port: admin, scheme: HTTPS }
{{- else -}}
exec:
  command: [/usr/bin/egret, health, --probe, {{ .name }}]
{{- end -}}
{{- end -}}

{{- /* The pod of either workload. */ -}}
{{- define "egret.pod" -}}
metadata:
  labels:
    {{- include "egret.selector" . | nindent 4 }}
    {{- with .Values.workload.podLabels }}{{ toYaml . | nindent 4 }}{{ end }}
  annotations:
    # The configuration is reloaded while the gateway runs, but what cannot be reloaded needs a new pod.
    checksum/config: {{ .Values.config | sha256sum }}
    {{- with .Values.workload.podAnnotations }}{{ toYaml . | nindent 4 }}{{ end }}
spec:
  serviceAccountName: {{ include "egret.serviceAccount" . }}
  automountServiceAccountToken: false
  terminationGracePeriodSeconds: {{ .Values.workload.terminationGracePeriodSeconds }}
  securityContext:
    {{- include "egret.podSecurity" . | nindent 4 }}
  {{- with .Values.imagePullSecrets }}
  imagePullSecrets: {{ toYaml . | nindent 4 }}
  {{- end }}
  {{- with .Values.workload.priorityClassName }}
  priorityClassName: {{ . }}
  {{- end }}
  {{- with .Values.workload.nodeSelector }}
  nodeSelector: {{ toYaml . | nindent 4 }}
  {{- end }}
  {{- with .Values.workload.tolerations }}
  tolerations: {{ toYaml . | nindent 4 }}
  {{- end }}
  {{- with .Values.workload.affinity }}
  affinity: {{ toYaml . | nindent 4 }}
  {{- end }}
  {{- if and .Values.workload.topologySpread (gt (int .Values.workload.replicas) 1) }}
  topologySpreadConstraints:
    - maxSkew: 1
      topologyKey: kubernetes.io/hostname
      whenUnsatisfiable: ScheduleAnyway
      labelSelector:
        matchLabels:
          {{- include "egret.selector" . | nindent 10 }}
  {{- end }}
  containers:
    - name: egret
      image: {{ include "egret.image" . }}
      imagePullPolicy: {{ .Values.image.pullPolicy }}
      args: [serve, --config, /etc/egret/egret.toml]
      securityContext:
        {{- include "egret.containerSecurity" . | nindent 8 }}
      env:
        # The name in every record and of the log that is signed: it must stay the same for a journal.
        - name: EGRET_NODE
          {{- if eq .Values.workload.kind "StatefulSet" }}
          valueFrom:
            fieldRef:
              fieldPath: metadata.name
          {{- else }}
          value: {{ include "egret.name" . }}
          {{- end }}
        - name: EGRET_CONFIG
          value: /etc/egret/egret.toml
        - name: EGRET_DATA_DIR
          value: /var/lib/egret
        {{- if .Values.admin.tls.secretName }}
        - name: EGRET_ADMIN_ADDRESS
          value: "0.0.0.0:{{ .Values.admin.port }}"
        - name: EGRET_ADMIN_TLS_CERTIFICATE
          value: /etc/egret/admin/tls.crt
        - name: EGRET_ADMIN_TLS_KEY
          value: /etc/egret/admin/tls.key
        - name: EGRET_ADMIN_TLS_CLIENT_CA
          value: /etc/egret/admin/ca.crt
        - name: EGRET_ADMIN_OPEN_METRICS
          value: {{ .Values.admin.openMetrics | quote }}
        {{- else }}
        - name: EGRET_ADMIN_ADDRESS
          value: "127.0.0.1:{{ .Values.admin.port }}"
        {{- end }}
        {{- range $name, $value := .Values.env }}
        - name: {{ $name }}
          value: {{ $value | quote }}
        {{- end }}
      {{- with .Values.envFrom }}
      envFrom: {{ toYaml . | nindent 8 }}
      {{- end }}
      ports:
        - name: gateway
          containerPort: {{ .Values.service.port }}
        - name: admin
          containerPort: {{ .Values.admin.port }}
      startupProbe:
        {{- include "egret.probe" (dict "of" . "path" "/startupz" "name" "startup") | nindent 8 }}
        periodSeconds: 2
        # Reading a long journal after a crash takes its time.
        failureThreshold: 150
      readinessProbe:
        {{- include "egret.probe" (dict "of" . "path" "/readyz" "name" "ready") | nindent 8 }}
        periodSeconds: 5
        timeoutSeconds: 4
      livenessProbe:
        {{- include "egret.probe" (dict "of" . "path" "/livez" "name" "live") | nindent 8 }}
        periodSeconds: 10
        timeoutSeconds: 5
        failureThreshold: 3
      resources:
        {{- toYaml .Values.resources | nindent 8 }}
      volumeMounts:
        - name: config
          mountPath: /etc/egret/egret.toml
          subPath: egret.toml
          readOnly: true
        {{- range $name, $secret := .Values.secrets }}
        - name: secret-{{ $name }}
          mountPath: /etc/egret/secrets/{{ $name }}
          readOnly: true
        {{- end }}
        {{- if .Values.admin.tls.secretName }}
        - name: admin
          mountPath: /etc/egret/admin
          readOnly: true
        {{- end }}
        - name: state
          mountPath: /var/lib/egret
        - name: tmp
          mountPath: /tmp
  volumes:
    - name: config
      configMap:
        name: {{ include "egret.name" . }}
    {{- range $name, $secret := .Values.secrets }}
    - name: secret-{{ $name }}
      secret:
        secretName: {{ $secret.secretName }}
        # The gateway's group may read, nobody else.
        defaultMode: 0440
    {{- end }}
    {{- with .Values.admin.tls.secretName }}
    - name: admin
      secret:
        secretName: {{ . }}
        defaultMode: 0440
    {{- end }}
    - name: tmp
      emptyDir:
        sizeLimit: 64Mi
    {{- if eq .Values.workload.kind "Deployment" }}
    - name: state
      persistentVolumeClaim:
        claimName: {{ include "egret.name" . }}-state
    {{- end }}
{{- end -}}
