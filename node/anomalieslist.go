package node

import (
	"context"
	"strconv"

	"purser/api/admin"
	"purser/internal/access"
	"purser/internal/alert"
	"purser/internal/anomaly"
	"purser/internal/usage"
	"purser/ledger"
)

// shownRequests is how many requests of an anomaly are shown.
const shownRequests = 20

// ListAnomalies implements admin.Anomalies.
func (c control) ListAnomalies(ctx context.Context, reach access.Reach, limit int) ([]admin.Anomaly, error) {
	list, _, err := c.remembered(ctx, admin.Stale) // the newest first
	if err != nil {
		return nil, err
	}
	out := []admin.Anomaly{}
	ended := map[[3]string]string{}
	for _, stored := range list {
		if stored.Type != alert.SpendAnomaly && stored.Type != alert.SpendUsual {
			continue
		}
		e, err := alert.Read(stored)
		if err != nil {
			continue // of a newer build, or not whole: it is in the alerts
		}
		text := func(name string) string { s, _ := e.Data[name].(string); return s }
		a := admin.Anomaly{
			ID: stored.ID(), Dimension: text("dimension"), Value: text("value"), Began: text("began"), Flagged: text("flagged"), Spent: text("spent_usd"),
			Usual: text("usual_usd"), Score: text("score"), Compared: text("compared_with"), Summary: e.Summary,
		}
		which := [3]string{a.Dimension, a.Value, a.Began}
		switch {
		case stored.Type == alert.SpendUsual:
			ended[which] = text("ended")
		case seesSpending(reach, a.Dimension, a.Value) && len(out) < limit:
			a.Ended = ended[which]
			out = append(out, a)
		}
	}
	return out, nil
}

// seesSpending says whether what a value of a dimension spends is within a reach.
func seesSpending(r access.Reach, dim, value string) bool {
	if r.All {
		return true
	}
	for _, c := range within(r) {
		if c.Field.String() == dim {
			for _, v := range c.Values {
				if v == value {
					return true
				}
			}
		}
	}
	return false
}

// ShowAnomaly implements admin.Anomalies.
func (c control) ShowAnomaly(ctx context.Context, reach access.Reach, id string) (admin.Anomaly, error) {
	list, err := c.ListAnomalies(ctx, reach, maxListed)
	if err != nil {
		return admin.Anomaly{}, err
	}
	for _, a := range list {
		if a.ID != id {
			continue
		}
		from, err := instantOf(a.Began, 0)
		if err != nil {
			return a, err
		}
		to, err := instantOf(a.Flagged, 0)
		if err != nil {
			return a, err
		}
		dearest, err := c.n.dearest(ctx, anomaly.Key{Dim: a.Dimension, Value: a.Value}, usage.Range{From: from - ledger.Minute, To: to}, shownRequests)
		if err != nil {
			return a, err
		}
		for _, r := range dearest {
			a.Requests = append(a.Requests, admin.DearRequest{ID: r.ID, Cost: int64(r.Cost), Model: r.Model, Run: r.Run})
		}
		return a, nil
	}
	return admin.Anomaly{}, admin.NotFound("no anomaly " + strconv.Quote(id) + " is remembered")
}

// maxListed is more than the directory remembers.
const maxListed = 1 << 16
