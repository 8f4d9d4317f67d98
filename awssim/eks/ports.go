package eks

// Network is what EKS uses of the customer's network. Whatever is asked for
// lies in the account and region given; Ensure calls find what they made before.
type Network interface {
	// Subnets answers in the order of the ids, or with EC2's error for one that
	// is not the account's.
	Subnets(account, region string, ids []string) ([]Subnet, error)
	// CheckSecurityGroups answers EC2's error for a group that is not in the VPC.
	CheckSecurityGroups(account, region, vpcID string, ids []string) error
	// EnsureSecurityGroup makes a security group whose members may talk to each other.
	EnsureSecurityGroup(account, region string, g SecurityGroup) (id string, err error)
	DeleteSecurityGroup(account, region, id string) error
	// EnsureInterface makes a network interface of a control plane in a subnet.
	EnsureInterface(account, region string, i Interface) (id string, err error)
	DeleteInterface(account, region, id string) error
}

// Subnet of a VPC.
type Subnet struct {
	ID, VPCID, Zone, ZoneID string
	CIDR                    string
}

// SecurityGroup is found by its name in its VPC.
type SecurityGroup struct {
	VPCID, Name, Description string
	Tags                     map[string]string
}

// Interface is found by its description in its subnet.
type Interface struct {
	SubnetID, Description string
	SecurityGroupIDs      []string
	Tags                  map[string]string
}

// Instances runs EC2 instances.
type Instances interface {
	// Run starts one instance, or finds the one that was started with the token.
	Run(account, region string, i InstanceSpec) (Instance, error)
	// TypeExists tells whether EC2 offers an instance type in a region.
	TypeExists(region, instanceType string) bool
	// Terminate ends instances; those that do not exist are none of its business.
	Terminate(account, region string, ids []string) error
}

// InstanceSpec is what an instance is started with.
type InstanceSpec struct {
	Token            string // makes Run idempotent
	SubnetID         string
	InstanceType     string
	ImageID          string
	SecurityGroupIDs []string
	Spot             bool
	Tags             map[string]string
}

// Instance that runs.
type Instance struct {
	ID             string
	PrivateIP      string
	PrivateDNSName string // ip-10-0-1-23.REGION.compute.internal
}

// Groups keeps autoscaling groups.
type Groups interface {
	// Ensure makes the group be as given. Tags are set when the group is made;
	// later they are its owner's.
	Ensure(account, region string, g Group) error
	Delete(account, region, name string) error
	// Desired is the capacity asked for, by Ensure or by a client since then.
	Desired(account, region, name string) (capacity int, ok bool)
}

// Group is an autoscaling group.
type Group struct {
	Name              string
	Min, Max, Desired int
	SubnetIDs         []string
	Instances         []GroupInstance
	Tags              map[string]string
}

// GroupInstance is an instance of an autoscaling group.
type GroupInstance struct {
	ID, Zone, InstanceType string
}

// Principals looks IAM's roles and users up.
type Principals interface {
	// Role of an account by its name, without path.
	Role(account, name string) (Role, bool)
	// UserExists tells whether an account has a user of that name.
	UserExists(account, name string) bool
	// EnsureServiceLinkedRole makes a service's own role in an account.
	EnsureServiceLinkedRole(account, service string) error
}

// Role is an IAM role.
type Role struct {
	ARN string // with its path
	ID  string // AROA...
	// Services that its trust policy lets assume it: eks.amazonaws.com.
	Services []string
}
