package ui

import (
	"net/url"
	"strconv"
	"time"

	"purser/api/admin"
)

const mostAnomalies = 100

// anomalies asks for the newest anomalies.
func (c *Call) anomalies(most int) ([]admin.Anomaly, error) {
	var out struct{ Anomalies []admin.Anomaly }
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
	admin.Anomaly
	Around string // the explorer, an hour before and after
}

// anomalyPage shows one, with the dearest requests of it.
func anomalyPage(c *Call) error {
	var v anomalyView
	if err := c.Get("/anomalies/"+url.PathEscape(c.R.PathValue("id")), nil, &v.Anomaly); err != nil {
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

// projections asks what this month, and the windows of the fullest accounts of budgets, will
// come to, at most most of these.
func (c *Call) projections(most int) ([]admin.Projection, error) {
	var out struct{ Forecasts []admin.Projection }
	err := c.Get("/forecasts", url.Values{"limit": {strconv.Itoa(most)}}, &out)
	return out.Forecasts, err
}
