package dataplane

import "fmt"

// memory is how a Go program's garbage collector is set: GOGC percent of growth
// between collections, and a soft limit in MiB near which it works harder. The
// limits are what a cluster of the example fleet needs and a third more;
// a bigger cluster only costs more CPU.
type memory struct {
	gogc, limitMiB int
}

func etcdMemory() memory              { return memory{gogc: 40, limitMiB: 256} }
func apiserverMemory() memory         { return memory{gogc: 30, limitMiB: 240} }
func controllerManagerMemory() memory { return memory{gogc: 30, limitMiB: 80} }
func schedulerMemory() memory         { return memory{gogc: 30, limitMiB: 64} }
func kwokMemory() memory              { return memory{gogc: 30, limitMiB: 64} }
func hostPodMemory() memory           { return memory{gogc: 30, limitMiB: 96} }

// goRuntime is the environment that sets it.
func goRuntime(m memory) []string {
	return []string{fmt.Sprintf("GOGC=%d", m.gogc), fmt.Sprintf("GOMEMLIMIT=%dMiB", m.limitMiB)}
}
