package purse

import (
	"context"
	"errors"
	"fmt"

	"purser/ledger"
)

// enrol registers the node as its next incarnation and clears its disk of the
// one before.
//
// The sequence of the marks grows before the first Exchange, so that a disk
// rolled back to what it held at this moment is noticed. It begins beyond those of
// every earlier incarnation, also of those that a rolled back disk has forgotten:
// their images are older than anything of this one.
func enrol(cfg Config, seams Seams, register func(ledger.Register) (uint32, error)) (incarnation uint32, seq uint64, err error) {
	r, gone, err := evidence(cfg, seams)
	if err != nil {
		return 0, 0, err
	}
	incarnation, err = register(r)
	if err != nil {
		return 0, 0, fmt.Errorf("registering node %s: %w", cfg.Node, err)
	}
	if seams.Begin != nil {
		if err := seams.Begin(incarnation); err != nil {
			return 0, 0, fmt.Errorf("beginning incarnation %d: %w", incarnation, err)
		}
	}
	seq = max(r.MarkSeq+1, uint64(incarnation)<<incarnationShift)
	if err := seams.Marks.SaveMarks(seq, gone); err != nil {
		return 0, 0, fmt.Errorf("clearing high-water marks: %w", err)
	}
	return incarnation, seq, nil
}

// incarnationShift leaves an incarnation four thousand million saves.
const incarnationShift = 32

// evidence is what the disk says of earlier leases, and the marks that are of
// no more use once the ledger knows it.
func evidence(cfg Config, seams Seams) (r ledger.Register, gone []Mark, err error) {
	r = ledger.Register{Node: cfg.Node, Store: cfg.Store}
	seq, marks, err := seams.Marks.LoadMarks()
	if err != nil {
		return r, nil, fmt.Errorf("loading high-water marks: %w", err)
	}
	r.MarkSeq = seq
	if marks, err = withOverruns(marks, seams); err != nil {
		return r, nil, err
	}
	for _, m := range marks {
		proof, err := seams.Proofs(m.Account, m.Incarnation)
		if err != nil {
			return r, nil, fmt.Errorf("proving what was spent on %v: %w", m.Account, err)
		}
		r.Previous = max(r.Previous, m.Incarnation)
		r.Evidence = append(r.Evidence, ledger.Evidence{
			Account: m.Account, Incarnation: m.Incarnation,
			Mark: m.Amount, Proven: proof.Spent, Overrun: proof.Overrun,
		})
		gone = append(gone, Mark{Account: m.Account, Incarnation: m.Incarnation, Gone: true})
	}
	return r, gone, nil
}

// withOverruns adds the leases that no mark names, with a mark of nothing.
func withOverruns(marks []Mark, seams Seams) ([]Mark, error) {
	if seams.Overruns == nil {
		return marks, nil
	}
	leases, err := seams.Overruns()
	if err != nil {
		return nil, fmt.Errorf("reading what was spent beyond the holds: %w", err)
	}
	named := make(map[LeaseID]bool, len(marks))
	for _, m := range marks {
		named[LeaseID{m.Account, m.Incarnation}] = true
	}
	for _, l := range leases {
		if !named[l] && len(marks) < ledger.MaxEvidence {
			marks = append(marks, Mark{Account: l.Account, Incarnation: l.Incarnation})
		}
	}
	return marks, nil
}

// register tries until the ledger has taken r or ctx ends. An attempt that
// failed may have been applied all the same: then the next one learns by
// StaleIncarnation which incarnation to follow.
func register(ctx context.Context, cfg Config, seams Seams, r ledger.Register) (uint32, error) {
	corrected := false
	for wait := backoffFirst; ; wait = min(2*wait, backoffMax) {
		once, cancel := context.WithTimeout(ctx, cfg.ExchangeTimeout)
		out, err := seams.Exchanger.Register(once, r)
		cancel()
		var rejected *RejectedError
		switch {
		case errors.As(err, &rejected):
			return 0, err
		case err == nil && out.Code == ledger.Applied:
			return out.Incarnation, nil
		case err == nil && out.Code == ledger.StaleIncarnation:
			r.Previous = out.Incarnation
			if !corrected { // usual: a node that returned its leases has no mark to know its incarnation by
				corrected = true
				continue
			}
			err = errors.New("another incarnation was registered in between")
		case err == nil:
			return 0, &RejectedError{Code: out.Code}
		}
		seams.Log.Warn("registering with the ledger; trying again", "node", string(cfg.Node), "error", err)
		if !pause(ctx, wait) {
			return 0, errors.Join(ctx.Err(), err)
		}
	}
}
