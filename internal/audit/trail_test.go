package audit

import (
	"bytes"
	"errors"
	"fmt"
	"iter"
	"testing"

	"pgregory.net/rapid"

	"purser/ledger"
)

func records(t *Trail) (list [][]byte) {
	for b := range t.Records() {
		list = append(list, bytes.Clone(b))
	}
	return list
}

func asRead(list [][]byte) iter.Seq2[[]byte, error] {
	return func(yield func([]byte, error) bool) {
		for _, b := range list {
			if !yield(b, nil) {
				return
			}
		}
	}
}

func entries(t interface{ Fatal(...any) }, trail *Trail) (list []Entry) {
	for _, l := range trail.Recent() {
		e, err := l.Entry()
		if err != nil {
			t.Fatal(err)
		}
		list = append(list, e)
	}
	return list
}

// TestL8ATrailIsWhatWasAppended compares a trail with a list, over random changes and
// batches, some of them repeated, some late, through random restarts from records.
func TestL8ATrailIsWhatWasAppended(t *testing.T) {
	rapid.Check(t, func(t *rapid.T) {
		trail, plain := New(), New()
		var want []Entry
		var now ledger.Instant
		last := map[ledger.NodeID][2]uint64{}
		for range rapid.IntRange(0, 30).Draw(t, "steps") {
			stamp := ledger.Instant(rapid.Int64Range(0, 1000).Draw(t, "stamp"))
			switch rapid.IntRange(0, 3).Draw(t, "step") {
			case 0:
				e := drawnEvent(t)
				trail.Record(stamp, &e.Facts)
				plain.Record(stamp, &e.Facts)
				now = max(now, stamp)
				want = append(want, Entry{uint64(len(want) + 1), now, Event{Facts: e.Facts, Result: Applied, Count: 1}})
			case 1, 2:
				b := &Batch{
					Node: rapid.SampledFrom([]ledger.NodeID{"n1", "n2", "n3"}).Draw(t, "of"), Incarnation: rapid.Uint32Range(1, 3).Draw(t, "incarnation"),
					Seq: rapid.Uint64Range(1, 4).Draw(t, "seq"), Events: rapid.SliceOfN(rapid.Custom(drawnEvent), 1, 3).Draw(t, "events"),
				}
				number := [2]uint64{uint64(b.Incarnation), b.Seq}
				was := last[b.Node]
				known := number[0] < was[0] || number[0] == was[0] && number[1] <= was[1]
				out := trail.Append(stamp, b)
				if plain.Append(stamp, b) != out || (out.Code == Repeated) != known || out.Head != trail.Head() {
					t.Fatalf("Append of %v after %v = %+v", number, was, out)
				}
				now = max(now, stamp)
				if !known {
					last[b.Node] = number
					for _, e := range b.Events {
						want = append(want, Entry{uint64(len(want) + 1), now, e})
					}
				}
			default:
				back, err := Load(asRead(records(trail)))
				if err != nil {
					t.Fatal(err)
				}
				trail = back
			}
		}
		if got := entries(t, trail); fmt.Sprint(got) != fmt.Sprint(want) {
			t.Fatalf("entries %v\nwant    %v", got, want)
		}
		if trail.Digest() != plain.Digest() || trail.Head() != plain.Head() || trail.Now() != now {
			t.Fatal("restarts from records change the trail")
		}
		if v, err := Verify(sequence(trail.Recent()), Expect{After: &Head{}, Heads: []Head{trail.Head()}}); err != nil {
			t.Fatalf("%+v, %v", v, err)
		}
	})
}

// TestL9ATrailIsBounded: in entries, in bytes and in sources; what it forgets is the
// beginning, and the rest continues from its base.
func TestL9ATrailIsBounded(t *testing.T) {
	big := bytes.Repeat([]byte{'x'}, MaxDetail)
	for name, facts := range map[string]Facts{"many": {Action: "a"}, "large": {Before: big, After: big}} {
		trail := New()
		for i := range 2 * MaxRecent {
			if trail.Record(ledger.Instant(i), &facts); i == MaxRecent/2 {
				if len(trail.Recent()) == i+1 != (name == "many") {
					t.Errorf("%s: %d of %d entries are there", name, len(trail.Recent()), i+1)
				}
			}
		}
		size := 0
		for _, l := range trail.Recent() {
			size += len(l.Stored)
		}
		if n := len(trail.Recent()); n > MaxRecent || size > MaxRecentBytes || size != trail.bytes || n < 100 {
			t.Errorf("%s: %d entries of %d bytes", name, n, size)
		}
		base := trail.Base()
		if v, err := Verify(sequence(trail.Recent()), Expect{After: &base, Heads: []Head{trail.Head()}}); err != nil || v.Head.Seq != 2*MaxRecent {
			t.Errorf("%s: %+v, %v", name, v, err)
		}
		for _, seq := range []uint64{base.Seq, base.Seq + 1, trail.Head().Seq} {
			if h, ok := trail.At(seq); !ok || h.Seq != seq {
				t.Errorf("%s: At(%d) = %v, %v", name, seq, h, ok)
			}
		}
		for _, seq := range []uint64{base.Seq - 1, trail.Head().Seq + 1} {
			if _, ok := trail.At(seq); ok {
				t.Errorf("%s: At(%d) is beyond", name, seq)
			}
		}
	}
}

func TestL9SourcesAreBounded(t *testing.T) {
	trail := New()
	say := func(node string, seq uint64) Code {
		return trail.Append(1, &Batch{Node: ledger.NodeID(node), Incarnation: 1, Seq: seq, Events: []Event{{Result: Denied, Count: 1}}}).Code
	}
	for i := range MaxSources {
		say(fmt.Sprintf("n%05d", i), 1)
	}
	if say("n00000", 2) != Appended || say("another", 1) != Appended || len(trail.sources) != MaxSources {
		t.Fatalf("%d sources", len(trail.sources))
	}
	if say("n00000", 2) != Repeated || say("another", 1) != Repeated || say("n00002", 1) != Repeated {
		t.Error("a source that spoke of late was forgotten")
	}
	if say("n00001", 1) != Appended {
		t.Error("the one that was silent for longest was not forgotten")
	}
	if _, err := Load(asRead(records(trail))); err != nil {
		t.Error(err)
	}
}

func TestACloneDoesNotGrow(t *testing.T) {
	trail := New()
	for i := range 3 * MaxRecent / 2 {
		trail.Record(ledger.Instant(i), &Facts{Action: "a"})
	}
	clone := trail.Clone()
	before := clone.Digest()
	for i := range MaxRecent {
		trail.Record(ledger.Instant(i), &Facts{Action: "b"})
		if i%64 == 0 {
			other := clone.Clone()
			other.Record(1, &Facts{Action: "c"}) // a clone that grows by itself
		}
	}
	if clone.Digest() != before {
		t.Error("a clone changed with the trail")
	}
	if v, err := Verify(sequence(trail.Recent()), Expect{Heads: []Head{trail.Head()}}); err != nil {
		t.Errorf("the trail changed with a clone: %+v, %v", v, err)
	}
	cost := func(tr *Trail) float64 { return testing.AllocsPerRun(10, func() { tr.Clone() }) }
	if cost(New()) != cost(trail) {
		t.Error("a clone of many entries costs more than one of none")
	}
}

// TestRecordsThatWereTouchedAreNotLoaded: each byte of a small trail's records.
func TestRecordsThatWereTouchedAreNotLoaded(t *testing.T) {
	trail := New()
	trail.Record(7, &Facts{Node: "n1", Actor: "root", Action: "key.put", After: []byte(`{"a":1}`)})
	trail.Append(8, &Batch{Node: "n1", Incarnation: 1, Seq: 1, Events: []Event{{Result: Denied, Count: 3, First: 5}}})
	good := records(trail)
	for i := range good {
		for j := range good[i] {
			list := append([][]byte(nil), good...)
			list[i] = bytes.Clone(good[i])
			list[i][j] ^= 1
			back, err := Load(asRead(list))
			// Time and sources are not under the chain; the snapshot's digest covers them.
			if err == nil && back.Digest() == trail.Digest() {
				t.Errorf("byte %d of record %d was changed, and loads as if not", j, i)
			}
			if err != nil && !errors.Is(err, ErrMalformed) && !errors.Is(err, ErrUnknown) {
				t.Errorf("byte %d of record %d: %v", j, i, err)
			}
		}
		if _, err := Load(asRead(append(good[:i:i], good[i+1:]...))); err == nil && i != 1 {
			t.Errorf("without record %d it loads", i)
		}
	}
}
