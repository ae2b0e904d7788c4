package admin

import (
	"context"
	"encoding/json"
	"net/http"
	"net/url"
	"slices"
	"strconv"
)

// Alerts are what operators are told, and how that went.
type Alerts interface {
	// ListAlerts lists alerts, the newest first, at most limit.
	ListAlerts(ctx context.Context, limit int, how Read) ([]Alert, Age, error)
	// ListDeliveries lists the deliveries that a query asks for, of the newest alerts first.
	ListDeliveries(ctx context.Context, q DeliveryQuery, how Read) ([]Delivery, Age, error)
	// TestWebhook raises an alert that goes to one webhook, and returns its ID.
	TestWebhook(ctx context.Context, id string) (string, error)
}

// Alert is something that arose.
type Alert struct {
	ID       string          `json:"id"`
	Type     string          `json:"type"`
	At       string          `json:"at"` // RFC 3339
	Severity string          `json:"severity"`
	Summary  string          `json:"summary"`
	Data     json.RawMessage `json:"data,omitempty"`
	Open     bool            `json:"open"` // it is still to be delivered
}

// Delivery is one alert at one webhook, after the first attempt.
type Delivery struct {
	Alert    string `json:"alert"`
	Type     string `json:"type"`
	Raised   string `json:"raised"` // RFC 3339
	Webhook  string `json:"webhook"`
	State    string `json:"state"` // pending, delivered, abandoned
	Attempts uint32 `json:"attempts"`
	Last     string `json:"last"`             // when the last attempt ended
	Status   uint16 `json:"status,omitempty"` // HTTP status of the last answer
	Fault    string `json:"fault,omitempty"`  // why the last attempt failed, in a word
}

// DeliveryQuery selects deliveries; empty fields select all.
type DeliveryQuery struct {
	Alert   string // its ID
	Webhook string
	State   string
	Limit   int
}

// TestedWebhook is the answer to a test.
type TestedWebhook struct {
	Alert string `json:"alert"` // its deliveries say how it went
}

const (
	defaultAlerts = 100
	maxAlerts     = 2048 // the directory remembers no more
)

// limitOf reads the parameters of a list that may have these besides its limit.
func limitOf(r *http.Request, known ...string) (map[string]string, int, *Fault) {
	out, limit := map[string]string{}, defaultAlerts
	for name, v := range r.URL.Query() {
		switch {
		case name == "stale":
		case name == "limit":
			n, err := strconv.Atoi(v[0])
			if err != nil || n < 1 || n > maxAlerts {
				return nil, 0, Invalid("limit " + strconv.Quote(v[0]) + " is not 1 to " + strconv.Itoa(maxAlerts))
			}
			limit = n
		default:
			if !slices.Contains(known, name) {
				return nil, 0, Invalid("unknown parameter " + strconv.Quote(name))
			}
			out[name] = v[0]
		}
	}
	return out, limit, nil
}

func (a *API) listAlerts(w http.ResponseWriter, r *http.Request) {
	_, limit, fault := limitOf(r)
	how, stale := readOf(r)
	if fault == nil {
		fault = stale
	}
	if fault != nil {
		a.fail(w, r, fault)
		return
	}
	list, age, err := a.Alerts.ListAlerts(r.Context(), limit, how)
	age.tell(w)
	a.reply(w, r, http.StatusOK, map[string]any{"alerts": list}, err)
}

func (a *API) listDeliveries(w http.ResponseWriter, r *http.Request) {
	v, limit, fault := limitOf(r, "alert", "webhook", "state")
	how, stale := readOf(r)
	if fault == nil {
		fault = stale
	}
	if fault != nil {
		a.fail(w, r, fault)
		return
	}
	q := DeliveryQuery{Alert: v["alert"], Webhook: v["webhook"], State: v["state"], Limit: limit}
	list, age, err := a.Alerts.ListDeliveries(r.Context(), q, how)
	age.tell(w)
	a.reply(w, r, http.StatusOK, map[string]any{"deliveries": list}, err)
}

func (a *API) testWebhook(w http.ResponseWriter, r *http.Request) {
	id, err := a.Alerts.TestWebhook(r.Context(), r.PathValue("webhook"))
	a.reply(w, r, http.StatusAccepted, TestedWebhook{id}, err)
}

// ListAlerts lists the newest alerts.
func (c *Client) ListAlerts(ctx context.Context, limit int) ([]Alert, error) {
	var out struct{ Alerts []Alert }
	err := c.call(ctx, http.MethodGet, "/alerts?"+c.query(map[string]string{"limit": number(limit)}), nil, &out)
	return out.Alerts, err
}

// ListDeliveries lists deliveries.
func (c *Client) ListDeliveries(ctx context.Context, q DeliveryQuery) ([]Delivery, error) {
	var out struct{ Deliveries []Delivery }
	err := c.call(ctx, http.MethodGet, "/alerts/deliveries?"+c.query(map[string]string{
		"alert": q.Alert, "webhook": q.Webhook, "state": q.State, "limit": number(q.Limit),
	}), nil, &out)
	return out.Deliveries, err
}

// TestWebhook sends a test, and returns the ID of its alert.
func (c *Client) TestWebhook(ctx context.Context, webhook string) (string, error) {
	var out TestedWebhook
	err := c.call(ctx, http.MethodPost, "/alerts/test/"+url.PathEscape(webhook), nil, &out)
	return out.Alert, err
}

// query is these parameters without the empty ones, and how new the answer is to be.
func (c *Client) query(of map[string]string) string {
	v := url.Values{}
	for name, value := range of {
		if value != "" {
			v.Set(name, value)
		}
	}
	if c.Read == Stale {
		v.Set("stale", "ok")
	}
	return v.Encode()
}

// number is a limit's text, "" for none.
func number(n int) string {
	if n == 0 {
		return ""
	}
	return strconv.Itoa(n)
}
