package admin

import (
	"context"
	"errors"
	"fmt"
	"net/http"
	"strings"
	"testing"

	"purser/internal/access"
)

// Efficiency implements Efficiency: it tells of its progress twice.
func (n *node) Efficiency(_ context.Context, q EfficiencyQuery, tell func(EfficiencyProgress) error) (EfficiencyReport, error) {
	n.judged = q
	for pass := 1; pass <= 2 && tell != nil; pass++ {
		if err := tell(EfficiencyProgress{Pass: pass, Records: 65536}); err != nil {
			return EfficiencyReport{}, err
		}
	}
	return EfficiencyReport{Sum: EfficiencySum{Total: 5, Justified: 5, Unjudged: 5}}, n.err
}

func TestEfficiencyTellsItsProgressAndThenTheReport(t *testing.T) {
	n, url := serve(t)
	c := &Client{URL: url, Token: token}
	q := EfficiencyQuery{From: "2026-01-01T00:00:00Z", Group: []string{"org", "tag:plan"}, Filter: map[string]string{"tag:plan": "a:b"}, Limit: 7, Raw: true, Class: "failed", Request: "req_1"}
	var told []string
	r, err := c.Efficiency(context.Background(), q, func(p EfficiencyProgress) { told = append(told, fmt.Sprint(p.Pass, p.Records)) })
	if err != nil || r.Sum.Total != 5 || r.Sum.Score != nil || fmt.Sprint(told) != "[1 65536 2 65536]" {
		t.Errorf("%+v, %v, told %v", r, err, told)
	}
	if q.Reach = access.Everything; fmt.Sprint(n.judged) != fmt.Sprint(q) {
		t.Errorf("asked %+v, the node saw %+v", q, n.judged)
	}
}

// TestEfficiencyThatFailsIsNoReport: what is the caller's fault is said although lines were
// sent before; of anything else the answer is cut.
func TestEfficiencyThatFailsIsNoReport(t *testing.T) {
	n, url := serve(t)
	c := &Client{URL: url, Token: token}
	var f *Fault
	n.err = Invalid("there are too many records")
	if _, err := c.Efficiency(context.Background(), EfficiencyQuery{}, nil); !errors.As(err, &f) || f.Message != "there are too many records" {
		t.Errorf("%v", err)
	}
	n.err = errors.New("the disk of /secret/place")
	if r, err := c.Efficiency(context.Background(), EfficiencyQuery{}, nil); err == nil || strings.Contains(err.Error(), "secret") {
		t.Errorf("%+v, %v", r, err)
	}
}

func TestEfficiencyWithoutProgressIsOneDocument(t *testing.T) {
	api := newAPI(t, &node{}, nil)
	get := func(query string) (int, string) {
		res := send(t, api.Handler(), http.MethodGet, "/admin/v1/economics/efficiency"+query, "", map[string]string{"Authorization": "Bearer " + token})
		return res.status, res.body.String()
	}
	if status, body := get(""); status != 200 || !strings.HasPrefix(body, `{"from":""`) || !strings.Contains(body, `"score":null`) {
		t.Errorf("%d %s", status, body)
	}
	for _, query := range []string{"?form=x", "?progress=maybe", "?filter=team", "?limit=0", "?raw=1"} {
		if status, body := get(query); status != 400 {
			t.Errorf("%s: %d %s", query, status, body)
		}
	}
}

func TestWhatIsToBeExplained(t *testing.T) {
	for what, want := range map[string]string{"failed": "failed map[] ", "agent=a=b": " map[agent:a=b] ", "tag:plan=x": " map[tag:plan:x] ", "req_01": " map[] req_01"} {
		class, filter, request := Explained(what)
		if got := class + " " + fmt.Sprint(filter) + " " + request; got != want {
			t.Errorf("%s: %q", what, got)
		}
	}
}
