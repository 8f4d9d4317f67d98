package quota

import (
	"fmt"
	"slices"
	"time"
)

// Request for an increase.
type Request struct {
	ID        string // 32 hexadecimal digits, as AWS's have
	Account   string
	Region    string
	Code      string
	Value     float64
	Requester string // what AWS shows of who asked, a JSON text
	Created   time.Time
	// DecidedAt is when AWS is done with it: all requests are approved.
	DecidedAt time.Time
}

// Status of a request, in the words of Service Quotas.
type Status string

// The statuses.
const (
	Pending  Status = "PENDING"
	Approved Status = "APPROVED"
)

// raises tells whether the request is about a quota. AWS raises the internet
// gateways with the VPCs, see https://docs.aws.amazon.com/vpc/latest/userguide/amazon-vpc-limits.html.
func (r Request) raises(code string) bool {
	return r.Code == code || (code == InternetGateways && r.Code == VPCs)
}

// Status of a request now.
func (b *Book) Status(r Request) Status {
	if b.clock.Now().Before(r.DecidedAt) {
		return Pending
	}
	return Approved
}

// Updated is when the request's status changed last.
func (b *Book) Updated(r Request) time.Time {
	if b.Status(r) == Pending {
		return r.Created
	}
	return r.DecidedAt
}

// Ask begins a request for an increase.
func (b *Book) Ask(r Request) (Request, error) {
	r.Created = b.clock.Now().UTC()
	r.DecidedAt = r.Created.Add(b.clock.Takes(reviewTakes))
	if err := b.requests.Put(r.Account, r.Region, r.ID, r); err != nil {
		return r, fmt.Errorf("keep the request to raise quota %s: %w", r.Code, err)
	}
	return r, nil
}

// Requests lists an account's requests in a region, oldest first.
func (b *Book) Requests(account, region string) []Request {
	list := b.requests.List(account, region)
	slices.SortStableFunc(list, func(a, b Request) int { return a.Created.Compare(b.Created) })
	return list
}
