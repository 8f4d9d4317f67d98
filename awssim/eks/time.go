package eks

import (
	"fmt"
	"strconv"
	"time"
)

// Time is a moment as REST-JSON writes it: a number of seconds since 1970, with
// milliseconds. See https://smithy.io/2.0/spec/protocol-traits.html#timestampformat-trait.
type Time struct{ time.Time }

// MarshalJSON implements json.Marshaler.
func (t Time) MarshalJSON() ([]byte, error) {
	ms := t.UnixMilli()
	return fmt.Appendf(nil, "%d.%03d", ms/1000, ms%1000), nil
}

// UnmarshalJSON implements json.Unmarshaler.
func (t *Time) UnmarshalJSON(b []byte) error {
	seconds, err := strconv.ParseFloat(string(b), 64)
	if err != nil {
		return fmt.Errorf("a timestamp is a number of seconds: %w", err)
	}
	t.Time = time.UnixMilli(int64(seconds*1000 + 0.5)).UTC()
	return nil
}

// at makes a Time of the precision that survives the store.
func at(t time.Time) Time { return Time{t.UTC().Truncate(time.Millisecond)} }
