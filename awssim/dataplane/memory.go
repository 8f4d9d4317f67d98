package dataplane

import "fmt"

// memory is how a Go program's garbage collector is set: GOGC percent of growth
// between collections, and a soft limit in MiB near which it works harder. GOGC
// is what saves: these programs hold little and would grow to twice that. The
// limits only stop peaks (an API server that installs fifty CRDs); they are well
// above what a cluster with all add-ons holds, because a collector that cannot
// get below its limit never rests.
type memory struct {
	gogc, limitMiB int
}

func etcdMemory() memory              { return memory{gogc: 40, limitMiB: 256} }
func apiserverMemory() memory         { return memory{gogc: 30, limitMiB: 320} }
func controllerManagerMemory() memory { return memory{gogc: 30, limitMiB: 128} }
func schedulerMemory() memory         { return memory{gogc: 30, limitMiB: 96} }
func kwokMemory() memory              { return memory{gogc: 30, limitMiB: 96} }
func hostPodMemory() memory           { return memory{gogc: 30, limitMiB: 192} }

// goRuntime is the environment that sets it.
func goRuntime(m memory) []string {
	return []string{fmt.Sprintf("GOGC=%d", m.gogc), fmt.Sprintf("GOMEMLIMIT=%dMiB", m.limitMiB)}
}
