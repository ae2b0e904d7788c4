package purse

import (
	"context"
	"errors"
	"log/slog"
	"maps"
	"strings"
	"sync"
	"testing"
	"testing/synctest"
	"time"

	"purser/ledger"
)

// evidenceOf is a usage store: what was settled and made durable.
type evidenceOf struct {
	mu   sync.Mutex
	sums map[markKey]Proof
}

func (e *evidenceOf) add(charges []Charge) {
	e.mu.Lock()
	defer e.mu.Unlock()
	if e.sums == nil {
		e.sums = make(map[markKey]Proof)
	}
	for _, c := range charges {
		k := markKey{c.Account, c.Incarnation}
		p := e.sums[k]
		p.Spent += c.Spent
		p.Overrun += max(0, c.Spent-c.Held)
		e.sums[k] = p
	}
}

func (e *evidenceOf) proofs(a ledger.AccountKey, inc uint32) (Proof, error) {
	e.mu.Lock()
	defer e.mu.Unlock()
	return e.sums[markKey{a, inc}], nil
}

func (e *evidenceOf) overruns() ([]LeaseID, error) {
	e.mu.Lock()
	defer e.mu.Unlock()
	var out []LeaseID
	for k, p := range e.sums {
		if p.Overrun > 0 {
			out = append(out, LeaseID{k.account, k.incarnation})
		}
	}
	return out, nil
}

// crash ends the purse without a word to anyone: Close returns nothing.
func (r *rig) crash() { r.Close() }

// TestRestartWithEvidence: what was proven is spent, what was held at the crash
// is presumed, and everything beyond the mark is available again.
func TestRestartWithEvidence(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		w, disk, usage := newWire(dollars("cap", 100_000)), &memoryMarks{}, &evidenceOf{}
		with := func(_ *Config, s *Seams) { s.Proofs = usage.proofs }
		r := open(t, w, disk, with)
		part := &r.resolve(t, ledger.Dimensions{}).Money
		usage.add(r.must(t, part, Claim{USD: 1000}).Settle(Claim{USD: 700}, nil))
		r.must(t, part, Claim{USD: 1000}) // in flight for ever
		lost := r.must(t, part, Claim{USD: 1000}).Settle(Claim{USD: 400}, nil)
		r.crash()

		_, marks, _ := disk.LoadMarks()
		if len(marks) != 1 || marks[0].Amount < 700+1000+400 {
			t.Fatalf("marks %v do not cover what is out", marks)
		}
		r = open(t, w, disk, with)
		if r.Incarnation() != 2 {
			t.Errorf("incarnation %d", r.Incarnation())
		}
		v := w.account(t, whole("cap"))
		if v.Outstanding != 0 || v.Spent != marks[0].Amount || v.Presumed != marks[0].Amount-700 || v.WrittenOff != 0 {
			t.Errorf("after the restart: %+v, mark %d, lost %v", v, marks[0].Amount, lost)
		}
		if _, left, _ := disk.LoadMarks(); len(left) != 0 {
			t.Errorf("marks of the old incarnation are left: %v", left)
		}
		part = &r.resolve(t, ledger.Dimensions{}).Money
		r.must(t, part, Claim{USD: v.Available}).Release()
		drain(t, r)
	})
}

// TestOverrunOfNothingHeldIsInTheEvidence: no mark names an account of which the
// node had nothing; the records of what it cost all the same do.
func TestOverrunOfNothingHeldIsInTheEvidence(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		w, disk, usage := newWire(dollars("cap", 100)), &memoryMarks{}, &evidenceOf{}
		with := func(_ *Config, s *Seams) { s.Proofs, s.Overruns = usage.proofs, usage.overruns }
		r := open(t, w, disk, with)
		part := &r.resolve(t, ledger.Dimensions{}).Money
		usage.add(r.must(t, part, Claim{}).Settle(Claim{USD: 5}, nil))
		r.crash()
		if v, ok := w.state.Account(whole("cap")); ok && v.Spent > 0 {
			t.Fatalf("the ledger has heard of it before the crash: %+v", v)
		}
		r = open(t, w, disk, with)
		if v := w.account(t, whole("cap")); v.Spent != 5 || v.Overrun != 5 || v.Presumed != 0 {
			t.Errorf("after the restart: %+v", v)
		}
		drain(t, r)
	})
}

// TestRestartTwice: a crash right after the registration proves nothing new and
// presumes nothing twice.
func TestRestartTwice(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		w, disk := newWire(dollars("cap", 100_000)), &memoryMarks{}
		r := open(t, w, disk, nil)
		part := &r.resolve(t, ledger.Dimensions{}).Money
		r.must(t, part, Claim{USD: 1000})
		seq, marks, _ := disk.LoadMarks()
		r.crash()
		open(t, w, disk, nil).crash()
		before := w.account(t, whole("cap"))

		// The same, but the crash came before the disk was cleared.
		old := &memoryMarks{seq: seq + 1, marks: map[markKey]ledger.Amount{}}
		for _, m := range marks {
			old.marks[markKey{m.Account, m.Incarnation}] = m.Amount
		}
		open(t, w, old, nil).crash()
		if after := w.account(t, whole("cap")); after != before {
			t.Errorf("%+v became %+v", before, after)
		}
	})
}

// TestDiskRolledBack: a disk older than what the ledger has heard of proves
// nothing, and all that was out is written off.
func TestDiskRolledBack(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		w, disk := newWire(dollars("cap", 100_000)), &memoryMarks{}
		r := open(t, w, disk, nil)
		part := &r.resolve(t, ledger.Dimensions{}).Money
		r.must(t, part, Claim{USD: 1000}).Settle(Claim{USD: 10}, nil)
		image := &memoryMarks{seq: disk.seq, marks: maps.Clone(disk.marks)}
		for range 20 {
			r.must(t, part, Claim{USD: 2000}).Settle(Claim{USD: 2000}, nil)
			time.Sleep(time.Second)
		}
		r.crash()
		out := w.account(t, whole("cap"))
		open(t, w, image, nil)
		v := w.account(t, whole("cap"))
		if v.Outstanding != 0 || v.WrittenOff != out.Outstanding {
			t.Errorf("%d was out: %+v", out.Outstanding, v)
		}
	})
}

// TestDiskRolledBackTwice: an old image is noticed, and after some time a younger
// one comes back, of the time that the old one did not know.
func TestDiskRolledBackTwice(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		w, disk := newWire(dollars("cap", 1_000_000)), &memoryMarks{}
		image := func() *memoryMarks {
			disk.mu.Lock()
			defer disk.mu.Unlock()
			return &memoryMarks{seq: disk.seq, marks: maps.Clone(disk.marks)}
		}
		r := open(t, w, disk, nil)
		spend := func(pause time.Duration) {
			t.Helper()
			part := &r.resolve(t, ledger.Dimensions{}).Money
			r.must(t, part, Claim{USD: 2000}).Settle(Claim{USD: 2000}, nil)
			time.Sleep(pause)
		}
		spend(time.Second)
		old := image()
		for range 50 {
			spend(time.Second)
		}
		young := image()
		r.crash()
		disk = old
		r = open(t, w, disk, nil)
		spend(0) // and the ledger has not heard of it
		r.crash()
		before := w.account(t, whole("cap"))
		out := before.Outstanding
		open(t, w, young, nil)
		if v := w.account(t, whole("cap")); v.WrittenOff != before.WrittenOff+out || out == 0 {
			t.Errorf("%d was out of %+v: %+v", out, before, v)
		}
	})
}

// TestOpenRefused: the ledger knows this node by another data directory.
func TestOpenRefused(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		w := newWire(dollars("cap", 100))
		open(t, w, &memoryMarks{}, nil).crash()
		cfg := Default()
		cfg.Node, cfg.Store = "n1", ledger.StoreID{2}
		_, err := Open(t.Context(), cfg, Seams{Exchanger: w, Marks: &memoryMarks{}, Proofs: noProof})
		if rejected := (*RejectedError)(nil); !errors.As(err, &rejected) || rejected.Code != ledger.StoreMismatch {
			t.Errorf("opened with %v", err)
		}
	})
}

// flaky loses the first answers to a Register.
type flaky struct {
	*wire
	losses int
}

func (f *flaky) Register(ctx context.Context, r ledger.Register) (ledger.Outcome, error) {
	out, err := f.wire.Register(ctx, r)
	if f.losses--; f.losses >= 0 {
		return ledger.Outcome{}, errLost
	}
	return out, err
}

// TestOpenTriesAgain until it knows its incarnation, or its context ends.
func TestOpenTriesAgain(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		w := newWire(dollars("cap", 100))
		cfg := Default()
		cfg.Node = "n1"
		seams := Seams{Exchanger: &flaky{w, 3}, Marks: &memoryMarks{}, Proofs: noProof, Log: slog.New(slog.DiscardHandler)}
		p, err := Open(t.Context(), cfg, seams)
		if err != nil {
			t.Fatal(err)
		}
		p.Close()
		seams.Exchanger = &flaky{w, 1 << 30}
		ctx, cancel := context.WithTimeout(t.Context(), 5*time.Second)
		defer cancel()
		if _, err := Open(ctx, cfg, seams); !errors.Is(err, context.DeadlineExceeded) || !errors.Is(err, errLost) {
			t.Errorf("opened with %v", err)
		}
	})
}

// TestARestartAfterACleanStopIsNoWarning: no mark is left to name the incarnation,
// which the ledger then tells.
func TestARestartAfterACleanStopIsNoWarning(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		var log strings.Builder
		cfg := Default()
		cfg.Node = "n1"
		seams := Seams{Exchanger: newWire(dollars("cap", 100)), Marks: &memoryMarks{}, Proofs: noProof, Log: slog.New(slog.NewTextHandler(&log, nil))}
		for range 2 {
			p, err := Open(t.Context(), cfg, seams)
			if err != nil {
				t.Fatal(err)
			}
			p.Close()
		}
		if log.Len() > 0 {
			t.Errorf("the log says %s", &log)
		}
	})
}

// TestOpenWithoutProof: a node that cannot read its records does not start.
func TestOpenWithoutProof(t *testing.T) {
	disk := &memoryMarks{seq: 3, marks: map[markKey]ledger.Amount{{account: whole("cap"), incarnation: 1}: 5}}
	cfg := Default()
	cfg.Node = "n1"
	_, err := Open(t.Context(), cfg, Seams{Exchanger: newWire(), Marks: disk, Proofs: func(ledger.AccountKey, uint32) (Proof, error) {
		return Proof{}, errDisk
	}})
	if !errors.Is(err, errDisk) {
		t.Errorf("opened with %v", err)
	}
	if _, err := Open(t.Context(), Config{}, Seams{}); err == nil {
		t.Error("opened without a configuration")
	}
}
