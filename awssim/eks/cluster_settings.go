package eks

import "slices"

// Authentication modes, in the only order in which a cluster may go through them.
const (
	modeConfigMap       = "CONFIG_MAP"
	modeAPIAndConfigMap = "API_AND_CONFIG_MAP"
	modeAPI             = "API"
)

func authenticationModes() []string {
	return []string{modeConfigMap, modeAPIAndConfigMap, modeAPI}
}

func logTypes() []string {
	return []string{"api", "audit", "authenticator", "controllerManager", "scheduler"}
}

func checkLogging(l Logging) error {
	for _, setup := range l.ClusterLogging {
		for _, kind := range setup.Types {
			if !slices.Contains(logTypes(), kind) {
				return invalidParameter("Invalid log type: %s", kind)
			}
		}
	}
	return nil
}

// mergeLogging is the logging after a request that may leave types out. EKS
// answers at most two groups: what is on and what is off.
func mergeLogging(old, in Logging) Logging {
	on := enabledLogs(old)
	for _, setup := range in.ClusterLogging {
		on = slices.DeleteFunc(on, func(kind string) bool { return slices.Contains(setup.Types, kind) })
		if setup.Enabled {
			on = append(on, setup.Types...)
		}
	}
	var enabled, disabled []string
	for _, kind := range logTypes() {
		if slices.Contains(on, kind) {
			enabled = append(enabled, kind)
		} else {
			disabled = append(disabled, kind)
		}
	}
	var merged Logging
	if len(enabled) > 0 {
		merged.ClusterLogging = append(merged.ClusterLogging, LogSetup{Types: enabled, Enabled: true})
	}
	if len(disabled) > 0 {
		merged.ClusterLogging = append(merged.ClusterLogging, LogSetup{Types: disabled})
	}
	return merged
}

func enabledLogs(l Logging) []string {
	var on []string
	for _, setup := range l.ClusterLogging {
		if setup.Enabled {
			on = append(on, setup.Types...)
		}
	}
	return on
}

func checkSupportType(supportType string) error {
	if supportType != "" && supportType != "STANDARD" && supportType != "EXTENDED" {
		return invalidParameter("Invalid supportType: %s", supportType)
	}
	return nil
}

func checkEncryption(configs []EncryptionConfig) error {
	for _, config := range configs {
		if len(config.Resources) != 1 || config.Resources[0] != "secrets" {
			return invalidParameter("The encryptionConfig's resources must be [secrets].")
		}
		if config.Provider.KeyARN == "" {
			return invalidParameter("The encryptionConfig needs a provider with a keyArn.")
		}
	}
	if len(configs) > 1 {
		return invalidParameter("At most one encryptionConfig is allowed.")
	}
	return nil
}

// sameSet compares lists whose order does not matter.
func sameSet(a, b []string) bool {
	a, b = slices.Sorted(slices.Values(a)), slices.Sorted(slices.Values(b))
	return slices.Equal(a, b)
}
