// Command roledocs writes the reference page of the factory's role, made from
// internal/factoryrole/role.yaml, to the file it is given:
//
//	go run ./hack/roledocs docs/reference/factory-role.md
package main

import (
	"bytes"
	"fmt"
	"io"
	"maps"
	"os"
	"slices"
	"strings"

	"kargo.dev/kargo/internal/factoryrole"
)

const head = `<!-- Made by hack/roledocs from internal/factoryrole/role.yaml: do not edit. -->
# The factory's role in a team's account

What ` + "`kargoctl account template`" + ` prints: the IAM role that the factory, that is kargo-manager and Cluster API's AWS provider,
assumes in an AWS account. Only the factory's own role may assume it, and only with the external id issued for the account.

Whatever is made bears the tag ` + "`kargo.dev/cluster`" + ` from its first moment, and only what bears it is changed or deleted. Roles have
the names that the provider gives them. The region is the account's. What Kubernetes and EKS themselves make for a cluster bears
tags of theirs: the Auto Scaling groups of nodes, the network interfaces of nodes, the load balancers of Services.

Tests keep it so (test/factoryrole): all that runs of the local platform need is allowed; a statement, an action or a
condition that nothing needs fails; and a table of what must be denied is. The local platform's factory has this very role.
`

func main() {
	if len(os.Args) != 2 {
		fmt.Fprintln(os.Stderr, "usage: roledocs FILE")
		os.Exit(2)
	}
	var page bytes.Buffer
	err := write(&page)
	if err == nil {
		err = os.WriteFile(os.Args[1], page.Bytes(), 0o644)
	}
	if err != nil {
		fmt.Fprintln(os.Stderr, "roledocs:", err)
		os.Exit(1)
	}
}

func write(w io.Writer) error {
	policies, err := factoryrole.Role{AccountID: "ACCOUNT", Region: "REGION", Name: "ROLE"}.Policies()
	if err != nil {
		return err
	}
	fmt.Fprint(w, head)
	for _, p := range policies {
		fmt.Fprintf(w, "\n## %s\n\n| statement | what for | actions | if |\n|---|---|---|---|\n", p.Name)
		for _, s := range p.Statements {
			fmt.Fprintf(w, "| %s | %s | %s | %s |\n", s.Sid, s.Reason, actions(s), conditions(s))
		}
	}
	return nil
}

func actions(s factoryrole.Statement) string {
	switch {
	case len(s.NotActions) > 0:
		return "**denied**: all but " + code(s.NotActions)
	case s.Effect == "Deny":
		return "**denied**: " + code(s.Actions)
	}
	return code(s.Actions)
}

// conditions are those on the resource, by its ARN, and on the call.
func conditions(s factoryrole.Statement) string {
	var list []string
	if !slices.Equal(s.Resources, []string{"*"}) {
		list = append(list, "on "+code(s.Resources))
	}
	for _, operator := range slices.Sorted(maps.Keys(s.Conditions)) {
		for _, key := range slices.Sorted(maps.Keys(s.Conditions[operator])) {
			list = append(list, fmt.Sprintf("%s `%s` %s", operator, key, code(s.Conditions[operator][key])))
		}
	}
	return strings.Join(list, "<br>")
}

func code(list []string) string { return "`" + strings.Join(list, "`, `") + "`" }
