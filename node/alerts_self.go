package node

import (
	"context"
	"crypto/x509"
	"encoding/pem"
	"errors"
	"maps"
	"os"
	"slices"
	"time"

	"purser/internal/alert"
	"purser/internal/directory"
	"purser/internal/purse"
	"purser/ledger"
	"purser/proxy/upstream"
)

const (
	// selfEvery is how often a node looks at what it alone can see.
	selfEvery = 2 * time.Second
	// repeatAfter is how long a node believes that what it raised is remembered.
	repeatAfter = time.Hour
	// certificatesEvery is how often certificates are looked at.
	certificatesEvery = time.Minute
)

// refusal is of a budget that has too little left for a request, as this node saw it.
// What cannot be reached counts as held.
type refusal struct {
	limit, spent, held ledger.Amount
}

// refuse takes note of a refusal on the request path. It takes a lock for as long as
// a map does, and waits for nothing else.
func (a *alerts) refuse(r *purse.Refusal) {
	if r.Code != purse.Exhausted {
		return
	}
	a.mu.Lock()
	defer a.mu.Unlock()
	if !a.known[r.Account] && len(a.refused) < maxRefused {
		a.refused[r.Account] = refusal{limit: r.Limit, spent: r.Spent, held: r.Held + r.Unreachable}
	}
}

// told is what a node has raised of what it alone can see.
type told struct {
	rank uint32
	at   time.Time
}

// watchSelf raises what this node alone can see: its upstreams, its certificates,
// its refusals and what was given to Raise. It returns when ctx is done.
func (a *alerts) watchSelf(ctx context.Context) {
	t := time.NewTicker(selfEvery)
	defer t.Stop()
	said := map[string]told{} // by key; as many as there are upstreams and certificates
	var certificates []alert.Certificate
	var looked time.Time
	for {
		select {
		case <-ctx.Done():
			return
		case at := <-t.C:
			if at.Sub(looked) >= certificatesEvery {
				certificates, looked = a.certificates(), at
			}
			a.tellState(ctx, said, a.state(certificates), at)
			a.tellEvents(ctx)
		}
	}
}

// state is what holds of this node's upstreams and certificates.
func (a *alerts) state(certificates []alert.Certificate) (out []alert.Condition) {
	for _, u := range a.upstreams() {
		out = append(out, a.patience.Upstream(&u, now()))
	}
	for i := range certificates {
		out = append(out, a.patience.Certificate(&certificates[i], now()))
	}
	return out
}

// tellState raises conditions whose rank has changed since they were raised, or that
// were raised so long ago that they may be forgotten.
func (a *alerts) tellState(ctx context.Context, said map[string]told, conditions []alert.Condition, at time.Time) {
	conditions = slices.DeleteFunc(conditions, func(c alert.Condition) bool {
		was, ok := said[c.Key]
		return ok && was.rank == c.Rank && at.Sub(was.at) < repeatAfter
	})
	raises, err := alert.Raises(conditions)
	if err != nil {
		a.n.log.Error("alerts could not be written", "error", err)
		return
	}
	if len(raises) == 0 || !a.propose(ctx, raises) {
		return
	}
	for _, c := range conditions {
		said[c.Key] = told{c.Rank, at}
	}
}

// upstreams are this node's, with the circuit breakers that are not closed.
func (a *alerts) upstreams() []alert.Upstream {
	open := map[string][]string{}
	a.n.gateway.Breakers().Each(time.Now(), func(k upstream.BreakerKey, s upstream.State) {
		if s != upstream.Closed {
			open[k.Upstream] = append(open[k.Upstream], k.Model)
		}
	})
	var out []alert.Upstream
	for _, u := range a.n.upstreams {
		models := open[u.Name]
		slices.Sort(models)
		out = append(out, alert.Upstream{Node: a.n.cfg.Node.ID, Name: u.Name, Open: len(models), Models: models})
	}
	return out
}

// certificates are those that this node shows, and as a member the authority's.
func (a *alerts) certificates() []alert.Certificate {
	id := a.n.cfg.Node.ID
	var out []alert.Certificate
	if p := a.n.peers; p != nil {
		out = append(out, alert.Certificate{Name: id + "/cluster", Node: id, Ends: ledger.Instant(p.proof.Identity().Until.UnixNano())})
		if a.n.member != nil {
			out = append(out, alert.Certificate{Name: "authority", Ends: ledger.Instant(p.proof.Root.Until().UnixNano())})
		}
	}
	if file := a.n.cfg.Listen.TLSCert; file != "" {
		ends, err := endOf(file)
		if err != nil {
			a.n.log.Warn("when listen.tls_cert ends could not be read", "error", err)
			return out
		}
		out = append(out, alert.Certificate{Name: id + "/listen", Node: id, Ends: ends})
	}
	return out
}

// endOf is when the first certificate of a PEM file ends.
func endOf(file string) (ledger.Instant, error) {
	b, err := os.ReadFile(file)
	if err != nil {
		return 0, err
	}
	block, _ := pem.Decode(b)
	if block == nil {
		return 0, errors.New("it holds no PEM")
	}
	c, err := x509.ParseCertificate(block.Bytes)
	if err != nil {
		return 0, err
	}
	return ledger.Instant(c.NotAfter.UnixNano()), nil
}

// tellEvents raises refusals and what was given to Raise. What could not be raised
// waits for the next time.
func (a *alerts) tellEvents(ctx context.Context) {
	a.mu.Lock()
	refused, pending, dropped := a.refused, a.pending, a.dropped
	a.refused, a.pending, a.dropped = map[ledger.AccountKey]refusal{}, nil, 0
	a.mu.Unlock()
	if dropped > 0 {
		a.n.log.Warn("events were not raised: too many at once", "events", dropped)
	}
	raises := a.refusals(refused)
	for _, h := range pending {
		r, err := alert.Once(h.key, now(), h.notice)
		if err != nil {
			a.n.log.Error("an alert could not be written", "error", err)
			continue
		}
		raises = append(raises, r)
	}
	done := a.propose(ctx, raises)
	a.mu.Lock()
	defer a.mu.Unlock()
	if !done {
		a.pending = append(pending, a.pending...)
		a.pending = a.pending[:min(len(a.pending), maxPending)]
		maps.Copy(refused, a.refused)
		a.refused = refused // twice maxRefused at most
		return
	}
	if len(a.known)+len(refused) > maxKnown {
		clear(a.known)
	}
	for k := range refused {
		a.known[k] = true
	}
}

func (a *alerts) refusals(refused map[ledger.AccountKey]refusal) (out []directory.Raise) {
	if len(refused) == 0 {
		return nil
	}
	state, at := a.n.fsm.Ledger(), now()
	for k, r := range refused {
		rule, ok := state.Budget(k.Budget)
		if !ok {
			continue
		}
		v := ledger.AccountView{Key: k, Unit: rule.Unit, Limit: r.limit, Spent: r.spent, Outstanding: r.held, State: ledger.Open}
		_, v.WindowEnd = rule.Window.Bounds(k.Start)
		b := alert.NewBudget(rule)
		c, ok := b.Refused(&v, at)
		if !ok {
			continue
		}
		raises, err := alert.Raises([]alert.Condition{c})
		if err != nil {
			a.n.log.Error("an alert could not be written", "error", err)
			continue
		}
		out = append(out, raises...)
	}
	return out
}
