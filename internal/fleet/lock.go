package fleet

import (
	"crypto/sha256"
	"encoding/hex"
	"fmt"
	"io"
	"io/fs"
	"slices"

	"go.yaml.in/yaml/v3"
)

// LockFile says where the vendored charts of a repository came from.
const LockFile = "charts/vendor.yaml"

// Lock is the content of LockFile.
type Lock struct {
	Charts []LockedChart `yaml:"charts"`
}

// LockedChart is an upstream chart that lies in the repository.
type LockedChart struct {
	// Name of the chart, and of its folder under charts/.
	Name    string `yaml:"name" json:"name"`
	Version string `yaml:"version" json:"version"`
	// Origin it was taken from: a URL, an OCI reference, or go:MODULE@VERSION/FOLDER.
	Origin string `yaml:"origin" json:"origin"`
	// Digest of the folder as it lies here, see Digest.
	Digest string `yaml:"digest" json:"digest"`
	// Changes made to what the origin has, beyond files left out.
	Changes []string `yaml:"changes,omitempty" json:"changes,omitempty"`
}

// Find a chart by name.
func (l Lock) Find(name string) (LockedChart, bool) {
	i := slices.IndexFunc(l.Charts, func(c LockedChart) bool { return c.Name == name })
	if i < 0 {
		return LockedChart{}, false
	}
	return l.Charts[i], true
}

// ReadLock reads the lock of a repository.
func ReadLock(fsys fs.FS) (Lock, error) {
	var lock Lock
	data, err := (&reader{fs: fsys}).read(LockFile)
	if err != nil {
		return lock, err
	}
	if err := yaml.Unmarshal(data, &lock); err != nil {
		return lock, &FileError{LockFile, 0, err}
	}
	return lock, nil
}

// Digest is the SHA-256 of a folder, over the lines of sha256sum for its files
// in the order of their names, so that anybody can compute it:
//
//	find . -type f | LC_ALL=C sort | xargs -d '\n' sha256sum | sha256sum
func Digest(fsys fs.FS) (string, error) {
	var names []string
	err := fs.WalkDir(fsys, ".", func(name string, entry fs.DirEntry, err error) error {
		if err == nil && !entry.IsDir() {
			names = append(names, name)
		}
		return err
	})
	if err != nil {
		return "", err
	}
	slices.Sort(names)
	all := sha256.New()
	for _, name := range names {
		file, err := fsys.Open(name)
		if err != nil {
			return "", err
		}
		one := sha256.New()
		_, err = io.Copy(one, file)
		_ = file.Close()
		if err != nil {
			return "", err
		}
		fmt.Fprintf(all, "%s  ./%s\n", hex.EncodeToString(one.Sum(nil)), name)
	}
	return "sha256:" + hex.EncodeToString(all.Sum(nil)), nil
}
