package server

import (
	"bufio"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"io/fs"
	"os"
	"slices"
	"sync"
	"time"

	"kargo.dev/kargo/awssim/authz"
	"kargo.dev/kargo/awssim/policy"
)

const (
	// ringSize is how many calls are kept in memory.
	ringSize = 20000
	// maxCallLog is when the call log is put aside; one older file is kept.
	maxCallLog = 64 << 20
	// reread is how much of the log's end is read at start.
	reread = 8 << 20
)

// Entry is the record of one call.
type Entry struct {
	N          int64          `json:"n"` // counts from 1, on over restarts
	Time       time.Time      `json:"time"`
	Service    string         `json:"service"`
	Operation  string         `json:"operation"`
	Account    string         `json:"account,omitempty"` // of the caller
	Region     string         `json:"region,omitempty"`
	Caller     string         `json:"caller,omitempty"` // ARN
	Status     int            `json:"status"`           // HTTP; 0 if no answer was sent
	Code       string         `json:"code,omitempty"`   // AWS's error code
	Ms         int64          `json:"ms"`
	Params     map[string]any `json:"params,omitempty"`
	RequestID  string         `json:"requestId"`
	Fault      string         `json:"fault,omitempty"`      // the kind that was injected
	Violations int            `json:"violations,omitempty"` // how many things of other accounts it named
	authz.Record
}

// Requests are the permissions that the call needed, to be decided on with other
// policies than those that were in force.
func (e Entry) Requests() []policy.Request { return e.Record.Requests(e.Account, e.Region, e.Time) }

// entry describes the exchange.
func (x *exchange) entry(a answer, took time.Duration) Entry {
	e := Entry{
		Time: x.call.Now.UTC(), Service: x.call.Service, Operation: x.call.Operation, Account: x.call.Caller.AccountID,
		Region: x.call.Region, Caller: x.call.Caller.ARN, Status: a.status, Code: a.code, Ms: took.Milliseconds(),
		Params: redacted(&x.call), RequestID: x.call.ID, Fault: x.fault, Violations: x.violations,
		Record: x.authz,
	}
	if a.lost {
		e.Status = 0
	}
	return e
}

// recorded is an entry as it is kept: encoded, which takes a third of the memory,
// beside what it is found by.
type recorded struct {
	n                           int64
	account, service, operation string
	line                        json.RawMessage
}

// recorder keeps the last calls in memory and appends all to a file.
type recorder struct {
	mu   sync.Mutex
	last int64
	ring []recorded // in order; the oldest are cut off
	path string
	file *os.File
	size int64
}

func openRecorder(path string) (*recorder, error) {
	r := &recorder{path: path}
	if path == "" {
		return r, nil
	}
	for _, p := range []string{path + ".1", path} {
		if err := r.reread(p); err != nil {
			return nil, fmt.Errorf("read the call log %s: %w", p, err)
		}
	}
	return r, r.open()
}

func (r *recorder) open() error {
	file, err := os.OpenFile(r.path, os.O_CREATE|os.O_WRONLY|os.O_APPEND, 0o600)
	if err != nil {
		return fmt.Errorf("open the call log: %w", err)
	}
	info, err := file.Stat()
	if err != nil {
		return errors.Join(fmt.Errorf("open the call log: %w", err), file.Close())
	}
	r.file, r.size = file, info.Size()
	if r.size > 0 {
		// A kill may have cut the last line; an empty line harms nobody.
		_, _ = file.WriteString("\n")
	}
	return nil
}

// reread takes up the end of an earlier log.
func (r *recorder) reread(path string) error {
	file, err := os.Open(path)
	if errors.Is(err, fs.ErrNotExist) {
		return nil
	}
	if err != nil {
		return err
	}
	defer func() { _ = file.Close() }()
	if info, err := file.Stat(); err == nil && info.Size() > reread {
		if _, err := file.Seek(-reread, io.SeekEnd); err != nil {
			return err
		}
	}
	scanner := bufio.NewScanner(file)
	scanner.Buffer(nil, maxBody)
	for scanner.Scan() {
		var e Entry
		// The first line may be cut by the seek, the last one by a kill.
		if json.Unmarshal(scanner.Bytes(), &e) == nil && e.N > r.last {
			r.keep(e, slices.Clone(scanner.Bytes()))
		}
	}
	return scanner.Err()
}

func (r *recorder) keep(e Entry, line []byte) {
	r.last = e.N
	r.ring = append(r.ring, recorded{e.N, e.Account, e.Service, e.Operation, line})
	if len(r.ring) > ringSize+ringSize/4 {
		r.ring = slices.Clone(r.ring[len(r.ring)-ringSize:])
	}
}

// next is the number the next call is expected to get.
func (r *recorder) next() int64 {
	r.mu.Lock()
	defer r.mu.Unlock()
	return r.last + 1
}

func (r *recorder) record(e Entry) {
	r.mu.Lock()
	defer r.mu.Unlock()
	e.N = r.last + 1
	line, err := json.Marshal(e)
	if err != nil {
		return // cannot be: all of an entry is plain JSON
	}
	r.keep(e, line)
	if r.file == nil {
		return
	}
	if r.size > maxCallLog {
		r.rotate()
	}
	n, _ := r.file.Write(append(slices.Clip(line), '\n')) // a full disk must not stop the simulator
	r.size += int64(n)
}

// rotate puts the log aside. If that fails, it goes on in the same file.
func (r *recorder) rotate() {
	if os.Rename(r.path, r.path+".1") != nil {
		return
	}
	old := r.file
	if r.open() == nil {
		_ = old.Close()
	}
}

// filter says which calls are asked for; zero values are any.
type filter struct {
	account, service, operation string
	since                       int64
}

// find returns the calls after since that are still in memory, and the number
// of the last call of all.
func (r *recorder) find(f filter) ([]json.RawMessage, int64) {
	r.mu.Lock()
	defer r.mu.Unlock()
	found := []json.RawMessage{}
	for _, e := range r.ring {
		if e.n > f.since && (f.account == "" || f.account == e.account) && (f.service == "" || f.service == e.service) &&
			(f.operation == "" || f.operation == e.operation) {
			found = append(found, e.line)
		}
	}
	return found, r.last
}

func (r *recorder) close() error {
	r.mu.Lock()
	defer r.mu.Unlock()
	if r.file == nil {
		return nil
	}
	return r.file.Close()
}
