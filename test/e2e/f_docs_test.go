//go:build e2e

package e2e

import (
	"os"
	"path/filepath"
	"regexp"
	"strings"
	"testing"
)

var shellBlock = regexp.MustCompile("(?s)```sh\n(.*?)```")

// TestF_Docs runs every command of the guides, as a reader would: page by page,
// in one shell, in an empty directory.
func TestF_Docs(t *testing.T) {
	for _, page := range []string{"platform-engineer.md", "product-team.md"} {
		t.Run(page, func(t *testing.T) {
			text, err := os.ReadFile(filepath.Join("..", "..", "docs", page))
			if err != nil {
				t.Fatal(err)
			}
			var script strings.Builder
			script.WriteString("set -eux\ncd \"$1\"\n")
			for _, block := range shellBlock.FindAllStringSubmatch(string(text), -1) {
				script.WriteString(block[1])
			}
			path := strings.Join([]string{filepath.Dir(suite.Kargoctl), filepath.Dir(suite.Binaries.Kubectl), os.Getenv("PATH")}, ":")
			r := suite.Command(script.String(), "bash", []string{"PATH=" + path}, "-s", "--", t.TempDir())
			if r.Code != 0 {
				t.Errorf("exit code %d\n%s\n%s", r.Code, r.Stdout, r.Stderr)
			}
		})
	}
	suite.NoViolations(t)
}
