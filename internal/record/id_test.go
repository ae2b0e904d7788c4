package record

import (
	"strings"
	"testing"

	"purser/ledger"

	"pgregory.net/rapid"
)

func TestIDsSortByTime(t *testing.T) {
	instant := rapid.Int64Min(0)
	rapid.Check(t, func(t *rapid.T) {
		a, b := instant.Draw(t, "a"), instant.Draw(t, "b")
		ida, idb := NewID(ledger.Instant(a)), NewID(ledger.Instant(b))
		if a != b && (ida < idb) != (a < b) {
			t.Fatalf("%s of %d, %s of %d", ida, a, idb, b)
		}
		id, ok := ParseID(ida)
		if !ok || id.At() != ledger.Instant(a) || id.String() != ida {
			t.Fatalf("%s parses to %v of %d, want %d", ida, id, id.At(), a)
		}
		first := FirstID(ledger.Instant(a))
		if first.String() > ida || a > 0 && NewID(ledger.Instant(a-1)) >= first.String() {
			t.Fatalf("the first id of %d is %v", a, first)
		}
	})
}

func TestIDHasItsForm(t *testing.T) {
	id := NewID(1_790_000_000_000_000_000)
	if len(id) != 30 || !strings.HasPrefix(id, "req_") || strings.Trim(id[4:], alphabet) != "" {
		t.Errorf("%q", id)
	}
	if id == NewID(1_790_000_000_000_000_000) {
		t.Error("two ids of one instant are alike")
	}
	if _, ok := ParseID(NewID(-5)); !ok {
		t.Error("the id of an instant before the epoch does not parse")
	}
}

func TestForeignIDsDoNotParse(t *testing.T) {
	good := NewID(1)
	for _, s := range []string{
		"", "req_", good[:29], good + "0", "REQ_" + good[4:], strings.ToUpper(good), "req_8" + good[5:],
		"req_zzzzzzzzzzzzzzzzzzzzzzzzzz", "req_7zzzzzzzzzzzzzzzzzzzzzzzzz", "req_0000000000000000000000000u", "req_000000000000000000000000é",
	} {
		if id, ok := ParseID(s); ok {
			t.Errorf("%q parses to %v", s, id)
		}
	}
}

func FuzzParseID(f *testing.F) {
	f.Add(NewID(1))
	f.Fuzz(func(t *testing.T, s string) {
		if id, ok := ParseID(s); ok && (id.String() != s || id.At() < 0) {
			t.Fatalf("%q parses to %v", s, id)
		}
	})
}

func BenchmarkNewID(b *testing.B) {
	b.ReportAllocs()
	for b.Loop() {
		NewID(1_790_000_000_000_000_000)
	}
}
