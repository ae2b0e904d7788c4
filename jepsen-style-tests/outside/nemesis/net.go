package nemesis

import (
	"errors"
	"maps"
	"sync"
	"time"

	"purser/jepsen-style-tests/netlab"
)

// Net lays the rules of several faults over each other: what one has cut stays cut
// while another heals what it did to the same link.
type Net struct {
	lab *netlab.Lab

	mu     sync.Mutex
	layers map[int]netlab.Rules
	next   int
}

// NewNet has no rules.
func NewNet(lab *netlab.Lab) *Net {
	return &Net{lab: lab, layers: map[int]netlab.Rules{}}
}

// Apply adds rules, and returns what takes them away again, once.
func (n *Net) Apply(rules netlab.Rules) (undo func() error, err error) {
	n.mu.Lock()
	defer n.mu.Unlock()
	id := n.next
	n.next++
	n.layers[id] = maps.Clone(rules)
	undo = func() error {
		n.mu.Lock()
		defer n.mu.Unlock()
		delete(n.layers, id)
		return n.set(rules)
	}
	if err := n.set(rules); err != nil {
		delete(n.layers, id)
		return nil, errors.Join(err, n.set(rules))
	}
	return undo, nil
}

// set brings the links of these rules to what all layers say.
func (n *Net) set(rules netlab.Rules) error {
	all := netlab.Rules{}
	for pair := range rules {
		var sum netlab.Rule
		for _, layer := range n.layers {
			if r, ok := layer[pair]; ok {
				sum = over(sum, r)
			}
		}
		all[pair] = sum
	}
	return n.lab.Apply(all)
}

// over is two rules at a time.
func over(a, b netlab.Rule) netlab.Rule {
	both := func(p, q float64) float64 { return 1 - (1-p)*(1-q) }
	rate := a.Rate
	if b.Rate > 0 && (rate == 0 || b.Rate < rate) {
		rate = b.Rate
	}
	return netlab.Rule{
		Drop: a.Drop || b.Drop, Hold: a.Hold || b.Hold,
		Loss: both(a.Loss, b.Loss), Duplicate: both(a.Duplicate, b.Duplicate), Reorder: both(a.Reorder, b.Reorder),
		Delay: a.Delay + b.Delay, Jitter: max(a.Jitter, b.Jitter, time.Duration(0)), Rate: rate,
	}
}
