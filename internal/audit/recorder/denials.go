package recorder

import (
	"cmp"
	"encoding/json"
	"net/netip"
	"slices"

	"purser/internal/audit"
	"purser/ledger"
)

// Denial is a request that a policy refused.
type Denial struct {
	Policy  string // its id; "key" for what the key itself forbids
	Rule    string // of the policy
	Code    string // that the client was answered with
	Key     string // id of the virtual key
	Address netip.Addr
}

// MaxGroups bounds the kinds of denials in a batch, beside the rest.
const MaxGroups = 64

// Actions of the events that are made here.
const (
	ActionDenied = "policy.denied"
	ActionBegin  = "audit.begin"
	actionLost   = "audit.lost"
)

// group is what equal denials have in common.
type group struct {
	policy, rule, code, key string
	network                 netip.Prefix
}

// tally counts the denials of a group.
type tally struct {
	count uint64
	first ledger.Instant
}

func (t *tally) add(at ledger.Instant) {
	if t.count == 0 {
		t.first = at
	}
	t.count++
}

// tallies are the denials since the last batch.
type tallies struct {
	groups map[group]*tally
	rest   tally
}

func (d *tallies) add(in Denial, at ledger.Instant) {
	g := group{in.Policy, in.Rule, in.Code, in.Key, network(in.Address)}
	t := d.groups[g]
	if t == nil {
		if len(d.groups) >= MaxGroups {
			d.rest.add(at)
			return
		}
		if d.groups == nil {
			d.groups = map[group]*tally{}
		}
		t = &tally{}
		d.groups[g] = t
	}
	t.add(at)
}

// network is the class of an address: who has one usually has its neighbours.
func network(a netip.Addr) netip.Prefix {
	a = a.Unmap()
	bits := 64
	if a.Is4() {
		bits = 24
	}
	p, err := a.WithZone("").Prefix(bits)
	if err != nil {
		return netip.Prefix{} // no address
	}
	return p
}

// take returns the events so far, the earliest first, and begins anew.
func (d *tallies) take(node ledger.NodeID) []audit.Event {
	var list []audit.Event
	for g, t := range d.groups {
		facts := audit.Facts{Node: node, Action: ActionDenied, Target: "policy/" + g.policy, After: told(g)}
		if g.key != "" {
			facts.Actor = "key:" + g.key
		}
		if g.network.IsValid() {
			facts.Address = g.network.String()
		}
		list = append(list, audit.Event{Facts: facts.Clean(), Result: audit.Denied, Count: t.count, First: t.first})
	}
	slices.SortFunc(list, func(a, b audit.Event) int {
		return cmp.Or(cmp.Compare(a.First, b.First), cmp.Compare(a.Target, b.Target), cmp.Compare(a.Actor, b.Actor), cmp.Compare(a.Address, b.Address), cmp.Compare(string(a.After), string(b.After)))
	})
	if d.rest.count > 0 {
		rest := audit.Facts{Node: node, Action: ActionDenied, Target: "others"}
		list = append(list, audit.Event{Facts: rest, Result: audit.Denied, Count: d.rest.count, First: d.rest.first})
	}
	*d = tallies{}
	return list
}

// told is what an event says of a group beside its policy and key.
func told(g group) []byte {
	b, err := json.Marshal(struct {
		Code string `json:"code"`
		Rule string `json:"rule,omitempty"`
	}{g.code, g.rule})
	if err != nil {
		return nil // two strings are always JSON
	}
	return b
}
