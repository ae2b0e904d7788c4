package admin

import (
	"context"
	"net/http"
	"net/url"
)

// Loops are the runs and sessions that go round in circles.
type Loops interface {
	// ListTrips lists those that the answering node has found and that cool down.
	ListTrips(context.Context) ([]LoopTrip, error)
	// ResetLoop has one counted anew, on every node.
	ResetLoop(ctx context.Context, rule string, in LoopReset) error
}

// LoopTrip is a run or session that was found to go round in circles.
type LoopTrip struct {
	Rule  string `json:"rule"`
	Dim   string `json:"dim"` // run or session
	Value string `json:"value"`
	Key   string `json:"key"` // of the virtual key it uses
	Why   string `json:"why"` // repeat, cycle, same, burn
	Times int    `json:"times"`
	Mode  string `json:"mode"` // watch: its requests pass; enforce: they are refused
	Since string `json:"since"`
	Until string `json:"until"`
}

// LoopReset names the run or session that is counted anew, whichever key it uses.
type LoopReset struct {
	Dim   string `json:"dim"` // run or session
	Value string `json:"value"`
}

func (a *API) listTrips(w http.ResponseWriter, r *http.Request) {
	list, err := a.Loops.ListTrips(r.Context())
	a.reply(w, r, http.StatusOK, map[string]any{"trips": list}, err)
}

func (a *API) resetLoop(w http.ResponseWriter, r *http.Request) {
	var in LoopReset
	if !a.read(w, r, &in) {
		return
	}
	if err := a.Loops.ResetLoop(r.Context(), r.PathValue("id"), in); err != nil {
		a.fail(w, r, err)
		return
	}
	w.WriteHeader(http.StatusNoContent)
}

// ListTrips lists the runs and sessions that the asked node has found.
func (c *Client) ListTrips(ctx context.Context) ([]LoopTrip, error) {
	var out struct{ Trips []LoopTrip }
	err := c.call(ctx, http.MethodGet, "/looptrips", nil, &out)
	return out.Trips, err
}

// ResetLoop has a run or session counted anew.
func (c *Client) ResetLoop(ctx context.Context, rule string, in LoopReset) error {
	return c.call(ctx, http.MethodPost, "/loops/"+url.PathEscape(rule)+"/reset", in, nil)
}
