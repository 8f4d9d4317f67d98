// Package account knows how the factory reaches an AWS account: the role it
// assumes there and the external id that the role must demand.
package account

import (
	"crypto/sha256"
	"encoding/hex"
)

// ExternalID is the external id that the trust policy of the factory's role in
// an account must demand. It differs for each factory and account, is no secret,
// and can be computed again after a disaster:
// https://docs.aws.amazon.com/IAM/latest/UserGuide/confused-deputy.html.
func ExternalID(factoryID, accountID string) string {
	sum := sha256.Sum256([]byte(factoryID + "/" + accountID))
	return "kargo-" + hex.EncodeToString(sum[:])[:32]
}

// RoleARN is the ARN of a role (without a path) in an account.
func RoleARN(accountID, roleName string) string {
	return "arn:aws:iam::" + accountID + ":role/" + roleName
}
