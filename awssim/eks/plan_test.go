package eks

import (
	"fmt"
	"slices"
	"testing"
)

// TestPlanKeepsCapacity walks through whole replacements and checks what AWS
// promises of each strategy in every state.
func TestPlanKeepsCapacity(t *testing.T) {
	for _, minimal := range []bool{false, true} {
		for desired := range 7 {
			for batch := 1; batch <= 4; batch++ {
				t.Run(fmt.Sprintf("minimal=%t,desired=%d,batch=%d", minimal, desired, batch), func(t *testing.T) {
					n := nodegroup{Generation: 0, Places: []Subnet{{ID: "a"}, {ID: "b"}, {ID: "c"}}, Nodegroup: Nodegroup{InstanceTypes: []string{"t"}}}
					n.addMembers(desired)
					n.Generation = 1
					least, most := desired, desired+batch
					if minimal {
						least, most = max(0, desired-batch), desired
					}
					for range 100 {
						next := plan(n.Members, n.Generation, desired, batch, minimal, true)
						if next.launch == 0 && len(next.remove) == 0 {
							break
						}
						if next.launch < 0 || (next.launch > 0 && len(next.remove) > 0) {
							t.Fatalf("a step does one thing: %+v", next)
						}
						n.addMembers(next.launch)
						slices.Sort(next.remove)
						for _, i := range slices.Backward(next.remove) {
							n.Members = slices.Delete(n.Members, i, i+1)
						}
						if len(n.Members) < least || len(n.Members) > most {
							t.Fatalf("%d members, allowed are %d to %d", len(n.Members), least, most)
						}
					}
					old := slices.ContainsFunc(n.Members, func(m member) bool { return m.Generation == 0 })
					if len(n.Members) != desired || old {
						t.Errorf("ended with %d members, old ones: %t", len(n.Members), old)
					}
				})
			}
		}
	}
}

func TestPlan(t *testing.T) {
	in := func(places string, generation int) (list []member) {
		for _, p := range places {
			list = append(list, member{Place: Subnet{ID: string(p)}, Generation: generation})
		}
		return list
	}
	tests := map[string]struct {
		reason  string
		members []member
		desired int
		batch   int
		minimal bool
		ready   bool
		launch  int
		remove  []int
	}{
		"Empty":        {reason: "all at once", desired: 3, batch: 1, launch: 3},
		"Done":         {reason: "nothing to do", members: in("ab", 1), desired: 2, batch: 1, ready: true},
		"ScaleDown":    {reason: "from the fullest subnet, oldest first, also when not all are Ready", members: in("abaa", 1), desired: 2, batch: 1, remove: []int{0, 2}},
		"Surge":        {reason: "new ones first", members: in("ab", 0), desired: 2, batch: 1, ready: true, launch: 1},
		"SurgeBatch":   {reason: "as many as may be unavailable", members: in("abab", 0), desired: 4, batch: 3, ready: true, launch: 3},
		"NotReady":     {reason: "the next step waits for the last", members: append(in("ab", 0), in("a", 1)...), desired: 2, batch: 1},
		"RetireOld":    {reason: "then an old one", members: append(in("ab", 0), in("a", 1)...), desired: 2, batch: 1, ready: true, remove: []int{0}},
		"MinimalFirst": {reason: "MINIMAL lets old ones go first", members: in("ab", 0), desired: 2, batch: 1, minimal: true, ready: true, remove: []int{0}},
		"MinimalThen":  {reason: "and replaces them", members: in("b", 0), desired: 2, batch: 1, minimal: true, ready: true, launch: 1},
		"ToNothing":    {reason: "no replacement for nobody", members: in("ab", 0), desired: 0, batch: 1, ready: true, remove: []int{0, 1}},
	}
	for name, tt := range tests {
		t.Run(name, func(t *testing.T) {
			got := plan(tt.members, 1, tt.desired, tt.batch, tt.minimal, tt.ready)
			if got.launch != tt.launch || !slices.Equal(got.remove, tt.remove) {
				t.Errorf("%s: got %+v, want launch %d, remove %v", tt.reason, got, tt.launch, tt.remove)
			}
		})
	}
}
