package admin

import (
	"context"
	"net/http"
	"net/url"

	"purser/internal/access"
)

// Anomalies are spendings that are not as usual.
type Anomalies interface {
	// ListAnomalies lists what was told within the reach, the newest first, at most limit.
	ListAnomalies(ctx context.Context, reach access.Reach, limit int) ([]Anomaly, error)
	// ShowAnomaly is one of them, with the requests that made it.
	ShowAnomaly(ctx context.Context, reach access.Reach, id string) (Anomaly, error)
}

// Anomaly is a spending that was not as usual. Texts of amounts are dollars a minute.
type Anomaly struct {
	ID        string `json:"id"`                  // of its alert
	Dimension string `json:"dimension,omitempty"` // none: everything
	Value     string `json:"value,omitempty"`
	Began     string `json:"began"`           // RFC 3339; of the minute that was flagged
	Flagged   string `json:"flagged"`         // when it was
	Ended     string `json:"ended,omitempty"` // when it was over; none: it lasts, or nobody saw the end
	Spent     string `json:"spent_usd"`       // in the minute that was flagged
	Usual     string `json:"usual_usd"`       // in a minute
	Score     string `json:"score"`           // how many times the usual variation the excess was
	Compared  string `json:"compared_with"`
	Summary   string `json:"summary"`

	// Requests are the dearest of it, of one that is shown.
	Requests []DearRequest `json:"requests,omitempty"`
}

// DearRequest is a request of an anomaly.
type DearRequest struct {
	ID    string `json:"id"`
	Cost  Money  `json:"cost_nanousd"`
	Model string `json:"model,omitempty"`
	Run   string `json:"run,omitempty"`
}

func (a *API) listAnomalies(w http.ResponseWriter, r *http.Request, reach access.Reach) {
	_, limit, fault := limitOf(r)
	if fault != nil {
		a.fail(w, r, fault)
		return
	}
	list, err := a.Anomalies.ListAnomalies(r.Context(), reach, limit)
	a.reply(w, r, http.StatusOK, map[string]any{"anomalies": list}, err)
}

func (a *API) showAnomaly(w http.ResponseWriter, r *http.Request, reach access.Reach) {
	out, err := a.Anomalies.ShowAnomaly(r.Context(), reach, r.PathValue("id"))
	a.reply(w, r, http.StatusOK, out, err)
}

// ListAnomalies lists the newest anomalies.
func (c *Client) ListAnomalies(ctx context.Context, limit int) ([]Anomaly, error) {
	var out struct{ Anomalies []Anomaly }
	err := c.call(ctx, http.MethodGet, "/anomalies?"+c.query(map[string]string{"limit": number(limit)}), nil, &out)
	return out.Anomalies, err
}

// ShowAnomaly shows one, with its dearest requests.
func (c *Client) ShowAnomaly(ctx context.Context, id string) (Anomaly, error) {
	var out Anomaly
	err := c.call(ctx, http.MethodGet, "/anomalies/"+url.PathEscape(id), nil, &out)
	return out, err
}
