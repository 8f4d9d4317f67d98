package dataplane

import (
	"context"
	"encoding/json"
	"net/http"
	"time"

	authenticationv1 "k8s.io/api/authentication/v1"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"

	"kargo.dev/kargo/awssim/api"
	"kargo.dev/kargo/awssim/eks"
)

// TokenVerifier tells whose login to a cluster a bearer token (k8s-aws-v1....)
// is. awssim/auth implements it.
type TokenVerifier interface {
	VerifyToken(token, cluster string) (api.Identity, error)
}

// Authorizer maps an AWS identity to a user of a cluster by the cluster's
// access entries; false if it may not log in. awssim/eks implements it.
type Authorizer interface {
	Authenticate(account, cluster string, caller api.Identity) (eks.User, bool)
}

// reviewTimeout bounds the calls a login makes to the cluster's API.
const reviewTimeout = 5 * time.Second

// maxReviewBytes bounds a request; a token has at most 4 KiB.
const maxReviewBytes = 64 << 10

// TokenReviewHandler answers the API servers' question whose a bearer token
// is, as EKS's aws-iam-authenticator does. It is to be mounted at a pattern
// with {account} and {cluster}, at Options.TokenReviewURL. Refusals are logged
// with their reason; the caller only learns that the token is not accepted.
func (d *DataPlane) TokenReviewHandler(tokens TokenVerifier, users Authorizer) http.Handler {
	return http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		var review authenticationv1.TokenReview
		if err := json.NewDecoder(http.MaxBytesReader(w, r.Body, maxReviewBytes)).Decode(&review); err != nil {
			http.Error(w, "body: want a TokenReview in JSON", http.StatusBadRequest)
			return
		}
		status := d.review(r.Context(), tokens, users, r.PathValue("account"), r.PathValue("cluster"), review.Spec.Token)
		w.Header().Set("Content-Type", "application/json")
		_ = json.NewEncoder(w).Encode(authenticationv1.TokenReview{
			TypeMeta: metav1.TypeMeta{APIVersion: authenticationv1.SchemeGroupVersion.String(), Kind: "TokenReview"},
			Status:   status,
		})
	})
}

func (d *DataPlane) review(ctx context.Context, tokens TokenVerifier, users Authorizer, account, name, token string) authenticationv1.TokenReviewStatus {
	log := d.opts.Logger.With("cluster", account+"/"+name)
	caller, err := tokens.VerifyToken(token, name)
	if err != nil {
		log.Info("login refused", "reason", err)
		return authenticationv1.TokenReviewStatus{Error: "the token is not valid for this cluster"}
	}
	user, ok := users.Authenticate(account, name, caller)
	if !ok {
		log.Info("login refused", "reason", "no access entry", "caller", caller.ARN)
		return authenticationv1.TokenReviewStatus{Error: "no access entry of this cluster matches " + caller.ARN}
	}
	d.mu.Lock()
	c := d.clusters[account+"/"+name]
	d.mu.Unlock()
	if c != nil {
		ctx, cancel := context.WithTimeout(ctx, reviewTimeout)
		defer cancel()
		if err := c.bindNamespaces(ctx, user.Groups); err != nil {
			log.Warn("access policies of a login", "error", err)
		}
	}
	extra := map[string]authenticationv1.ExtraValue{}
	for key, values := range user.Extra {
		extra[key] = values
	}
	return authenticationv1.TokenReviewStatus{Authenticated: true, User: authenticationv1.UserInfo{
		Username: user.Name, UID: user.UID, Groups: user.Groups, Extra: extra,
	}}
}
