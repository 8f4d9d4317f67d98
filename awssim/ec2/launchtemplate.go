package ec2

import (
	"cmp"
	"slices"
	"strconv"
	"strings"
	"time"

	"kargo.dev/kargo/awssim/api"
)

// launchTemplate as it is stored and answered.
type launchTemplate struct {
	ID        string    `xml:"launchTemplateId"`
	Name      string    `xml:"launchTemplateName"`
	Created   time.Time `xml:"createTime"`
	CreatedBy string    `xml:"createdBy"`
	Default   int       `xml:"defaultVersionNumber"`
	Latest    int       `xml:"latestVersionNumber"`
	Tags      Tags      `xml:"tagSet>item"`

	Versions []templateVersion `xml:"-"`
}

// templateVersion is one version of a launch template.
type templateVersion struct {
	TemplateID  string       `xml:"launchTemplateId"`
	Name        string       `xml:"launchTemplateName"`
	Number      int          `xml:"versionNumber"`
	Description string       `xml:"versionDescription,omitempty"`
	Created     time.Time    `xml:"createTime"`
	CreatedBy   string       `xml:"createdBy"`
	Default     bool         `xml:"defaultVersion"`
	Data        templateData `xml:"launchTemplateData"`
}

// templateData is what instances of the template are started with, as far as
// the simulator keeps it.
type templateData struct {
	ImageID      string           `xml:"imageId,omitempty"`
	InstanceType string           `xml:"instanceType,omitempty"`
	KeyName      string           `xml:"keyName,omitempty"`
	UserData     string           `xml:"userData,omitempty"`
	EBSOptimized *bool            `xml:"ebsOptimized"`
	Profile      *templateProfile `xml:"iamInstanceProfile"`
	GroupIDs     []string         `xml:"securityGroupIdSet>item"`
	Devices      []templateDevice `xml:"blockDeviceMappingSet>item"`
	Metadata     *templateMeta    `xml:"metadataOptions"`
	Market       *templateMarket  `xml:"instanceMarketOptions"`
	TagSpecs     []templateTags   `xml:"tagSpecificationSet>item"`
}

type templateProfile struct {
	ARN  string `xml:"arn,omitempty"`
	Name string `xml:"name,omitempty"`
}

type templateDevice struct {
	Name string      `xml:"deviceName"`
	EBS  templateEBS `xml:"ebs"`
}

type templateEBS struct {
	Size       int    `xml:"volumeSize,omitempty"`
	Type       string `xml:"volumeType,omitempty"`
	IOPS       int    `xml:"iops,omitempty"`
	Throughput int    `xml:"throughput,omitempty"`
	Encrypted  bool   `xml:"encrypted"`
	KeyID      string `xml:"kmsKeyId,omitempty"`
	Delete     bool   `xml:"deleteOnTermination"`
}

type templateMeta struct {
	State    string `xml:"state"`
	Tokens   string `xml:"httpTokens,omitempty"`
	Endpoint string `xml:"httpEndpoint,omitempty"`
	HopLimit int    `xml:"httpPutResponseHopLimit,omitempty"`
	Tags     string `xml:"instanceMetadataTags,omitempty"`
}

type templateMarket struct {
	Type string `xml:"marketType"`
}

type templateTags struct {
	ResourceType string `xml:"resourceType"`
	Tags         Tags   `xml:"tagSet>item"`
}

// Words for versions.
const (
	versionLatest  = "$Latest"
	versionDefault = "$Default"
)

func launchTemplateKind() kind[launchTemplate] {
	return kind[launchTemplate]{
		resourceType: "launch-template", prefix: "lt", idParam: "LaunchTemplateId", set: "launchTemplates",
		notFound: "InvalidLaunchTemplateId.NotFound", noun: "launch template ID", smallestPage: 1,
		id:   func(t *launchTemplate) string { return t.ID },
		tags: func(t *launchTemplate) *Tags { return &t.Tags },
		filters: map[string]func(*launchTemplate) []string{
			"launch-template-name": one(func(t *launchTemplate) string { return t.Name }),
			"create-time":          one(func(t *launchTemplate) string { return t.Created.Format(time.RFC3339) }),
		},
	}
}

func (s *Service) launchTemplateOperations() map[string]handler {
	return map[string]handler{
		"CreateLaunchTemplate":           (*request).createLaunchTemplate,
		"CreateLaunchTemplateVersion":    (*request).createLaunchTemplateVersion,
		"ModifyLaunchTemplate":           (*request).modifyLaunchTemplate,
		"DeleteLaunchTemplate":           (*request).deleteLaunchTemplate,
		"DeleteLaunchTemplateVersions":   (*request).deleteLaunchTemplateVersions,
		"DescribeLaunchTemplates":        (*request).describeLaunchTemplates,
		"DescribeLaunchTemplateVersions": (*request).describeLaunchTemplateVersions,
	}
}

func (sc scope) templateByName(name string) (*launchTemplate, error) {
	for _, t := range sc.templates.where(sc, func(t *launchTemplate) bool { return t.Name == name }) {
		return &t, nil
	}
	return nil, api.Errorf("InvalidLaunchTemplateName.NotFoundException",
		"The specified launch template, with template name %s, does not exist.", name)
}

// template that the request names by id or name.
func (r *request) template() (*launchTemplate, error) {
	id, name := r.text("LaunchTemplateId"), r.text("LaunchTemplateName")
	switch {
	case id != "":
		return r.templates.get(r.scope, id)
	case name != "":
		return r.templateByName(name)
	}
	return nil, api.Errorf("MissingParameter", "Either a LaunchTemplateId or a LaunchTemplateName must be provided.")
}

// addVersion appends a version with the request's data.
func (t *launchTemplate) addVersion(r *request, data templateData) {
	t.Latest++
	t.Versions = append(t.Versions, templateVersion{
		TemplateID: t.ID, Name: t.Name, Number: t.Latest, Description: r.text("VersionDescription"),
		Created: r.stamp(), CreatedBy: t.CreatedBy, Data: data,
	})
}

// setDefault makes a version the default.
func (t *launchTemplate) setDefault(number int) {
	t.Default = number
	for i := range t.Versions {
		t.Versions[i].Default = t.Versions[i].Number == number
	}
}

func (r *request) createLaunchTemplate() (any, error) {
	name, err := r.need("LaunchTemplateName")
	if err != nil {
		return nil, err
	}
	tags, err := r.newTags("launch-template")
	if err != nil {
		return nil, err
	}
	data, err := readTemplateData(r.member("LaunchTemplateData"))
	if err != nil {
		return nil, err
	}
	t, err := once(r, r.templates, func(id string) (*launchTemplate, error) {
		if _, err := r.templateByName(name); err == nil {
			return nil, api.Errorf("InvalidLaunchTemplateName.AlreadyExistsException", "Launch template name already in use.")
		}
		if r.templates.count(r.scope, func(*launchTemplate) bool { return true }) >= maxLaunchTemplates {
			return nil, api.Errorf("LaunchTemplateLimitExceeded", "The maximum number of launch templates has been reached.")
		}
		t := &launchTemplate{ID: id, Name: name, Created: r.stamp(), CreatedBy: "arn:aws:iam::" + r.account + ":root", Tags: tags}
		t.addVersion(r, data)
		t.setDefault(1)
		return t, r.templates.put(r.scope, t)
	})
	if err != nil {
		return nil, err
	}
	return answer{{"launchTemplate", *t}}, nil
}

func (r *request) createLaunchTemplateVersion() (any, error) {
	t, err := r.template()
	if err != nil {
		return nil, err
	}
	data, err := readTemplateData(r.member("LaunchTemplateData"))
	if err != nil {
		return nil, err
	}
	if source := r.text("SourceVersion"); source != "" {
		v, ok := t.version(source)
		if !ok {
			return nil, versionNotFound(source)
		}
		data = data.over(v.Data)
	}
	if len(t.Versions) >= maxLaunchTemplateVersions {
		return nil, api.Errorf("LaunchTemplateVersionLimitExceeded", "The maximum number of versions of the launch template has been reached.")
	}
	t.addVersion(r, data)
	return answer{{"launchTemplateVersion", t.Versions[len(t.Versions)-1]}}, r.templates.put(r.scope, t)
}

func (r *request) modifyLaunchTemplate() (any, error) {
	t, err := r.template()
	if err != nil {
		return nil, err
	}
	v, ok := t.version(r.text("SetDefaultVersion"))
	if !ok {
		return nil, versionNotFound(r.text("SetDefaultVersion"))
	}
	t.setDefault(v.Number)
	return answer{{"launchTemplate", *t}}, r.templates.put(r.scope, t)
}

func (r *request) deleteLaunchTemplate() (any, error) {
	t, err := r.template()
	if err != nil {
		return nil, err
	}
	return answer{{"launchTemplate", *t}}, r.templates.drop(r.scope, t.ID)
}

// version finds a version by its number or word.
func (t *launchTemplate) version(name string) (templateVersion, bool) {
	number, err := strconv.Atoi(name)
	switch name {
	case versionLatest:
		number, err = t.Latest, nil
	case versionDefault:
		number, err = t.Default, nil
	}
	i := slices.IndexFunc(t.Versions, func(v templateVersion) bool { return v.Number == number })
	if err != nil || i < 0 {
		return templateVersion{}, false
	}
	return t.Versions[i], true
}

func versionNotFound(names ...string) error {
	return api.Errorf("InvalidLaunchTemplateId.VersionNotFound",
		"Could not find launch template versions %s.", strings.Join(names, ", "))
}

// versionResult is a line of DeleteLaunchTemplateVersions.
type versionResult struct {
	TemplateID string     `xml:"launchTemplateId"`
	Name       string     `xml:"launchTemplateName"`
	Number     int        `xml:"versionNumber"`
	Error      *itemError `xml:"responseError"`
}

func (r *request) deleteLaunchTemplateVersions() (any, error) {
	t, err := r.template()
	if err != nil {
		return nil, err
	}
	var deleted, failed []versionResult
	for _, name := range r.list("LaunchTemplateVersion") {
		number, _ := strconv.Atoi(name)
		result := versionResult{TemplateID: t.ID, Name: t.Name, Number: number}
		switch v, ok := t.version(name); {
		case !ok:
			result.Error = &itemError{"launchTemplateVersionDoesNotExist", "The version " + name + " does not exist."}
			failed = append(failed, result)
		case v.Default:
			result.Error = &itemError{"unexpectedError", "You cannot delete the default version of a launch template."}
			failed = append(failed, result)
		default:
			t.Versions = keep(t.Versions, func(o templateVersion) bool { return o.Number != v.Number })
			result.Number = v.Number
			deleted = append(deleted, result)
		}
	}
	return answer{
		{"successfullyDeletedLaunchTemplateVersionSet", deleted},
		{"unsuccessfullyDeletedLaunchTemplateVersionSet", failed},
	}, r.templates.put(r.scope, t)
}

// describeLaunchTemplates may also name templates by name.
func (r *request) describeLaunchTemplates() (any, error) {
	names := r.list("LaunchTemplateName")
	for _, name := range names {
		if _, err := r.templateByName(name); err != nil {
			return nil, err
		}
	}
	list, next, err := r.templates.find(r)
	if err != nil {
		return nil, err
	}
	if len(names) > 0 {
		list = keep(list, func(t launchTemplate) bool { return slices.Contains(names, t.Name) })
	}
	return answer{{"launchTemplates", list}, {"nextToken", next}}, nil
}

func (r *request) describeLaunchTemplateVersions() (any, error) {
	list, err := r.askedVersions()
	if err != nil {
		return nil, err
	}
	key := func(v *templateVersion) string { return v.TemplateID + " " + strconv.Itoa(1e9+v.Number) }
	slices.SortFunc(list, func(a, b templateVersion) int { return cmp.Compare(key(&a), key(&b)) })
	page, next, err := paginate(r, list, key, 1)
	if err != nil {
		return nil, err
	}
	return answer{{"launchTemplateVersionSet", page}, {"nextToken", next}}, nil
}

// askedVersions are those of one template, or the latest and default ones of all.
func (r *request) askedVersions() (list []templateVersion, err error) {
	names := r.list("LaunchTemplateVersion")
	if r.text("LaunchTemplateId") == "" && r.text("LaunchTemplateName") == "" {
		for _, t := range r.templates.where(r.scope, func(*launchTemplate) bool { return true }) {
			for _, v := range t.Versions {
				if slices.Contains(names, versionLatest) && v.Number == t.Latest || slices.Contains(names, versionDefault) && v.Default {
					list = append(list, v)
				}
			}
		}
		return list, nil
	}
	t, err := r.template()
	if err != nil {
		return nil, err
	}
	if len(names) == 0 {
		return t.between(r.text("MinVersion"), r.text("MaxVersion")), nil
	}
	for _, name := range names {
		v, ok := t.version(name)
		if !ok {
			return nil, versionNotFound(name)
		}
		if !slices.ContainsFunc(list, func(o templateVersion) bool { return o.Number == v.Number }) {
			list = append(list, v)
		}
	}
	return list, nil
}

// between lists the versions of a range of numbers or words.
func (t *launchTemplate) between(first, last string) []templateVersion {
	bound := func(name string, missing int) int {
		if v, ok := t.version(name); ok {
			return v.Number
		}
		if n, err := strconv.Atoi(name); err == nil {
			return n
		}
		return missing
	}
	low, high := bound(first, 0), bound(last, t.Latest)
	return keep(slices.Clone(t.Versions), func(v templateVersion) bool { return v.Number >= low && v.Number <= high })
}
