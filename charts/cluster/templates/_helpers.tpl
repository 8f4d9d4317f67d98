{{/* The cluster's name: the release's, unless given. */}}
{{- define "cluster.name" -}}
{{- .Values.cluster.name | default .Release.Name -}}
{{- end -}}

{{/*
The factory namespace of the account. It is a function of the account id and not
of the release, so that no account's objects can lie in another's namespace.
*/}}
{{- define "cluster.namespace" -}}
a{{ .Values.cluster.accountID }}
{{- end -}}

{{- define "cluster.labels" -}}
app.kubernetes.io/part-of: kargo
cluster.x-k8s.io/cluster-name: {{ include "cluster.name" . }}
kargo.dev/cluster: {{ include "cluster.name" . }}
kargo.dev/environment: {{ .Values.cluster.environment }}
kargo.dev/team: {{ .Values.cluster.team }}
{{- end -}}

{{/* Metadata but for the name: a dict of root and annotations. */}}
{{- define "cluster.metadata" -}}
namespace: {{ include "cluster.namespace" .root }}
labels:
  {{- include "cluster.labels" .root | nindent 2 }}
{{- $annotations := .annotations | default dict }}
{{- if .root.Values.deletionProtection }}
{{- $annotations = merge (dict "kargo.dev/deletion-protection" "true") $annotations }}
{{- end }}
{{- with $annotations }}
annotations:
  {{- toYaml . | nindent 2 }}
{{- end }}
{{- end -}}

{{/* AWS tags: what KARGO sets goes over what was asked for. */}}
{{- define "cluster.tags" -}}
{{- $own := dict
  "kargo.dev/cluster" (include "cluster.name" .)
  "kargo.dev/environment" .Values.cluster.environment
  "kargo.dev/team" .Values.cluster.team }}
{{- merge $own .Values.tags | toYaml }}
{{- end -}}

{{/* Cluster API and CAPA want three numbers; EKS only looks at two. */}}
{{- define "cluster.version" -}}
v{{ . }}.0
{{- end -}}

{{/* The version of an EKS add-on: its own, or the one for the Kubernetes version. */}}
{{- define "cluster.addonVersion" -}}
{{- $versions := .addon.versions | default dict -}}
{{- $version := .addon.version | default (get $versions .kubernetesVersion) -}}
{{- if not $version -}}
{{- fail (printf "eksAddons.%s has no version for Kubernetes %s: set eksAddons.%s.version, or add %q to eksAddons.%s.versions" .name .kubernetesVersion .name .kubernetesVersion .name) -}}
{{- end -}}
{{- $version -}}
{{- end -}}

{{/* The IAM principal of an access entry: a role of the account, or any ARN. */}}
{{- define "cluster.principal" -}}
{{- if and .entry.role .entry.principalARN -}}
{{- fail (printf "accessEntries.%s: give either role or principalARN" .name) -}}
{{- else if .entry.principalARN -}}
{{- .entry.principalARN -}}
{{- else if .entry.role -}}
arn:aws:iam::{{ .accountID }}:role/{{ .entry.role }}
{{- else -}}
{{- fail (printf "accessEntries.%s: give role (a role of the account) or principalARN" .name) -}}
{{- end -}}
{{- end -}}

{{/*
The user name of an access entry. It is always set: CAPA compares it with what
EKS made up, and would delete and create the entry at every look.
*/}}
{{- define "cluster.username" -}}
{{- $principal := .principal -}}
{{- $name := last (splitList "/" $principal) -}}
{{- if .entry.username -}}
{{- .entry.username -}}
{{- else if contains ":role/" $principal -}}
{{- printf "%s:{{SessionName}}" $name -}}
{{- else -}}
{{- $name -}}
{{- end -}}
{{- end -}}
