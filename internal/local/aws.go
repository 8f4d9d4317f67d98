package local

import (
	"context"
	"encoding/json"
	"fmt"
	"io"
	"net/http"
	"os"
	"strings"
	"time"

	"kargo.dev/kargo/awssim/org"
	"kargo.dev/kargo/internal/local/components"
	"kargo.dev/kargo/internal/local/profile"
)

// aws makes the simulated AWS serve and writes the files with which AWS
// clients use it.
func (u *up) aws(ctx context.Context) error {
	config, err := organisation()
	if err != nil {
		return err
	}
	b, err := json.MarshalIndent(config, "", "  ")
	if err != nil {
		return fmt.Errorf("encode the simulated organisation: %w", err)
	}
	if err := profile.WriteFile(u.Profile.Path("awssim", "config.json"), append(b, '\n'), 0o600); err != nil {
		return err
	}
	if err := u.run(ctx, components.AWSSim); err != nil {
		return err
	}
	var keys org.TestKeys
	if err := getJSON(ctx, u.layout.URL(components.PortAWSSim, "/_awssim/credentials"), &keys); err != nil {
		return fmt.Errorf("read the simulated accounts' keys: %w", err)
	}
	if err := u.awsFiles(keys); err != nil {
		return err
	}
	u.resumeClusters(ctx)
	return nil
}

// resumeClusters waits until the control planes that ran before run again, so
// that whoever starts next finds them as they were. One that does not come back
// is its own trouble.
func (u *up) resumeClusters(ctx context.Context) {
	list, err := u.runner.List(ctx, "eks/")
	if err != nil {
		u.Progress.Note("look at the clusters that ran before: %v", err)
		return
	}
	var names []string
	for _, s := range list {
		if !strings.Contains(s.Name, "/pods/") { // pods come and go
			names = append(names, s.Name)
		}
	}
	if err := u.waitReady(ctx, names); err != nil {
		u.Progress.Note("%v", err)
	}
}

// awsFiles writes a profile per account for people, and one with the factory's
// own key, as the default, for the components.
func (u *up) awsFiles(keys org.TestKeys) error {
	endpoint := u.layout.URL(components.PortAWSSim, "")
	config, credentials := &strings.Builder{}, &strings.Builder{}
	for _, k := range keys.Accounts {
		fmt.Fprintf(config, "[profile %s]\nregion = %s\nendpoint_url = %s\n\n", k.Name, region, endpoint)
		section(credentials, k.Name, k)
	}
	factory, factoryConfig := &strings.Builder{}, fmt.Sprintf("[default]\nregion = %s\n", region)
	section(factory, "default", keys.Factory)
	for _, f := range []struct{ path, content string }{
		{u.Profile.AWSConfig(), config.String()},
		{u.Profile.AWSCredentials(), credentials.String()},
		{u.Profile.Path("aws", "factory-config"), factoryConfig},
		{u.Profile.Path("aws", "factory-credentials"), factory.String()},
	} {
		if have, err := os.ReadFile(f.path); err == nil && string(have) == f.content {
			continue
		}
		if err := profile.WriteFile(f.path, []byte(f.content), 0o600); err != nil {
			return err
		}
	}
	return nil
}

func section(w io.Writer, name string, k org.TestKey) {
	_, _ = fmt.Fprintf(w, "[%s]\naws_access_key_id = %s\naws_secret_access_key = %s\n\n", name, k.AccessKeyID, k.SecretAccessKey)
}

// getJSON reads an answer of awssim's own API.
func getJSON(ctx context.Context, url string, into any) error {
	ctx, cancel := context.WithTimeout(ctx, 10*time.Second)
	defer cancel()
	req, err := http.NewRequestWithContext(ctx, http.MethodGet, url, nil)
	if err != nil {
		return fmt.Errorf("ask %s: %w", url, err)
	}
	resp, err := http.DefaultClient.Do(req)
	if err != nil {
		return fmt.Errorf("ask %s: %w", url, err)
	}
	defer func() { _ = resp.Body.Close() }()
	if resp.StatusCode != http.StatusOK {
		return fmt.Errorf("ask %s: it answers %s", url, resp.Status)
	}
	if err := json.NewDecoder(resp.Body).Decode(into); err != nil {
		return fmt.Errorf("read the answer of %s: %w", url, err)
	}
	return nil
}
