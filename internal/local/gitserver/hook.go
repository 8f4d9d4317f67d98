package gitserver

import (
	"bufio"
	"bytes"
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"net/http"
	"path/filepath"
	"strings"
	"time"

	"kargo.dev/kargo/internal/local/profile"
)

// Push is what the hook posts for each updated ref.
type Push struct {
	Ref    string `json:"ref"`    // refs/heads/main
	Before string `json:"before"` // commit, all zeros for a new ref
	After  string `json:"after"`  // commit, all zeros for a deleted ref
}

// hookTimeout bounds how long a push waits for whoever listens to it.
const hookTimeout = 5 * time.Second

// InstallHook makes a repository tell url of every push, through the program
// `kargoctl hook post-receive`.
func InstallHook(repository, kargoctl, url string) error {
	script := fmt.Sprintf("#!/bin/sh\n# Tells KARGO of the push; written by kargoctl up. A push never fails on it.\n%s hook post-receive --url %s || true\n",
		quote(kargoctl), quote(url))
	return profile.WriteFile(filepath.Join(repository, "hooks", "post-receive"), []byte(script), 0o755)
}

// quote for a POSIX shell.
func quote(s string) string { return "'" + strings.ReplaceAll(s, "'", `'\''`) + "'" }

// PostReceive reads what Git gives a post-receive hook (old, new and ref per
// line) and posts it.
func PostReceive(ctx context.Context, in io.Reader, url string) error {
	ctx, cancel := context.WithTimeout(ctx, hookTimeout)
	defer cancel()
	var errs []error
	lines := bufio.NewScanner(in)
	for lines.Scan() {
		f := strings.Fields(lines.Text())
		if len(f) != 3 {
			errs = append(errs, fmt.Errorf("post-receive line %q: want OLD NEW REF", lines.Text()))
			continue
		}
		if err := post(ctx, url, Push{Before: f[0], After: f[1], Ref: f[2]}); err != nil {
			errs = append(errs, err)
		}
	}
	return errors.Join(append(errs, lines.Err())...)
}

func post(ctx context.Context, url string, p Push) error {
	body, err := json.Marshal(p)
	if err != nil {
		return fmt.Errorf("encode the push: %w", err)
	}
	req, err := http.NewRequestWithContext(ctx, http.MethodPost, url, bytes.NewReader(body))
	if err != nil {
		return fmt.Errorf("tell %s of the push: %w", url, err)
	}
	req.Header.Set("Content-Type", "application/json")
	resp, err := http.DefaultClient.Do(req)
	if err != nil {
		return fmt.Errorf("tell KARGO of the push (clusters follow at their next look): %w", err)
	}
	defer func() { _ = resp.Body.Close() }()
	if resp.StatusCode >= 300 {
		text, _ := io.ReadAll(io.LimitReader(resp.Body, 4<<10))
		return fmt.Errorf("tell KARGO of the push: %s: %s", resp.Status, strings.TrimSpace(string(text)))
	}
	return nil
}
