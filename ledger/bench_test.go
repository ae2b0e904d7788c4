package ledger

import (
	"fmt"
	"sync"
	"testing"
)

func BenchmarkApplyExchange(b *testing.B) {
	for _, accounts := range []int{1_000, 1_000_000} {
		b.Run(fmt.Sprint("accounts=", accounts), func(b *testing.B) {
			s, keys := populated(accounts)
			x := &Exchange{Node: "n1", Incarnation: 1, Seq: uint64(accounts)}
			for i := range 4 {
				x.Rows = append(x.Rows, Row{Account: keys[i*accounts/4], Rate: 1, Want: 1})
			}
			x.Needs = []Need{{[]Claim{{0, 1}, {1, 1}, {2, 1}, {3, 1}}}}
			b.ReportAllocs()
			for b.Loop() {
				x.Seq++
				for i := range x.Rows {
					x.Rows[i].Spent++
				}
				if out := s.Apply(1, x); out.Code != Applied {
					b.Fatal(out.Code)
				}
			}
		})
	}
}

// million is made once for all benchmarks that need it.
var million = sync.OnceValues(func() (*State, []AccountKey) { return populate(1_000_000) })

// populated is a ledger with that many accounts, one lease each.
func populated(accounts int) (*State, []AccountKey) {
	if accounts == 1_000_000 {
		s, keys := million()
		s = s.Clone()
		s.Apply(1, Register{Node: "n2"}) // so that the first writes are not the benchmark's
		return s, keys
	}
	return populate(accounts)
}

func populate(accounts int) (*State, []AccountKey) {
	s := New()
	s.limits.leasesPerNode = accounts + 1
	s.Apply(0, PutBudget{Budget: Budget{ID: "team", Unit: USD, Limit: MaxAmount / 2, Window: Window{Kind: Total}, Each: []DimRef{{Dim: DimCustomer}}}})
	s.Apply(0, Register{Node: "n1"})
	x := &Exchange{Node: "n1", Incarnation: 1}
	var keys []AccountKey
	for i := range accounts {
		k := AccountKey{Budget: "team", Split: Split(fmt.Sprintf("customer-%08d", i))}
		keys = append(keys, k)
		x.Rows = append(x.Rows, Row{Account: k})
		x.Needs = append(x.Needs, Need{[]Claim{{len(x.Rows) - 1, 10}}})
		if len(x.Rows) == MaxRows || i == accounts-1 {
			x.Seq++
			if out := s.Apply(1, x); out.Code != Applied {
				panic(out.Code)
			}
			x.Rows, x.Needs = x.Rows[:0], x.Needs[:0]
		}
	}
	return s, keys
}

func TestApplyAllocations(t *testing.T) {
	s, keys := populated(1000)
	x := &Exchange{Node: "n1", Incarnation: 1, Seq: 1000}
	for i := range 4 {
		x.Rows = append(x.Rows, Row{Account: keys[i*250], Rate: 1})
	}
	x.Needs = []Need{{[]Claim{{0, 1}, {1, 1}, {2, 1}, {3, 1}}}}
	n := testing.AllocsPerRun(100, func() {
		x.Seq++
		s.Apply(1, x)
	})
	// The answer, its rows and its needs: they are kept as the node's last answer.
	if n > 3 && !raceEnabled {
		t.Errorf("an Exchange allocates %v times, want 3", n)
	}
	if n := testing.AllocsPerRun(100, func() { s.Apply(1, Tick{}) }); n > 0 {
		t.Errorf("a Tick allocates %v times", n)
	}
}

// BenchmarkApplyAfterClone is an Exchange that must copy what it changes.
func BenchmarkApplyAfterClone(b *testing.B) {
	s, keys := populated(1_000_000)
	x := &Exchange{Node: "n1", Incarnation: 1, Seq: 1_000_000, Rows: []Row{{Account: keys[777], Rate: 1}}}
	b.ReportAllocs()
	for b.Loop() {
		s.Clone()
		x.Seq++
		s.Apply(1, x)
	}
}

func BenchmarkClone(b *testing.B) {
	s, _ := populated(1_000_000)
	var clone *State
	b.ReportAllocs()
	for b.Loop() {
		clone = s.Clone()
	}
	if clone.Now() != s.Now() {
		b.Fatal("another time")
	}
}

func BenchmarkTick(b *testing.B) {
	s, _ := populated(1_000_000)
	for b.Loop() {
		s.Apply(1, Tick{})
	}
}

func BenchmarkDigest(b *testing.B) {
	s, _ := populated(100_000)
	for b.Loop() {
		s.Digest()
	}
}

func BenchmarkChangeOfLimit(b *testing.B) {
	s, _ := populated(1_000_000)
	budget, _ := s.Budget("team")
	next := *budget
	for b.Loop() {
		next.Limit ^= 1
		s.Apply(1, PutBudget{Budget: next})
	}
}

func BenchmarkDecodeExchange(b *testing.B) {
	x := samples()[3]
	buf := AppendCommand(nil, x)
	b.ReportAllocs()
	for b.Loop() {
		if _, err := DecodeCommand(buf); err != nil {
			b.Fatal(err)
		}
	}
}
