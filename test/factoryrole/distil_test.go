package factoryrole

import (
	"bufio"
	"bytes"
	"encoding/json"
	"io"
	"os"
	"path/filepath"
	"regexp"
	"slices"
	"strings"
	"testing"

	"kargo.dev/kargo/awssim/policy"
	"kargo.dev/kargo/awssim/server"
)

// kept are the condition keys that a distilled record has. The rest differs from
// run to run, or says what the resource says already.
func kept(key string) bool {
	return slices.ContainsFunc([]string{
		"aws:RequestTag/kargo.dev/cluster", "aws:RequestTag/sigs.k8s.io/cluster-api-provider-aws/role",
		"aws:ResourceTag/eks:cluster-name", "aws:ResourceTag/kargo.dev/cluster",
		"aws:ResourceTag/kubernetes.io/service-name", "aws:ResourceTag/node.k8s.amazonaws.com/instance_id",
		"ec2:CreateAction", "iam:PassedToService", "iam:PolicyARN",
	}, func(k string) bool { return strings.EqualFold(k, key) })
}

// writeRecord distils the calls that were made with the factory's role.
func writeRecord(t *testing.T, files []string) {
	t.Helper()
	var entries []server.Entry
	for _, name := range files {
		entries = append(entries, read(t, name)...)
	}
	distil := distiller(entries)
	found := map[string]need{}
	for _, e := range entries {
		for _, p := range e.Permissions {
			n := distil(e.Account, p)
			known, ok := found[n.String()]
			if !ok {
				known = n
			}
			if !slices.Contains(known.Calls, e.Operation) {
				known.Calls = append(known.Calls, e.Operation)
				slices.Sort(known.Calls)
			}
			found[n.String()] = known
		}
	}
	var list []need
	for _, n := range found {
		list = append(list, n)
	}
	slices.SortFunc(list, need.compare)
	var b bytes.Buffer
	b.WriteString("[\n")
	for i, n := range list {
		line, err := json.Marshal(n)
		if err != nil {
			t.Fatal(err)
		}
		b.Write(line)
		if i < len(list)-1 {
			b.WriteByte(',')
		}
		b.WriteByte('\n')
	}
	b.WriteString("]\n")
	if err := os.WriteFile(filepath.Join("testdata", "recorded.json"), b.Bytes(), 0o644); err != nil {
		t.Fatal(err)
	}
}

// read is the calls of a file that the factory's roles made. A denied one is a need
// that the policy forgot, and a record of it no proof of anything.
func read(t *testing.T, name string) []server.Entry {
	t.Helper()
	file, err := os.Open(name)
	if err != nil {
		t.Fatal(err)
	}
	defer func() { _ = file.Close() }() // only read
	var list []server.Entry
	lines := bufio.NewReader(file)
	for {
		line, err := lines.ReadBytes('\n')
		var e server.Entry
		switch {
		case len(bytes.TrimSpace(line)) == 0:
		case json.Unmarshal(line, &e) != nil: // cut off by a kill
		case !strings.Contains(e.Caller, ":assumed-role/"+roleName+"/"):
		case e.Decision != "allowed" && len(e.Permissions) > 0:
			t.Errorf("%s: call %s of %s was not allowed: %s", name, e.RequestID, e.Caller, e.Operation)
		default:
			list = append(list, e)
		}
		if err == io.EOF {
			return list
		}
		if err != nil {
			t.Fatal(err)
		}
	}
}

var (
	resourceID = regexp.MustCompile(`\b(acl|assoc|dopt|eigw|eipalloc|eni|i|igw|lt|nat|rtb|sg|sgr|subnet|vol|vpc|vpce)-[0-9a-f]{17}\b`)
	uuid       = regexp.MustCompile(`[0-9a-f]{8}-[0-9a-f]{4}-[0-9a-f]{4}-[0-9a-f]{4}-[0-9a-f]{12}`)
	hashed     = regexp.MustCompile(`\bcapa_[0-9a-z]{20,}\b`) // CAPA's for names that are too long
	address    = regexp.MustCompile(`127\.0\.0\.1:[0-9]+`)
)

// distiller replaces what differs from run to run: accounts, ids, names of clusters.
func distiller(entries []server.Entry) func(account string, p policy.Permission) need {
	var names []string
	for _, e := range entries {
		for _, p := range e.Permissions {
			for _, key := range []string{"aws:RequestTag/kargo.dev/cluster", "aws:ResourceTag/kargo.dev/cluster"} {
				for _, name := range p.Context[key] {
					if !slices.Contains(names, name) {
						names = append(names, regexp.QuoteMeta(name))
					}
				}
			}
		}
	}
	slices.SortFunc(names, func(a, b string) int { return len(b) - len(a) }) // shop before sho
	cluster := regexp.MustCompile(`(^|[^A-Za-z0-9-])(` + strings.Join(names, "|") + `)($|[^A-Za-z0-9])`)
	plain := func(account, s string) string {
		s = strings.ReplaceAll(s, account, accountID)
		s = resourceID.ReplaceAllString(s, "$1-0")
		s = uuid.ReplaceAllString(s, "0")
		s = hashed.ReplaceAllString(s, "capa_0")
		s = address.ReplaceAllString(s, "127.0.0.1:1")
		return cluster.ReplaceAllString(s, "${1}lab${3}")
	}
	return func(account string, p policy.Permission) need {
		n := need{Action: p.Action, Resource: plain(account, p.Resource), Context: policy.Context{}}
		for key, values := range p.Context {
			if !kept(key) {
				continue
			}
			for _, v := range values {
				n.Context[key] = append(n.Context[key], plain(account, v))
			}
		}
		return n
	}
}
