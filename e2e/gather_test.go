package e2e

import (
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"net/http"
	"slices"
	"strings"
	"sync/atomic"
	"syscall"
	"testing"
	"time"

	"purser/api/admin"
)

// TestNodesAnswerForEachOther: any node shows the usage of all; of one that hangs its copies
// answer, within bounded time; of one that stopped in order they are known to be whole. An
// adjustment is one, whichever node it is posted to. Who watches one node sees the requests
// of all.
func TestNodesAnswerForEachOther(t *testing.T) {
	c := newTrio(t, "", "10")
	ctx := t.Context()
	leader, others := c.leader()
	hung, third := others[0], others[1]
	c.rig.admin = leader.admin

	var seen atomic.Int64
	watching, stop := context.WithCancel(ctx)
	watched := make(chan error, 1)
	heard := make(chan struct{})
	go func() {
		first := true
		watched <- third.admin.Watch(watching, admin.UsageQuery{Filter: map[string]string{"model": "gpt-4o-mini"}}, func(e admin.LiveEvent) error {
			if seen.Add(int64(len(e.Records))); len(e.Missing) == 0 && first && len(e.Records) > 0 {
				close(heard)
				first = false
			}
			return nil
		})
	}()
	c.eventually("all nodes are heard", func() error {
		for _, p := range c.peers {
			c.askAt(p.url, c.key.Secret, "before")
		}
		select {
		case <-heard:
			return nil
		default:
			return errors.New("not yet")
		}
	})
	before := seen.Load()
	for i := range 30 {
		if s := c.askAt(c.peers[i%3].url, c.key.Secret, fmt.Sprint("question ", i)); s != http.StatusOK {
			t.Fatalf("status %d", s)
		}
	}
	c.eventually("who watches sees them", func() error {
		if n := seen.Load() - before; n < 30 {
			return fmt.Errorf("%d", n)
		}
		return nil
	})
	stop()
	if err := <-watched; err != nil && watching.Err() == nil {
		t.Error(err)
	}

	c.eventually("everything is copied", func() error {
		if s := c.scraped("purser_usage_copy_unsent"); s["purser_usage_copy_unsent"] != 0 {
			return fmt.Errorf("%v wait", s)
		}
		return nil
	})
	whole, err := leader.admin.Usage(ctx, admin.UsageQuery{})
	if err != nil || !whole.Complete || len(whole.Nodes) != 3 || whole.Total.Cost != sum(c.billRows()) {
		t.Fatalf("of all: %+v, %v; billed %d", whole, err, sum(c.billRows()))
	}

	// One hangs: its copies answer, and may lack something.
	if err := hung.process.cmd.Process.Signal(syscall.SIGSTOP); err != nil {
		t.Fatal(err)
	}
	at := time.Now()
	got, err := leader.admin.Usage(ctx, admin.UsageQuery{Group: []string{"model"}})
	took := time.Since(at)
	if err != nil || got.Complete || got.Total.Cost != whole.Total.Cost || got.Total.Requests != whole.Total.Requests {
		t.Errorf("while %s hangs: %+v, %v", hung.id, got, err)
	}
	for _, a := range got.Nodes {
		if mine := a.Node == hung.id; a.Err != "" || (a.By == a.Node) == mine || a.MayLack != mine {
			t.Errorf("while %s hangs: %+v", hung.id, a)
		}
	}
	if took > 10*time.Second {
		t.Errorf("a report took %v while a node hangs", took)
	}
	t.Logf("with a node that hangs, a report takes %v", took)
	if n, complete := c.streamed(leader, ""); n != int(whole.Total.Requests) || complete != "false" {
		t.Errorf("%d records of %d are streamed, complete %q", n, whole.Total.Requests, complete)
	}
	adjustment := admin.NewAdjustment{ID: "credit", At: time.Now().UTC().Format(time.RFC3339), Amount: "-0.000001", Note: "test"}
	if _, err := leader.admin.PostAdjustment(ctx, adjustment); err == nil || !strings.Contains(err.Error(), hung.id) {
		t.Errorf("an adjustment that the node that hangs may have: %v", err)
	}
	if err := hung.process.cmd.Process.Signal(syscall.SIGCONT); err != nil {
		t.Fatal(err)
	}
	c.eventually("it answers again", func() error {
		u, err := leader.admin.Usage(ctx, admin.UsageQuery{})
		if err == nil && !u.Complete {
			err = fmt.Errorf("%+v", u.Nodes)
		}
		return err
	})

	// Adjustments, each posted to every node.
	var correction string
	_, _ = c.streamedEach(leader, "outcome:completed", func(id string) { correction = id })
	for i, in := range []admin.NewAdjustment{adjustment, {ID: "tier", Corrects: correction, Amount: "0.000000003", Note: "billed at another tier"}} {
		var first admin.Adjustment
		for j, p := range c.peers {
			out, err := p.admin.PostAdjustment(ctx, in)
			if err != nil {
				t.Fatalf("adjustment %d on %s: %v", i, p.id, err)
			}
			if j == 0 {
				first = out
			} else if out != first {
				t.Errorf("on %s it is %+v, was %+v", p.id, out, first)
			}
		}
		in.Amount = "5"
		var fault *admin.Fault
		if _, err := third.admin.PostAdjustment(ctx, in); !errors.As(err, &fault) || fault.Status != http.StatusConflict {
			t.Errorf("another amount under the same id: %v", err)
		}
	}
	got, err = third.admin.Usage(ctx, admin.UsageQuery{})
	if err != nil || got.Total.Cost != whole.Total.Cost-1000+3 || got.Total.Adjusted != -1000+3 || got.Total.Requests != whole.Total.Requests {
		t.Errorf("with adjustments: %+v, %v", got.Total, err)
	}
	b, err := leader.admin.ShowBudget(ctx, "cap")
	if err != nil || len(b.Accounts) != 1 || b.Accounts[0].Spent > whole.Total.Cost {
		t.Errorf("the budget was adjusted, too: %+v, %v", b, err)
	}

	// One stops in order: nothing is missing.
	if err := third.process.signal(t, syscall.SIGTERM); err != nil {
		t.Fatal(err)
	}
	c.forget(third)
	stopped, err := leader.admin.Usage(ctx, admin.UsageQuery{})
	if err != nil || !stopped.Complete || stopped.Total.Cost != got.Total.Cost {
		t.Errorf("after %s has stopped: %+v, %v", third.id, stopped, err)
	}
	i := slices.IndexFunc(stopped.Nodes, func(a admin.NodeAnswer) bool { return a.Node == third.id })
	if i < 0 || stopped.Nodes[i].By == third.id || stopped.Nodes[i].MayLack {
		t.Fatalf("who answers for it: %+v", stopped.Nodes)
	}

	// It is back, and dies while its peer hears nothing: what the peer has is not the whole.
	keeper := c.peers[slices.IndexFunc(c.peers, func(p *peer) bool { return p.id == stopped.Nodes[i].By })]
	c.freeze(keeper)
	c.launch(third)
	c.eventually("it serves again", func() error {
		if s := c.askAt(third.url, c.key.Secret, "while nobody takes copies"); s != http.StatusOK {
			return fmt.Errorf("status %d", s)
		}
		return nil
	})
	c.kill(third)
	c.thaw(keeper)
	c.eventually("its peer answers for it, and may lack something", func() error {
		u, err := hung.admin.Usage(ctx, admin.UsageQuery{})
		if err != nil {
			return err
		}
		i := slices.IndexFunc(u.Nodes, func(a admin.NodeAnswer) bool { return a.Node == third.id })
		if u.Complete || i < 0 || u.Nodes[i].By != keeper.id || !u.Nodes[i].MayLack {
			return fmt.Errorf("complete %v: %+v", u.Complete, u.Nodes)
		}
		return nil
	})
	var fault *admin.Fault
	if _, err := leader.admin.Run(ctx, "no such run", admin.UsageQuery{}); !errors.As(err, &fault) || fault.Status != http.StatusServiceUnavailable || !strings.Contains(fault.Message, third.id) {
		t.Errorf("a run that the dead node may have had: %v", err)
	}
}

// streamed counts the records that a node streams, and says whether it calls them complete.
func (c *trio) streamed(p *peer, filter string) (n int, complete string) {
	c.t.Helper()
	return c.streamedEach(p, filter, func(string) {})
}

func (c *trio) streamedEach(p *peer, filter string, see func(id string)) (n int, complete string) {
	c.t.Helper()
	url := p.url + "/admin/v1/usage/records"
	if filter != "" {
		url += "?filter=" + filter
	}
	req, err := http.NewRequest(http.MethodGet, url, nil)
	if err != nil {
		c.t.Fatal(err)
	}
	req.Header.Set("Authorization", "Bearer "+adminToken)
	res, err := http.DefaultClient.Do(req)
	if err != nil {
		c.t.Fatal(err)
	}
	defer res.Body.Close()
	for d := json.NewDecoder(res.Body); ; n++ {
		var r struct{ ID string }
		if err := d.Decode(&r); errors.Is(err, io.EOF) {
			return n, res.Header.Get("X-Purser-Complete")
		} else if err != nil {
			c.t.Fatal(err)
		}
		see(r.ID)
	}
}
