package ledger

import (
	"bytes"
	"encoding/hex"
	"fmt"
	"os"
	"reflect"
	"strings"
	"testing"

	"pgregory.net/rapid"
)

// samples are commands with a value in every field. Their bytes are stored in
// testdata/golden: a change there breaks every cluster that has a log.
func samples() []Command {
	k := AccountKey{Budget: "team-7", Split: `acme|b\|c`, Start: 1_767_225_600 * Second}
	return []Command{
		PutBudget{Budget: Budget{
			ID:    "team-7",
			Match: []Condition{{Dim: DimRef{Dim: DimTeam}, Values: []string{"a", "b"}}, {Dim: DimRef{Dim: DimTag, Tag: "tier"}, Values: []string{"gold"}}},
			Each:  []DimRef{{Dim: DimCustomer}, {Dim: DimTag, Tag: "job"}},
			Unit:  Tokens, Limit: 1_000_000,
			Window: Window{Kind: PerDay, Zone: Zone{Name: "Europe/Berlin", Base: 3600, Transitions: []Transition{
				{At: 1_774_746_000 * Second, Offset: 7200}, {At: 1_792_890_000 * Second, Offset: 3600},
			}}},
			Soft: true, Alerts: []uint8{50, 80, 100},
		}},
		DeleteBudget{ID: "team-7"},
		Register{Node: "n1", Store: StoreID{1, 2, 3, 255}, Previous: 6, MarkSeq: 300, Evidence: []Evidence{
			{Account: k, Incarnation: 6, Mark: 5_000_000_000, Proven: 4_999_999_999, Overrun: 17},
		}},
		&Exchange{Node: "n1", Incarnation: 7, Seq: 12, MarkSeq: 301, Rows: []Row{
			{Account: k, Spent: 1, Overrun: 2, Returned: 3, Want: 4, Rate: 5, Done: true},
			{Account: AccountKey{Budget: "conc"}, Want: -1},
		}, Needs: []Need{{Claims: []Claim{{Row: 1, Missing: 9}, {Row: 0, Missing: 1 << 40}}}, {}}},
		Tick{},
		Fence{Node: "n1"},
		Restore{Generation: 3},
		Checkpoint{Index: 70_000, Digest: [32]byte{1, 2, 31: 255}},
		Release{ID: "team-7"},
		PutBudget{
			Budget: Budget{ID: "b", Unit: USD, Limit: 5, Window: Window{Kind: PerDay}, Breaker: Breaker{Probes: 3, RateTimes: 300, Overrun: 70, CoolDown: Minute}},
			Expect: 1 << 63,
		},
		PutRaise{Raise{Budget: "team-7", ID: "r-1", Split: k.Split, Amount: 20, Until: k.Start + 1, Reason: "launch"}},
		PutRaise{Raise{Budget: "b", ID: "r-2", All: true, Amount: 1, Until: k.Start}},
		EndRaise{Budget: "team-7", ID: "r-1"},
		TripBudget{Scope: Scope{Budget: "team-7", Split: k.Split}, Cause: ByRate, Reason: "12 times its rate", For: Hour},
		ResetBreaker{Scope: Scope{Budget: "b", All: true}, Close: true},
		Probed{Scope: Scope{Budget: "b", All: true}, Serial: 300, Good: true},
	}
}

func sampleOutcomes() []Outcome {
	return []Outcome{
		{Code: Applied, Incarnation: 8},
		{Code: Repeated, Answer: &Answer{
			Node: "n1", Incarnation: 7, Seq: 12,
			Rows:  []AnswerRow{{State: Open, Granted: 100, Ceiling: MaxAmount, Recall: 3}, {State: Unbacked}},
			Needs: []NeedResult{{Verdict: NeedGranted}, {Verdict: NeedExhausted, Row: 1}},
		}},
	}
}

func TestCodecGolden(t *testing.T) {
	const file = "testdata/golden"
	var got strings.Builder
	for _, c := range samples() {
		fmt.Fprintf(&got, "%T %s\n", c, hex.EncodeToString(AppendCommand(nil, c)))
	}
	for _, o := range sampleOutcomes() {
		fmt.Fprintf(&got, "%T %s\n", o, hex.EncodeToString(AppendOutcome(nil, o)))
	}
	for rec := range sampleState(t).Records() {
		fmt.Fprintf(&got, "record %s\n", hex.EncodeToString(rec))
	}
	for rec := range sampleRestored(t).Records() {
		fmt.Fprintf(&got, "restored %s\n", hex.EncodeToString(rec))
	}
	for rec := range sampleRuled(t).Records() {
		fmt.Fprintf(&got, "ruled %s\n", hex.EncodeToString(rec))
	}
	if *rewrite {
		if err := os.WriteFile(file, []byte(got.String()), 0o644); err != nil {
			t.Fatal(err)
		}
	}
	want, err := os.ReadFile(file)
	if err != nil {
		t.Fatal(err)
	}
	if got.String() != string(want) {
		t.Fatalf("the encoding changed; got\n%swant\n%s", got.String(), want)
	}
}

// TestCodecGoldenDecodes reads the stored bytes, as a later version must.
func TestCodecGoldenDecodes(t *testing.T) {
	text, err := os.ReadFile("testdata/golden")
	if err != nil {
		t.Fatal(err)
	}
	commands, outcomes := samples(), sampleOutcomes()
	var records, restored, ruled [][]byte
	for line := range strings.Lines(string(text)) {
		kind, digits, _ := strings.Cut(strings.TrimSpace(line), " ")
		b, err := hex.DecodeString(digits)
		if err != nil {
			t.Fatal(err)
		}
		switch kind {
		case "record":
			records = append(records, b)
		case "restored":
			restored = append(restored, b)
		case "ruled":
			ruled = append(ruled, b)
		case "ledger.Outcome":
			o, err := DecodeOutcome(b)
			if err != nil || !reflect.DeepEqual(o, outcomes[0]) {
				t.Errorf("%s is %+v, %v", line, o, err)
			}
			outcomes = outcomes[1:]
		default:
			c, err := DecodeCommand(b)
			if err != nil || !reflect.DeepEqual(c, commands[0]) {
				t.Errorf("%s is %+v, %v", line, c, err)
			}
			commands = commands[1:]
		}
	}
	s, err := loadAll(records)
	if err != nil {
		t.Fatal(err)
	}
	if s.Digest() != sampleState(t).Digest() {
		t.Error("the stored snapshot is another state")
	}
	if s, err = loadAll(restored); err != nil {
		t.Fatal(err)
	}
	if s.Digest() != sampleRestored(t).Digest() || s.Generation() != 1 {
		t.Error("the stored snapshot of a restored ledger is another state")
	}
	if s, err = loadAll(ruled); err != nil {
		t.Fatal(err)
	}
	if s.Digest() != sampleRuled(t).Digest() || len(s.Raises("team")) != 2 || len(s.Trips("team")) != 2 {
		t.Error("the stored snapshot of a ledger with raises and trips is another state")
	}
}

// sampleState has a value in every field of every record.
func sampleState(t failer) *State {
	s := New()
	k := AccountKey{Budget: "team", Split: "a"}
	steps := []Command{
		PutBudget{Budget: Budget{ID: "team", Unit: USD, Limit: 100, Window: Window{Kind: PerMinute}, Each: []DimRef{{Dim: DimTeam}}}},
		PutBudget{Budget: Budget{ID: "old", Unit: Slots, Limit: 3, Window: Window{Kind: Total}, Soft: true}},
		Register{Node: "n1", Store: StoreID{9}, MarkSeq: 4},
		Register{Node: "n2", MarkSeq: 1},
		Register{Node: "n3"},
		&Exchange{Node: "n1", Incarnation: 1, Seq: 1, MarkSeq: 5, Rows: []Row{{Account: k, Rate: 3}, {Account: AccountKey{Budget: "old"}}},
			Needs: []Need{{[]Claim{{0, 60}, {1, 1}}}}},
		&Exchange{Node: "n2", Incarnation: 1, Seq: 1, Rows: []Row{{Account: k}}, Needs: []Need{{[]Claim{{0, 30}}}}},
		&Exchange{Node: "n3", Incarnation: 1, Seq: 1, Rows: []Row{{Account: k}}, Needs: []Need{{[]Claim{{0, 5}}}}},
		Fence{"n3"},
		DeleteBudget{"old"},
		&Exchange{Node: "n1", Incarnation: 1, Seq: 2, MarkSeq: 6, Rows: []Row{{Account: k, Spent: 62, Overrun: 2, Rate: 3}}},
		&Exchange{Node: "n2", Incarnation: 1, Seq: 2, Rows: []Row{{Account: k, Spent: 10, Overrun: 3, Done: true}}},
		&Exchange{Node: "n2", Incarnation: 1, Seq: 3, Rows: []Row{{Account: k}}, Needs: []Need{{[]Claim{{0, 9}}}, {[]Claim{{0, 15}}}}},
		Register{Node: "n4"},
		&Exchange{Node: "n4", Incarnation: 1, Seq: 1, Rows: []Row{{Account: k, Spent: 3, Overrun: 3, Done: true}}},
		Register{Node: "n2", Previous: 1, MarkSeq: 2, Evidence: []Evidence{{Account: k, Mark: 5, Proven: 12}}},
	}
	for i, c := range steps {
		if out := s.Apply(Instant(i)*Second, c); out.Code != Applied {
			t.Fatalf("step %d: %s", i, out.Code)
		}
	}
	return s
}

// sampleRuled has a value in every field of a raise and a trip.
func sampleRuled(t failer) *State {
	s := New()
	each := []DimRef{{Dim: DimTeam}}
	steps := []Command{
		PutBudget{Budget: Budget{ID: "team", Unit: USD, Limit: 100, Window: Window{Kind: Total}, Each: each, Breaker: Breaker{Probes: 2, RateTimes: 5, Overrun: 7, CoolDown: Hour}}},
		PutBudget{Budget: Budget{ID: "bare", Unit: USD, Limit: 100, Window: Window{Kind: Total}}},
		PutRaise{Raise{Budget: "team", ID: "all", All: true, Amount: 5, Until: Hour, Reason: "launch"}},
		PutRaise{Raise{Budget: "team", ID: "one", Split: "a", Amount: 20, Until: Day}},
		TripBudget{Scope: Scope{Budget: "team", All: true}, Cause: ByOperator, Reason: "incident", For: Minute},
		TripBudget{Scope: Scope{Budget: "team", Split: "a"}, Cause: ByRate, Reason: "6 times"},
		ResetBreaker{Scope: Scope{Budget: "team", Split: "a"}},
		TripBudget{Scope: Scope{Budget: "bare", All: true}, Cause: ByOperator},
		ResetBreaker{Scope: Scope{Budget: "bare", All: true}},
	}
	for i, c := range steps {
		if out := s.Apply(Instant(i)*Second, c); out.Code != Applied {
			t.Fatalf("step %d: %s", i, out.Code)
		}
	}
	return s
}

// sampleRestored has a value in every field that only a Restore writes.
func sampleRestored(t failer) *State {
	s := New()
	k := AccountKey{Budget: "team"}
	steps := []Command{
		PutBudget{Budget: Budget{ID: "team", Unit: USD, Limit: 100, Window: Window{Kind: Total}}},
		Register{Node: "n1", Store: StoreID{9}},
		&Exchange{Node: "n1", Incarnation: 1, Seq: 1, Rows: []Row{{Account: k}}, Needs: []Need{{[]Claim{{0, 60}}}}},
		Restore{1},
		Register{Node: "n2"},
	}
	for i, c := range steps {
		if out := s.Apply(Instant(i)*Second, c); out.Code != Applied {
			t.Fatalf("step %d: %s", i, out.Code)
		}
	}
	return s
}

func loadAll(records [][]byte) (*State, error) {
	return Load(func(yield func([]byte, error) bool) {
		for _, r := range records {
			if !yield(r, nil) {
				return
			}
		}
	})
}

func recordsOf(s *State) (records [][]byte) {
	for r := range s.Records() {
		records = append(records, bytes.Clone(r))
	}
	return records
}

func TestCodecRefuses(t *testing.T) {
	good := AppendCommand(nil, samples()[3])
	for n := range good {
		if _, err := DecodeCommand(good[:n]); err == nil {
			t.Errorf("the first %d bytes of %d decode", n, len(good))
		}
	}
	for what, b := range map[string][]byte{
		"nothing":              {},
		"an unknown kind":      {200, 1},
		"a kind never given":   {7, 1},
		"an unknown version":   {byte(KindTick), 2},
		"bytes after the end":  {byte(KindTick), 1, 0},
		"a padded integer":     {byte(KindFence), 1, 0x80, 0x00},
		"an endless integer":   append([]byte{byte(KindFence), 1}, bytes.Repeat([]byte{0xff}, 11)...),
		"a false length":       {byte(KindFence), 1, 0xff, 0xff, 0xff, 0xff, 0x0f},
		"a flag that is two":   append(AppendCommand(nil, &Exchange{Rows: []Row{{}}})[:len(AppendCommand(nil, &Exchange{Rows: []Row{{}}}))-2], 2, 0),
		"too large an integer": append([]byte{byte(KindExchange), 1, 0}, 0xff, 0xff, 0xff, 0xff, 0x1f, 0, 0, 0, 0),
	} {
		if c, err := DecodeCommand(b); err == nil {
			t.Errorf("%s decodes as %+v", what, c)
		}
	}
	for _, b := range [][]byte{{}, {1}, {2, 1, 0, 0}, {1, 1, 0, 2}, {1, 1, 0, 0, 0}} {
		if o, err := DecodeOutcome(b); err == nil {
			t.Errorf("%v decodes as %+v", b, o)
		}
	}
}

// TestL10EveryCommandDecodes: whatever a proposer can build, the state machine
// can read. An entry that cannot be decoded would stop every replica.
func TestL10EveryCommandDecodes(t *testing.T) {
	rapid.Check(t, func(t *rapid.T) {
		c := drawCommand(t)
		got, err := DecodeCommand(AppendCommand(nil, c))
		if err != nil || !reflect.DeepEqual(got, c) {
			t.Fatalf("%+v decodes as %+v, %v", c, got, err)
		}
	})
}

// drawCommand draws a command of any values at all.
func drawCommand(t *rapid.T) Command {
	text := rapid.OneOf(rapid.StringN(0, 5, -1), rapid.SampledFrom([]string{"team", "cust", "conc", "soft", "n1", "n2"}))
	amount := rapid.OneOf(
		rapid.Int64Range(0, 100), rapid.Int64(),
		rapid.SampledFrom([]int64{-1, int64(MaxAmount), int64(MaxAmount) + 1, int64(MaxAmount) - 1, 1<<63 - 1, -1 << 63}))
	a := func() Amount { return Amount(amount.Draw(t, "amount")) }
	key := func() AccountKey {
		return AccountKey{BudgetID(text.Draw(t, "budget")), Split(text.Draw(t, "split")), Instant(a()) * rapid.SampledFrom([]Instant{0, 0, 1, Minute}).Draw(t, "start")}
	}
	some := func() int { return rapid.IntRange(0, 3).Draw(t, "count") }
	scope := func() Scope {
		return Scope{BudgetID(text.Draw(t, "budget")), rapid.Bool().Draw(t, "all"), Split(text.Draw(t, "split"))}
	}
	switch rapid.IntRange(1, 14).Draw(t, "kind") {
	case 1:
		c := PutBudget{Budget: drawBudget(t, a)}
		if rapid.Bool().Draw(t, "more") {
			c.Expect = rapid.Uint64().Draw(t, "expect")
			c.Budget.Breaker = Breaker{rapid.Byte().Draw(t, "probes"), rapid.Uint16().Draw(t, "times"), a(), Instant(a())}
		}
		return c
	case 2:
		return DeleteBudget{BudgetID(text.Draw(t, "budget"))}
	case 3:
		r := Register{Node: NodeID(text.Draw(t, "node")), Previous: rapid.Uint32Range(0, 3).Draw(t, "previous"), MarkSeq: rapid.Uint64().Draw(t, "marks")}
		for range some() {
			r.Evidence = append(r.Evidence, Evidence{key(), rapid.Uint32Range(0, 3).Draw(t, "incarnation"), a(), a(), a()})
		}
		return r
	case 4:
		x := &Exchange{Node: NodeID(text.Draw(t, "node")), Incarnation: rapid.Uint32Range(0, 3).Draw(t, "incarnation"), Seq: rapid.Uint64().Draw(t, "seq"), MarkSeq: rapid.Uint64().Draw(t, "marks")}
		for range some() {
			x.Rows = append(x.Rows, Row{key(), a(), a(), a(), a(), a(), rapid.Bool().Draw(t, "done")})
		}
		for range some() {
			n := Need{}
			for range some() {
				n.Claims = append(n.Claims, Claim{rapid.IntRange(-1, 3).Draw(t, "row"), a()})
			}
			x.Needs = append(x.Needs, n)
		}
		return x
	case 5:
		return Tick{}
	case 6:
		return Restore{rapid.Uint32().Draw(t, "generation")}
	case 7:
		return Release{BudgetID(text.Draw(t, "budget"))}
	case 8:
		return Checkpoint{Index: rapid.Uint64().Draw(t, "index"), Digest: [32]byte{rapid.Byte().Draw(t, "digest")}}
	case 9:
		c := scope()
		return PutRaise{Raise{c.Budget, RaiseID(text.Draw(t, "id")), c.All, c.Split, a(), Instant(a()), text.Draw(t, "reason")}}
	case 10:
		return EndRaise{BudgetID(text.Draw(t, "budget")), RaiseID(text.Draw(t, "id"))}
	case 11:
		return TripBudget{scope(), Cause(rapid.IntRange(0, 6).Draw(t, "cause")), text.Draw(t, "reason"), Instant(a())}
	case 12:
		return ResetBreaker{scope(), rapid.Bool().Draw(t, "close")}
	case 13:
		return Probed{scope(), rapid.Uint32Range(0, 3).Draw(t, "serial"), rapid.Bool().Draw(t, "good")}
	default:
		return Fence{NodeID(text.Draw(t, "node"))}
	}
}

func drawBudget(t *rapid.T, a func() Amount) Budget {
	b := rapid.SampledFrom(worldBudgets).Draw(t, "budget")
	if rapid.Bool().Draw(t, "sensible") {
		b.Limit = a()
		return b
	}
	b = Budget{ID: BudgetID(rapid.String().Draw(t, "id")), Unit: Unit(rapid.Byte().Draw(t, "unit")), Limit: a(), Soft: rapid.Bool().Draw(t, "soft")}
	b.Window = Window{Kind: WindowKind(rapid.Byte().Draw(t, "window")), Zone: Zone{Base: rapid.Int32().Draw(t, "base")}}
	for range rapid.IntRange(0, 2).Draw(t, "count") {
		dim := DimRef{Dim(rapid.Byte().Draw(t, "dim")), rapid.String().Draw(t, "tag")}
		b.Each = append(b.Each, dim)
		b.Match = append(b.Match, Condition{Dim: dim, Values: rapid.SliceOfN(rapid.String(), 1, 3).Draw(t, "values")})
		b.Alerts = append(b.Alerts, rapid.Byte().Draw(t, "alert"))
		b.Window.Zone.Transitions = append(b.Window.Zone.Transitions, Transition{Instant(a()), rapid.Int32().Draw(t, "offset")})
	}
	return b
}

func FuzzDecodeCommand(f *testing.F) {
	for _, c := range samples() {
		f.Add(AppendCommand(nil, c))
	}
	base := sampleState(f)
	f.Fuzz(func(t *testing.T, b []byte) {
		c, err := DecodeCommand(b)
		if err != nil {
			return
		}
		if again := AppendCommand(nil, c); !bytes.Equal(again, b) {
			t.Fatalf("%x encodes as %x", b, again)
		}
		s := base.Clone()
		s.Apply(s.Now(), c)
		if err := s.Check(); err != nil {
			t.Fatal(err)
		}
	})
}

func FuzzDecodeOutcome(f *testing.F) {
	for _, o := range sampleOutcomes() {
		f.Add(AppendOutcome(nil, o))
	}
	f.Fuzz(func(t *testing.T, b []byte) {
		if o, err := DecodeOutcome(b); err == nil && !bytes.Equal(AppendOutcome(nil, o), b) {
			t.Fatalf("%x encodes as %x", b, AppendOutcome(nil, o))
		}
	})
}

// TestCodecAllocatesInProportion feeds lengths that lie.
func TestCodecAllocatesInProportion(t *testing.T) {
	b := AppendCommand(nil, &Exchange{Node: "n1"})
	b = append(b[:len(b)-2], 0xff, 0xff, 0xff, 0xff, 0x07) // 2^31 rows
	if n := testing.AllocsPerRun(10, func() { DecodeCommand(b) }); n > 10 {
		t.Errorf("%v allocations", n)
	}
}
