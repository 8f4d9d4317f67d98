package v1alpha1

// Condition types. Ready, Reconciling and Stalled are meant as kstatus means
// them (https://github.com/kubernetes-sigs/cli-utils/tree/master/pkg/kstatus):
// Ready is only ever a summary of the others.
const (
	ConditionReady       = "Ready"
	ConditionReconciling = "Reconciling"
	ConditionStalled     = "Stalled"

	// ConditionNamespaceReady (Team): the team's namespace and its roles exist.
	ConditionNamespaceReady = "NamespaceReady"

	// ConditionClaimed (Account): no other Account claims the AWS account.
	ConditionClaimed = "Claimed"
	// ConditionNetworkReserved (Account, WorkloadCluster): the network range is its own.
	ConditionNetworkReserved = "NetworkReserved"
	// ConditionIdentityReady (Account): CAPA has an identity for the account.
	ConditionIdentityReady = "IdentityReady"

	// The preflight of an Account: ConditionRoleAssumable says that the factory's
	// role leads into the account, ConditionExternalIDDemanded that it does not
	// without the external id, ConditionRegionEnabled, ConditionActionsAllowed and
	// ConditionQuotasSuffice what their names say.
	ConditionRoleAssumable      = "RoleAssumable"
	ConditionExternalIDDemanded = "ExternalIDDemanded"
	ConditionRegionEnabled      = "RegionEnabled"
	ConditionActionsAllowed     = "ActionsAllowed"
	ConditionQuotasSuffice      = "QuotasSuffice"

	// ConditionResolved (WorkloadCluster): account, flavor, release and settings exist and fit.
	ConditionResolved = "Resolved"
	// ConditionApplied (WorkloadCluster): the Cluster API objects are what the chart renders.
	ConditionApplied = "Applied"
	// ConditionNetworkReady (WorkloadCluster): VPC, subnets and gateways exist.
	ConditionNetworkReady = "NetworkReady"
	// ConditionControlPlaneReady (WorkloadCluster): EKS serves the wanted version.
	ConditionControlPlaneReady = "ControlPlaneReady"
	// ConditionNodesReady (WorkloadCluster): all nodes are ready at the wanted version.
	ConditionNodesReady = "NodesReady"
	// ConditionFluxReady (WorkloadCluster): Flux runs in the cluster.
	ConditionFluxReady = "FluxReady"
	// ConditionAddonsReady (WorkloadCluster): Flux applied the wanted commit and all add-ons are ready.
	ConditionAddonsReady = "AddonsReady"
)

// Reasons of conditions, stable for scripts.
const (
	ReasonSucceeded   = "Succeeded"
	ReasonProgressing = "Progressing"
	ReasonWaiting     = "Waiting"  // for another object
	ReasonFailed      = "Failed"   // tried again by itself
	ReasonDeleting    = "Deleting" // the object is being deleted
	ReasonUnreachable = "Unreachable"

	ReasonNamespaceTaken    = "NamespaceTaken"
	ReasonAccountTaken      = "AccountTaken"
	ReasonRoleRefused       = "RoleRefused"
	ReasonWrongAccount      = "WrongAccount"
	ReasonExternalIDMissing = "ExternalIDMissing"
	ReasonRegionDisabled    = "RegionDisabled"
	ReasonActionsDenied     = "ActionsDenied"
	ReasonQuotaExceeded     = "QuotaExceeded"
	ReasonNetworkOverlap    = "NetworkOverlap"
	ReasonNetworkExhausted  = "NetworkExhausted"
	ReasonNotATeamNamespace = "NotATeamNamespace"
	ReasonAccountNotFound   = "AccountNotFound"
	ReasonAccountNotReady   = "AccountNotReady"
	ReasonRevisionNotFound  = "RevisionNotFound"
	ReasonFleetUnreadable   = "FleetUnreadable"
	ReasonFlavorNotFound    = "FlavorNotFound"
	ReasonVersionNotTested  = "VersionNotTested"
	ReasonSettingsInvalid   = "SettingsInvalid"
	ReasonNameTaken         = "NameTaken"
	ReasonDeletionProtected = "DeletionProtected"
	ReasonObjectsRemaining  = "ObjectsRemaining"
	ReasonUpgradingPlane    = "UpgradingControlPlane"
)

// Labels and annotations.
const (
	// LabelTeam is on every object and AWS resource made for a team.
	LabelTeam = "kargo.dev/team"
	// LabelAccount names the Account on a factory namespace.
	LabelAccount = "kargo.dev/account"
	// LabelCluster names the WorkloadCluster on its Cluster API objects.
	LabelCluster = "kargo.dev/cluster"
	// AnnotationDeletionProtection "true" makes admission refuse the deletion of an object.
	AnnotationDeletionProtection = "kargo.dev/deletion-protection"
	// AnnotationCheck on an Account asks for a preflight now, whenever its value changes.
	AnnotationCheck = "kargo.dev/check"
	// AnnotationAdopt "true" on a WorkloadCluster lets it take over Cluster API
	// objects of its name that were made by Helm.
	AnnotationAdopt = "kargo.dev/adopt"

	// Finalizer of all kinds of this group.
	Finalizer = "kargo.dev/finalizer"
)
