package node

import (
	"fmt"
	"log/slog"
	"sync/atomic"

	"purser/internal/directory"
	"purser/internal/governance"
	"purser/proxy"
	"purser/proxy/redaction"
)

// ruleBook is the directory's objects as the request path sees them: compiled when
// one of them changed, and swapped whole.
type ruleBook struct {
	now     atomic.Pointer[compiled]
	options redaction.Options
	last    compiled // the last one that could be read; of compile alone
}

// compiled is a snapshot, or why there is none.
type compiled struct {
	rules      *governance.Snapshot
	redactions *redaction.Set // nil: there are none
	err        error
}

// compile puts what a directory says in place. Objects that this build cannot read
// let nothing pass: what they forbid is not known.
func (b *ruleBook) compile(s *directory.State, log *slog.Logger) {
	c := b.read(s)
	if c.err != nil {
		c.err = undecided{fmt.Errorf("the rules cannot be read: %w", c.err)}
		log.Error("requests are refused until this node can read the rules; upgrade it, or change the object", slog.Any("error", c.err))
	} else {
		b.last = c
	}
	b.now.Store(&c)
}

func (b *ruleBook) read(s *directory.State) (c compiled) {
	if c.rules, c.err = governance.Compile(s, b.last.rules); c.err != nil {
		return c
	}
	specs := c.rules.Redactions()
	switch {
	case len(specs) == 0:
	case b.last.rules != nil && sameSlice(specs, b.last.rules.Redactions()):
		c.redactions = b.last.redactions
	default:
		c.redactions, c.err = redaction.Compile(specs, b.options)
	}
	return c
}

// sameSlice reports whether two slices are one.
func sameSlice[T any](a, b []T) bool { return len(a) == len(b) && (len(a) == 0 || &a[0] == &b[0]) }

// Rules implements proxy.Governance.
func (b *ruleBook) Rules() (proxy.Rules, error) {
	return b.compiled()
}

// compiled is the rules, or why there are none.
func (b *ruleBook) compiled() (*governance.Snapshot, error) {
	c := b.now.Load()
	return c.rules, c.err
}
