package audit

import (
	"bytes"
	"encoding/hex"
	"errors"
	"flag"
	"fmt"
	"os"
	"path/filepath"
	"reflect"
	"strings"
	"testing"

	"pgregory.net/rapid"
)

var update = flag.Bool("update", false, "write testdata of the present version")

var goldenFacts = Facts{
	Node: "n1", Actor: "token:t1", Address: "192.0.2.1", Action: "budget.put", Target: "budget/b",
	Before: []byte(`{"limit":"1"}`), After: []byte(`{"limit":"2"}`),
}

func goldenTrail() *Trail {
	t := New()
	t.Record(1_700_000_000_000_000_000, &goldenFacts)
	t.Append(1_700_000_001_000_000_000, goldenBatch())
	return t
}

func goldenBatch() *Batch {
	return &Batch{Node: "n2", Incarnation: 3, Seq: 300, Events: []Event{
		{Facts: Facts{Node: "n2", Action: "policy.denied", Target: "policy/p"}, Result: Denied, Count: 1 << 33, First: 1_699_999_999_000_000_000},
		{Facts: goldenFacts, Result: Late, Count: 1, First: 5}, {Facts: Facts{Action: "node.lead"}, Result: Noted, Count: 1},
	}}
}

// TestCompatForms_v1: the bytes of every stored form, and that they are read again.
func TestCompatForms_v1(t *testing.T) {
	trail := goldenTrail()
	got := [][]byte{
		AppendFacts(nil, &goldenFacts), AppendBatch(nil, goldenBatch()), AppendLink(nil, trail.Recent()[0]),
		AppendOutcome(nil, Outcome{Appended, trail.Head()}), AppendOutcome(nil, Outcome{Repeated, Head{}}),
	}
	got = append(got, records(trail)...)
	path := filepath.Join("testdata", "forms_v1.hex")
	if *update {
		var out strings.Builder
		for _, b := range got {
			fmt.Fprintln(&out, hex.EncodeToString(b))
		}
		if err := os.WriteFile(path, []byte(out.String()), 0o644); err != nil {
			t.Fatal(err)
		}
	}
	text, err := os.ReadFile(path)
	if err != nil {
		t.Fatal(err)
	}
	var want [][]byte
	for line := range strings.Lines(string(text)) {
		b, err := hex.DecodeString(strings.TrimSpace(line))
		if err != nil {
			t.Fatal(err)
		}
		want = append(want, b)
	}
	if !reflect.DeepEqual(got, want) {
		t.Fatalf("%s: a stored form has changed; give it a new version", path)
	}
	if f, rest, err := DecodeFacts(append(want[0], 9)); err != nil || !reflect.DeepEqual(f, goldenFacts) || !bytes.Equal(rest, []byte{9}) {
		t.Errorf("facts %+v, rest %v, %v", f, rest, err)
	}
	if b, err := DecodeBatch(want[1]); err != nil || !reflect.DeepEqual(b, goldenBatch()) {
		t.Errorf("batch %+v, %v", b, err)
	}
	if l, err := DecodeLink(want[2]); err != nil || !reflect.DeepEqual(l, trail.Recent()[0]) {
		t.Errorf("link %+v, %v", l, err)
	}
	if o, err := DecodeOutcome(want[3]); err != nil || o != (Outcome{Appended, trail.Head()}) {
		t.Errorf("outcome %+v, %v", o, err)
	}
	if back, err := Load(asRead(want[5:])); err != nil || back.Digest() != trail.Digest() {
		t.Errorf("trail: %v", err)
	}
}

// TestL10WhatWasCleanedIsDecoded: whatever text a node is given, its facts can be stored.
func TestL10WhatWasCleanedIsDecoded(t *testing.T) {
	rapid.Check(t, func(t *rapid.T) {
		anything := rapid.Map(rapid.SliceOfN(rapid.Byte(), 0, 2*MaxText), func(b []byte) string { return string(b) })
		f := Facts{Actor: anything.Draw(t, "actor"), Address: anything.Draw(t, "address"), Action: anything.Draw(t, "action"), Target: anything.Draw(t, "target"),
			Before: []byte(anything.Draw(t, "before")), After: bytes.Repeat([]byte{'x'}, rapid.IntRange(0, MaxDetail+1).Draw(t, "after"))}.Clean()
		back, rest, err := DecodeFacts(AppendFacts(nil, &f))
		if err != nil || len(rest) != 0 || !reflect.DeepEqual(back, f) {
			t.Fatalf("%+v becomes %+v, %v", f, back, err)
		}
	})
	long := Facts{Actor: strings.Repeat("é", MaxText)}.Clean()
	if len(long.Actor) > MaxText || !strings.HasSuffix(long.Actor, "é…") {
		t.Errorf("%d bytes, ends with %q", len(long.Actor), long.Actor[len(long.Actor)-8:])
	}
}

// TestL9EveryFieldHasALimitHere: a batch or facts beyond it are not decoded.
func TestL9EveryFieldHasALimitHere(t *testing.T) {
	one := Event{Result: Denied, Count: 1}
	with := func(change func(*Event)) Event { e := one; change(&e); return e }
	cases := map[string]Batch{
		"no event":       {},
		"too many":       {Events: make([]Event, MaxBatch+1)},
		"long actor":     {Events: []Event{with(func(e *Event) { e.Actor = strings.Repeat("x", MaxText+1) })}},
		"long detail":    {Events: []Event{with(func(e *Event) { e.After = bytes.Repeat([]byte{'x'}, MaxDetail+1) })}},
		"not UTF-8":      {Events: []Event{with(func(e *Event) { e.Target = "\xff" })}},
		"counted never":  {Events: []Event{with(func(e *Event) { e.Count = 0 })}},
		"unknown result": {Events: []Event{with(func(e *Event) { e.Result = 99 })}},
		"no result":      {Events: []Event{with(func(e *Event) { e.Result = 0 })}},
	}
	for i := range cases["too many"].Events {
		cases["too many"].Events[i] = one
	}
	for name, b := range cases {
		if got, err := DecodeBatch(AppendBatch(nil, &b)); !errors.Is(err, ErrMalformed) {
			t.Errorf("%s: %+v, %v", name, got, err)
		}
	}
}

// FuzzDecode: what a decoder takes, its encoder writes again, byte for byte: a hash
// stands for one content.
func FuzzDecode(f *testing.F) {
	trail := goldenTrail()
	f.Add(AppendBatch(nil, goldenBatch()))
	f.Add(AppendFacts(nil, &goldenFacts))
	for _, l := range trail.Recent() {
		f.Add(l.Stored)
		f.Add(AppendLink(nil, l))
	}
	f.Add([]byte{1, 1, 0x80, 0x00})
	f.Fuzz(func(t *testing.T, b []byte) {
		if e, err := DecodeEntry(b); err == nil && !bytes.Equal(AppendEntry(nil, &e), b) {
			t.Errorf("entry %x is written again as %x", b, AppendEntry(nil, &e))
		}
		if c, err := DecodeBatch(b); err == nil && !bytes.Equal(AppendBatch(nil, c), b) {
			t.Errorf("batch %x is written again as %x", b, AppendBatch(nil, c))
		}
		if c, rest, err := DecodeFacts(b); err == nil && !bytes.Equal(append(AppendFacts(nil, &c), rest...), b) {
			t.Errorf("facts %x are written again otherwise", b)
		}
		if l, err := DecodeLink(b); err == nil && !bytes.Equal(AppendLink(nil, l), b) {
			t.Errorf("link %x is written again otherwise", b)
		}
		_, _ = Load(asRead([][]byte{b}))
	})
}
