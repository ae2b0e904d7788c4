package ui

import (
	"net/url"
	"strconv"
	"time"
)

// anomaly is a spending that is not as usual.
type anomaly struct {
	ID        string `json:"id"`
	Dimension string `json:"dimension"`
	Value     string `json:"value"`
	Began     string `json:"began"`
	Flagged   string `json:"flagged"`
	Ended     string `json:"ended"`
	Spent     string `json:"spent_usd"` // in the minute that was flagged
	Usual     string `json:"usual_usd"` // in a minute
	Score     string `json:"score"`
	Compared  string `json:"compared_with"`
	Summary   string `json:"summary"`
	Requests  []struct {
		ID    string `json:"id"`
		Cost  int64  `json:"cost_nanousd"`
		Model string `json:"model"`
		Run   string `json:"run"`
	} `json:"requests"`
}

const mostAnomalies = 100

// anomalies asks for the newest anomalies.
func (c *Call) anomalies(most int) ([]anomaly, error) {
	var out struct{ Anomalies []anomaly }
	err := c.Get("/anomalies", url.Values{"limit": {strconv.Itoa(most)}}, &out)
	return out.Anomalies, err
}

// anomaliesPage lists what was not as usual.
func anomaliesPage(c *Call) error {
	list, err := c.anomalies(mostAnomalies)
	if err != nil {
		return err
	}
	return c.Render("anomalies", "Anomalies", list)
}

// anomalyView is one anomaly, and where more is to be seen of it.
type anomalyView struct {
	anomaly
	Around string // the explorer, an hour before and after
}

// anomalyPage shows one, with the dearest requests of it.
func anomalyPage(c *Call) error {
	var v anomalyView
	if err := c.Get("/anomalies/"+url.PathEscape(c.R.PathValue("id")), nil, &v.anomaly); err != nil {
		return err
	}
	if began, err := time.Parse(time.RFC3339, v.Began); err == nil {
		s := selection{Span: span{From: began.Add(-time.Hour), To: began.Add(time.Hour)}, By: []string{"model"}}
		if v.Dimension != "" {
			s.Filters = []filter{{v.Dimension, v.Value}}
		}
		v.Around = s.link("/ui/explorer")
	}
	return c.Render("anomaly", "Anomaly", &v)
}

// projection is what a window will come to, in nano-dollars; nil: nothing can be said.
type projection struct {
	Budget   string            `json:"budget"`
	Split    map[string]string `json:"split"`
	Window   string            `json:"window"`
	From     string            `json:"from"`
	To       string            `json:"to"`
	Spent    int64             `json:"spent_nanousd"`
	Expected *int64            `json:"expected_nanousd"`
	Low      *int64            `json:"low_nanousd"`
	High     *int64            `json:"high_nanousd"`
	Limit    *int64            `json:"limit_nanousd"`
	Why      string            `json:"why"`
}

// projections asks what the windows of budgets, and this month, will come to.
func (c *Call) projections() ([]projection, error) {
	var out struct{ Forecasts []projection }
	err := c.Get("/forecasts", nil, &out)
	return out.Forecasts, err
}
