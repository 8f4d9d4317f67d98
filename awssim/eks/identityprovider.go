package eks

import (
	"context"
	"net/http"
	"net/url"
	"slices"
	"time"

	"kargo.dev/kargo/awssim/api"
)

// identityProviderTakes is how long AWS takes to associate a provider.
const identityProviderTakes = 10 * time.Minute

// IdentityProvider is an OpenID Connect provider of a cluster's users. The
// simulator keeps the record; the control plane does not ask the provider.
type IdentityProvider struct {
	IdentityProviderConfigName string            `json:"identityProviderConfigName"`
	IdentityProviderConfigARN  string            `json:"identityProviderConfigArn"`
	ClusterName                string            `json:"clusterName"`
	IssuerURL                  string            `json:"issuerUrl"`
	ClientID                   string            `json:"clientId"`
	UsernameClaim              string            `json:"usernameClaim,omitempty"`
	UsernamePrefix             string            `json:"usernamePrefix,omitempty"`
	GroupsClaim                string            `json:"groupsClaim,omitempty"`
	GroupsPrefix               string            `json:"groupsPrefix,omitempty"`
	RequiredClaims             map[string]string `json:"requiredClaims,omitempty"`
	Tags                       map[string]string `json:"tags"`
	Status                     string            `json:"status"`
}

// identityProvider is the record of a provider.
type identityProvider struct {
	IdentityProvider
	Account, Region string
	Since           Time
	Running         string // id of the update in progress
}

func (s *Service) identityProviderOperations() []api.Operation {
	const path = "/clusters/{clusterName}/identity-provider-configs"
	return []api.Operation{
		{Name: "AssociateIdentityProviderConfig", Method: http.MethodPost, Path: path + "/associate", Handle: s.associateIdentityProvider},
		{Name: "DescribeIdentityProviderConfig", Method: http.MethodPost, Path: path + "/describe", Handle: s.describeIdentityProvider},
		{Name: "ListIdentityProviderConfigs", Method: http.MethodGet, Path: path, Handle: s.listIdentityProviders},
		{Name: "DisassociateIdentityProviderConfig", Method: http.MethodPost, Path: path + "/disassociate", Handle: s.disassociateIdentityProvider},
	}
}

func (s *Service) saveProvider(p *identityProvider) error {
	return s.providers.Put(p.Account, p.Region, partID(p.ClusterName, p.IdentityProviderConfigName), *p)
}

// providersOf lists a cluster's providers as they are stored.
func (s *Service) providersOf(rec *cluster) []identityProvider {
	return slices.DeleteFunc(s.providers.List(rec.Account, rec.Region), func(p identityProvider) bool { return p.ClusterName != rec.Cluster.Name })
}

// currentProviders lists a cluster's providers as they are now.
func (s *Service) currentProviders(rec *cluster, now time.Time) ([]identityProvider, error) {
	var list []identityProvider
	for _, p := range s.providersOf(rec) {
		if p.Status != statusActive && s.passed(p.Since, now, identityProviderTakes) {
			if err := s.finishUpdate(p.Account, p.Region, p.Running, updateSuccessful, ""); err != nil {
				return nil, err
			}
			if p.Status == statusDeleting {
				if err := s.providers.Delete(p.Account, p.Region, partID(p.ClusterName, p.IdentityProviderConfigName)); err != nil {
					return nil, err
				}
				continue
			}
			p.Status, p.Running = statusActive, ""
			if err := s.saveProvider(&p); err != nil {
				return nil, err
			}
		}
		list = append(list, p)
	}
	return list, nil
}

type providerReference struct {
	Type string `json:"type"`
	Name string `json:"name"`
}

// referredProvider finds the provider that the body names.
func (s *Service) referredProvider(c *api.Call) (*cluster, *identityProvider, error) {
	var in struct {
		Config providerReference `json:"identityProviderConfig"`
	}
	if err := decode(c, &in); err != nil {
		return nil, nil, err
	}
	rec, err := s.clusterOf(c)
	if err != nil {
		return nil, nil, err
	}
	list, err := s.currentProviders(rec, c.Now)
	if err != nil {
		return nil, nil, err
	}
	for _, p := range list {
		if in.Config.Type == "oidc" && in.Config.Name == p.IdentityProviderConfigName {
			return rec, &p, nil
		}
	}
	return nil, nil, notFound("Identity provider config is not associated with cluster %s", rec.Cluster.Name)
}

func (s *Service) associateIdentityProvider(_ context.Context, c *api.Call) (any, error) {
	var in struct {
		OIDC               IdentityProvider  `json:"oidc"`
		Tags               map[string]string `json:"tags"`
		ClientRequestToken string            `json:"clientRequestToken"`
	}
	if err := decode(c, &in); err != nil {
		return nil, err
	}
	rec, err := s.liveCluster(c)
	if err != nil {
		return nil, err
	}
	if old, ok := s.updateByToken(rec, in.ClientRequestToken); ok {
		return old, nil
	}
	list, err := s.currentProviders(rec, c.Now)
	if err != nil {
		return nil, err
	}
	if len(list) > 0 {
		return nil, api.Errorf(codeLimit, "Only one identity provider config can be associated with cluster %s.", rec.Cluster.Name)
	}
	if u, err := url.Parse(in.OIDC.IssuerURL); err != nil || u.Scheme != "https" || u.Host == "" {
		return nil, invalidParameter("Invalid issuerUrl: it must be an https URL.")
	}
	if in.OIDC.IdentityProviderConfigName == "" || in.OIDC.ClientID == "" {
		return nil, invalidParameter("identityProviderConfigName and clientId are required.")
	}
	if err := checkTags(in.Tags); err != nil {
		return nil, err
	}
	u := newUpdate(c, in.ClientRequestToken, rec.Cluster.Name, "AssociateIdentityProviderConfig",
		[]UpdateParam{{"IdentityProviderConfig", `[{"type":"oidc","name":"` + in.OIDC.IdentityProviderConfigName + `"}]`}})
	if err := s.updates.Put(rec.Account, rec.Region, u.Update.ID, u); err != nil {
		return nil, err
	}
	p := identityProvider{IdentityProvider: in.OIDC, Account: rec.Account, Region: rec.Region, Since: at(c.Now), Running: u.Update.ID}
	p.ClusterName, p.Status, p.Tags = rec.Cluster.Name, statusCreating, copyTags(in.Tags)
	p.IdentityProviderConfigARN = arn(rec.Account, rec.Region, "identityproviderconfig/"+rec.Cluster.Name+"/oidc/"+p.IdentityProviderConfigName+"/"+newUUID())
	if err := s.saveProvider(&p); err != nil {
		return nil, err
	}
	return struct {
		Update Update            `json:"update"`
		Tags   map[string]string `json:"tags"`
	}{u.Update, p.Tags}, nil
}

func (s *Service) describeIdentityProvider(_ context.Context, c *api.Call) (any, error) {
	_, p, err := s.referredProvider(c)
	if err != nil {
		return nil, err
	}
	var answer struct {
		Config struct {
			OIDC IdentityProvider `json:"oidc"`
		} `json:"identityProviderConfig"`
	}
	answer.Config.OIDC = p.IdentityProvider
	return answer, nil
}

func (s *Service) listIdentityProviders(_ context.Context, c *api.Call) (any, error) {
	rec, err := s.clusterOf(c)
	if err != nil {
		return nil, err
	}
	current, err := s.currentProviders(rec, c.Now)
	if err != nil {
		return nil, err
	}
	var list []providerReference
	for _, p := range current {
		list = append(list, providerReference{"oidc", p.IdentityProviderConfigName})
	}
	return listAnswer(c, "identityProviderConfigs", func(r providerReference) string { return r.Name }, list)
}

func (s *Service) disassociateIdentityProvider(_ context.Context, c *api.Call) (any, error) {
	rec, p, err := s.referredProvider(c)
	if err != nil {
		return nil, err
	}
	u := newUpdate(c, "", rec.Cluster.Name, "DisassociateIdentityProviderConfig",
		[]UpdateParam{{"IdentityProviderConfig", `[{"type":"oidc","name":"` + p.IdentityProviderConfigName + `"}]`}})
	if err := s.updates.Put(rec.Account, rec.Region, u.Update.ID, u); err != nil {
		return nil, err
	}
	p.Status, p.Since, p.Running = statusDeleting, at(c.Now), u.Update.ID
	return updateAnswer{u.Update}, s.saveProvider(p)
}
