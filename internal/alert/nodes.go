package alert

import (
	"fmt"
	"time"

	"purser/ledger"
)

// Patience says when what a node does is told.
type Patience struct {
	Down        ledger.Instant // without an answer, and the node counts as down
	Unreachable ledger.Instant // without an answer, and what it holds counts as unreachable
	Clock       ledger.Instant // between its clock and the leader's
	Renewal     ledger.Instant // before a certificate ends
	Urgent      ledger.Instant // before a certificate ends, once more
	Expiry      ledger.Instant // before a virtual key or a credential ends
	Again       ledger.Instant // after which what goes on is told again
}

// DefaultPatience is that of docs/alerts.md.
func DefaultPatience() Patience {
	return Patience{
		Down: 30 * ledger.Second, Unreachable: 5 * ledger.Minute, Clock: 2 * ledger.Second,
		Renewal: 14 * ledger.Day, Urgent: 3 * ledger.Day, Expiry: 7 * ledger.Day, Again: 7 * ledger.Day,
	}
}

// Node is another node as the leader sees it.
type Node struct {
	ID      string
	Role    string
	Removed bool
	Fenced  bool
	Answers bool           // to the last question
	Silent  ledger.Instant // for how long it has not; 0 while it answers
	Ahead   ledger.Instant // its clock is before the leader's; negative: behind
	// Holds is what it was granted and has neither spent nor returned, by unit,
	// looked at only when it is silent.
	Holds map[string]int64
}

// Node appends the conditions of a node. About one that is silent for less than
// the patience nothing is known.
func (p Patience) Node(dst []Condition, n *Node, now ledger.Instant) []Condition {
	data := Data{"node": n.ID, "role": n.Role}
	down := p.condition("node/"+n.ID+"/down", now)
	down.Notice = Notice{NodeDown, Critical, fmt.Sprintf("node %s (%s) has not answered for %s", n.ID, n.Role, span(n.Silent)), data}
	down.Over = Notice{NodeUp, Info, fmt.Sprintf("node %s (%s) answers again", n.ID, n.Role), data}
	switch {
	case n.Removed:
		down.Over = Notice{}
		dst = append(dst, down)
	case n.Answers:
		dst = append(dst, down)
	case n.Silent >= p.Down:
		down.Rank = 1
		dst = append(dst, down)
	}
	dst = p.allowance(dst, n, now)
	if !n.Answers && !n.Removed {
		return dst
	}
	odd := p.condition("node/"+n.ID+"/clock", now)
	odd.Notice = Notice{ClockOdd, Warning, fmt.Sprintf("the clock of node %s differs from the leader's by %s", n.ID, span(n.Ahead)), Data{"node": n.ID, "ahead_seconds": float64(n.Ahead) / float64(ledger.Second)}}
	odd.Over = Notice{ClockRight, Info, fmt.Sprintf("the clock of node %s agrees with the leader's", n.ID), Data{"node": n.ID}}
	switch {
	case n.Removed:
		odd.Over = Notice{}
	case n.Ahead > p.Clock || n.Ahead < -p.Clock:
		odd.Rank = 1
	}
	return append(dst, odd)
}

// allowance is about what a node holds that is gone: it stays out of the budgets
// until the node is back or an operator fences it.
func (p Patience) allowance(dst []Condition, n *Node, now ledger.Instant) []Condition {
	c := p.condition("node/"+n.ID+"/allowance", now)
	data := Data{"node": n.ID}
	text := ""
	for unit, held := range n.Holds {
		data["outstanding_"+unit] = held
	}
	if held := n.Holds[ledger.USD.String()]; held > 0 {
		text = " " + (&Budget{rule: &ledger.Budget{Unit: ledger.USD}}).amount(ledger.Amount(held))
	}
	c.Notice = Notice{AllowanceUnreachable, Critical, fmt.Sprintf("node %s has not answered for %s and holds allowance%s; if it is dead for good, fence it", n.ID, span(n.Silent), text), data}
	c.Over = Notice{AllowanceReached, Info, fmt.Sprintf("node %s holds no unreachable allowance any more", n.ID), Data{"node": n.ID}}
	switch {
	case n.Answers, n.Fenced:
		return append(dst, c)
	case n.Silent < p.Unreachable:
		return dst
	case len(n.Holds) > 0:
		c.Rank = 1
	}
	return append(dst, c)
}

// Upstream is an upstream as one node finds it.
type Upstream struct {
	Node, Name string
	Open       int      // circuit breakers that are open or half open
	Models     []string // of those
}

// Upstream is the condition of an upstream at a node.
func (p Patience) Upstream(u *Upstream, now ledger.Instant) Condition {
	c := p.condition("upstream/"+u.Node+"/"+u.Name, now)
	c.Notice = Notice{UpstreamDown, Critical, fmt.Sprintf("node %s sends nothing to upstream %s for some models: its circuit breaker is open", u.Node, u.Name),
		Data{"node": u.Node, "upstream": u.Name, "breakers": u.Open, "models": u.Models}}
	c.Over = Notice{UpstreamUp, Info, fmt.Sprintf("upstream %s answers node %s again", u.Name, u.Node), Data{"node": u.Node, "upstream": u.Name}}
	if u.Open > 0 {
		c.Rank = 1
	}
	return c
}

// Certificate is one that a node goes by.
type Certificate struct {
	Name string // unique in the cluster: a node with what it is for, or the authority
	Node string // "" for the authority
	Ends ledger.Instant
}

// Certificate is the condition of a certificate: told when it is to end, and again
// when that is near.
func (p Patience) Certificate(crt *Certificate, now ledger.Instant) Condition {
	left := crt.Ends - now
	c := Condition{Key: "certificate/" + crt.Name, Until: now + 8*p.Again}
	data := Data{"certificate": crt.Name, "node": crt.Node, "ends": clock(crt.Ends)}
	c.Notice = Notice{CertificateExpiring, Warning, fmt.Sprintf("the certificate %s ends at %s", crt.Name, clock(crt.Ends)), data}
	c.Over = Notice{CertificateRenewed, Info, fmt.Sprintf("the certificate %s is good until %s", crt.Name, clock(crt.Ends)), data}
	switch {
	case left <= p.Urgent:
		c.Rank, c.Severity = 2, Critical
	case left <= p.Renewal:
		c.Rank = 1
	}
	return c
}

// Expiring is a key of either kind, and when it ends.
type Expiring struct {
	Type string // KeyExpiring or CredentialExpiring
	ID   string
	Name string
	Ends ledger.Instant
}

// Expiring is the condition of a key that ends soon, or false.
func (p Patience) Expiring(e *Expiring, now ledger.Instant) (Condition, bool) {
	if e.Ends == 0 || e.Ends <= now || e.Ends-now > p.Expiry {
		return Condition{}, false
	}
	what := "key"
	if e.Type == CredentialExpiring {
		what = "credential"
	}
	return Condition{
		// When it ends is in the key: one that is given more time is told again.
		Key: fmt.Sprintf("%s/%s/%x", e.Type, e.ID, int64(e.Ends)), Rank: 1, Until: e.Ends,
		Notice: Notice{e.Type, Warning, fmt.Sprintf("%s %s (%s) ends at %s", what, e.ID, clip(e.Name, maxText), clock(e.Ends)),
			Data{what: e.ID, "name": e.Name, "ends": clock(e.Ends)}},
	}, true
}

func (p Patience) condition(key string, now ledger.Instant) Condition {
	return Condition{Key: key, Until: now + p.Again}
}

// clock is an instant for programs and people, RFC 3339 in UTC.
func clock(t ledger.Instant) string { return time.Unix(0, int64(t)).UTC().Format(time.RFC3339) }

// span is a length of time for people.
func span(d ledger.Instant) string {
	if d < 0 {
		d = -d
	}
	return time.Duration(d).Round(time.Second / 10).String()
}
