package ec2

// Quotas are AWS's limits of an account in a region.
type Quotas struct {
	VPCs                   int `json:"vpcs"` // and internet gateways, and egress-only ones
	SubnetsPerVPC          int `json:"subnetsPerVPC"`
	CIDRBlocksPerVPC       int `json:"cidrBlocksPerVPC"` // of each IP version
	ElasticIPs             int `json:"elasticIPs"`
	NATGatewaysPerZone     int `json:"natGatewaysPerZone"`
	RouteTablesPerVPC      int `json:"routeTablesPerVPC"`
	RoutesPerTable         int `json:"routesPerTable"`
	SecurityGroups         int `json:"securityGroups"`
	RulesPerSecurityGroup  int `json:"rulesPerSecurityGroup"` // inbound and outbound counted apart
	GroupsPerInterface     int `json:"groupsPerInterface"`
	GatewayEndpoints       int `json:"gatewayEndpoints"`
	InterfaceEndpoints     int `json:"interfaceEndpointsPerVPC"`
	Instances              int `json:"instances"` // AWS counts vCPUs per family; the simulator counts instances
	LaunchTemplates        int `json:"launchTemplates"`
	LaunchTemplateVersions int `json:"launchTemplateVersions"` // per template
	TagsPerResource        int `json:"tagsPerResource"`
}

// DefaultQuotas are those of a new AWS account
// (https://docs.aws.amazon.com/vpc/latest/userguide/amazon-vpc-limits.html).
func DefaultQuotas() Quotas {
	return Quotas{
		VPCs:                   5,
		SubnetsPerVPC:          200,
		CIDRBlocksPerVPC:       5,
		ElasticIPs:             5,
		NATGatewaysPerZone:     5,
		RouteTablesPerVPC:      200,
		RoutesPerTable:         50,
		SecurityGroups:         2500,
		RulesPerSecurityGroup:  60,
		GroupsPerInterface:     5,
		GatewayEndpoints:       20,
		InterfaceEndpoints:     50,
		Instances:              1000,
		LaunchTemplates:        5000,
		LaunchTemplateVersions: 10000,
		TagsPerResource:        50,
	}
}
