package netlab

import (
	"maps"
	"time"
)

// Rules is rules of some directions; the others keep theirs.
type Rules map[Pair]Rule

// Isolate drops what goes between a host and the others, both ways.
func Isolate(host string, others ...string) Rules { return Split([]string{host}, others) }

// Split drops what goes between hosts of different groups.
func Split(groups ...[]string) Rules {
	rules := Rules{}
	for i, from := range groups {
		for j, to := range groups {
			if i != j {
				rules.cross(from, to, Rule{Drop: true})
			}
		}
	}
	return rules
}

// Bridge splits two sides that a host in the middle still reaches, and is reached
// by. The middle may be named in the sides too: each can have a majority with it.
func Bridge(a []string, middle string, b []string) Rules {
	rules := Split(a, b)
	maps.DeleteFunc(rules, func(p Pair, _ Rule) bool { return p.From == middle || p.To == middle })
	return rules
}

// OneWay drops what goes from some hosts to others, and nothing that comes back.
func OneWay(from, to []string) Rules {
	rules := Rules{}
	rules.cross(from, to, Rule{Drop: true})
	return rules
}

// Region puts hosts away from the others: each way takes that long.
func Region(hosts, others []string, delay time.Duration) Rules {
	rules := Rules{}
	rules.cross(hosts, others, Rule{Delay: delay})
	rules.cross(others, hosts, Rule{Delay: delay})
	return rules
}

// With returns the same directions with another rule, such as a loss instead of a
// cut.
func (r Rules) With(rule Rule) Rules {
	out := Rules{}
	for p := range r {
		out[p] = rule
	}
	return out
}

func (r Rules) cross(from, to []string, rule Rule) {
	for _, a := range from {
		for _, b := range to {
			if a != b {
				r[Pair{a, b}] = rule
			}
		}
	}
}
