//go:build e2e

package e2e

import (
	"os"
	"path/filepath"
	"regexp"
	"strings"
	"testing"
)

var (
	shellBlock = regexp.MustCompile("(?s)```sh\n(.*?)```")
	makeLine   = regexp.MustCompile(`(?m)^make .*\n`)
)

// TestF_Docs runs every command of the README and the guides, as a reader
// would: page by page, in one shell, in an empty directory. In it lies bin/, as in
// the project; the platform runs already, so lines of make are left out.
func TestF_Docs(t *testing.T) {
	for _, page := range []string{"README.md", "docs/platform-engineer.md", "docs/product-team.md"} {
		t.Run(filepath.Base(page), func(t *testing.T) {
			text, err := os.ReadFile(filepath.Join("..", "..", page))
			if err != nil {
				t.Fatal(err)
			}
			var script strings.Builder
			script.WriteString("set -eux\ncd \"$1\"\n")
			for _, block := range shellBlock.FindAllStringSubmatch(string(text), -1) {
				script.WriteString(makeLine.ReplaceAllString(block[1], ""))
			}
			dir := t.TempDir()
			if err := os.Symlink(filepath.Dir(suite.Kargoctl), filepath.Join(dir, "bin")); err != nil {
				t.Fatal(err)
			}
			path := strings.Join([]string{filepath.Dir(suite.Kargoctl), filepath.Dir(suite.Binaries.Kubectl), os.Getenv("PATH")}, ":")
			r := suite.Command("", "bash", []string{"PATH=" + path}, "-c", script.String(), "bash", dir)
			if r.Code != 0 {
				t.Errorf("exit code %d\n%s\n%s", r.Code, r.Stdout, r.Stderr)
			}
		})
	}
	suite.NoViolations(t)
}
