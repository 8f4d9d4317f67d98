package process

import (
	"context"
	"crypto/tls"
	"crypto/x509"
	"net/http"
	"os"
	"time"
)

// How often readiness is asked for: quickly while a process starts, slower
// the longer it takes, and now and then once it serves.
const (
	readyPollFirst  = 50 * time.Millisecond
	readyPollMax    = time.Second
	readyPollServes = 10 * time.Second
	readyTimeout    = 3 * time.Second
)

// prober asks a ReadyURL.
type prober struct {
	url, caFile string
	client      *http.Client
}

// ready asks once. The CA file is read until it exists: the process may write it itself.
func (p *prober) ready(ctx context.Context) bool {
	if p.client == nil {
		tlsConfig := &tls.Config{MinVersion: tls.VersionTLS12}
		if p.caFile != "" {
			pem, err := os.ReadFile(p.caFile)
			if err != nil {
				return false
			}
			tlsConfig.RootCAs = x509.NewCertPool()
			if !tlsConfig.RootCAs.AppendCertsFromPEM(pem) {
				return false
			}
		}
		p.client = &http.Client{Timeout: readyTimeout, Transport: &http.Transport{TLSClientConfig: tlsConfig, DisableKeepAlives: true}}
	}
	req, err := http.NewRequestWithContext(ctx, http.MethodGet, p.url, nil)
	if err != nil {
		return false
	}
	resp, err := p.client.Do(req)
	if err != nil {
		return false
	}
	_ = resp.Body.Close()
	return resp.StatusCode == http.StatusOK
}

// watch reports every change of readiness until ctx ends. Two failures in a row make a ready process unready.
func (p *prober) watch(ctx context.Context, report func(ready bool)) {
	var ready bool
	var failures int
	for wait := readyPollFirst; ; {
		timer := time.NewTimer(wait)
		select {
		case <-ctx.Done():
			timer.Stop()
			return
		case <-timer.C:
		}
		switch ok := p.ready(ctx); {
		case ctx.Err() != nil:
			return
		case ok:
			failures, wait = 0, readyPollServes
			if !ready {
				ready = true
				report(true)
			}
		case ready && failures == 0:
			failures, wait = 1, readyPollMax
		default:
			if ready {
				ready, wait = false, readyPollFirst
				report(false)
			}
			wait = min(wait+wait/4, readyPollMax)
		}
	}
}
