package ec2

import (
	"slices"
	"time"

	"kargo.dev/kargo/awssim/api"
)

// volume is the root volume of an instance; there are no others, and none is stored.
type volume struct {
	ID          string             `xml:"volumeId"`
	Size        int                `xml:"size"`
	Zone        string             `xml:"availabilityZone"`
	Status      string             `xml:"status"`
	Created     time.Time          `xml:"createTime"`
	Type        string             `xml:"volumeType"`
	Encrypted   bool               `xml:"encrypted"`
	Attachments []volumeAttachment `xml:"attachmentSet>item"`
	Tags        Tags               `xml:"tagSet>item"`
}

type volumeAttachment struct {
	VolumeID   string    `xml:"volumeId"`
	InstanceID string    `xml:"instanceId"`
	Device     string    `xml:"device"`
	Status     string    `xml:"status"`
	Attached   time.Time `xml:"attachTime"`
	Delete     bool      `xml:"deleteOnTermination"`
}

func rootVolume(i instance) volume {
	id := volumeID(i.ID)
	return volume{
		ID: id, Size: rootVolumeGiB, Zone: i.Placement.Zone, Status: "in-use", Created: i.Launched, Type: "gp3",
		Attachments: []volumeAttachment{{id, i.ID, rootDevice, "attached", i.Launched, true}},
	}
}

func (r *request) describeVolumes() (any, error) {
	list := each(r.instances.where(r.scope, func(i *instance) bool { return !i.gone() }), rootVolume)
	if ids := r.list("VolumeId"); len(ids) > 0 {
		for _, id := range ids {
			if !slices.ContainsFunc(list, func(v volume) bool { return v.ID == id }) {
				return nil, api.Errorf("InvalidVolume.NotFound", "The volume '%s' does not exist.", id)
			}
		}
		list = keep(list, func(v volume) bool { return slices.Contains(ids, v.ID) })
	}
	filters := map[string]func(*volume) []string{
		"volume-id":         one(func(v *volume) string { return v.ID }),
		"status":            one(func(v *volume) string { return v.Status }),
		"availability-zone": one(func(v *volume) string { return v.Zone }),
		"volume-type":       one(func(v *volume) string { return v.Type }),
		"attachment.instance-id": func(v *volume) []string {
			return each(v.Attachments, func(a volumeAttachment) string { return a.InstanceID })
		},
	}
	list, err := applyFilters(r.filters(), list, func(name string) func(*volume) []string {
		if f, ok := filters[name]; ok {
			return f
		}
		return tagFilter(name, func(v *volume) *Tags { return &v.Tags })
	})
	if err != nil {
		return nil, err
	}
	page, next, err := paginate(r, list, func(v *volume) string { return v.ID }, 5)
	if err != nil {
		return nil, err
	}
	return answer{{"volumeSet", page}, {"nextToken", next}}, nil
}
