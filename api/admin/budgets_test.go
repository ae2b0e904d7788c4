package admin

import (
	"context"
	"encoding/json"
	"errors"
	"net/http"
	"strings"
	"testing"
)

func (n *node) PutBudget(_ context.Context, b Budget, expect Expect) (Budget, error) {
	if n.expect = expect; n.err == nil {
		b.Version = 7
	}
	return b, n.err
}
func (n *node) PutRaise(_ context.Context, budget string, in Raise) (Raise, error) {
	in.Reason = budget
	return in, n.err
}
func (n *node) EndRaise(context.Context, string, string) error { return n.err }
func (n *node) TripBudget(_ context.Context, _ string, in BreakerChange) (Breaker, error) {
	return Breaker{State: "open", Reason: in.Reason, Split: in.Split}, n.err
}
func (n *node) ResetBreaker(_ context.Context, _ string, in BreakerChange) (Breaker, error) {
	return Breaker{State: "closed", Split: in.Split}, n.err
}

func TestABudgetIsChangedFromTheVersionThatWasSeen(t *testing.T) {
	n, url := serve(t)
	c := &Client{URL: url, Token: token}
	for name, x := range map[string]struct {
		body   uint64 // the version in it
		header Expect
		want   string
	}{
		"as it is":        {0, nil, expectText(nil)},
		"of the body":     {12, nil, expectText(Version(12))},
		"of the header":   {0, Version(13), expectText(Version(13))},
		"the header wins": {12, Version(13), expectText(Version(13))},
		"not there":       {0, Version(0), expectText(Version(0))},
	} {
		out, err := c.PutBudgetIf(t.Context(), Budget{ID: "cap", Unit: "usd", Limit: "1", Window: "day", Version: x.body}, x.header)
		if err != nil || out.Version != 7 || expectText(n.expect) != x.want {
			t.Errorf("%s: %+v, %v; the node expects %s", name, out, err, expectText(n.expect))
		}
	}
	req, err := http.NewRequest(http.MethodPut, url+"/admin/v1/budgets/cap", strings.NewReader(`{"unit":"usd","limit":1,"window":"day"}`))
	if err != nil {
		t.Fatal(err)
	}
	req.Header.Set("Authorization", "Bearer "+token)
	res, err := http.DefaultClient.Do(req)
	if err != nil {
		t.Fatal(err)
	}
	res.Body.Close()
	if got := res.Header.Get("ETag"); got != `"7"` {
		t.Errorf("ETag %s", got)
	}
}

func TestRaisesAndBreakersHaveRoutes(t *testing.T) {
	n, url := serve(t)
	c := &Client{URL: url, Token: token}
	ctx := t.Context()
	in := Raise{ID: "r", Split: map[string]string{"customer": "a/b"}, By: json.Number("20"), Until: "2026-12-01T00:00:00Z"}
	if out, err := c.PutRaise(ctx, "cap", in); err != nil || out.ID != "r" || out.Reason != "cap" || out.Split["customer"] != "a/b" {
		t.Errorf("put %+v, %v", out, err)
	}
	if list, err := c.ListRaises(ctx, "cap"); err != nil || list == nil || len(list) != 0 {
		t.Errorf("listed %+v, %v", list, err)
	}
	if err := c.EndRaise(ctx, "cap", "r"); err != nil {
		t.Error(err)
	}
	if out, err := c.TripBudget(ctx, "cap", BreakerChange{Reason: "why", Split: in.Split}); err != nil || out.State != "open" || out.Reason != "why" || out.Split["customer"] != "a/b" {
		t.Errorf("tripped %+v, %v", out, err)
	}
	if out, err := c.ResetBreaker(ctx, "cap", BreakerChange{Close: true}); err != nil || out.State != "closed" {
		t.Errorf("reset %+v, %v", out, err)
	}
	for name, err := range map[string]error{
		"a reset with a reason": func() error { _, err := c.ResetBreaker(ctx, "cap", BreakerChange{Reason: "x"}); return err }(),
		"a trip that closes":    func() error { _, err := c.TripBudget(ctx, "cap", BreakerChange{Close: true}); return err }(),
	} {
		var f *Fault
		if !errors.As(err, &f) || f.Status != http.StatusBadRequest {
			t.Errorf("%s: %v", name, err)
		}
	}
	n.err = NotFound("no such raise")
	if err := c.EndRaise(ctx, "cap", "r"); err == nil {
		t.Error("what is not there was ended")
	}
}

func (n *node) ListTrips(context.Context) ([]LoopTrip, error) {
	return []LoopTrip{{Rule: "r", Dim: "run", Value: "1"}}, n.err
}

func (n *node) ResetLoop(_ context.Context, rule string, in LoopReset) error {
	n.changed = append(n.changed, "reset "+rule+" "+in.Dim+" "+in.Value)
	return n.err
}

func TestLoopsHaveRoutes(t *testing.T) {
	n, url := serve(t)
	c := &Client{URL: url, Token: token}
	if list, err := c.ListTrips(t.Context()); err != nil || len(list) != 1 || list[0].Rule != "r" {
		t.Errorf("%+v, %v", list, err)
	}
	if err := c.ResetLoop(t.Context(), "a/b", LoopReset{Dim: "run", Value: "x"}); err != nil || len(n.changed) != 1 || n.changed[0] != "reset a/b run x" {
		t.Errorf("%v, %v", n.changed, err)
	}
}
