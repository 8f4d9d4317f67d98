package account

import (
	"net/http"
	"slices"

	"kargo.dev/kargo/awssim/api"
	"kargo.dev/kargo/awssim/jsonapi"
	"kargo.dev/kargo/awssim/regions"
)

// concurrentChanges is how many regions an account may enable and disable at a time
// (https://docs.aws.amazon.com/accounts/latest/reference/quotas.html).
const concurrentChanges = 6

type regionInput struct{ RegionName string }

// regionJSON is a region with its status for an account.
type regionJSON struct {
	RegionName      string
	RegionOptStatus regions.Status
}

func (s *Service) region(account string, in regionInput) (regionJSON, error) {
	status, ok := s.regions.Status(account, in.RegionName)
	if !ok {
		return regionJSON{}, invalidTarget("The region %q does not exist.", in.RegionName)
	}
	return regionJSON{in.RegionName, status}, nil
}

func invalidTarget(format string, args ...any) error {
	e := api.Errorf("ValidationException", format, args...)
	e.Details = map[string]string{"reason": "invalidRegionOptTarget"}
	return e
}

func (s *Service) getRegion(account string, in regionInput) (any, error) {
	r, err := s.region(account, in)
	if err != nil {
		return nil, err
	}
	return r, nil
}

func (s *Service) enableRegion(account string, in regionInput) (any, error) {
	return nil, s.choose(account, in, true)
}

func (s *Service) disableRegion(account string, in regionInput) (any, error) {
	return nil, s.choose(account, in, false)
}

// choose begins to enable or disable a region; one that is so already is left alone.
func (s *Service) choose(account string, in regionInput, enable bool) error {
	r, err := s.region(account, in)
	if err != nil {
		return err
	}
	switch {
	case r.RegionOptStatus == regions.EnabledByDefault:
		return invalidTarget("The region %s is enabled by default and cannot be enabled or disabled.", r.RegionName)
	case r.RegionOptStatus.Changing():
		return &api.Error{Code: "ConflictException", HTTPStatus: http.StatusConflict,
			Message: "The region " + r.RegionName + " is " + string(r.RegionOptStatus) + ": its status cannot be changed until that is complete."}
	case r.RegionOptStatus.Usable() == enable:
		return nil
	}
	changing := 0
	for _, other := range s.all(account) {
		if other.RegionOptStatus.Changing() {
			changing++
		}
	}
	if changing >= concurrentChanges {
		return &api.Error{Code: "TooManyRequestsException", HTTPStatus: http.StatusTooManyRequests, Message: "The account has too many requests to enable or disable regions in progress."}
	}
	return s.regions.Choose(account, r.RegionName, enable)
}

// all regions with their status for an account.
func (s *Service) all(account string) []regionJSON {
	list := []regionJSON{}
	for _, r := range s.regions.List() {
		status, _ := s.regions.Status(account, r.Name)
		list = append(list, regionJSON{r.Name, status})
	}
	return list
}

func (s *Service) listRegions(account string, in struct {
	RegionOptStatusContains []regions.Status
	jsonapi.Paging
}) (any, error) {
	list := s.all(account)
	if len(in.RegionOptStatusContains) > 0 {
		list = slices.DeleteFunc(list, func(r regionJSON) bool { return !slices.Contains(in.RegionOptStatusContains, r.RegionOptStatus) })
	}
	list, next, err := jsonapi.Page(list, func(r regionJSON) string { return r.RegionName }, in.Paging, jsonapi.Limits{
		Largest: 50, Usual: 50,
		Size:  func(value string) error { return invalid("maxResults must be between 1 and 50, not %s.", value) },
		Token: func(string) error { return invalid("The token of the next page is invalid.") },
	})
	if err != nil {
		return nil, err
	}
	return struct {
		Regions []regionJSON
		jsonapi.Next
	}{list, next}, nil
}
