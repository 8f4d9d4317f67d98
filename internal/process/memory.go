package process

import (
	"bufio"
	"fmt"
	"os"
	"strconv"
	"strings"
)

// proportionalSetSize is a process's PSS in bytes: memory shared with n
// processes counts 1/n, so sums over processes are what the machine spends.
// 0 if unknown (the process has just ended, or the kernel has no smaps_rollup).
func proportionalSetSize(pid int) int64 {
	f, err := os.Open(fmt.Sprintf("/proc/%d/smaps_rollup", pid))
	if err != nil {
		return 0
	}
	defer func() { _ = f.Close() }()
	for lines := bufio.NewScanner(f); lines.Scan(); {
		rest, ok := strings.CutPrefix(lines.Text(), "Pss:")
		if !ok {
			continue
		}
		kib, err := strconv.ParseInt(strings.TrimSpace(strings.TrimSuffix(strings.TrimSpace(rest), "kB")), 10, 64)
		if err != nil {
			return 0
		}
		return kib << 10
	}
	return 0
}
