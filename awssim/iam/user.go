package iam

import (
	"strings"

	"kargo.dev/kargo/awssim/api"
)

// UserExists tells whether an account has a user of that name.
func (s *Service) UserExists(account, name string) bool {
	_, ok := s.users.Get(account, "", name)
	return ok
}

// getUser answers the caller's own user if none is named.
func (s *Service) getUser(c *api.Call) (any, error) {
	userName := c.Params.Get("UserName")
	if userName == "" {
		_, own, ok := strings.Cut(c.Caller.ARN, ":user/")
		if !ok {
			return nil, api.Errorf("ValidationError", "Must specify userName when calling with non-User credentials")
		}
		userName = own[strings.LastIndex(own, "/")+1:]
	}
	u, ok := s.users.Get(c.Caller.AccountID, "", userName)
	if !ok {
		return nil, api.NotFoundf("NoSuchEntity", "The user with name %s cannot be found.", userName)
	}
	return struct{ User userXML }{u.xml()}, nil
}

func (s *Service) listUsers(c *api.Call) (any, error) {
	var list []User
	for _, u := range s.users.List(c.Caller.AccountID, "") {
		if strings.HasPrefix(u.Path, c.Params.Get("PathPrefix")) {
			list = append(list, u)
		}
	}
	list, info, err := page(c.Params, list, func(u User) string { return u.Name })
	if err != nil {
		return nil, err
	}
	var answer struct {
		Users []userXML `xml:"Users>member"`
		pageInfo
	}
	for _, u := range list {
		answer.Users = append(answer.Users, u.xml())
	}
	answer.pageInfo = info
	return answer, nil
}

func (s *Service) listAccountAliases(c *api.Call) (any, error) {
	var aliases []string
	if alias, _ := s.accounts.Alias(c.Caller.AccountID); alias != "" {
		aliases = append(aliases, alias)
	}
	return struct {
		AccountAliases []string `xml:"AccountAliases>member"`
		pageInfo
	}{AccountAliases: aliases}, nil
}
