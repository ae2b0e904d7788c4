package outcomes

import (
	"context"
	"encoding/hex"
	"errors"
	"fmt"
	"os"
	"path/filepath"
	"strings"
	"testing"

	"purser/internal/economics"
	"purser/ledger"

	"pgregory.net/rapid"
)

func payment(id string, change func(*economics.Payment)) economics.Payment {
	p := economics.Payment{ID: id, Revision: 1, Customer: "globex", Plan: "pro", Cohort: "2026-01", From: 30 * day, To: 60 * day, Amount: 99 * ledger.NanoPerUSD, Taken: 61 * day}
	if change != nil {
		change(&p)
	}
	return p
}

func paid(t testing.TB, s *Payments, p ...economics.Payment) []Paid {
	t.Helper()
	for i := range p {
		if field, err := CheckPayment(&p[i]); err != nil {
			t.Fatal(field, err)
		}
	}
	out, err := s.Put(p)
	if err != nil {
		t.Fatal(err)
	}
	return out
}

func allPaid(t testing.TB, s *Payments) (list []economics.Payment) {
	t.Helper()
	if err := s.From(context.Background(), 0, func(p economics.Payment) error { list = append(list, p); return nil }); err != nil {
		t.Fatal(err)
	}
	return list
}

// TestTheHighestRevisionCounts: it takes the place of what it corrects, wherever in time
// that was, and an older file that comes again changes nothing.
func TestTheHighestRevisionCounts(t *testing.T) {
	s := OpenPayments(open(t).store, nil)
	if got := paid(t, s, payment("a", nil), payment("a", nil), payment("b", nil)); got[0].State != Recorded || got[1].State != Known || got[2].State != Recorded {
		t.Fatalf("%+v", got)
	}
	for field, change := range map[string]func(*economics.Payment){
		"customer": func(p *economics.Payment) { p.Customer = "x" }, "plan": func(p *economics.Payment) { p.Plan = "" }, "cohort": func(p *economics.Payment) { p.Cohort = "" },
		"period": func(p *economics.Payment) { p.To++ }, "amount": func(p *economics.Payment) { p.Amount++ },
	} {
		if got := paid(t, s, payment("a", change))[0]; got.State != Conflict || got.Differs != field || got.Payment.Amount != 99*ledger.NanoPerUSD {
			t.Errorf("%s: %+v", field, got)
		}
	}
	corrected := payment("a", func(p *economics.Payment) { p.Revision, p.From, p.To, p.Amount = 2, 90*day, 120*day, 5 })
	if got := paid(t, s, corrected)[0]; got.State != Recorded {
		t.Fatalf("%+v", got)
	}
	if got := paid(t, s, payment("a", nil))[0]; got.State != Outdated || got.Payment.Revision != 2 {
		t.Errorf("%+v", got)
	}
	list := allPaid(t, s)
	if len(list) != 2 || list[1] != corrected {
		t.Errorf("%+v", list)
	}
	later := payment("b", func(p *economics.Payment) { p.Revision = 7 })
	kept, err := s.Revise([]economics.Payment{later, payment("nobody's", nil)})
	if err != nil || len(kept) != 1 || kept[0].Revision != 7 || len(allPaid(t, s)) != 2 {
		t.Errorf("%+v %v", kept, err)
	}
	if err := s.DropBefore(context.Background(), 70*day); err != nil {
		t.Fatal(err)
	}
	if list := allPaid(t, s); len(list) != 1 || list[0].ID != "a" {
		t.Errorf("%+v", list)
	}
}

// TestACorrectionForAnotherTimeCountsOnce: what was corrected to another month is not in the
// first one, too, be it that a peer's copy of the first revision is still there, or that
// another node, which was away, has it as its own.
func TestACorrectionForAnotherTimeCountsOnce(t *testing.T) {
	first := payment("a", func(p *economics.Payment) { p.From, p.To = 400*day, 430*day })
	for _, move := range []ledger.Instant{-30 * day, 45 * day} {
		store := open(t).store
		moved := payment("a", func(p *economics.Payment) { p.Revision, p.From, p.To = 2, first.From+move, first.To+move })
		copied, other := Copied(store, "n2").Payments, OpenPayments(store, nil)
		paid(t, copied, first)
		key := copied.shelf.key(first.To, paymentMark("a"))
		stale, err := copied.shelf.read(key)
		if err != nil || stale == nil {
			t.Fatal(err)
		}
		paid(t, copied, moved)
		if err := store.DB().Set(key, stale, nil); err != nil { // copies are not deleted
			t.Fatal(err)
		}
		if list := allPaid(t, copied); len(list) != 1 || list[0] != moved {
			t.Errorf("moved by %d: the copies are %+v", move/day, list)
		}
		paid(t, other, first)
		for _, span := range [][2]ledger.Instant{{400 * day, 430 * day}, {370 * day, 400 * day}, {445 * day, 475 * day}, {0, 1000 * day}} {
			l := NewLedger(span[0], span[1])
			for _, s := range []*Payments{other, copied} {
				if err := s.Concerning(context.Background(), span[0], span[1], l.Add); err != nil {
					t.Fatal(err)
				}
			}
			overlaps := moved.From < span[1] && moved.To > span[0]
			if list := l.Payments(); len(list) > 1 || (len(list) == 1) != overlaps || overlaps && list[0] != moved {
				t.Errorf("moved by %d, of %d: %+v", move/day, span[0]/day, list)
			}
		}
	}
}

// TestNodesAgreeWhateverTheOrder in which they tell of payments.
func TestNodesAgreeWhateverTheOrder(t *testing.T) {
	all := []economics.Payment{
		payment("a", nil), payment("a", func(p *economics.Payment) { p.Taken, p.Amount = 70*day, 1 }),
		payment("b", nil), payment("b", func(p *economics.Payment) { p.Revision, p.Amount = 2, 3 }),
		payment("c", func(p *economics.Payment) { p.Revision, p.From, p.To = 2, 200*day, 210*day }), payment("c", nil),
	}
	rapid.Check(t, func(t *rapid.T) {
		l := NewLedger(0, 100*day)
		for _, p := range rapid.Permutation(all).Draw(t, "order") {
			if err := l.Add(p); err != nil {
				t.Fatal(err)
			}
		}
		amounts := map[string]ledger.Amount{}
		for _, p := range l.Payments() {
			amounts[p.ID] = p.Amount
		}
		if len(amounts) != 2 || amounts["a"] != 99*ledger.NanoPerUSD || amounts["b"] != 3 || l.Conflicts() != 1 {
			t.Fatalf("%v, %d conflicts", amounts, l.Conflicts())
		}
	})
}

// TestCompatPaymentV1: bytes that were written once are read for good.
func TestCompatPaymentV1(t *testing.T) {
	want := payment("inv-2026-03", func(p *economics.Payment) { p.Amount = -12_345_678_901 })
	key := OpenPayments(nil, nil).shelf.key(want.To, paymentMark(want.ID))
	line := hex.EncodeToString(key) + " " + hex.EncodeToString(appendPayment(nil, &want))
	path := filepath.Join("testdata", "payment_v1.hex")
	if _, err := os.Stat(path); errors.Is(err, os.ErrNotExist) && *update {
		if err := os.WriteFile(path, []byte(line+"\n"), 0o644); err != nil {
			t.Fatal(err)
		}
	}
	golden, err := os.ReadFile(path)
	if err != nil {
		t.Fatal(err)
	}
	if line != strings.TrimSpace(string(golden)) {
		t.Fatal("it is written otherwise: that takes another version")
	}
	_, v, _ := strings.Cut(line, " ")
	value, err := hex.DecodeString(v)
	if err != nil {
		t.Fatal(err)
	}
	if got, err := decodePayment(value); err != nil || got != want {
		t.Errorf("%+v %v", got, err)
	}
}

// FuzzDecodePayment: no bytes are more than refused, and what is read is written alike.
func FuzzDecodePayment(f *testing.F) {
	p := payment("a", nil)
	f.Add(appendPayment(nil, &p))
	f.Fuzz(func(t *testing.T, value []byte) {
		p, err := decodePayment(value)
		if err != nil {
			return
		}
		if again, err := decodePayment(appendPayment(nil, &p)); err != nil || fmt.Sprint(again) != fmt.Sprint(p) {
			t.Errorf("%+v %+v %v", p, again, err)
		}
	})
}
