package org_test

import (
	"path/filepath"
	"strings"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"

	"kargo.dev/kargo/awssim/api"
	"kargo.dev/kargo/awssim/auth"
	"kargo.dev/kargo/awssim/iam"
	"kargo.dev/kargo/awssim/org"
	"kargo.dev/kargo/awssim/store"
)

const config = `{
  "factory": {"account": "000000000001"},
  "accounts": [
    {"id": "000000000001", "name": "factory"},
    {"id": "111111111111", "name": "shop-prod", "roles": [
      {"name": "kargo", "trust": {"Statement": [{"Effect": "Allow", "Principal": {"AWS": "arn:aws:iam::000000000001:user/kargo-factory"}, "Action": "sts:AssumeRole"}]},
       "policies": ["arn:aws:iam::aws:policy/AdministratorAccess"]}]}]
}`

func TestSeedIsStable(t *testing.T) {
	path := filepath.Join(t.TempDir(), "state.db")
	seed := func() (org.TestKeys, iam.Role) {
		s, err := store.Open(path)
		if err != nil {
			t.Fatal(err)
		}
		defer func() { _ = s.Close() }()
		c, err := org.ParseConfig([]byte(config))
		if err != nil {
			t.Fatal(err)
		}
		clock := api.Clock{Now: time.Now}
		keys := auth.NewKeys(s, clock)
		o := org.New(org.Options{Store: s, Keys: keys, Clock: clock})
		service, err := iam.New(iam.Options{Store: s, Clock: clock, Keys: keys, Accounts: o})
		if err != nil {
			t.Fatal(err)
		}
		if err := o.Seed(c, service); err != nil {
			t.Fatal(err)
		}
		list, err := o.TestKeys()
		if err != nil {
			t.Fatal(err)
		}
		role, ok := service.Role("111111111111", "kargo")
		if !ok {
			t.Fatal("the role was not seeded")
		}
		return list, role
	}
	keys, role := seed()
	keysAgain, roleAgain := seed()
	if diff := cmp.Diff(keys, keysAgain); diff != "" {
		t.Errorf("keys differ after a restart:\n%s", diff)
	}
	if diff := cmp.Diff(role, roleAgain); diff != "" {
		t.Errorf("the role differs after a restart:\n%s", diff)
	}
	if len(keys.Accounts) != 2 || keys.Factory.User != "kargo-factory" || keys.Factory.AccessKeyID == keys.Accounts[0].AccessKeyID {
		t.Errorf("keys: %+v", keys)
	}
}

func TestParseConfigRefuses(t *testing.T) {
	cases := map[string]struct{ config, want string }{
		"unknown field": {`{"acounts": []}`, "acounts"},
		"id":            {`{"accounts":[{"id":"1","name":"abc"}]}`, "12 digits"},
		"id twice":      {`{"accounts":[{"id":"000000000001","name":"abc"},{"id":"000000000001","name":"abd"}]}`, "twice"},
		"name":          {`{"accounts":[{"id":"000000000001","name":"A"}]}`, "lower case"},
		"factory":       {`{"factory":{"account":"000000000002"},"accounts":[{"id":"000000000001","name":"abc"}]}`, "factory.account"},
		"policy":        {`{"accounts":[{"id":"000000000001","name":"abc","roles":[{"name":"r","trust":{"Statement":{"Effect":"Allow","Action":"*","Principal":"*"}},"inline":{"p":{}}}]}]}`, "policy p"},
		"management":    {`{"management":"000000000002","factory":{"account":"000000000001"},"accounts":[{"id":"000000000001","name":"abc"}]}`, "management"},
		"standalone":    {`{"factory":{"account":"000000000001"},"accounts":[{"id":"000000000001","name":"abc","standalone":true}]}`, "stands alone"},
		"trust":         {`{"accounts":[{"id":"000000000001","name":"abc","roles":[{"name":"r","trust":{}}]}]}`, "trust"},
	}
	for name, tc := range cases {
		t.Run(name, func(t *testing.T) {
			_, err := org.ParseConfig([]byte(tc.config))
			if err == nil || !strings.Contains(err.Error(), tc.want) {
				t.Errorf("%v, want it to say %q", err, tc.want)
			}
		})
	}
}
