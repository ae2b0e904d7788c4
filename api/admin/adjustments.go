package admin

import (
	"context"
	"encoding/json"
	"net/http"
)

// Adjustments are amounts that are known later than the requests they belong to.
type Adjustments interface {
	// PostAdjustment writes one, or finds that it is there: posted is false then.
	PostAdjustment(ctx context.Context, in NewAdjustment) (out Adjustment, posted bool, err error)
}

// NewAdjustment asks for an amount to be added to what the records say. Budgets stay as they
// are: they are decided by what was settled.
type NewAdjustment struct {
	// ID names it, once for the whole cluster: 1 to 64 characters of a-z, 0-9, '.', '_', '-'.
	// The same one may be posted again.
	ID string `json:"id"`
	// Corrects is the request whose cost is another than its records say; its dimensions,
	// model and time are the adjustment's. Without it, At says when the amount belongs to.
	Corrects   string            `json:"corrects,omitempty"`
	At         string            `json:"at,omitempty"` // RFC 3339
	Amount     json.Number       `json:"amount"`       // dollars with at most nine decimals, less than 0 for what was too much
	Dimensions map[string]string `json:"dimensions,omitempty"`
	Model      string            `json:"model,omitempty"`
	Upstream   string            `json:"upstream,omitempty"`
	Note       string            `json:"note"` // why, for people
}

// Adjustment is one that was posted.
type Adjustment struct {
	ID       string `json:"id"`
	Record   string `json:"record"` // the id of its usage record
	Kind     string `json:"kind"`   // correction, of one request, or adjustment
	Corrects string `json:"corrects,omitempty"`
	At       string `json:"at"` // when the amount belongs to
	Amount   Money  `json:"amount_nanousd"`
	Note     string `json:"note"`
}

func (a *API) postAdjustment(w http.ResponseWriter, r *http.Request) {
	var in NewAdjustment
	if !a.read(w, r, &in) {
		return
	}
	out, posted, err := a.Adjustments.PostAdjustment(r.Context(), in)
	status := http.StatusOK
	if posted {
		status = http.StatusCreated
	}
	a.reply(w, r, status, out, err)
}

// PostAdjustment posts an adjustment. It may be called again with the same.
func (c *Client) PostAdjustment(ctx context.Context, in NewAdjustment) (out Adjustment, err error) {
	err = c.call(ctx, http.MethodPost, "/adjustments", in, &out)
	return out, err
}
