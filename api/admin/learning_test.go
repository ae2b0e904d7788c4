package admin

import (
	"context"
	"testing"

	"purser/proxy/route/learned"
)

func (n *node) RouterOutcomes(_ context.Context, router string) (RouterOutcomes, error) {
	if router != "chat" {
		return RouterOutcomes{}, NotFound("no router")
	}
	return RouterOutcomes{Heard: []learned.Heard{{Cluster: 2, Candidate: "small", Tally: learned.Tally{Count: 4, Sum: 3.5}}}, Until: 99}, nil
}

func TestTheClientReadsWhatWasHeard(t *testing.T) {
	_, url := serve(t)
	c := &Client{URL: url, Token: token}
	out, err := c.RouterOutcomes(t.Context(), "chat")
	if err != nil || out.Until != 99 || len(out.Heard) != 1 || out.Heard[0].Count != 4 || out.Heard[0].Sum != 3.5 || out.Heard[0].Cluster != 2 {
		t.Errorf("%+v %v", out, err)
	}
	if _, err := c.RouterOutcomes(t.Context(), "other"); err == nil {
		t.Error("a router that is not there")
	}
}
