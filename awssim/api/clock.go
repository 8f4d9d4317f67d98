package api

import "time"

// Clock is the simulator's time and its idea of how long AWS takes.
type Clock struct {
	// Now is time.Now, or a test's clock.
	Now func() time.Time
	// Factor scales AWS's typical durations: 0 is the fast clock (everything
	// that needs no real process is done at the next look), 1 is as slow as AWS.
	Factor float64
}

// Takes is how long something lasts that typically takes d on AWS.
func (c Clock) Takes(d time.Duration) time.Duration {
	return time.Duration(float64(d) * c.Factor)
}
