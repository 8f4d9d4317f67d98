package tagging

import (
	"errors"
	"net/http"
	"strings"

	"kargo.dev/kargo/awssim/api"
)

type tagResourcesInput struct {
	ResourceARNList []string
	Tags            map[string]string
}

type untagResourcesInput struct {
	ResourceARNList []string
	TagKeys         []string
}

// editOutput tells by ARN what failed; the rest was done.
type editOutput struct {
	FailedResourcesMap map[string]failure
}

type failure struct {
	ErrorCode    string
	ErrorMessage string
	StatusCode   int
}

func (s *Service) tagResources(c *api.Call, in tagResourcesInput) (any, error) {
	if len(in.Tags) == 0 || len(in.Tags) > maxTagsToSet {
		return nil, invalid("Between 1 and %d tags must be given.", maxTagsToSet)
	}
	for key := range in.Tags {
		if key == "" || strings.HasPrefix(strings.ToLower(key), reservedTagStart) {
			return nil, invalid("The tag key %q is empty or starts with the reserved prefix aws:.", key)
		}
	}
	return s.edit(c, in.ResourceARNList, in.Tags, nil)
}

func (s *Service) untagResources(c *api.Call, in untagResourcesInput) (any, error) {
	if len(in.TagKeys) == 0 || len(in.TagKeys) > maxTagsToSet {
		return nil, invalid("Between 1 and %d tag keys must be given.", maxTagsToSet)
	}
	return s.edit(c, in.ResourceARNList, nil, in.TagKeys)
}

func (s *Service) edit(c *api.Call, arns []string, set map[string]string, remove []string) (any, error) {
	if len(arns) == 0 || len(arns) > maxARNsToTag {
		return nil, invalid("Between 1 and %d ARNs must be given.", maxARNsToTag)
	}
	out := editOutput{FailedResourcesMap: map[string]failure{}}
	for _, arn := range arns {
		err := s.editOne(c, arn, set, remove)
		var refused *api.Error
		switch {
		case errors.As(err, &refused):
			out.FailedResourcesMap[arn] = failure{refused.Code, refused.Message, refused.Status()}
		case err != nil:
			out.FailedResourcesMap[arn] = failure{"InternalServiceException", err.Error(), http.StatusInternalServerError}
		}
	}
	return out, nil
}

// editOne changes one resource's tags through the service that has it.
func (s *Service) editOne(c *api.Call, arn string, set map[string]string, remove []string) error {
	p, ok := parseARN(arn)
	if !ok {
		return invalid("%s is not a valid ARN.", arn)
	}
	if p.account != c.Caller.AccountID {
		return api.Errorf("AccessDeniedException", "%s is not authorized to tag %s", c.Caller.ARN, arn)
	}
	for _, source := range s.sources {
		editor, ok := source.(Editor)
		if ok && source.Name() == p.service {
			return editor.EditTags(p.account, p.region, arn, set, remove)
		}
	}
	return invalid("The simulator cannot tag resources of the service %s here; use the service's own operation.", p.service)
}
