package dataplane

import (
	"cmp"
	"context"
	"fmt"
	"os"
	"time"

	authenticationv1 "k8s.io/api/authentication/v1"
	corev1 "k8s.io/api/core/v1"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
	"k8s.io/client-go/kubernetes"
)

// Tokens of pods live an hour and are renewed at half of that; client-go reads
// the file anew every minute.
const (
	tokenLife  = time.Hour
	tokenRenew = tokenLife / 2
)

// refreshToken keeps a file with the pod's service account token, which is
// bound to the pod: it is void as soon as the pod is deleted.
func refreshToken(ctx context.Context, client kubernetes.Interface, pod *corev1.Pod, path string, now time.Time) error {
	if info, err := os.Stat(path); err == nil && now.Sub(info.ModTime()) < tokenRenew {
		return nil
	}
	seconds := int64(tokenLife / time.Second)
	account := cmp.Or(pod.Spec.ServiceAccountName, "default")
	request, err := client.CoreV1().ServiceAccounts(pod.Namespace).CreateToken(ctx, account, &authenticationv1.TokenRequest{
		Spec: authenticationv1.TokenRequestSpec{
			ExpirationSeconds: &seconds,
			BoundObjectRef:    &authenticationv1.BoundObjectReference{APIVersion: "v1", Kind: "Pod", Name: pod.Name, UID: pod.UID},
		},
	}, metav1.CreateOptions{})
	if err != nil {
		return fmt.Errorf("ask for a token of service account %s/%s: %w", pod.Namespace, account, err)
	}
	return writeFile(path, []byte(request.Status.Token))
}
