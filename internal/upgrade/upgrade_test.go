package upgrade

import (
	"math/rand/v2"
	"testing"

	"github.com/google/go-cmp/cmp"
)

func TestNext(t *testing.T) {
	tests := map[string]struct {
		reason string
		now    State
		wanted Minor
		want   Step
	}{
		"NewCluster": {
			reason: "a new cluster starts at the wanted version at once",
			wanted: 34, want: Step{34, 34},
		},
		"Steady": {
			reason: "nothing moves when all is as wanted",
			now:    State{34, map[string]Minor{"default": 34}}, wanted: 34, want: Step{34, 34},
		},
		"ControlPlaneFirst": {
			reason: "pools keep their version until the control plane has moved",
			now:    State{34, map[string]Minor{"default": 34}}, wanted: 35, want: Step{35, 34},
		},
		"PoolsFollow": {
			reason: "once the control plane serves the version, the pools get it",
			now:    State{35, map[string]Minor{"default": 34}}, wanted: 35, want: Step{35, 35},
		},
		"OneMinorAtATime": {
			reason: "two minors are two steps",
			now:    State{34, map[string]Minor{"default": 34}}, wanted: 36, want: Step{35, 34},
		},
		"PoolsBeforeNextMinor": {
			reason: "the control plane waits for pools that lag behind",
			now:    State{35, map[string]Minor{"default": 35, "gpu": 34}}, wanted: 36, want: Step{35, 35},
		},
		"NeverDown": {
			reason: "EKS cannot go back",
			now:    State{35, map[string]Minor{"default": 35}}, wanted: 34, want: Step{35, 35},
		},
	}
	for name, tc := range tests {
		t.Run(name, func(t *testing.T) {
			if diff := cmp.Diff(tc.want, Next(tc.now, tc.wanted)); diff != "" {
				t.Errorf("\n%s\nNext(): -want, +got:\n%s", tc.reason, diff)
			}
		})
	}
}

// TestNextReachesWanted drives random clusters to random versions and checks
// that every step is allowed by EKS and that all arrive.
func TestNextReachesWanted(t *testing.T) {
	rng := rand.New(rand.NewPCG(1, 2))
	for range 2000 {
		now := State{ControlPlane: 30 + Minor(rng.IntN(5)), Pools: map[string]Minor{}}
		for _, pool := range []string{"a", "b", "c"}[:rng.IntN(4)] {
			now.Pools[pool] = now.ControlPlane - Minor(rng.IntN(2))
		}
		wanted := now.ControlPlane + Minor(rng.IntN(4))
		for steps := 0; ; steps++ {
			step := Next(now, wanted)
			if step.ControlPlane < now.ControlPlane || step.ControlPlane > now.ControlPlane+1 {
				t.Fatalf("from %+v to %s: control plane moves to %s", now, wanted, step.ControlPlane)
			}
			if step.Pools > now.ControlPlane {
				t.Fatalf("from %+v to %s: pools at %s lead the control plane", now, wanted, step.Pools)
			}
			// The control plane moves at once; each pool when it likes to.
			arrived := now.ControlPlane == wanted
			now.ControlPlane = step.ControlPlane
			for pool, v := range now.Pools {
				if rng.IntN(2) == 0 {
					now.Pools[pool] = max(v, step.Pools)
				}
				arrived = arrived && now.Pools[pool] == wanted
			}
			if arrived {
				break
			}
			if steps > 1000 {
				t.Fatalf("never arrives at %s: %+v", wanted, now)
			}
		}
	}
}

func TestParse(t *testing.T) {
	tests := map[string]struct {
		reason string
		want   Minor
		bad    bool
	}{
		"1.34":             {reason: "EKS's form", want: 34},
		"v1.35.2-eks-1234": {reason: "a kubelet's form", want: 35},
		"2.1":              {reason: "no such major", bad: true},
		"1.":               {reason: "no minor", bad: true},
		"1.-3":             {reason: "a sign is no version", bad: true},
		"":                 {reason: "nothing", bad: true},
	}
	for version, tc := range tests {
		t.Run(version, func(t *testing.T) {
			got, err := Parse(version)
			if (err != nil) != tc.bad || got != tc.want {
				t.Errorf("%s: Parse(%q) = %d, %v", tc.reason, version, got, err)
			}
		})
	}
}
