// Package jsonapi is what services with JSON bodies share: reading a call's body,
// times as AWS writes them, and lists cut into pages. Package query is its
// counterpart for the query protocols.
package jsonapi

import (
	"bytes"
	"cmp"
	"context"
	"encoding/base64"
	"encoding/json"
	"math"
	"slices"
	"strconv"
	"time"

	"kargo.dev/kargo/awssim/api"
)

// Handle makes a handler of a decoded body an api.Operation's. Members that the
// simulator does not know are passed over, as AWS passes over those it does not know.
func Handle[In any](f func(*api.Call, In) (any, error)) func(context.Context, *api.Call) (any, error) {
	return func(_ context.Context, c *api.Call) (any, error) {
		var in In
		if len(bytes.TrimSpace(c.Body)) > 0 {
			if err := json.Unmarshal(c.Body, &in); err != nil {
				return nil, api.Errorf("SerializationException", "%v", err)
			}
		}
		return f(c, in)
	}
}

// Time is a moment as AWS's JSON protocols write it: seconds since 1970, with
// milliseconds behind the point. The zero time is null, for omitzero.
type Time struct{ time.Time }

// MarshalJSON implements json.Marshaler.
func (t Time) MarshalJSON() ([]byte, error) {
	if t.IsZero() {
		return []byte("null"), nil
	}
	return strconv.AppendFloat(nil, float64(t.UnixMilli())/1000, 'f', -1, 64), nil
}

// UnmarshalJSON implements json.Unmarshaler.
func (t *Time) UnmarshalJSON(b []byte) error {
	if string(b) == "null" {
		*t = Time{}
		return nil
	}
	seconds, err := strconv.ParseFloat(string(b), 64)
	if err != nil {
		return err
	}
	t.Time = time.UnixMilli(int64(math.Round(seconds * 1000))).UTC()
	return nil
}

// Paging is what a call says of the page it wants; it is embedded in inputs.
type Paging struct {
	NextToken  string
	MaxResults *int
}

// Next is the token of the page after; it is embedded in answers.
type Next struct {
	NextToken string `json:",omitempty"`
}

// Limits of a list's pages.
type Limits struct {
	// Largest page a call may ask for, and the page's size if it does not ask.
	Largest, Usual int
	// Size and Token make the errors of a size out of bounds and of a token that
	// the service did not give.
	Size, Token func(value string) error
}

// Page cuts the page that a call wants out of a list, which it orders by key. A
// token names the last key of the page before, so that pages fit together when
// the list changes meanwhile.
func Page[T any](list []T, key func(T) string, p Paging, l Limits) ([]T, Next, error) {
	size := l.Usual
	if p.MaxResults != nil {
		if size = *p.MaxResults; size < 1 || size > l.Largest {
			return nil, Next{}, l.Size(strconv.Itoa(size))
		}
	}
	list = slices.Clone(list)
	slices.SortFunc(list, func(a, b T) int { return cmp.Compare(key(a), key(b)) })
	if p.NextToken != "" {
		last, err := base64.RawURLEncoding.DecodeString(p.NextToken)
		if err != nil || len(last) == 0 {
			return nil, Next{}, l.Token(p.NextToken)
		}
		list = slices.DeleteFunc(list, func(v T) bool { return key(v) <= string(last) })
	}
	if len(list) <= size {
		return list, Next{}, nil
	}
	return list[:size], Next{base64.RawURLEncoding.EncodeToString([]byte(key(list[size-1])))}, nil
}
