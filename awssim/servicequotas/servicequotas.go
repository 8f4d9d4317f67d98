// Package servicequotas simulates Service Quotas: it tells of the quotas of package
// quota, which the services observe, and takes requests to raise them.
package servicequotas

import (
	"crypto/rand"
	"encoding/hex"
	"encoding/json"
	"fmt"
	"slices"

	"kargo.dev/kargo/awssim/api"
	"kargo.dev/kargo/awssim/jsonapi"
	"kargo.dev/kargo/awssim/policy"
	"kargo.dev/kargo/awssim/quota"
)

// serviceName is the signing name, and the service's part of an ARN.
const serviceName = "servicequotas"

// Service is the simulated Service Quotas. It is safe for concurrent use.
type Service struct {
	book *quota.Book
}

var _ api.Guarded = (*Service)(nil)

// New returns the service over the quotas.
func New(book *quota.Book) *Service { return &Service{book: book} }

// Name implements api.Service.
func (s *Service) Name() string { return serviceName }

// Protocol implements api.Service.
func (s *Service) Protocol() api.Protocol { return api.JSON11 }

// XMLNamespace implements api.Service.
func (s *Service) XMLNamespace() string { return "" }

// Inventory implements api.Service: quotas and requests are no resources.
func (s *Service) Inventory(string) []api.Resource { return nil }

// Operations implements api.Service.
func (s *Service) Operations() []api.Operation {
	return []api.Operation{
		{Name: "GetAWSDefaultServiceQuota", Handle: jsonapi.Handle(s.getDefault)},
		{Name: "GetRequestedServiceQuotaChange", Handle: jsonapi.Handle(s.getRequest)},
		{Name: "GetServiceQuota", Handle: jsonapi.Handle(s.get)},
		{Name: "ListAWSDefaultServiceQuotas", Handle: jsonapi.Handle(s.listDefaults)},
		{Name: "ListRequestedServiceQuotaChangeHistory", Handle: jsonapi.Handle(s.listRequests)},
		{Name: "ListRequestedServiceQuotaChangeHistoryByQuota", Handle: jsonapi.Handle(s.listRequestsOfQuota)},
		{Name: "ListServiceQuotas", Handle: jsonapi.Handle(s.list)},
		{Name: "ListServices", Handle: jsonapi.Handle(s.listServices)},
		{Name: "RequestServiceQuotaIncrease", Handle: jsonapi.Handle(s.request)},
	}
}

// Permissions implements api.Guarded, after
// https://docs.aws.amazon.com/service-authorization/latest/reference/list_servicequotas.html:
// only increases are about one quota.
func (s *Service) Permissions(c *api.Call) []policy.Permission {
	p := policy.Permission{Action: serviceName + ":" + c.Operation, Resource: "*", Context: policy.Context{}}
	var in quotaInput
	_ = json.Unmarshal(c.Body, &in) // a body that is malformed names nothing, and is refused later
	if q, ok := s.book.Find(in.QuotaCode); ok && c.Operation == "RequestServiceQuotaIncrease" {
		p.Resource = arn(c, q)
		p.Context.Set("servicequotas:service", q.Service)
	}
	return []policy.Permission{p}
}

// page is a page of at most 100, as all lists of Service Quotas are cut.
func page[T any](list []T, key func(T) string, p jsonapi.Paging) ([]T, jsonapi.Next, error) {
	return jsonapi.Page(list, key, p, jsonapi.Limits{
		Largest: 100, Usual: 100,
		Size: func(value string) error { return illegal("MaxResults must be between 1 and 100, not %s.", value) },
		Token: func(string) error {
			return api.Errorf("InvalidPaginationTokenException", "Invalid input was provided.")
		},
	})
}

func illegal(format string, args ...any) error {
	return api.Errorf("IllegalArgumentException", format, args...)
}

func missing(format string, args ...any) error {
	return api.Errorf("NoSuchResourceException", format, args...)
}

// quotaInput names a quota.
type quotaInput struct {
	ServiceCode string
	QuotaCode   string
}

// quotaJSON is a quota with a value as it is answered.
type quotaJSON struct {
	ServiceCode         string
	ServiceName         string
	QuotaArn            string
	QuotaCode           string
	QuotaName           string
	Value               float64
	Unit                string
	Adjustable          bool
	GlobalQuota         bool
	QuotaAppliedAtLevel string `json:",omitempty"`
}

func arn(c *api.Call, q quota.Quota) string {
	region := c.Region
	if q.Global {
		region = ""
	}
	return fmt.Sprintf("arn:aws:%s:%s:%s:%s/%s", serviceName, region, c.Caller.AccountID, q.Service, q.Code)
}

func answer(c *api.Call, q quota.Quota, value float64) quotaJSON {
	return quotaJSON{
		ServiceCode: q.Service, ServiceName: q.ServiceName, QuotaArn: arn(c, q), QuotaCode: q.Code, QuotaName: q.Name,
		Value: value, Unit: "None", Adjustable: q.Adjustable, GlobalQuota: q.Global,
	}
}

// applied is a quota with the account's value.
func (s *Service) applied(c *api.Call, q quota.Quota) quotaJSON {
	v := answer(c, q, s.book.Value(c.Caller.AccountID, c.Region, q.Code))
	v.QuotaAppliedAtLevel = "ACCOUNT"
	return v
}

func (s *Service) find(in quotaInput) (quota.Quota, error) {
	q, ok := s.book.Find(in.QuotaCode)
	if !ok || q.Service != in.ServiceCode {
		return q, missing("The request failed because the specified service or quota does not exist.")
	}
	return q, nil
}

type quotaAnswer struct{ Quota quotaJSON }

func (s *Service) get(c *api.Call, in quotaInput) (any, error) {
	q, err := s.find(in)
	if err != nil {
		return nil, err
	}
	return quotaAnswer{s.applied(c, q)}, nil
}

func (s *Service) getDefault(c *api.Call, in quotaInput) (any, error) {
	q, err := s.find(in)
	if err != nil {
		return nil, err
	}
	return quotaAnswer{answer(c, q, q.Default)}, nil
}

type listInput struct {
	ServiceCode string
	QuotaCode   string
	jsonapi.Paging
}

func (s *Service) list(c *api.Call, in listInput) (any, error) {
	return s.answerQuotas(in, func(q quota.Quota) quotaJSON { return s.applied(c, q) })
}

func (s *Service) listDefaults(c *api.Call, in listInput) (any, error) {
	return s.answerQuotas(in, func(q quota.Quota) quotaJSON { return answer(c, q, q.Default) })
}

// answerQuotas is a page of a service's quotas.
func (s *Service) answerQuotas(in listInput, show func(quota.Quota) quotaJSON) (any, error) {
	list := slices.DeleteFunc(s.book.List(), func(q quota.Quota) bool { return q.Service != in.ServiceCode })
	if len(list) == 0 {
		return nil, missing("The request failed because the specified service does not exist.")
	}
	if in.QuotaCode != "" {
		list = slices.DeleteFunc(list, func(q quota.Quota) bool { return q.Code != in.QuotaCode })
	}
	list, next, err := page(list, func(q quota.Quota) string { return q.Code }, in.Paging)
	if err != nil {
		return nil, err
	}
	answer := struct {
		Quotas []quotaJSON
		jsonapi.Next
	}{[]quotaJSON{}, next}
	for _, q := range list {
		answer.Quotas = append(answer.Quotas, show(q))
	}
	return answer, nil
}

func (s *Service) listServices(_ *api.Call, in jsonapi.Paging) (any, error) {
	type service struct{ ServiceCode, ServiceName string }
	var list []service
	for _, q := range s.book.List() {
		list = append(list, service{q.Service, q.ServiceName})
	}
	list, next, err := page(slices.Compact(list), func(s service) string { return s.ServiceCode }, in)
	if err != nil {
		return nil, err
	}
	return struct {
		Services []service
		jsonapi.Next
	}{list, next}, nil
}

// newID is an id as AWS gives to requests: 32 hexadecimal digits and 8 letters.
func newID() string {
	var b [16]byte
	_, _ = rand.Read(b[:]) // never fails, see its documentation
	return hex.EncodeToString(b[:]) + rand.Text()[:8]
}
