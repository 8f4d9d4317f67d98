package eks

import (
	"context"
	"net/http"
	"slices"

	"kargo.dev/kargo/awssim/api"
)

// PodIdentityAssociation lets a service account act as an IAM role.
type PodIdentityAssociation struct {
	ClusterName        string            `json:"clusterName"`
	Namespace          string            `json:"namespace"`
	ServiceAccount     string            `json:"serviceAccount"`
	RoleARN            string            `json:"roleArn"`
	AssociationARN     string            `json:"associationArn"`
	AssociationID      string            `json:"associationId"`
	Tags               map[string]string `json:"tags"`
	CreatedAt          Time              `json:"createdAt"`
	ModifiedAt         Time              `json:"modifiedAt"`
	DisableSessionTags bool              `json:"disableSessionTags"`
	TargetRoleARN      string            `json:"targetRoleArn,omitempty"`
	ExternalID         string            `json:"externalId,omitempty"`
}

// podIdentity is the record of an association.
type podIdentity struct {
	PodIdentityAssociation
	Region string
	Token  string
}

func (s *Service) podIdentityOperations() []api.Operation {
	const path = "/clusters/{clusterName}/pod-identity-associations"
	return []api.Operation{
		{Name: "CreatePodIdentityAssociation", Method: http.MethodPost, Path: path, Handle: s.createPodIdentity},
		{Name: "DescribePodIdentityAssociation", Method: http.MethodGet, Path: path + "/{associationId}", Handle: s.describePodIdentity},
		{Name: "ListPodIdentityAssociations", Method: http.MethodGet, Path: path, Handle: s.listPodIdentities},
		{Name: "UpdatePodIdentityAssociation", Method: http.MethodPost, Path: path + "/{associationId}", Handle: s.updatePodIdentity},
		{Name: "DeletePodIdentityAssociation", Method: http.MethodDelete, Path: path + "/{associationId}", Handle: s.deletePodIdentity},
	}
}

type podIdentityAnswer struct {
	Association PodIdentityAssociation `json:"association"`
}

func (s *Service) associationsOf(rec *cluster) []podIdentity {
	return slices.DeleteFunc(s.associations.List(rec.Account, rec.Region), func(p podIdentity) bool { return p.ClusterName != rec.Cluster.Name })
}

func (s *Service) podIdentityOf(c *api.Call) (*cluster, *podIdentity, error) {
	rec, err := s.clusterOf(c)
	if err != nil {
		return nil, nil, err
	}
	p, ok := s.associations.Get(rec.Account, rec.Region, partID(rec.Cluster.Name, c.Path["associationId"]))
	if !ok {
		return nil, nil, notFound("No association found with id: %s", c.Path["associationId"])
	}
	return rec, &p, nil
}

func (s *Service) savePodIdentity(rec *cluster, p *podIdentity) error {
	return s.associations.Put(rec.Account, rec.Region, partID(rec.Cluster.Name, p.AssociationID), *p)
}

type podIdentityInput struct {
	Namespace          string            `json:"namespace"`
	ServiceAccount     string            `json:"serviceAccount"`
	RoleARN            string            `json:"roleArn"`
	ClientRequestToken string            `json:"clientRequestToken"`
	Tags               map[string]string `json:"tags"`
	DisableSessionTags *bool             `json:"disableSessionTags"`
	TargetRoleARN      string            `json:"targetRoleArn"`
}

// onto changes an association as asked for.
func (in podIdentityInput) onto(p *podIdentity) {
	if in.RoleARN != "" {
		p.RoleARN = in.RoleARN
	}
	if in.DisableSessionTags != nil {
		p.DisableSessionTags = *in.DisableSessionTags
	}
	if in.TargetRoleARN != "" {
		p.TargetRoleARN = in.TargetRoleARN
		p.ExternalID = newUUID()
	}
}

func (s *Service) createPodIdentity(_ context.Context, c *api.Call) (any, error) {
	var in podIdentityInput
	if err := decode(c, &in); err != nil {
		return nil, err
	}
	rec, err := s.liveCluster(c)
	if err != nil {
		return nil, err
	}
	if in.Namespace == "" || in.ServiceAccount == "" {
		return nil, invalidParameter("namespace and serviceAccount are required.")
	}
	for _, old := range s.associationsOf(rec) {
		if old.Namespace != in.Namespace || old.ServiceAccount != in.ServiceAccount {
			continue
		}
		if in.ClientRequestToken != "" && old.Token == in.ClientRequestToken {
			return podIdentityAnswer{old.PodIdentityAssociation}, nil
		}
		return nil, inUse("Association already exists: %s", old.AssociationID)
	}
	if err := s.checkRole(rec.Account, in.RoleARN, "pods.eks.amazonaws.com"); err != nil {
		return nil, err
	}
	if err := checkTags(in.Tags); err != nil {
		return nil, err
	}
	id := "a-" + newToken(17)
	p := podIdentity{Region: rec.Region, Token: in.ClientRequestToken, PodIdentityAssociation: PodIdentityAssociation{
		ClusterName: rec.Cluster.Name, Namespace: in.Namespace, ServiceAccount: in.ServiceAccount, AssociationID: id,
		AssociationARN: arn(rec.Account, rec.Region, "podidentityassociation/"+rec.Cluster.Name+"/"+id),
		Tags:           copyTags(in.Tags), CreatedAt: at(c.Now), ModifiedAt: at(c.Now),
	}}
	in.onto(&p)
	return podIdentityAnswer{p.PodIdentityAssociation}, s.savePodIdentity(rec, &p)
}

func (s *Service) describePodIdentity(_ context.Context, c *api.Call) (any, error) {
	_, p, err := s.podIdentityOf(c)
	if err != nil {
		return nil, err
	}
	return podIdentityAnswer{p.PodIdentityAssociation}, nil
}

func (s *Service) listPodIdentities(_ context.Context, c *api.Call) (any, error) {
	type summary struct {
		ClusterName    string `json:"clusterName"`
		Namespace      string `json:"namespace"`
		ServiceAccount string `json:"serviceAccount"`
		AssociationARN string `json:"associationArn"`
		AssociationID  string `json:"associationId"`
	}
	rec, err := s.clusterOf(c)
	if err != nil {
		return nil, err
	}
	var list []summary
	for _, p := range s.associationsOf(rec) {
		namespace, account := c.Params.Get("namespace"), c.Params.Get("serviceAccount")
		if (namespace == "" || p.Namespace == namespace) && (account == "" || p.ServiceAccount == account) {
			list = append(list, summary{p.ClusterName, p.Namespace, p.ServiceAccount, p.AssociationARN, p.AssociationID})
		}
	}
	return listAnswer(c, "associations", func(v summary) string { return v.AssociationID }, list)
}

func (s *Service) updatePodIdentity(_ context.Context, c *api.Call) (any, error) {
	var in podIdentityInput
	if err := decode(c, &in); err != nil {
		return nil, err
	}
	rec, p, err := s.podIdentityOf(c)
	if err != nil {
		return nil, err
	}
	if in.RoleARN != "" {
		if err := s.checkRole(rec.Account, in.RoleARN, "pods.eks.amazonaws.com"); err != nil {
			return nil, err
		}
	}
	in.onto(p)
	p.ModifiedAt = at(c.Now)
	return podIdentityAnswer{p.PodIdentityAssociation}, s.savePodIdentity(rec, p)
}

func (s *Service) deletePodIdentity(_ context.Context, c *api.Call) (any, error) {
	rec, p, err := s.podIdentityOf(c)
	if err != nil {
		return nil, err
	}
	return podIdentityAnswer{p.PodIdentityAssociation}, s.associations.Delete(rec.Account, rec.Region, partID(rec.Cluster.Name, p.AssociationID))
}
