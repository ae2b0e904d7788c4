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
// rolled back to what it held at this moment is noticed.
func enrol(cfg Config, seams Seams, register func(ledger.Register) (uint32, error)) (incarnation uint32, seq uint64, err error) {
	r, gone, err := evidence(cfg, seams)
	if err != nil {
		return 0, 0, err
	}
	incarnation, err = register(r)
	if err != nil {
		return 0, 0, fmt.Errorf("registering node %s: %w", cfg.Node, err)
	}
	seq = r.MarkSeq + 1
	if err := seams.Marks.SaveMarks(seq, gone); err != nil {
		return 0, 0, fmt.Errorf("clearing high-water marks: %w", err)
	}
	return incarnation, seq, nil
}

// evidence is what the disk says of earlier leases, and the marks that are of
// no more use once the ledger knows it.
func evidence(cfg Config, seams Seams) (r ledger.Register, gone []Mark, err error) {
	r = ledger.Register{Node: cfg.Node, Store: cfg.Store}
	seq, marks, err := seams.Marks.LoadMarks()
	if err != nil {
		return r, nil, fmt.Errorf("loading high-water marks: %w", err)
	}
	r.MarkSeq = seq
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

// register tries until the ledger has taken r or ctx ends. An attempt that
// failed may have been applied all the same: then the next one learns by
// StaleIncarnation which incarnation to follow.
func register(ctx context.Context, cfg Config, seams Seams, r ledger.Register) (uint32, error) {
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
