package engine

import (
	"crypto/sha256"
	"encoding/hex"
	"encoding/json"
	"fmt"
	"os"
	"path/filepath"
	"runtime"
)

// Dir returns the directory of this very engine: of these module versions,
// recipes, platform and Go version. Anything else gets another directory, so
// that an engine is never changed while it runs. cache is KARGO's cache
// directory; "" means ~/.cache/kargo, or what the system has instead.
func Dir(cache string) (string, error) {
	l, err := ReadLock()
	if err != nil {
		return "", err
	}
	root, err := Root(cache)
	if err != nil {
		return "", err
	}
	key, err := key(l, runtime.GOOS, runtime.GOARCH, runtime.Version())
	if err != nil {
		return "", err
	}
	return filepath.Join(root, key), nil
}

// Root is the directory that holds all engines, one per key.
func Root(cache string) (string, error) {
	if cache == "" {
		user, err := os.UserCacheDir()
		if err != nil {
			return "", fmt.Errorf("no directory for the engine: %w; set KARGO_CACHE", err)
		}
		cache = filepath.Join(user, "kargo")
	}
	abs, err := filepath.Abs(cache)
	if err != nil {
		return "", fmt.Errorf("directory for the engine: %w", err)
	}
	return filepath.Join(abs, "engine"), nil
}

func key(l Lock, goos, goarch, goVersion string) (string, error) {
	recipes, err := Recipes(l)
	if err != nil {
		return "", err
	}
	b, err := json.Marshal([]any{recipeFormat, l, recipes, goos, goarch, goVersion})
	if err != nil {
		return "", fmt.Errorf("key of the engine: %w", err)
	}
	sum := sha256.Sum256(b)
	return hex.EncodeToString(sum[:8]), nil
}
