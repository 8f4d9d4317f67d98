package ec2

import (
	"cmp"
	"slices"
	"time"

	"kargo.dev/kargo/awssim/api"
)

// Every instance has one root volume.
const (
	rootDevice    = "/dev/xvda"
	rootVolumeGiB = 20
)

// instance as it is stored and answered.
type instance struct {
	ID           string             `xml:"instanceId"`
	ImageID      string             `xml:"imageId"`
	State        instanceState      `xml:"instanceState"`
	PrivateDNS   string             `xml:"privateDnsName"`
	PrivateIP    string             `xml:"privateIpAddress,omitempty"`
	Type         string             `xml:"instanceType"`
	Launched     time.Time          `xml:"launchTime"`
	Placement    placement          `xml:"placement"`
	Monitoring   cidrState          `xml:"monitoring"`
	SubnetID     string             `xml:"subnetId,omitempty"`
	VPCID        string             `xml:"vpcId,omitempty"`
	Reason       *stateReason       `xml:"stateReason"`
	Architecture string             `xml:"architecture"`
	RootType     string             `xml:"rootDeviceType"`
	RootName     string             `xml:"rootDeviceName"`
	Devices      []blockDevice      `xml:"blockDeviceMapping>item"`
	Virtual      string             `xml:"virtualizationType"`
	Hypervisor   string             `xml:"hypervisor"`
	Lifecycle    string             `xml:"instanceLifecycle,omitempty"`
	KeyName      string             `xml:"keyName,omitempty"`
	ClientToken  string             `xml:"clientToken,omitempty"`
	Groups       []groupName        `xml:"groupSet>item"`
	Interfaces   []networkInterface `xml:"networkInterfaceSet>item" json:"-"`
	SourceCheck  bool               `xml:"sourceDestCheck"`
	Tags         Tags               `xml:"tagSet>item"`

	ReservationID string `xml:"-"`
	InterfaceID   string `xml:"-"`
}

type placement struct {
	Zone    string `xml:"availabilityZone"`
	Tenancy string `xml:"tenancy"`
}

type stateReason struct {
	Code    string `xml:"code"`
	Message string `xml:"message"`
}

type blockDevice struct {
	Name string   `xml:"deviceName"`
	EBS  ebsState `xml:"ebs"`
}

type ebsState struct {
	VolumeID string    `xml:"volumeId"`
	Status   string    `xml:"status"`
	Attached time.Time `xml:"attachTime"`
	Delete   bool      `xml:"deleteOnTermination"`
}

type instanceState struct {
	Code int    `xml:"code"`
	Name string `xml:"name"`
}

// States of instances.
const (
	stateRunning      = "running"
	stateShuttingDown = "shutting-down"
	stateTerminated   = "terminated"
)

// newInstanceState has AWS's code for a state.
func newInstanceState(name string) instanceState {
	code := map[string]int{statePending: 0, stateRunning: 16, stateShuttingDown: 32, stateTerminated: 48}[name]
	return instanceState{code, name}
}

func (i *instance) gone() bool { return i.State.Name == stateTerminated }

// ended tells whether the instance is terminated or about to be.
func (i *instance) ended() bool { return i.gone() || i.State.Name == stateShuttingDown }

func instanceKind() kind[instance] {
	return kind[instance]{
		resourceType: "instance", prefix: "i", idParam: "InstanceId", set: "instancesSet",
		notFound: "InvalidInstanceID.NotFound", noun: "instance ID",
		id:    func(i *instance) string { return i.ID },
		tags:  func(i *instance) *Tags { return &i.Tags },
		state: func(i *instance) string { return i.State.Name },
		gone:  (*instance).gone,
		move:  scope.moveInstance,
		show: func(sc scope, i *instance) {
			i.Interfaces = sc.interfaces.where(sc, func(n *networkInterface) bool { return n.User == i.ID })
		},
		filters: map[string]func(*instance) []string{
			"instance-id":         one(func(i *instance) string { return i.ID }),
			"instance-state-name": one(func(i *instance) string { return i.State.Name }),
			"instance-type":       one(func(i *instance) string { return i.Type }),
			"image-id":            one(func(i *instance) string { return i.ImageID }),
			"instance-lifecycle":  one(func(i *instance) string { return i.Lifecycle }),
			"availability-zone":   one(func(i *instance) string { return i.Placement.Zone }),
			"private-dns-name":    one(func(i *instance) string { return i.PrivateDNS }),
			"private-ip-address":  one(func(i *instance) string { return i.PrivateIP }),
			"subnet-id":           one(func(i *instance) string { return i.SubnetID }),
			"vpc-id":              one(func(i *instance) string { return i.VPCID }),
			"reservation-id":      one(func(i *instance) string { return i.ReservationID }),
			"client-token":        one(func(i *instance) string { return i.ClientToken }),
			"key-name":            one(func(i *instance) string { return i.KeyName }),
			"instance.group-id":   func(i *instance) []string { return each(i.Groups, func(g groupName) string { return g.ID }) },
			"instance.group-name": func(i *instance) []string { return each(i.Groups, func(g groupName) string { return g.Name }) },
		},
	}
}

func (s *Service) instanceOperations() map[string]handler {
	return map[string]handler{
		"RunInstances":       (*request).runInstances,
		"TerminateInstances": (*request).terminateInstances,
		"DescribeInstances":  (*request).describeInstances,
		"DescribeVolumes":    (*request).describeVolumes,
	}
}

// launch is what an instance is started with.
type launch struct {
	ID, ReservationID    string
	Subnet               *subnet
	Type, ImageID        string
	KeyName, ClientToken string
	Groups               []groupName
	Spot                 bool
	Tags                 Tags
}

// launch writes a new instance after its interface; sweep removes an interface without its instance.
func (sc scope) launch(l launch) (*instance, error) {
	t, ok := sc.world.instanceType(l.Type)
	if !ok {
		return nil, api.Errorf("InvalidParameterValue", "Invalid value '%s' for InstanceType.", l.Type)
	}
	if err := sc.checkVCPUs(t, l.Spot); err != nil {
		return nil, err
	}
	ip, err := sc.freeAddress(l.Subnet)
	if err != nil {
		return nil, err
	}
	eni := sc.newInterface(l.Subnet, ip, interfaceUse{User: l.ID, Instance: l.ID, Type: "interface", Groups: l.Groups})
	i := &instance{
		ID: l.ID, ImageID: l.ImageID, State: newInstanceState(statePending), PrivateDNS: eni.PrivateDNS, PrivateIP: ip,
		Type: l.Type, Launched: sc.stamp(), Placement: placement{l.Subnet.Zone, "default"}, Monitoring: cidrState{"disabled"},
		SubnetID: l.Subnet.ID, VPCID: l.Subnet.VPCID, Architecture: t.Architecture, RootType: "ebs", RootName: rootDevice,
		Devices: []blockDevice{{rootDevice, ebsState{volumeID(l.ID), "attached", sc.stamp(), true}}},
		Virtual: "hvm", Hypervisor: "xen", KeyName: l.KeyName, ClientToken: l.ClientToken, Groups: l.Groups,
		SourceCheck: true, Tags: l.Tags, ReservationID: l.ReservationID, InterfaceID: eni.ID,
	}
	if l.Spot {
		i.Lifecycle = "spot"
	}
	if err := sc.becomes(i.ID, stateRunning, instanceTakes); err != nil {
		return nil, err
	}
	if err := sc.interfaces.put(sc, &eni); err != nil {
		return nil, err
	}
	return i, sc.instances.put(sc, i)
}

// terminate begins to end an instance; one that ends already is left alone.
func (sc scope) terminate(i *instance) error {
	if i.ended() {
		return nil
	}
	i.State = newInstanceState(stateShuttingDown)
	i.Reason = &stateReason{"Client.UserInitiatedShutdown", "Client.UserInitiatedShutdown: User initiated shutdown"}
	if err := sc.becomes(i.ID, stateTerminated, shutdownTakes); err != nil {
		return err
	}
	return sc.instances.put(sc, i)
}

// moveInstance applies a due transition. A terminated instance gives its
// interface back and is shown for another hour.
func (sc scope) moveInstance(i *instance, to string) error {
	i.State = newInstanceState(to)
	if to != stateTerminated {
		return nil
	}
	if err := sc.becomesAt(i.ID, forgotten, sc.now.Add(tombstoneFor)); err != nil {
		return err
	}
	if err := sc.dropInterfacesOf(i.ID); err != nil {
		return err
	}
	i.PrivateDNS, i.PrivateIP, i.SubnetID, i.VPCID, i.Groups, i.Devices = "", "", "", "", nil, nil
	return nil
}

// reservation is the instances that were started by one call.
type reservation struct {
	ID        string     `xml:"reservationId"`
	OwnerID   string     `xml:"ownerId"`
	Instances []instance `xml:"instancesSet>item"`
}

func (r *request) runInstances() (any, error) {
	s, err := r.subnets.need(r, "SubnetId")
	if err != nil {
		return nil, err
	}
	image, err := r.need("ImageId")
	if err != nil {
		return nil, err
	}
	least, err := r.number("MinCount", 1)
	if err != nil {
		return nil, err
	}
	count, err := r.number("MaxCount", least)
	if err != nil {
		return nil, err
	}
	if least < 1 || count < least {
		return nil, api.Errorf("InvalidParameterValue", "Value (%d) for parameter maxCount is invalid.", count)
	}
	tags, err := r.instanceTags()
	if err != nil {
		return nil, err
	}
	groups, err := r.interfaceGroups(s.VPCID, r.list("SecurityGroupId"))
	if err != nil {
		return nil, err
	}
	base := launch{
		Subnet: s, Type: cmp.Or(r.text("InstanceType"), "m5.large"), ImageID: image, KeyName: r.text("KeyName"),
		ClientToken: r.text("ClientToken"), Groups: groups, Tags: tags, Spot: r.text("InstanceMarketOptions.MarketType") == "spot",
	}
	first, err := once(r, r.instances, func(id string) (*instance, error) {
		base.ID, base.ReservationID = id, newID("r")
		return r.launch(base)
	})
	if err != nil {
		return nil, err
	}
	// A repeated request finds what it started and starts what is missing.
	base.ReservationID = first.ReservationID
	started := r.instances.where(r.scope, func(i *instance) bool { return i.ReservationID == first.ReservationID })
	for len(started) < count {
		base.ID = r.instances.newID()
		i, err := r.launch(base)
		if err != nil {
			return nil, err
		}
		started = append(started, *i)
	}
	for i := range started {
		r.instances.complete(r.scope, &started[i])
	}
	return answer{{"reservationId", first.ReservationID}, {"ownerId", r.account}, {"instancesSet", started}}, nil
}

// instanceTags are the tags for instances; those for volumes and interfaces are read over.
func (r *request) instanceTags() (Tags, error) {
	var tags Tags
	for _, spec := range r.structs("TagSpecification") {
		if spec.text("ResourceType") != "instance" {
			continue
		}
		var err error
		if tags, err = r.addTags(tags, spec.tags()); err != nil {
			return nil, err
		}
	}
	return tags, nil
}

// stateChange is a line of TerminateInstances.
type stateChange struct {
	ID       string        `xml:"instanceId"`
	Current  instanceState `xml:"currentState"`
	Previous instanceState `xml:"previousState"`
}

func (r *request) terminateInstances() (any, error) {
	ids := r.list("InstanceId")
	if len(ids) == 0 {
		return nil, api.Errorf("MissingParameter", "The request must contain the parameter InstanceId")
	}
	list, err := r.instances.byID(r.scope, ids)
	if err != nil {
		return nil, err
	}
	var changes []stateChange
	for _, i := range list {
		change := stateChange{ID: i.ID, Previous: i.State}
		if err := r.terminate(&i); err != nil {
			return nil, err
		}
		change.Current = i.State
		changes = append(changes, change)
	}
	return answer{{"instancesSet", changes}}, nil
}

func (r *request) describeInstances() (any, error) {
	page, next, err := r.instances.find(r)
	if err != nil {
		return nil, err
	}
	var list []reservation
	for _, i := range page {
		at := slices.IndexFunc(list, func(v reservation) bool { return v.ID == i.ReservationID })
		if at < 0 {
			at = len(list)
			list = append(list, reservation{ID: i.ReservationID, OwnerID: r.account})
		}
		list[at].Instances = append(list[at].Instances, i)
	}
	return answer{{"reservationSet", list}, {"nextToken", next}}, nil
}
