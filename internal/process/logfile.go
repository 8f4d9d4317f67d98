package process

import (
	"fmt"
	"os"
	"path/filepath"
	"sync"
)

// logFile is an appended file that is renamed to PATH.1 when it has grown to
// max bytes, so a process keeps between one and two times max on disk.
type logFile struct {
	path string
	max  int64

	mu   sync.Mutex
	file *os.File
	size int64
}

// Write appends and never fails: a full disk must not end the process that logs.
func (l *logFile) Write(p []byte) (int, error) {
	l.mu.Lock()
	defer l.mu.Unlock()
	if l.file != nil && l.size+int64(len(p)) > l.max {
		l.closeLocked()
		_ = os.Rename(l.path, l.path+".1")
	}
	if l.file == nil && l.openLocked() != nil {
		return len(p), nil
	}
	n, _ := l.file.Write(p)
	l.size += int64(n)
	return len(p), nil
}

func (l *logFile) openLocked() error {
	if err := os.MkdirAll(filepath.Dir(l.path), 0o700); err != nil {
		return fmt.Errorf("make the log directory: %w", err)
	}
	f, err := os.OpenFile(l.path, os.O_APPEND|os.O_CREATE|os.O_WRONLY, 0o600)
	if err != nil {
		return fmt.Errorf("open the log: %w", err)
	}
	l.file, l.size = f, 0
	if info, err := f.Stat(); err == nil {
		l.size = info.Size()
	}
	return nil
}

func (l *logFile) closeLocked() {
	if l.file != nil {
		_ = l.file.Close()
		l.file = nil
	}
}

// close releases the file; a later Write opens it again.
func (l *logFile) close() {
	l.mu.Lock()
	defer l.mu.Unlock()
	l.closeLocked()
}

// remove deletes the log and its rotated part, and directories that became empty up to root.
func (l *logFile) remove(root string) {
	l.close()
	_ = os.Remove(l.path)
	_ = os.Remove(l.path + ".1")
	for dir := filepath.Dir(l.path); dir != root && len(dir) > len(root); dir = filepath.Dir(dir) {
		if os.Remove(dir) != nil {
			return
		}
	}
}
