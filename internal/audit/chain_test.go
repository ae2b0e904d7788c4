package audit

import (
	"bytes"
	"errors"
	"fmt"
	"iter"
	"slices"
	"testing"

	"pgregory.net/rapid"

	"purser/ledger"
)

// drawnEvent is any event that a node may write down.
func drawnEvent(t *rapid.T) Event {
	words := rapid.SampledFrom([]string{"", "root", "person:ada", "10.0.0.1", "budget.put", "budget/b", "é€😀"})
	details := rapid.SampledFrom([]string{"", `{"a":1}`, `{"limit":"10"}`, `[]`})
	return Event{
		Facts: Facts{
			Node: ledger.NodeID(words.Draw(t, "node")), Actor: words.Draw(t, "actor"), Address: words.Draw(t, "address"),
			Action: words.Draw(t, "action"), Target: words.Draw(t, "target"),
			Before: detail([]byte(details.Draw(t, "before"))), After: detail([]byte(details.Draw(t, "after"))),
		},
		Result: rapid.SampledFrom([]Result{Applied, Denied, Late, Noted}).Draw(t, "result"),
		Count:  rapid.Uint64Range(1, 1<<40).Draw(t, "count"),
		First:  ledger.Instant(rapid.Int64().Draw(t, "first")),
	}
}

func drawnChain(t *rapid.T, after Head) []Link {
	var list []Link
	for range rapid.IntRange(1, 12).Draw(t, "entries") {
		l := NewLink(after.Hash, &Entry{Seq: after.Seq + 1, At: ledger.Instant(rapid.Int64().Draw(t, "at")), Event: drawnEvent(t)})
		after = Head{after.Seq + 1, l.Hash}
		list = append(list, l)
	}
	return list
}

func sequence(list []Link) iter.Seq2[Link, error] {
	return func(yield func(Link, error) bool) {
		for _, l := range list {
			if !yield(l, nil) {
				return
			}
		}
	}
}

// stored is a sequence as it comes from where links are kept as bytes.
func stored(list [][]byte) iter.Seq2[Link, error] {
	return func(yield func(Link, error) bool) {
		for _, b := range list {
			if !yield(DecodeLink(b)) {
				return
			}
		}
	}
}

func headOf(list []Link, after Head) Head {
	if len(list) == 0 {
		return after
	}
	return Head{after.Seq + uint64(len(list)), list[len(list)-1].Hash}
}

func TestASoundChainVerifies(t *testing.T) {
	rapid.Check(t, func(t *rapid.T) {
		after := Head{}
		if rapid.Bool().Draw(t, "in the middle") {
			after = Head{Seq: rapid.Uint64Range(1, 1<<40).Draw(t, "after"), Hash: Hash{1}}
		}
		list := drawnChain(t, after)
		head := headOf(list, after)
		for _, expect := range []Expect{{}, {After: &after}, {After: &after, Heads: []Head{after, head}}} {
			v, err := Verify(sequence(list), expect)
			if err != nil || v.After != after || v.Head != head || v.Entries != uint64(len(list)) || v.Compared != len(expect.Heads) {
				t.Fatalf("Verify = %+v, %v", v, err)
			}
		}
	})
}

// TestA1EverySingleEditIsFound: any byte changed, any entry removed, repeated, moved or
// put in, of a chain whose ends are known; and the entry that is named is at or before
// the place of the edit's end, never behind it.
func TestA1EverySingleEditIsFound(t *testing.T) {
	rapid.Check(t, func(t *rapid.T) {
		after := Head{Seq: rapid.Uint64Range(0, 3).Draw(t, "after")}
		if after.Seq > 0 {
			after.Hash = Hash{7}
		}
		list := drawnChain(t, after)
		var raw [][]byte
		for _, l := range list {
			raw = append(raw, AppendLink(nil, l))
		}
		at := rapid.IntRange(0, len(raw)-1).Draw(t, "at")
		first, want := at, Fault("")
		switch edit := rapid.SampledFrom([]string{"byte", "cut", "drop", "swap", "repeat", "forge"}).Draw(t, "edit"); edit {
		case "byte":
			b := bytes.Clone(raw[at])
			b[rapid.IntRange(0, len(b)-1).Draw(t, "byte")] ^= byte(rapid.IntRange(1, 255).Draw(t, "bits"))
			raw[at] = b
		case "cut":
			raw[at] = raw[at][:rapid.IntRange(0, len(raw[at])-1).Draw(t, "length")]
		case "drop":
			raw, want = slices.Delete(raw, at, at+1), Removed
		case "swap":
			other := rapid.IntRange(0, len(raw)-1).Filter(func(i int) bool { return i != at }).Draw(t, "with")
			if len(raw) > 1 {
				raw[at], raw[other] = raw[other], raw[at]
			}
			first, want = min(at, other), Reordered
		case "repeat":
			to := rapid.IntRange(at+1, len(raw)).Draw(t, "to")
			raw, want = slices.Insert(raw, to, raw[at]), Inserted
		case "forge": // sound in itself, in another's place
			prev := after.Hash
			if at > 0 {
				prev = list[at-1].Hash
			}
			forged := NewLink(prev, &Entry{Seq: after.Seq + uint64(at) + 1, Event: Event{Result: Applied, Count: 1, Facts: Facts{Action: "forged"}}})
			if rapid.Bool().Draw(t, "between") {
				raw = slices.Insert(raw, at, AppendLink(nil, forged))
			} else {
				raw[at] = AppendLink(nil, forged)
				first++ // the next one does not continue it, or the head is another
			}
		}
		_, err := Verify(stored(raw), Expect{After: &after, Heads: []Head{headOf(list, after)}})
		var broken *BrokenError
		if !errors.As(err, &broken) {
			t.Fatalf("not found: %v", err)
		}
		if got := int(broken.Seq-after.Seq) - 1; got > max(first, 0) && want != "" || broken.Seq <= after.Seq && want == Removed {
			t.Errorf("entry %d is named, the edit is at %d: %v", got, first, err)
		}
		if want != "" && broken.Fault != want {
			t.Errorf("found %v, it is %s", err, want)
		}
	})
}

// TestARewrittenChainNeedsAHead: what a chain alone cannot show, and a noted head does.
func TestARewrittenChainNeedsAHead(t *testing.T) {
	build := func(third string) (list []Link) {
		var at Head
		for _, action := range []string{"a", "b", third, "d"} {
			l := NewLink(at.Hash, &Entry{Seq: at.Seq + 1, Event: Event{Facts: Facts{Action: action}, Result: Applied, Count: 1}})
			at = Head{at.Seq + 1, l.Hash}
			list = append(list, l)
		}
		return list
	}
	honest, forged := build("c"), build("x")
	if _, err := Verify(sequence(forged), Expect{}); err != nil {
		t.Fatalf("a chain made anew is sound in itself: %v", err)
	}
	noted := func(n int) Expect { return Expect{Heads: []Head{headOf(honest[:n], Head{})}} }
	for n := 1; n <= 4; n++ {
		v, err := Verify(sequence(forged), noted(n))
		if found := err != nil; found != (n >= 3) || v.Compared != 1 {
			t.Errorf("with the head of entry %d: %v, %d compared", n, err, v.Compared)
		}
		if _, err := Verify(sequence(honest), noted(n)); err != nil {
			t.Errorf("honest, with the head of entry %d: %v", n, err)
		}
		if _, err := Verify(sequence(honest[:n-1]), noted(n)); err == nil {
			t.Errorf("the end from entry %d is cut off, and that was not found", n)
		}
	}
}

func TestAnErrorOfTheSourceIsNotAFindingOfTheChain(t *testing.T) {
	errDisk := errors.New("disk")
	_, err := Verify(func(yield func(Link, error) bool) { yield(Link{}, errDisk) }, Expect{})
	var broken *BrokenError
	if !errors.Is(err, errDisk) || errors.As(err, &broken) {
		t.Errorf("Verify = %v", err)
	}
}

func TestHeadsAreReadAsTheyAreWritten(t *testing.T) {
	h := Head{Seq: 42, Hash: Hash{1, 2, 255}}
	if got, err := ParseHead(h.String()); err != nil || got != h {
		t.Errorf("%s is read as %v, %v", h, got, err)
	}
	for _, s := range []string{"", "42", "42:", "x:" + fmt.Sprintf("%064x", 1), "42:zz", "-1:" + fmt.Sprintf("%064x", 1), "42:00"} {
		if got, err := ParseHead(s); err == nil {
			t.Errorf("%q is read as %v", s, got)
		}
	}
}
