package engine

import (
	"crypto/sha256"
	_ "embed"
	"encoding/hex"
	"encoding/json"
	"fmt"
	"os"
	"path/filepath"
)

//go:embed lock.json
var lockFile []byte

// Lock is what a program that has no source tree at hand knows of engine/go.mod.
// It is generated into lock.json, because Go embeds no file of another module.
type Lock struct {
	// Sum is the SHA-256 of engine/go.mod followed by engine/go.sum.
	Sum string `json:"sum"`
	// Modules maps the path of each module that a program or a manifest is
	// taken from to its version.
	Modules map[string]string `json:"modules"`
}

// ReadLock returns the lock this program was built with.
func ReadLock() (Lock, error) {
	var l Lock
	if err := json.Unmarshal(lockFile, &l); err != nil {
		return Lock{}, fmt.Errorf("internal/engine/lock.json: %w; run `make generate`", err)
	}
	return l, nil
}

// SumOf returns the Sum of an engine module in a folder.
func SumOf(moduleDir string) (string, error) {
	h := sha256.New()
	for _, name := range []string{"go.mod", "go.sum"} {
		b, err := os.ReadFile(filepath.Join(moduleDir, name))
		if err != nil {
			return "", fmt.Errorf("reading the engine module: %w", err)
		}
		h.Write(b)
	}
	return hex.EncodeToString(h.Sum(nil)), nil
}
