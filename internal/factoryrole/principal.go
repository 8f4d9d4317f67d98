package factoryrole

import (
	"fmt"
	"strings"
)

// Principal is whom a trust policy has to name to let a caller in, by the ARN
// that sts:GetCallerIdentity gives it: the role of a session, or the user. That
// ARN does not tell a role's path, so the factory's role must have none.
// https://docs.aws.amazon.com/IAM/latest/UserGuide/reference_identifiers.html
func Principal(callerARN string) (string, error) {
	head, rest, _ := strings.Cut(callerARN, ":assumed-role/")
	if name, _, session := strings.Cut(rest, "/"); session && strings.HasPrefix(head, "arn:aws:sts::") {
		callerARN = strings.Replace(head, ":sts:", ":iam:", 1) + ":role/" + name
	}
	if !principalLaw.MatchString(callerARN) {
		return "", fmt.Errorf("the factory acts as %s, which no role in a team's account should trust: give it a role or a user of its own", callerARN)
	}
	return callerARN, nil
}
