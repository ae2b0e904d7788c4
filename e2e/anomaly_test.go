package e2e

import (
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"log/slog"
	"path/filepath"
	"strings"
	"testing"
	"time"

	"purser/api/admin"
	"purser/internal/record"
	"purser/internal/store"
	"purser/internal/usage"
	"purser/ledger"
)

// TestALoopIsToldWithinAMinute: a node that knows two hours of an agent's spending tells
// that it spends far more, of the agent alone, with the requests that made it.
func TestALoopIsToldWithinAMinute(t *testing.T) {
	r := newRig(t, rigOptions{config: "anomalies:\n  material: \"0.001\"\n"})
	k := r.key(admin.NewKey{Name: "agents"})
	r.stopNode()
	r.pastOf(k.ID, "bot", 5*time.Hour)
	r.startNode()
	r.budget(admin.Budget{ID: "month", Unit: "usd", Limit: "5", Window: "month", Match: map[string][]string{"agent": {"bot"}}})

	began := time.Now()
	body := fmt.Sprintf(`{"model":"gpt-4.1","max_tokens":200,"messages":[{"role":"user","content":%q}]}`, strings.Repeat("again and again ", 200))
	headers := []string{"x-purser-agent", "bot", "x-purser-run", "run-7", "x-purser-cache", "off"}
	if status, answer, _ := r.ask(k.Secret, body, headers...); status != 200 {
		t.Fatalf("status %d: %s", status, answer)
	}
	r.forecasts()
	stop := make(chan struct{})
	asking := make(chan int, 1)
	go func() {
		n := 1
		for {
			select {
			case <-stop:
				asking <- n
				return
			case <-time.After(20 * time.Millisecond):
				if status, _, _, _ := r.try("/v1/chat/completions", k.Secret, body, headers...); status == 200 {
					n++
				}
			}
		}
	}()
	var found admin.Anomaly
	r.eventuallyWithin(time.Minute, "the loop is told", func() error {
		list, err := r.admin.ListAnomalies(context.Background(), 10)
		if err != nil {
			return err
		}
		if len(list) == 0 {
			return errors.New("no anomaly yet")
		}
		found = list[len(list)-1]
		return nil
	})
	took := time.Since(began)
	close(stop)
	n := <-asking
	t.Logf("told after %v, when %d requests had been sent: %s", took.Round(time.Second), n, found.Summary)
	if found.Dimension != "agent" || found.Value != "bot" || found.Ended != "" {
		t.Errorf("it is told of %s %q", found.Dimension, found.Value)
	}
	shown, err := r.admin.ShowAnomaly(context.Background(), found.ID)
	if err != nil {
		t.Fatal(err)
	}
	if len(shown.Requests) == 0 {
		t.Fatal("no request is named")
	}
	for _, q := range shown.Requests {
		if q.Run != "run-7" || q.Cost <= 0 {
			t.Errorf("a request of the past is named: %+v", q)
		}
	}
	r.statements()
}

// statements checks that those of the month are what was spent in it, and what a markup
// makes of it.
func (r *rig) statements() {
	r.t.Helper()
	first := time.Now().UTC().AddDate(0, 0, 1-time.Now().UTC().Day()).Format(time.DateOnly) + "T00:00:00Z"
	spent, err := r.admin.Usage(context.Background(), admin.UsageQuery{From: first})
	if err != nil {
		r.t.Fatal(err)
	}
	var got struct {
		Cost       int64 `json:"cost_nanousd"`
		Unshared   int64 `json:"unshared_nanousd"`
		Complete   bool
		Statements []struct {
			Owner  string
			Cost   int64 `json:"cost_nanousd"`
			Charge int64 `json:"charge_nanousd"`
		}
	}
	q := admin.StatementQuery{By: "agent", Lines: []string{"model", "key"}, Shared: "proportional", Markup: "10"}
	if err := r.admin.Statements(context.Background(), q, "json", func(in io.Reader) error { return json.NewDecoder(in).Decode(&got) }); err != nil {
		r.t.Fatal(err)
	}
	if len(got.Statements) != 1 || got.Cost != spent.Total.Cost || got.Statements[0].Cost != got.Cost || got.Unshared != 0 || !got.Complete {
		r.t.Fatalf("%+v, of %d spent", got, spent.Total.Cost)
	}
	if s := got.Statements[0]; s.Charge != s.Cost+(s.Cost+5)/10 {
		r.t.Errorf("with a tenth more %d is charged for %d", s.Charge, s.Cost)
	}
}

// forecasts checks what is said of a month in which two requests a minute cost 0.0002
// dollars: everything, one agent and a budget of it.
func (r *rig) forecasts() {
	r.t.Helper()
	list, err := r.admin.Forecasts(context.Background(), admin.ProjectionQuery{}, "")
	if err != nil {
		r.t.Fatal(err)
	}
	more, err := r.admin.Forecasts(context.Background(), admin.ProjectionQuery{Group: "agent", Window: "day"}, "spending")
	if err != nil {
		r.t.Fatal(err)
	}
	if len(list) != 2 || list[1].Budget != "month" || len(more) != 1 || more[0].Value != "bot" {
		r.t.Fatalf("forecasts of %+v, %+v", list, more)
	}
	for _, p := range append(list, more...) {
		end, err := time.Parse(time.RFC3339, p.To)
		if err != nil {
			r.t.Fatal(err)
		}
		want := p.Spent + int64(time.Until(end).Minutes()*200_000)
		if p.Expected == nil || !p.Complete {
			r.t.Fatalf("%+v", p)
		}
		if *p.Expected < want*98/100 || *p.Expected > want*102/100 || *p.Low > *p.Expected || *p.High < *p.Expected {
			r.t.Errorf("%+v: %d expected, want %d", p, *p.Expected, want)
		}
	}
}

// pastOf has the node, which does not run, know what an agent spent: two requests a
// minute, of a hundredth of a cent each.
func (r *rig) pastOf(key, agent string, span time.Duration) {
	r.t.Helper()
	s, err := store.Open(store.Options{Dir: filepath.Join(r.dir, "data", "store"), Fatal: func(err error) { r.t.Error(err) }, Log: slog.New(slog.DiscardHandler)})
	if err != nil {
		r.t.Fatal(err)
	}
	j, err := usage.Open(s, usage.DefaultConfig())
	if err != nil {
		r.t.Fatal(err)
	}
	for at := time.Now().Add(-span); at.Before(time.Now()); at = at.Add(30 * time.Second) {
		x := record.Record{
			ID: record.NewID(ledger.Instant(at.UnixNano())), At: ledger.Instant(at.UnixNano()), Outcome: record.Completed, Status: 200, Attempt: 1, Attempts: 1,
			Cost: 100_000, List: 100_000, Priced: 100_000, Baseline: 100_000, Model: "gpt-4.1", Total: 1,
		}
		x.Dims.Values[ledger.DimAgent], x.Dims.Values[ledger.DimKey], x.Dims.Values[ledger.DimModel] = agent, key, "gpt-4.1"
		j.Commit(usage.Entry{Record: &x})
	}
	if err := errors.Join(j.Close(), s.Close()); err != nil {
		r.t.Fatal(err)
	}
}
