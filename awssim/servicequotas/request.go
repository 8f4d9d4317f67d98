package servicequotas

import (
	"encoding/json"
	"slices"

	"kargo.dev/kargo/awssim/api"
	"kargo.dev/kargo/awssim/jsonapi"
	"kargo.dev/kargo/awssim/quota"
)

// requestJSON is a request for an increase as it is answered.
type requestJSON struct {
	ID                    string `json:"Id"`
	ServiceCode           string
	ServiceName           string
	QuotaCode             string
	QuotaName             string
	QuotaArn              string
	DesiredValue          float64
	Status                quota.Status
	Created               jsonapi.Time
	LastUpdated           jsonapi.Time
	Requester             string
	GlobalQuota           bool
	Unit                  string
	QuotaRequestedAtLevel string
}

func (s *Service) answerRequest(c *api.Call, r quota.Request) requestJSON {
	q, _ := s.book.Find(r.Code)
	return requestJSON{
		ID: r.ID, ServiceCode: q.Service, ServiceName: q.ServiceName, QuotaCode: q.Code, QuotaName: q.Name, QuotaArn: arn(c, q),
		DesiredValue: r.Value, Status: s.book.Status(r), Created: jsonapi.Time{Time: r.Created}, LastUpdated: jsonapi.Time{Time: s.book.Updated(r)},
		Requester: r.Requester, GlobalQuota: q.Global, Unit: "None", QuotaRequestedAtLevel: "ACCOUNT",
	}
}

type requestAnswer struct{ RequestedQuota requestJSON }

// request begins an increase. AWS approves small ones by itself after a while and
// asks its support about others; here all are approved after a while.
func (s *Service) request(c *api.Call, in struct {
	quotaInput
	DesiredValue float64
}) (any, error) {
	q, err := s.find(in.quotaInput)
	if err != nil {
		return nil, err
	}
	account, region := c.Caller.AccountID, q.Region(c.Region)
	open := func(r quota.Request) bool { return r.Code == q.Code && s.book.Status(r) == quota.Pending }
	switch current := s.book.Value(account, region, q.Code); {
	case !q.Adjustable:
		return nil, illegal("The quota %s is not adjustable.", q.Code)
	case in.DesiredValue <= current:
		return nil, illegal("You must provide a quota value greater than the current quota value, which is %v.", current)
	case slices.ContainsFunc(s.book.Requests(account, region), open):
		return nil, api.Errorf("ResourceAlreadyExistsException", "Only one open service quota increase request is allowed per quota.")
	}
	requester, err := json.Marshal(map[string]string{"accountId": account, "callerArn": c.Caller.ARN})
	if err != nil {
		return nil, err
	}
	r, err := s.book.Ask(quota.Request{ID: newID(), Account: account, Region: region, Code: q.Code, Value: in.DesiredValue, Requester: string(requester)})
	if err != nil {
		return nil, err
	}
	// The answer is the request as it was made, also on the fast clock.
	answer := s.answerRequest(c, r)
	answer.Status, answer.LastUpdated = quota.Pending, answer.Created
	return requestAnswer{answer}, nil
}

// requests of the caller's account that are seen from the call's region.
func (s *Service) requests(c *api.Call) []quota.Request {
	list := s.book.Requests(c.Caller.AccountID, c.Region)
	for _, q := range s.book.List() {
		if region := q.Region(c.Region); region != c.Region {
			list = append(list, slices.DeleteFunc(s.book.Requests(c.Caller.AccountID, region), func(r quota.Request) bool { return r.Code != q.Code })...)
		}
	}
	return list
}

func (s *Service) getRequest(c *api.Call, in struct {
	ID string `json:"RequestId"`
}) (any, error) {
	for _, r := range s.requests(c) {
		if r.ID == in.ID {
			return requestAnswer{s.answerRequest(c, r)}, nil
		}
	}
	return nil, missing("The request failed because the specified request does not exist.")
}

type historyInput struct {
	quotaInput
	Status quota.Status
	jsonapi.Paging
}

func (s *Service) listRequestsOfQuota(c *api.Call, in historyInput) (any, error) {
	if _, err := s.find(in.quotaInput); err != nil {
		return nil, err
	}
	return s.listRequests(c, in)
}

func (s *Service) listRequests(c *api.Call, in historyInput) (any, error) {
	list := []requestJSON{}
	for _, r := range s.requests(c) {
		v := s.answerRequest(c, r)
		if fits(in.ServiceCode, v.ServiceCode) && fits(in.QuotaCode, v.QuotaCode) && fits(in.Status, v.Status) {
			list = append(list, v)
		}
	}
	list, next, err := page(list, func(r requestJSON) string { return r.Created.Format("20060102150405.000") + r.ID }, in.Paging)
	if err != nil {
		return nil, err
	}
	return struct {
		RequestedQuotas []requestJSON
		jsonapi.Next
	}{list, next}, nil
}

// fits tells whether a value is the one that is asked for, if any is.
func fits[T ~string](asked, value T) bool { return asked == "" || asked == value }
