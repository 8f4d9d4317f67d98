// Command chartdocs writes the reference page of the cluster chart, made from its
// values.schema.json, to the file it is given:
//
//	go run ./hack/chartdocs docs/reference/cluster-chart.md
package main

import (
	"bytes"
	"encoding/json"
	"fmt"
	"io"
	"io/fs"
	"os"
	"strings"

	"kargo.dev/kargo/charts"
	"kargo.dev/kargo/internal/settings"
)

const head = `<!-- Made by hack/chartdocs from charts/cluster/values.schema.json: do not edit. -->
# The cluster chart

` + "`charts/cluster`" + ` renders the Cluster API objects of one EKS cluster. KARGO renders it for each WorkloadCluster; its
values are what KARGO calls settings. It works by itself too, for a bare cluster without Flux and without settings
from elsewhere:

` + "```sh" + `
helm upgrade --install shop-prod charts/cluster -f values.yaml
` + "```" + `

` + "```yaml" + `
# values.yaml: the least that is needed
cluster: {team: shop, accountID: "123456789012", environment: prod, region: eu-central-1}
nodePools:
  default: {instanceType: m7i.large, minSize: 2, maxSize: 4}
accessEntries:
  administrators: {role: team-admin, policy: AmazonEKSClusterAdminPolicy}
` + "```" + `

All objects go to the namespace ` + "`a`" + ` + account id, whatever the namespace of the release, and use the
AWSClusterRoleIdentity of that name: both are made by KARGO for an Account. The objects are plain manifests and no
ClusterClass, see the chart's NOTES.

Lists and single values of a later layer replace those of an earlier one; maps are merged, and a blank value changes
nothing. Keys marked **KARGO** are set by KARGO and refused as settings of a cluster. A key that is not listed here is
an error. ` + "`<name>`" + ` stands for a name of your choice.
`

func main() {
	if len(os.Args) != 2 {
		fmt.Fprintln(os.Stderr, "usage: chartdocs FILE")
		os.Exit(2)
	}
	var page bytes.Buffer
	err := write(&page)
	if err == nil {
		err = os.WriteFile(os.Args[1], page.Bytes(), 0o644)
	}
	if err != nil {
		fmt.Fprintln(os.Stderr, "chartdocs:", err)
		os.Exit(1)
	}
}

func write(out io.Writer) error {
	data, err := fs.ReadFile(charts.Cluster(), "values.schema.json")
	if err != nil {
		return err
	}
	schema, err := settings.ParseSchema(data)
	if err != nil {
		return err
	}
	var page strings.Builder
	page.WriteString(head)
	var owned string // the path of the map that is KARGO's
	for field := range schema.Fields() {
		if !strings.ContainsAny(field.Path, ".[") {
			fmt.Fprintf(&page, "\n## %s\n\n", field.Path)
			if field.Children {
				fmt.Fprintf(&page, "%s\n\n", field.Description)
			}
			page.WriteString("| key | type | default | |\n|---|---|---|---|\n")
			owned = "\x00"
			if field.ReadOnly {
				owned = field.Path
			}
			if field.Children && !field.ReadOnly {
				continue
			}
		}
		field.ReadOnly = field.ReadOnly || strings.HasPrefix(field.Path, owned+".")
		fmt.Fprintf(&page, "| `%s` | %s | %s | %s |\n", field.Path, kind(field), standard(field), text(field))
	}
	_, err = io.WriteString(out, page.String())
	return err
}

func kind(field settings.Field) string {
	switch {
	case len(field.Enum) > 0:
		words := make([]string, len(field.Enum))
		for i, word := range field.Enum {
			words[i] = fmt.Sprintf("`%v`", word)
		}
		return strings.Join(words, ", ")
	case field.Elements:
		return "list"
	case field.Children:
		return "map"
	case field.Minimum != "" && field.Maximum != "":
		return fmt.Sprintf("%s, %s to %s", strings.Join(field.Types, " or "), field.Minimum, field.Maximum)
	}
	return strings.Join(field.Types, " or ")
}

func standard(field settings.Field) string {
	if !field.HasDefault {
		if field.Required {
			return "required"
		}
		return ""
	}
	return "`" + encode(field.Default) + "`"
}

func text(field settings.Field) string {
	out := field.Description
	if field.ReadOnly {
		out = "**KARGO** " + out
	}
	if len(field.Examples) > 0 {
		examples := make([]string, len(field.Examples))
		for i, example := range field.Examples {
			examples[i] = "`" + encode(example) + "`"
		}
		out += " Such as " + strings.Join(examples, ", ") + "."
	}
	return strings.ReplaceAll(out, "|", "\\|")
}

func encode(value any) string {
	if s, ok := value.(string); ok {
		return s
	}
	data, err := json.Marshal(value)
	if err != nil {
		return fmt.Sprint(value)
	}
	return string(data)
}
