package iam

import (
	"fmt"
	"net/url"
	"regexp"
	"strings"

	"kargo.dev/kargo/awssim/api"
	"kargo.dev/kargo/awssim/query"
)

var thumbprintFormat = regexp.MustCompile(`^[0-9a-fA-F]{40}$`)

func (s *Service) createProvider(c *api.Call) (any, error) {
	raw := c.Params.Get("Url")
	u, err := url.Parse(raw)
	if err != nil || u.Scheme != "https" || u.Host == "" || u.RawQuery != "" || len(raw) > 255 {
		return nil, api.Errorf("ValidationError", "Invalid Open ID Connect Provider URL")
	}
	p := Provider{
		Account: c.Caller.AccountID, URL: strings.TrimSuffix(u.Host+u.EscapedPath(), "/"), Created: s.now(),
		ClientIDs: query.Strings(c.Params, "ClientIDList"), Thumbprints: query.Strings(c.Params, "ThumbprintList"),
	}
	if len(p.Thumbprints) > 5 {
		return nil, api.Errorf("InvalidInput", "Thumbprint list must contain fewer than 5 entries.")
	}
	for _, t := range p.Thumbprints {
		if !thumbprintFormat.MatchString(t) {
			return nil, api.Errorf("ValidationError", "Thumbprint %s must be 40 hexadecimal characters", t)
		}
	}
	if p.Tags, err = tags(c); err != nil {
		return nil, err
	}
	if _, ok := s.providers.Get(p.Account, "", p.id()); ok {
		return nil, &api.Error{Code: "EntityAlreadyExists", Message: fmt.Sprintf("Provider with url %s already exists.", raw), HTTPStatus: 409}
	}
	if err := s.putProvider(p); err != nil {
		return nil, err
	}
	return struct {
		OpenIDConnectProviderArn string
		Tags                     []tagXML `xml:"Tags>member"`
	}{p.arn(), tagsXML(p.Tags)}, nil
}

func (s *Service) putProvider(p Provider) error {
	if err := s.providers.Put(p.Account, "", p.id(), p); err != nil {
		return fmt.Errorf("keep %s: %w", p.arn(), err)
	}
	return nil
}

// provider reads OpenIDConnectProviderArn and finds the provider.
func (s *Service) provider(c *api.Call) (Provider, error) {
	arn := c.Params.Get("OpenIDConnectProviderArn")
	if id, ok := strings.CutPrefix(arn, Provider{Account: c.Caller.AccountID}.arn()); ok {
		if p, ok := s.providers.Get(c.Caller.AccountID, "", id); ok {
			return p, nil
		}
	}
	return Provider{}, api.NotFoundf("NoSuchEntity", "OpenIDConnect Provider not found for arn %s", arn)
}

func (s *Service) getProvider(c *api.Call) (any, error) {
	p, err := s.provider(c)
	if err != nil {
		return nil, err
	}
	return struct {
		Url            string
		ClientIDList   []string `xml:"ClientIDList>member"`
		ThumbprintList []string `xml:"ThumbprintList>member"`
		CreateDate     timestamp
		Tags           []tagXML `xml:"Tags>member"`
	}{p.URL, p.ClientIDs, p.Thumbprints, timestamp(p.Created), tagsXML(p.Tags)}, nil
}

func (s *Service) listProviders(c *api.Call) (any, error) {
	type entry struct {
		Arn string
	}
	var list []entry
	for _, p := range s.providers.List(c.Caller.AccountID, "") {
		list = append(list, entry{p.arn()})
	}
	return struct {
		OpenIDConnectProviderList []entry `xml:"OpenIDConnectProviderList>member"`
	}{list}, nil
}

// deleteProvider succeeds for what does not exist, as AWS's does.
func (s *Service) deleteProvider(c *api.Call) (any, error) {
	p, err := s.provider(c)
	if err != nil {
		return nil, nil
	}
	if err := s.providers.Delete(p.Account, "", p.id()); err != nil {
		return nil, fmt.Errorf("delete %s: %w", p.arn(), err)
	}
	return nil, nil
}

func (s *Service) tagProvider(c *api.Call) (any, error) {
	p, err := s.provider(c)
	if err != nil {
		return nil, err
	}
	add, err := tags(c)
	if err != nil {
		return nil, err
	}
	if p.Tags, err = mergeTags(p.Tags, add); err != nil {
		return nil, err
	}
	return nil, s.putProvider(p)
}
