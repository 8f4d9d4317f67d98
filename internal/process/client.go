package process

import (
	"bytes"
	"context"
	"encoding/json"
	"fmt"
	"io"
	"net"
	"net/http"
	"net/url"
	"strings"
)

// Client asks a supervisor in another process.
type Client struct {
	socket string
	http   *http.Client
}

var _ Runner = (*Client)(nil)

// NewClient makes a client of the supervisor that serves on a unix socket.
func NewClient(socket string) *Client {
	dial := func(ctx context.Context, _, _ string) (net.Conn, error) {
		return (&net.Dialer{}).DialContext(ctx, "unix", socket)
	}
	return &Client{socket: socket, http: &http.Client{Transport: &http.Transport{DialContext: dial}}}
}

// Ensure implements Runner.
func (c *Client) Ensure(ctx context.Context, s Spec) error {
	body, err := json.Marshal(s)
	if err != nil {
		return fmt.Errorf("encode the spec of %s: %w", s.Name, err)
	}
	return c.do(ctx, http.MethodPut, "/processes", body, nil)
}

// Remove implements Runner.
func (c *Client) Remove(ctx context.Context, name string) error {
	return c.do(ctx, http.MethodDelete, "/processes?"+url.Values{"name": {name}}.Encode(), nil, nil)
}

// List implements Runner.
func (c *Client) List(ctx context.Context, prefix string) ([]Status, error) {
	var res []Status
	err := c.do(ctx, http.MethodGet, "/processes?"+url.Values{"prefix": {prefix}}.Encode(), nil, &res)
	return res, err
}

// Stop ends all processes and returns when they have.
func (c *Client) Stop(ctx context.Context) error {
	return c.do(ctx, http.MethodPost, "/stop", nil, nil)
}

func (c *Client) do(ctx context.Context, method, path string, body []byte, into any) error {
	req, err := http.NewRequestWithContext(ctx, method, "http://supervisor"+path, bytes.NewReader(body))
	if err != nil {
		return fmt.Errorf("ask the supervisor: %w", err)
	}
	resp, err := c.http.Do(req)
	if err != nil {
		return fmt.Errorf("ask the supervisor at %s (is it running?): %w", c.socket, err)
	}
	defer func() { _ = resp.Body.Close() }()
	if resp.StatusCode >= 300 {
		text, _ := io.ReadAll(io.LimitReader(resp.Body, 64<<10))
		if resp.StatusCode == http.StatusServiceUnavailable {
			return ErrStopping
		}
		return fmt.Errorf("the supervisor answers %s: %s", resp.Status, strings.TrimSpace(string(text)))
	}
	if into == nil {
		return nil
	}
	if err := json.NewDecoder(resp.Body).Decode(into); err != nil {
		return fmt.Errorf("decode the supervisor's answer: %w", err)
	}
	return nil
}
