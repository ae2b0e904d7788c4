package e2e

import (
	"context"
	"encoding/json"
	"fmt"
	"net/http"
	"strings"
	"testing"

	"purser/api/admin"
)

// circle is the body of an agent's request that has made the same call so many times.
func circle(times int, end string) string {
	var b strings.Builder
	b.WriteString(`{"model":"gpt-4o-mini","max_tokens":20,"messages":[{"role":"user","content":"Find the file."}`)
	for i := range times {
		fmt.Fprintf(&b, `,{"role":"assistant","tool_calls":[{"id":"call_%d","type":"function","function":{"name":"ls","arguments":"{\"path\": \".\"}"}}]},{"role":"tool","tool_call_id":"call_%d","content":"README.md go.mod"}`, i, i)
	}
	return b.String() + end + `]}`
}

// TestALoopIsStoppedWhicheverNodeIsAsked: an agent that spreads its requests over
// three nodes is stopped by each, and goes on when an operator has reset it.
func TestALoopIsStoppedWhicheverNodeIsAsked(t *testing.T) {
	t.Parallel()
	c := newTrio(t, "", "5")
	ctx := context.Background()
	ask := func(i int, run, body string) (int, string, http.Header) {
		at := *c.rig
		at.url = c.peers[i%len(c.peers)].url
		return at.ask(c.key.Secret, body, "x-purser-run", run, "x-purser-cache", "off")
	}
	put := func(spec string) {
		t.Helper()
		if _, err := c.peers[0].admin.PutObject(ctx, "loops", "agents", nil, json.RawMessage(spec)); err != nil {
			t.Fatal(err)
		}
	}
	put(`{"repeats":5}`)
	c.eventually("every node has the rule", func() error {
		for i := range c.peers {
			if status, body, header := ask(i, fmt.Sprint("dry-", i), circle(6, "")); status != 200 || header.Get("x-purser-loop") != "repeat" {
				return fmt.Errorf("%d %v %s", status, header, body)
			}
		}
		return nil
	})
	put(`{"repeats":5,"mode":"enforce"}`)
	c.eventually("every node refuses", func() error {
		for i := range c.peers {
			if status, body, _ := ask(i, fmt.Sprint("dry-", i), circle(6, "")); status != 402 {
				return fmt.Errorf("%d %s", status, body)
			}
		}
		return nil
	})
	stopped := -1
	for i := range 12 {
		status, body, _ := ask(i, "r1", circle(i, ""))
		if status == 402 {
			stopped = i
			if !strings.Contains(body, `"loop_detected"`) || !strings.Contains(body, "this run was stopped: it made the same step") {
				t.Errorf("refused with %s", body)
			}
			break
		}
		if status != 200 {
			t.Fatalf("step %d: %d %s", i, status, body)
		}
	}
	if stopped < 5 || stopped > 7 {
		t.Errorf("stopped at step %d", stopped)
	}
	for i := range c.peers {
		if status, _, header := ask(i, "r1", circle(stopped+1, "")); status != 402 || header.Get("x-should-retry") != "false" || header.Get("x-purser-loop") != "repeat" {
			t.Errorf("node %d: %d %v", i, status, header)
		}
		if status, body, _ := ask(i, "r2", circle(2, "")); status != 200 {
			t.Errorf("another run at node %d: %d %s", i, status, body)
		}
	}
	trips, err := c.peers[0].admin.ListTrips(ctx)
	if err != nil || len(trips) == 0 || trips[0].Dim != "run" || trips[0].Mode == "" {
		t.Errorf("trips %+v, %v", trips, err)
	}
	if err := c.peers[1].admin.ResetLoop(ctx, "agents", admin.LoopReset{Dim: "run", Value: "r1"}); err != nil {
		t.Fatal(err)
	}
	for i := range c.peers {
		c.eventually("the run is forgiven", func() error {
			if status, body, _ := ask(i, "r1", circle(stopped+1, "")); status != 200 {
				return fmt.Errorf("%d %s", status, body)
			}
			return nil
		})
	}
	if status, _, _ := ask(0, "r1", circle(stopped+8, "")); status != 402 {
		t.Errorf("it goes on in its circle: %d", status)
	}
	if n := c.scraped("purser_loops_total")["purser_loops_total"]; n < 4 {
		t.Errorf("%v loops are counted", n)
	}
	if _, err := c.peers[0].admin.PutObject(ctx, "loops", "bad", nil, json.RawMessage(`{"repeats":1}`)); err == nil {
		t.Error("a rule that cannot be is taken")
	}
}
