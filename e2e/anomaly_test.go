package e2e

import (
	"context"
	"errors"
	"fmt"
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
	r.pastOf(k.ID, "bot", 2*time.Hour)
	r.startNode()

	began := time.Now()
	body := fmt.Sprintf(`{"model":"gpt-4.1","max_tokens":200,"messages":[{"role":"user","content":%q}]}`, strings.Repeat("again and again ", 200))
	headers := []string{"x-purser-agent", "bot", "x-purser-run", "run-7", "x-purser-cache", "off"}
	if status, answer, _ := r.ask(k.Secret, body, headers...); status != 200 {
		t.Fatalf("status %d: %s", status, answer)
	}
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
