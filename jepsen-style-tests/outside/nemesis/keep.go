package nemesis

import (
	"cmp"
	"strings"
)

// Lacks says of each of [Needs] why it is not there, "" where it is.
type Lacks struct {
	Packets, Disks, Clocks, Tiny, Older string
}

// Keep parts faults that can be made from those that cannot. What is left out is told
// by reason, in one line each, with the faults' names.
func Keep(table []Fault, l Lacks) (kept []Fault, out []string) {
	var reasons []string
	names := map[string][]string{}
	for _, f := range table {
		why := l.of(f.Needs)
		if why == "" {
			kept = append(kept, f)
			continue
		}
		if names[why] == nil {
			reasons = append(reasons, why)
		}
		names[why] = append(names[why], f.Name)
	}
	for _, why := range reasons {
		out = append(out, strings.Join(names[why], ", ")+": "+why)
	}
	return kept, out
}

// of is why something is not there that is needed.
func (l Lacks) of(n Needs) string {
	of := func(needed bool, why string) string {
		if needed {
			return why
		}
		return ""
	}
	return cmp.Or(of(n.Packets, l.Packets), of(n.Disks, l.Disks), of(n.Clocks, l.Clocks), of(n.Tiny, l.Tiny), of(n.Older, l.Older))
}
