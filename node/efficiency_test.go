package node

import (
	"context"
	"errors"
	"log/slog"
	"reflect"
	"strings"
	"testing"

	"purser/api/admin"
	"purser/internal/access"
	"purser/internal/economics/waste"
	"purser/internal/economics/waste/planted"
	"purser/internal/store"
	"purser/internal/usage"
	"purser/ledger"
	"purser/proxy"
	"purser/proxy/price"
	"purser/raftfsm"
)

// recorded is a node with the records of a workload in its journal.
func recorded(t testing.TB, list []*planted.Planted) *Node {
	t.Helper()
	n := &Node{cfg: Default(), log: slog.New(slog.DiscardHandler), prices: price.Embedded(), efficiency: make(chan struct{}, 1),
		upstreams: []*proxy.Upstream{{Name: "openai", Provider: "openai"}, {Name: "anthropic", Provider: "anthropic"}}}
	n.cfg.Node.ID = "n1"
	n.fsm = raftfsm.New()
	s, err := store.Open(store.Options{Dir: t.TempDir(), CacheBytes: 64 << 20, Fatal: func(err error) { t.Error(err) }, Log: n.log})
	if err != nil {
		t.Fatal(err)
	}
	if n.usage, err = usage.Open(s, usage.DefaultConfig()); err != nil {
		t.Fatal(err)
	}
	n.store = s
	n.outcomes.Store(newJudged(n))
	t.Cleanup(func() {
		if err := errors.Join(n.usage.Close(), s.Close()); err != nil {
			t.Error(err)
		}
	})
	for _, p := range list {
		n.usage.Commit(usage.Entry{Record: &p.Record})
	}
	return n
}

// all is a query of everything that anyone may see.
func all(q admin.EfficiencyQuery) admin.EfficiencyQuery {
	q.From, q.To = "2026-01-01T00:00:00Z", "2026-12-31T00:00:00Z"
	if !q.Reach.All && q.Reach.Orgs == nil {
		q.Reach = access.Reach{All: true}
	}
	return q
}

func efficiency(t *testing.T, n *Node, q admin.EfficiencyQuery) admin.EfficiencyReport {
	t.Helper()
	r, err := control{n}.Efficiency(context.Background(), all(q), nil)
	if err != nil {
		t.Fatal(err)
	}
	sum := func(what string, s *admin.EfficiencySum) {
		classes := int64(0)
		for _, a := range s.Classes {
			classes += a
		}
		if s.Justified+s.Wasted != s.Total || classes != s.Wasted || s.Confirmed+s.Fruitless+s.Unjudged != s.Justified {
			t.Errorf("%s does not add up: %+v", what, s)
		}
	}
	sum("the whole", &r.Sum)
	found := int64(0)
	for _, f := range r.Findings {
		found += f.Wasted
	}
	if q.Class == "" && found != r.Sum.Wasted {
		t.Errorf("the findings come to %d of %d", found, r.Sum.Wasted)
	}
	for _, rank := range r.Ranks {
		for i := range rank.Rows {
			sum(rank.By+" "+rank.Rows[i].Value, &rank.Rows[i].EfficiencySum)
		}
	}
	return r
}

func TestEfficiencyIsOfTheRecords(t *testing.T) {
	list := planted.Make(1, 1, price.Embedded())
	n := recorded(t, list)
	var total, acme ledger.Amount
	for _, p := range list {
		total += p.Record.Cost
		if p.Record.Dims.Values[ledger.DimOrg] == "acme" {
			acme += p.Record.Cost
		}
	}
	r := efficiency(t, n, admin.EfficiencyQuery{Group: []string{"org", "feature"}})
	if r.Sum.Total != int64(total) || r.Sum.Score == nil || *r.Sum.Score >= 1 || !r.Complete {
		t.Errorf("%d of %d, score %v", r.Sum.Total, total, r.Sum.Score)
	}
	for _, class := range []string{"retry_loop", "failed", "exact_repeat", "near_repeat", "unused_output", "uncached_context"} { // those that no outcome is needed for
		if r.Sum.Classes[class] == 0 {
			t.Errorf("nothing of %s", class)
		}
	}
	groups := map[string]bool{}
	for _, rank := range r.Ranks {
		groups[rank.By] = true
	}
	if !groups["agent"] || !groups["feature"] || !groups["model"] || !groups["org,feature"] {
		t.Errorf("ranked by %v", groups)
	}

	part := efficiency(t, n, admin.EfficiencyQuery{Filter: map[string]string{"org": "acme"}, Limit: 1})
	if part.Sum.Total != int64(acme) || len(part.Ranks[0].Rows) != 1 || part.Ranks[0].Rest == nil {
		t.Errorf("acme spent %d, want %d; %+v", part.Sum.Total, acme, part.Ranks)
	}
	if own := efficiency(t, n, admin.EfficiencyQuery{Reach: access.Reach{Orgs: []string{"acme"}}}); own.Sum.Total != int64(acme) {
		t.Errorf("who reaches acme sees %d, want %d", own.Sum.Total, acme)
	}
}

// TestEfficiencyIsMappedAsUsageIs: groups and filters are of what mappings make of records,
// and everything is allocated; what is judged, and what one reaches, is what was recorded.
func TestEfficiencyIsMappedAsUsageIs(t *testing.T) {
	list := planted.Make(1, 1, price.Embedded())
	n := recorded(t, list)
	org, team := ledger.DimRef{Dim: ledger.DimOrg}, ledger.DimRef{Dim: ledger.DimTeam}
	n.mappings.read, n.mappings.version = true, n.fsm.Versions().Objects
	n.mappings.rules = &usage.Mapping{Rules: []usage.MappingRule{{
		When: []usage.MappingMatch{{Dim: org, Values: []string{"acme", "globex"}}},
		Set:  []usage.MappingValue{{Dim: org, Value: "umbrella"}, {Dim: team, Value: "both"}},
	}}}
	var total, both ledger.Amount
	for _, p := range list {
		total += p.Record.Cost
		if o := p.Record.Dims.Values[ledger.DimOrg]; o == "acme" || o == "globex" {
			both += p.Record.Cost
		}
	}
	rows := func(q admin.EfficiencyQuery) map[string]int64 {
		q.Group = []string{"team"}
		out := map[string]int64{}
		r := efficiency(t, n, q)
		for _, row := range r.Ranks[len(r.Ranks)-1].Rows {
			out[row.Value] = row.Total
		}
		return out
	}
	if got := rows(admin.EfficiencyQuery{}); got["both"] != int64(both) || got[admin.Unallocated] != int64(total-both) || len(got) != 2 {
		t.Errorf("by team %v, want both %d and the rest %d", got, both, total-both)
	}
	if got := efficiency(t, n, admin.EfficiencyQuery{Filter: map[string]string{"org": "umbrella"}}); got.Sum.Total != int64(both) {
		t.Errorf("of umbrella %d, want %d", got.Sum.Total, both)
	}
	if got := efficiency(t, n, admin.EfficiencyQuery{Filter: map[string]string{"team": admin.Unallocated}}); got.Sum.Total != int64(total-both) {
		t.Errorf("of no team %d, want %d", got.Sum.Total, total-both)
	}
	plain := efficiency(t, n, admin.EfficiencyQuery{Raw: true, Group: []string{"team"}, Filter: map[string]string{"org": "umbrella"}})
	if plain.Sum.Total != 0 {
		t.Errorf("raw, of umbrella %d, want nothing", plain.Sum.Total)
	}
	if own := efficiency(t, n, admin.EfficiencyQuery{Reach: access.Reach{Orgs: []string{"umbrella"}}}); own.Sum.Total != 0 {
		t.Errorf("who reaches umbrella sees %d of what others did", own.Sum.Total)
	}
	if raw := efficiency(t, n, admin.EfficiencyQuery{Raw: true}); !reflect.DeepEqual(raw.Sum, efficiency(t, n, admin.EfficiencyQuery{}).Sum) {
		t.Error("what is mapped is judged otherwise")
	}
}

func TestEfficiencyIsExplainedDownToTheRequest(t *testing.T) {
	n := recorded(t, planted.Make(2, 1, price.Embedded()))
	r := efficiency(t, n, admin.EfficiencyQuery{Class: "exact_repeat"})
	if len(r.Findings) != 1 || len(r.Findings[0].Requests) <= fewExamples {
		t.Fatalf("findings %+v", r.Findings)
	}
	dearest := r.Findings[0].Requests[0]
	if dearest.Repeats == "" || dearest.Why == "" || dearest.Dimensions["org"] == "" || dearest.Wasted != dearest.Cost {
		t.Errorf("%+v", dearest)
	}
	one := efficiency(t, n, admin.EfficiencyQuery{Request: dearest.ID})
	if len(one.Request) != 1 || one.Request[0].Justified != 0 || len(one.Request[0].Parts) != 1 || one.Request[0].Parts[0].Repeats != dearest.Repeats {
		t.Errorf("%+v", one.Request)
	}
	first := efficiency(t, n, admin.EfficiencyQuery{Request: dearest.Repeats})
	if len(first.Request) != 1 || first.Request[0].Justified != first.Request[0].Cost || first.Request[0].Standing != "unjudged" {
		t.Errorf("%+v", first.Request)
	}
	if none := efficiency(t, n, admin.EfficiencyQuery{Request: dearest.Repeats, Reach: access.Reach{Orgs: []string{"umbrella"}}}); len(none.Request) != 0 || len(none.Notes) != 1 || none.Sum.Score != nil {
		t.Errorf("beyond the reach: %+v", none)
	}
}

func TestEfficiencyQueriesThatAreRefused(t *testing.T) {
	n := recorded(t, nil)
	for says, q := range map[string]admin.EfficiencyQuery{
		"cannot filter by":           {Filter: map[string]string{"colour": "red"}},
		"cannot group by":            {Group: []string{"colour"}},
		"is no class of waste":       {Class: "squander"},
		"is not the id of a request": {Request: "req_1"},
		"is not a time":              {From: "yesterday"},
		"from is not before to":      {From: "2026-01-02T00:00:00Z", To: "2026-01-01T00:00:00Z"},
	} {
		var f *admin.Fault
		if _, err := (control{n}).Efficiency(context.Background(), q, nil); !errors.As(err, &f) || f.Status != 400 || !strings.Contains(err.Error(), says) {
			t.Errorf("%+v: %v", q, err)
		}
	}
	n.efficiency <- struct{}{}
	if _, err := (control{n}).Efficiency(context.Background(), all(admin.EfficiencyQuery{}), nil); err == nil || !strings.Contains(err.Error(), "another report") {
		t.Errorf("a second report at once: %v", err)
	}
	<-n.efficiency
	ctx, stop := context.WithCancel(context.Background())
	stop()
	list := planted.Make(3, 1, price.Embedded())[:2000]
	if _, err := (control{recorded(t, list)}).Efficiency(ctx, all(admin.EfficiencyQuery{}), nil); !errors.Is(err, context.Canceled) {
		t.Errorf("of a client that has left: %v", err)
	}
}

// TestEfficiencyPricesAreThoseOfTheRecord: of another rate, region or upstream, no part is
// priced.
func TestEfficiencyPricesAreThoseOfTheRecord(t *testing.T) {
	n := recorded(t, nil)
	r := planted.Make(1, 1, price.Embedded())[0].Record
	if x := pricesOf(n).Terms(&r); x.Rate == nil || x.Rate.ID != r.RateID || x.Shortest != shortestOpenAI {
		t.Errorf("%+v", x)
	}
	for _, change := range []func(){func() { r.RateID += "x" }, func() { r.Upstream = "gone" }, func() { r.Served, r.Model, r.Dims.Values[ledger.DimModel] = "", "", "" }} {
		was := r
		change()
		if x := pricesOf(n).Terms(&r); x != (waste.Terms{}) {
			t.Errorf("%+v", x)
		}
		r = was
	}
}

// BenchmarkEfficiency is a report on the records of a store.
func BenchmarkEfficiency(b *testing.B) {
	list := planted.Make(1, 4, price.Embedded())
	n := recorded(b, list)
	for b.Loop() {
		if _, err := (control{n}).Efficiency(context.Background(), all(admin.EfficiencyQuery{}), nil); err != nil {
			b.Fatal(err)
		}
	}
	b.ReportMetric(float64(len(list))*float64(b.N)/b.Elapsed().Seconds(), "records/s")
}
