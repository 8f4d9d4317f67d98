package fleet

import (
	"fmt"
	"regexp"
	"strings"
	"time"
)

// maxCause is how many characters of an error are told.
const maxCause = 300

// sourceAddress is the near end in "read tcp 10.0.0.1:41234->10.0.0.2:443": its
// port is another one each time.
var sourceAddress = regexp.MustCompile(`\S+:\d+->`)

// Outage says since when and why the fleet repository cannot be fetched, and ""
// while it can. It stays the same as long as the trouble does.
func (t *Tracker) Outage() string {
	f := t.opts.Repository.Fetched()
	if f.Err == nil {
		return ""
	}
	return fmt.Sprintf("the fleet repository cannot be read since %s: %s", f.FailingSince.UTC().Format(time.RFC3339), cause(f.Err))
}

// cause is an error as a stable half-sentence.
func cause(err error) string {
	line, _, _ := strings.Cut(sourceAddress.ReplaceAllString(err.Error(), ""), "\n")
	if runes := []rune(line); len(runes) > maxCause {
		line = string(runes[:maxCause]) + "..."
	}
	return strings.ToValidUTF8(strings.TrimSpace(line), "?")
}
