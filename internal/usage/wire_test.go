package usage

import (
	"bytes"
	"encoding/hex"
	"math/rand/v2"
	"os"
	"reflect"
	"strings"
	"testing"

	"purser/internal/record"
	"purser/ledger"
)

// carried is a part of an answer as another node gets it.
func carried(t *testing.T, p *Report) *Report {
	t.Helper()
	out := &Report{}
	for from, to := range map[*[]Row]*[]Row{&p.Rows: &out.Rows, &p.Others: &out.Others} {
		var b []byte
		for i := range *from {
			b = AppendRow(b, &(*from)[i])
		}
		for len(b) > 0 {
			var r Row
			var err error
			if r, b, err = DecodeRow(b); err != nil {
				t.Fatal(err)
			}
			*to = append(*to, r)
		}
	}
	return out
}

// written is a whole report as bytes.
func written(rep *Report) []byte {
	b := AppendRow(nil, &rep.Total)
	for _, list := range [][]Row{rep.Rows, rep.Others} {
		b = append(b, '|')
		for i := range list {
			b = AppendRow(b, &list[i])
		}
	}
	return b
}

// TestPartsOfTwoNodesAddUp: what two nodes answer, sent as bytes and merged, is what one that
// had all records would answer: money, counts, tokens and quantiles.
func TestPartsOfTwoNodesAddUp(t *testing.T) {
	seed := rand.Uint64()
	t.Logf("seed %d", seed)
	r := rand.New(rand.NewPCG(seed, 7))
	whole, a, b := openJournal(t, DefaultConfig()), openJournal(t, DefaultConfig()), openJournal(t, DefaultConfig())
	for i := range 600 {
		rec := draw(r, i*30)
		commit(t, whole, rec)
		commit(t, []*Journal{a, b}[r.IntN(2)], rec)
	}
	field := func(name string) Field {
		f, ok := ParseField(name)
		if !ok {
			t.Fatal(name)
		}
		return f
	}
	for name, q := range map[string]TotalsQuery{
		"all":       {Range: Always},
		"by two":    {Range: Always, By: []Field{field("customer"), field("tag:job")}, Limit: 5},
		"by hours":  {Range: Range{From: start, To: start + 6*ledger.Hour}, By: []Field{field("outcome")}, Interval: ledger.Window{Kind: ledger.PerHour}, Limit: 2},
		"of some":   {Range: Always, By: []Field{field("status")}, Where: []Condition{{Field: field("customer"), Values: []string{"acme", ""}}}},
		"mapped":    {Range: Always, By: []Field{field("team")}, Mapping: &Mapping{Rules: []MappingRule{{When: []MappingMatch{{Dim: ledger.DimRef{Dim: ledger.DimCustomer}, Values: []string{"a*"}}}, Set: []MappingValue{{Dim: ledger.DimRef{Dim: ledger.DimTeam}, Value: "ads"}}}}}},
		"of nobody": {Range: Always, Within: []Condition{}},
	} {
		want, err := whole.Totals(t.Context(), q)
		if err != nil {
			t.Fatal(err)
		}
		asked, err := MarshalTotals(&q)
		if err != nil {
			t.Fatal(err)
		}
		heard, _, err := UnmarshalTotals(asked)
		if err != nil || !reflect.DeepEqual(heard, q) {
			t.Fatalf("%s: asked %+v, heard %+v, %v", name, q, heard, err)
		}
		var parts []*Report
		for _, j := range []*Journal{a, b} {
			p, err := j.Part(t.Context(), heard)
			if err != nil {
				t.Fatal(err)
			}
			parts = append(parts, carried(t, p))
		}
		got, err := Merge(q, parts...)
		if err != nil || !bytes.Equal(written(got), written(want)) || got.Total.Total != want.Total.Total {
			t.Errorf("%s: merged %+v\nwant %+v, %v", name, got.Total, want.Total, err)
		}
	}
	q := Query{Range: Range{1, 2}, Where: []Condition{{Field: field("tag:job"), Values: []string{"x"}}}, Within: []Condition{}, Order: NewestFirst, Limit: 3}
	asked, err := MarshalQuery(&q)
	if err != nil {
		t.Fatal(err)
	}
	if heard, err := UnmarshalQuery(asked); err != nil || !reflect.DeepEqual(heard, q) {
		t.Errorf("asked %+v, heard %+v, %v", q, heard, err)
	}
}

func goldenRow() *Row {
	r := &Row{Values: []string{"acme", "", "gpt"}, Start: start}
	for i, p := range r.scalars() {
		*p = int64(i*1000 - 3000)
	}
	for i := range r.Usage {
		r.Usage[i] = int64(i)
	}
	r.Saved[record.LeverRouting], r.Outcomes[record.Completed] = -5, 7
	for _, ns := range []int64{1, 1 << 20, 1<<20 + 1, 1 << 60} {
		r.total.add(ns)
	}
	return r
}

// TestCompatRow compares a row on its way between nodes with the bytes of form 1.
func TestCompatRow(t *testing.T) {
	got := hex.EncodeToString(AppendRow(nil, goldenRow()))
	want, err := os.ReadFile("testdata/row1.golden")
	if err != nil {
		t.Fatal(err)
	}
	if got+"\n" != string(want) {
		t.Errorf("a row is\n%s\nwant\n%s", got, want)
	}
	b, err := hex.DecodeString(strings.TrimSpace(string(want)))
	if err != nil {
		t.Fatal(err)
	}
	if r, rest, err := DecodeRow(b); err != nil || len(rest) > 0 || !bytes.Equal(AppendRow(nil, &r), b) {
		t.Errorf("read again: %+v, %x, %v", r, rest, err)
	}
	// Of a build that knew fewer outcomes.
	shorter, err := os.ReadFile("testdata/row1_shorter.golden")
	if err != nil {
		t.Fatal(err)
	}
	if b, err = hex.DecodeString(strings.TrimSpace(string(shorter))); err != nil {
		t.Fatal(err)
	}
	if r, rest, err := DecodeRow(b); err != nil || len(rest) > 0 || hex.EncodeToString(AppendRow(nil, &r)) != got {
		t.Errorf("the shorter row read: %+v, %x, %v", r, rest, err)
	}
}

func FuzzDecodeRow(f *testing.F) {
	f.Add(AppendRow(nil, goldenRow()))
	f.Add([]byte{rowForm, 0xff, 0xff, 0xff, 0xff, 0xff, 0x01})
	f.Fuzz(func(t *testing.T, b []byte) {
		r, _, err := DecodeRow(b)
		if err != nil {
			return
		}
		if again, rest, err := DecodeRow(AppendRow(nil, &r)); err != nil || len(rest) > 0 || !bytes.Equal(AppendRow(nil, &again), AppendRow(nil, &r)) {
			t.Errorf("%+v became %+v, %v", r, again, err)
		}
	})
}
