package ec2

import (
	"cmp"
	"crypto/rand"
	"encoding/base64"
	"encoding/hex"
	"errors"
	"fmt"
	"slices"
	"strings"

	"kargo.dev/kargo/awssim/api"
	"kargo.dev/kargo/awssim/store"
)

// kind is a kind of resource, and what EC2 does alike for all of them: ids,
// not-found errors, filters, pages, tags, states and the inventory.
// T is both the stored record and the element of answers.
type kind[T any] struct {
	// resourceType is AWS's name of it in tag specifications and ARNs: natgateway.
	resourceType string
	// label is its type in the inventory; resourceType if empty.
	label string
	// prefix of its ids: nat.
	prefix string
	// idParam is the parameter of Describe calls that lists ids: NatGatewayId.
	idParam string
	// set is the element of Describe answers: natGatewaySet.
	set string
	// notFound is the error code for an id that does not exist, noun how the message calls it.
	notFound, noun string
	// smallestPage is the least MaxResults that AWS accepts.
	smallestPage int

	id   func(*T) string
	tags func(*T) *Tags
	// filters by AWS's name of them; the values a resource has. tag:KEY, tag-key and tag-value are known to all kinds.
	filters map[string]func(*T) []string
	// state of the resource as the inventory shows it, nil if it has none.
	state func(*T) string
	// gone tells that the resource exists only as a trace of itself.
	gone func(*T) bool
	// builtin tells that AWS made it by itself, with something else.
	builtin func(*T) bool
	// unlisted kinds are parts of others and no line of the inventory.
	unlisted bool
	// move changes the state when a transition is due; nil if the kind has none.
	move func(sc scope, v *T, to string) error
	// show completes a record for answers with what is computed, such as free addresses.
	show func(sc scope, v *T)

	service *Service
	table   *store.Table[T]
}

// bindKind opens the table of a kind and makes it known to the service.
func bindKind[T any](s *Service, st *store.Store, k kind[T]) *kind[T] {
	k.service = s
	k.table = store.NewTable[T](st, "ec2-"+k.resourceType, store.GlobalIDs())
	k.label = cmp.Or(k.label, k.resourceType)
	k.smallestPage = cmp.Or(k.smallestPage, 5)
	bound := &k
	s.kinds = append(s.kinds, bound)
	return bound
}

// newID makes an id in AWS's format: the prefix and 17 hexadecimal digits.
func newID(prefix string) string {
	var b [8]byte
	_, _ = rand.Read(b[:]) // never fails, see its documentation
	return prefix + "-0" + hex.EncodeToString(b[:])
}

func (k *kind[T]) newID() string { return newID(k.prefix) }

func (k *kind[T]) missing(ids ...string) error {
	if len(ids) == 1 {
		return api.Errorf(k.notFound, "The %s '%s' does not exist", k.noun, ids[0])
	}
	return api.Errorf(k.notFound, "The %ss '%s' do not exist", k.noun, strings.Join(ids, ", "))
}

// get returns a resource or AWS's not-found error.
func (k *kind[T]) get(sc scope, id string) (*T, error) {
	v, ok := k.table.Get(sc.account, sc.region, id)
	if !ok {
		return nil, k.missing(id)
	}
	return &v, nil
}

// need returns the resource that a required parameter names.
func (k *kind[T]) need(r *request, param string) (*T, error) {
	id, err := r.need(param)
	if err != nil {
		return nil, err
	}
	return k.get(r.scope, id)
}

// put writes a resource.
func (k *kind[T]) put(sc scope, v *T) error {
	return k.table.Put(sc.account, sc.region, k.id(v), *v)
}

// drop removes a resource.
func (k *kind[T]) drop(sc scope, id string) error {
	return k.table.Delete(sc.account, sc.region, id)
}

// where lists the resources that match, ordered by id.
func (k *kind[T]) where(sc scope, match func(*T) bool) []T {
	return slices.DeleteFunc(k.table.List(sc.account, sc.region), func(v T) bool { return !match(&v) })
}

// any tells whether a resource matches.
func (k *kind[T]) any(sc scope, match func(*T) bool) bool {
	return slices.ContainsFunc(k.table.List(sc.account, sc.region), func(v T) bool { return match(&v) })
}

// count of the resources that match.
func (k *kind[T]) count(sc scope, match func(*T) bool) int {
	return len(k.where(sc, match))
}

// describe is the handler of a Describe operation.
func (k *kind[T]) describe(r *request) (any, error) {
	page, next, err := k.find(r)
	if err != nil {
		return nil, err
	}
	return answer{{k.set, page}, {"nextToken", next}}, nil
}

// find answers what the request's ids, filters and page ask for.
func (k *kind[T]) find(r *request) (page []T, next string, err error) {
	list, err := k.byID(r.scope, r.list(k.idParam))
	if err != nil {
		return nil, "", err
	}
	for i := range list {
		k.complete(r.scope, &list[i])
	}
	if list, err = k.filter(r, list); err != nil {
		return nil, "", err
	}
	return paginate(r, list, k.id, k.smallestPage)
}

// complete adds what is computed at the look.
func (k *kind[T]) complete(sc scope, v *T) {
	if k.show != nil {
		k.show(sc, v)
	}
}

// byID lists the resources of these ids, or all if there are none.
func (k *kind[T]) byID(sc scope, ids []string) ([]T, error) {
	if len(ids) == 0 {
		return k.table.List(sc.account, sc.region), nil
	}
	var list []T
	var missing []string
	for _, id := range slices.Compact(slices.Sorted(slices.Values(ids))) {
		v, ok := k.table.Get(sc.account, sc.region, id)
		if !ok {
			missing = append(missing, id)
			continue
		}
		list = append(list, v)
	}
	if len(missing) > 0 {
		return nil, k.missing(missing...)
	}
	return list, nil
}

// paginate cuts a list ordered by id. A token names the last id of the page before.
func paginate[T any](r *request, list []T, id func(*T) string, smallest int) (page []T, next string, err error) {
	if token := r.text("NextToken"); token != "" {
		last, err := base64.RawURLEncoding.DecodeString(token)
		if err != nil || len(last) == 0 {
			return nil, "", api.Errorf("InvalidParameterValue", "Value (%s) for parameter nextToken is invalid.", token)
		}
		list = slices.DeleteFunc(list, func(v T) bool { return id(&v) <= string(last) })
	}
	size, err := r.number("MaxResults", 0)
	if err != nil {
		return nil, "", err
	}
	if size == 0 || size >= smallest && len(list) <= size {
		return list, "", nil
	}
	if size < smallest {
		return nil, "", api.Errorf("InvalidParameterValue",
			"Value ( %d ) for parameter maxResults is invalid. Expecting a value greater than or equal to %d.", size, smallest)
	}
	page = list[:size]
	return page, base64.RawURLEncoding.EncodeToString([]byte(id(&page[size-1]))), nil
}

// anyKind is what the service does with kinds without knowing them.
type anyKind interface {
	typeName() string
	owns(id string) bool
	look(sc scope, id string) (v any, tags Tags, ok bool)
	editTags(sc scope, id string, edit func(Tags) (Tags, error)) error
	eachTags(sc scope, yield func(id string, tags Tags))
	apply(sc scope, id, to string) (known bool, err error)
	inventory(account string) []api.Resource
}

func (k *kind[T]) typeName() string { return k.resourceType }

// owns tells whether an id is of this kind: ipam-pool-0ab is none of ipam's.
func (k *kind[T]) owns(id string) bool {
	rest, ok := strings.CutPrefix(id, k.prefix+"-")
	return ok && !strings.Contains(rest, "-")
}

func (k *kind[T]) editTags(sc scope, id string, edit func(Tags) (Tags, error)) error {
	v, err := k.get(sc, id)
	if err != nil {
		return err
	}
	tags, err := edit(*k.tags(v))
	if err != nil {
		return err
	}
	*k.tags(v) = tags
	return k.put(sc, v)
}

func (k *kind[T]) eachTags(sc scope, yield func(id string, tags Tags)) {
	for _, v := range k.table.List(sc.account, sc.region) {
		yield(k.id(&v), *k.tags(&v))
	}
}

// apply changes the state of a resource whose transition is due.
func (k *kind[T]) apply(sc scope, id, to string) (known bool, err error) {
	if !k.owns(id) || k.move == nil {
		return false, nil
	}
	v, err := k.get(sc, id)
	var notFound *api.Error
	if errors.As(err, &notFound) {
		return true, nil // deleted meanwhile
	}
	if to == forgotten {
		return true, k.drop(sc, id)
	}
	if err := k.move(sc, v, to); err != nil {
		return true, fmt.Errorf("%s becomes %s: %w", id, to, err)
	}
	return true, k.put(sc, v)
}

func (k *kind[T]) inventory(account string) []api.Resource {
	if k.unlisted {
		return nil
	}
	var lines []api.Resource
	for key, v := range k.table.All() {
		if key.Account != account || k.gone != nil && k.gone(&v) {
			continue
		}
		sc := scope{Service: k.service, account: account, region: key.Region}
		line := api.Resource{
			Service: serviceName, Type: k.label, ID: key.ID, Region: key.Region,
			ARN: sc.arn(k.resourceType, key.ID), Tags: k.tags(&v).asMap(),
		}
		if k.state != nil {
			line.State = k.state(&v)
		}
		line.Builtin = k.builtin != nil && k.builtin(&v)
		lines = append(lines, line)
	}
	return lines
}
