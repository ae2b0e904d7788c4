package usage

import (
	"context"
	"errors"
	"math/rand/v2"
	"slices"
	"testing"

	"purser/internal/record"
	"purser/internal/store"
	"purser/ledger"
	"purser/proxy/price"

	"github.com/cockroachdb/pebble/v2/vfs"
	"pgregory.net/rapid"
)

func ids(t *testing.T, j *Journal, q Query) (out []string) {
	t.Helper()
	for r, err := range j.Records(t.Context(), q) {
		if err != nil {
			t.Fatal(err)
		}
		out = append(out, r.ID)
	}
	return out
}

func TestRecordsAreSelectedByTimeOrderAndLimit(t *testing.T) {
	j := openJournal(t, eager())
	rng := rand.New(rand.NewPCG(1, 2))
	var recs []*record.Record
	var all []string
	for i := range 50 {
		r := draw(rng, i)
		recs, all = append(recs, r), append(all, r.ID)
	}
	rng.Shuffle(len(recs), func(a, b int) { recs[a], recs[b] = recs[b], recs[a] })
	commit(t, j, recs...)

	at := func(i int) ledger.Instant { return start + ledger.Instant(i)*ledger.Second }
	newest := slices.Clone(all)
	slices.Reverse(newest)
	for name, c := range map[string]struct {
		q    Query
		want []string
	}{
		"all":              {Query{Range: Always}, all},
		"newest first":     {Query{Range: Always, Order: NewestFirst}, newest},
		"from inclusive":   {Query{Range: Range{at(10), ledger.MaxInstant}}, all[10:]},
		"to exclusive":     {Query{Range: Range{0, at(10)}}, all[:10]},
		"limit":            {Query{Range: Always, Limit: 3}, all[:3]},
		"newest, limit":    {Query{Range: Range{at(5), at(20)}, Order: NewestFirst, Limit: 2}, []string{all[19], all[18]}},
		"empty range":      {Query{Range: Range{at(5), at(5)}}, nil},
		"backwards":        {Query{Range: Range{at(9), at(5)}}, nil},
		"before the epoch": {Query{Range: Range{-5, at(1)}}, all[:1]},
	} {
		t.Run(name, func(t *testing.T) {
			if got := ids(t, j, c.q); !slices.Equal(got, c.want) {
				t.Errorf("got %d records, want %d", len(got), len(c.want))
			}
		})
	}
	t.Run("the loop may end early", func(t *testing.T) {
		for r, err := range j.Records(t.Context(), Query{Range: Always}) {
			if err != nil || r.ID != all[0] {
				t.Error(r, err)
			}
			break
		}
	})
}

func TestGetReturnsEveryAttemptInOrder(t *testing.T) {
	j := openJournal(t, eager())
	rng := rand.New(rand.NewPCG(1, 3))
	one, other := draw(rng, 1), draw(rng, 1)
	second, third := *one, *one
	second.Attempt, second.Upstream = 2, "azure"
	third.Attempt, third.Upstream = 10, "bedrock"
	commit(t, j, &third, other, one, &second)
	got, err := j.Get(t.Context(), one.ID)
	if err != nil || len(got) != 3 || got[0].Upstream != "openai" || got[1].Upstream != "azure" || got[2].Upstream != "bedrock" {
		t.Errorf("%v, %v", got, err)
	}
	if len(got[0].Charges) != 4 || got[0].Dims.Tags[0].Value != one.Dims.Tags[0].Value {
		t.Errorf("what was returned changed later: %+v", got[0])
	}
	for _, id := range []string{record.NewID(start), "nonsense", ""} {
		if got, err := j.Get(t.Context(), id); err != nil || len(got) != 0 {
			t.Errorf("%q: %v, %v", id, got, err)
		}
	}
}

func TestDamagedRecordEndsAQuery(t *testing.T) {
	s, _ := openStore(t, vfs.NewMem(), "data")
	j := journalOn(t, s, eager())
	rec := draw(rand.New(rand.NewPCG(1, 4)), 1)
	commit(t, j, rec)
	id := record.FirstID(start + 5*ledger.Second)
	b := s.NewBatch()
	if err := errors.Join(b.Set(Own.recordKey(id, 1), []byte("\x01damaged"), nil), s.Apply(b, store.Synced)); err != nil {
		t.Fatal(err)
	}
	var last error
	n := 0
	for _, err := range j.Records(t.Context(), Query{Range: Always}) {
		n, last = n+1, err
	}
	if n != 2 || !errors.Is(last, record.ErrMalformed) {
		t.Errorf("%d steps, then %v", n, last)
	}
	if _, err := j.Totals(t.Context(), TotalsQuery{Range: Always}); !errors.Is(err, record.ErrMalformed) {
		t.Errorf("a total without the damaged record: %v", err)
	}
	if err := errors.Join(j.Close(), s.Close()); err != nil {
		t.Error(err)
	}
}

func TestQueriesEndWithTheirContext(t *testing.T) {
	j := openJournal(t, eager())
	commit(t, j, draw(rand.New(rand.NewPCG(1, 5)), 1))
	ctx, cancel := context.WithCancel(t.Context())
	cancel()
	if _, err := j.Totals(ctx, TotalsQuery{Range: Always}); !errors.Is(err, context.Canceled) {
		t.Errorf("got %v", err)
	}
}

func TestFieldsParseBack(t *testing.T) {
	names := []string{"org", "customer", "model", "env", "tag:job", "tag:a.b"}
	for _, n := range fieldNames {
		if n != "" {
			names = append(names, n)
		}
	}
	r := draw(rand.New(rand.NewPCG(1, 6)), 1)
	for _, n := range names {
		f, ok := ParseField(n)
		if !ok || f.String() != n {
			t.Errorf("%q is %v, %v", n, f, ok)
		}
		f.of(r) // every field has a value, be it ""
	}
	for _, n := range []string{"", "tag:", "Org", "nonsense"} {
		if f, ok := ParseField(n); ok {
			t.Errorf("%q is %v", n, f)
		}
	}
	for name, want := range map[string]string{
		"hour": "2026-09-21T14", "day": "2026-09-21", "status": "200", "stream": "false", "bound": "bytes",
		"model": "gpt-5", "rate": "openai/gpt-5", "cache": "bypass", "basis": "reported", "org": "org",
	} {
		if f, _ := ParseField(name); f.of(r) != want {
			t.Errorf("%s is %q, want %q", name, f.of(r), want)
		}
	}
	r.Basis = 0 // of a request that was denied before anything could be charged
	if f, _ := ParseField("basis"); f.of(r) != "" {
		t.Errorf("no basis is %q", f.of(r))
	}
}

// naive adds up what is selected, one request after the other.
type naive struct {
	requests map[string]string // id to the group of its last record
	rows     map[string]*naiveRow
}

type naiveRow struct {
	records             int64
	cost, saved, output int64
	list, priced        int64
}

func sumNaively(recs []*record.Record, q TotalsQuery) naive {
	n := naive{requests: map[string]string{}, rows: map[string]*naiveRow{}}
	for _, r := range recs { // in the order of id and attempt
		id, _ := record.ParseID(r.ID)
		if id.At() < q.Range.From || id.At() >= q.Range.To {
			continue
		}
		delete(n.requests, r.ID) // it is in the group of its last record, if that is selected
		inside := q.Within == nil
		for _, c := range q.Within {
			inside = inside || slices.Contains(c.Values, c.Field.of(r))
		}
		if !selected(q.Where, nil, r) || !inside {
			continue
		}
		group := ""
		for _, f := range q.By {
			group += f.of(r) + "\x01"
		}
		row := n.rows[group]
		if row == nil {
			row = new(naiveRow)
			n.rows[group] = row
		}
		n.requests[r.ID] = group
		row.records++
		row.cost += int64(r.Cost)
		row.list, row.priced = row.list+int64(r.List), row.priced+int64(r.Priced)
		row.output += r.Usage[price.OutputText]
		for _, s := range r.Savings {
			row.saved += int64(s.Amount)
		}
	}
	return n
}

func TestTotalsAgreeWithNaiveSums(t *testing.T) {
	j := openJournal(t, eager())
	rng := rand.New(rand.NewPCG(2, 1))
	var recs []*record.Record
	for i := range 400 {
		r := draw(rng, i)
		recs = append(recs, r)
		for a := 2; a <= 1+rng.IntN(3); a++ { // further attempts of the same request
			again := *draw(rng, i)
			again.ID, again.Attempt = r.ID, a
			recs = append(recs, &again)
		}
	}
	commit(t, j, recs...)
	slices.SortStableFunc(recs, func(a, b *record.Record) int {
		if a.ID != b.ID {
			if a.ID < b.ID {
				return -1
			}
			return 1
		}
		return a.Attempt - b.Attempt
	})
	field := rapid.Map(rapid.SampledFrom([]string{"customer", "org", "model", "tag:job", "outcome", "model_served", "day", "hour", "upstream", "tag:none"}), func(s string) Field {
		f, _ := ParseField(s)
		return f
	})
	rapid.Check(t, func(t *rapid.T) {
		q := TotalsQuery{
			Range: Range{From: start + ledger.Instant(rapid.IntRange(-1, 401).Draw(t, "from"))*ledger.Second, To: start + ledger.Instant(rapid.IntRange(-1, 401).Draw(t, "to"))*ledger.Second},
			By:    rapid.SliceOfN(field, 0, 3).Draw(t, "by"),
			Limit: rapid.IntRange(0, 6).Draw(t, "limit"),
		}
		if rapid.Bool().Draw(t, "filtered") {
			q.Where = []Condition{{Field: DimField(ledger.DimRef{Dim: ledger.DimCustomer}), Values: rapid.SliceOfN(rapid.SampledFrom(customers), 0, 3).Draw(t, "customers")}}
		}
		if rapid.Bool().Draw(t, "within") {
			q.Within = []Condition{}
			for _, dim := range rapid.SliceOfN(rapid.SampledFrom([]ledger.Dim{ledger.DimCustomer, ledger.DimOrg}), 0, 2).Draw(t, "of") {
				q.Within = append(q.Within, Condition{Field: DimField(ledger.DimRef{Dim: dim}), Values: rapid.SliceOfN(rapid.SampledFrom(append(slices.Clone(customers), "org")), 0, 2).Draw(t, "names")})
			}
		}
		rep, err := j.Totals(context.Background(), q)
		if err != nil {
			t.Fatal(err)
		}
		checkReport(t, rep, sumNaively(recs, q), q)
	})
}

func checkReport(t *rapid.T, rep *Report, want naive, q TotalsQuery) {
	perGroup := map[string]int64{}
	for _, g := range want.requests {
		perGroup[g]++
	}
	var all Row
	for i := range rep.Rows {
		row := &rep.Rows[i]
		group := ""
		for _, v := range row.Values {
			group += v + "\x01"
		}
		w := want.rows[group]
		if w == nil {
			t.Fatalf("no such group: %q", row.Values)
		}
		if row.Records != w.records || int64(row.Cost) != w.cost || int64(row.List) != w.list || int64(row.Priced) != w.priced || row.Usage[price.OutputText] != w.output || int64(row.SavedTotal()) != w.saved || row.Requests != perGroup[group] {
			t.Fatalf("group %q is %+v, want %+v and %d requests", row.Values, row, w, perGroup[group])
		}
		if i > 0 && row.Cost > rep.Rows[i-1].Cost {
			t.Fatal("rows are not in the order of their cost")
		}
		all.merge(row)
	}
	if q.Limit > 0 && len(rep.Rows) > q.Limit {
		t.Fatalf("%d rows", len(rep.Rows))
	}
	if len(rep.Others) > 1 || (len(rep.Others) == 1) != (len(rep.Rows) < len(want.rows)) {
		t.Fatalf("others are %v with %d of %d rows", rep.Others, len(rep.Rows), len(want.rows))
	}
	for i := range rep.Others {
		all.merge(&rep.Others[i])
	}
	all.measure()
	total := rep.Total
	if all.Requests != total.Requests || all.Records != total.Records || all.Cost != total.Cost || all.List != total.List || all.Priced != total.Priced || all.Usage != total.Usage ||
		all.Hold != total.Hold || all.Saved != total.Saved || all.Outcomes != total.Outcomes || all.Total != total.Total {
		t.Fatalf("rows and other add up to\n%+v\nnot\n%+v", all, total)
	}
	if total.Requests != int64(len(want.requests)) {
		t.Fatalf("%d requests, want %d", total.Requests, len(want.requests))
	}
}

func TestGroupsBeyondTheLimitAreOther(t *testing.T) {
	j := openJournal(t, DefaultConfig())
	const n = MaxGroups + 100
	for i := range n {
		r := &record.Record{ID: record.NewID(start + ledger.Instant(i)), Attempt: 1, Cost: 1, Outcome: record.Completed}
		r.Dims.Values[ledger.DimRun] = r.ID
		j.Commit(Entry{Record: r})
	}
	if err := j.Flush(t.Context()); err != nil {
		t.Fatal(err)
	}
	rep, err := j.Totals(t.Context(), TotalsQuery{Range: Always, By: []Field{DimField(ledger.DimRef{Dim: ledger.DimRun})}, Limit: 10})
	if err != nil {
		t.Fatal(err)
	}
	if len(rep.Rows) != 10 || len(rep.Others) != 1 || rep.Others[0].Requests != n-10 || rep.Total.Cost != n || rep.Total.Outcomes[record.Completed] != n {
		t.Errorf("%d rows, other %v, total %d", len(rep.Rows), rep.Others, rep.Total.Cost)
	}
}

func TestValuesOfANewerProgramAreCounted(t *testing.T) {
	j := openJournal(t, eager())
	commit(t, j, &record.Record{ID: record.NewID(start), Outcome: 99, Savings: []record.Saving{{Lever: 77, Amount: 5}}})
	rep, err := j.Totals(t.Context(), TotalsQuery{Range: Always})
	if err != nil || rep.Total.Outcomes[0] != 1 || rep.Total.Saved[0] != 5 || rep.Total.SavedTotal() != 5 {
		t.Errorf("%+v, %v", rep, err)
	}
}

func TestQuantilesAreClose(t *testing.T) {
	rapid.Check(t, func(t *rapid.T) {
		spans := rapid.SliceOfN(rapid.Int64Range(1<<firstOctave, 1<<(firstOctave+octaves)-1), 1, 300).Draw(t, "spans")
		var h, a, b histogram
		for i, s := range spans {
			h.add(s)
			if i%2 == 0 {
				a.add(s)
			} else {
				b.add(s)
			}
		}
		slices.Sort(spans)
		a.merge(&b)
		for _, percent := range []int64{1, 50, 99, 100} {
			want := spans[(int64(len(spans))*percent+99)/100-1]
			got := h.quantile(percent)
			if diff := got - want; diff*16 > want || -diff*16 > want {
				t.Fatalf("p%d is %d, want %d", percent, got, want)
			}
			if a.quantile(percent) != got {
				t.Fatal("merged histograms differ from one of all")
			}
		}
	})
}

func TestQuantilesOfOddSpans(t *testing.T) {
	var h histogram
	if got := h.latency(); got != (Latency{}) {
		t.Errorf("of nothing: %v", got)
	}
	h.add(0)
	h.add(-5)
	if got := h.latency(); got != (Latency{}) {
		t.Errorf("of no span: %v", got)
	}
	h.add(1)
	h.add(1 << 62)
	if got := h.latency(); got.P50 > 2<<firstOctave || got.P99 < 1<<(firstOctave+octaves-1) {
		t.Errorf("of a nanosecond and a century: %v", got)
	}
}
