package node

import (
	"context"

	"purser/internal/access"
	"purser/internal/anomaly"
	"purser/internal/usage"
	"purser/ledger"
)

// resumed is how far back what an earlier leader told, and not the end of, is taken up.
const resumed = 2 * ledger.Hour

// open is what was told and is not over, as far as it is remembered.
func (a *anomalies) open(ctx context.Context) (list []anomaly.Event) {
	told, err := control{a.n}.ListAnomalies(ctx, access.Everything, maxListed)
	if err != nil {
		a.n.log.Info("what was told of anomalies is not known to the watch for them", "error", err)
		return nil
	}
	for _, x := range told {
		began, err := instantOf(x.Began, 0)
		if err != nil || x.Ended != "" || began < now()-resumed {
			continue
		}
		list = append(list, anomaly.Event{Key: anomaly.Key{Dim: x.Dimension, Value: x.Value}, Began: began})
	}
	return list
}

// fields are what is read of the past: everything, and each dimension that is watched.
func (a *anomalies) fields() (list [][]usage.Field) {
	list = append(list, nil)
	for _, d := range watchedDims {
		list = append(list, []usage.Field{usage.DimField(ledger.DimRef{Dim: d})})
	}
	return list
}

// past reads what was spent by interval, and calls each with what one key spent, by the
// begin of the interval.
func (a *anomalies) past(ctx context.Context, r usage.Range, kind ledger.WindowKind, each func(anomaly.Key, map[ledger.Instant]usage.Row)) {
	ctx, cancel := context.WithTimeout(ctx, learnWait)
	defer cancel()
	for _, by := range a.fields() {
		report, _, err := a.n.totals(ctx, usage.TotalsQuery{Range: r, By: by, Interval: ledger.Window{Kind: kind}, Limit: learnedValues})
		if err != nil {
			if ctx.Err() == nil {
				a.n.log.Warn("what is usually spent could not be read; anomalies are judged by what is seen from now on", "error", err)
			}
			return
		}
		of := map[anomaly.Key]map[ledger.Instant]usage.Row{}
		for _, row := range report.Rows {
			var k anomaly.Key
			if len(by) > 0 {
				k = anomaly.Key{Dim: by[0].String(), Value: row.Values[0]}
			}
			if k.Dim != "" && k.Value == "" {
				continue
			}
			if of[k] == nil {
				of[k] = map[ledger.Instant]usage.Row{}
			}
			of[k][row.Start] = row
		}
		for k, rows := range of {
			each(k, rows)
		}
	}
}

// learn gives a detector the last two hours: of what an anomaly is open, those before it.
func (a *anomalies) learn(ctx context.Context, d *anomaly.Detector, next int64, open []anomaly.Event) {
	began := map[anomaly.Key]ledger.Instant{}
	for _, e := range open {
		began[e.Key] = e.Began
	}
	to := ledger.Instant(next) * anomaly.Bin / ledger.Minute * ledger.Minute
	from := to - 2*ledger.Hour
	a.past(ctx, usage.Range{From: from, To: to}, ledger.PerMinute, func(k anomaly.Key, rows map[ledger.Instant]usage.Row) {
		var minutes []anomaly.Sum
		for at := from; at < to; at += ledger.Minute {
			if since, is := began[k]; is && at+ledger.Minute > since {
				break
			}
			row, ok := rows[at]
			if !ok && len(minutes) == 0 {
				continue // it is known from where it first spent
			}
			s := anomaly.Sum{Cost: float64(row.Cost), Requests: row.Requests}
			if row.Requests > 0 { // as though they had cost the same
				s.Squares = s.Cost * s.Cost / float64(row.Requests)
			}
			minutes = append(minutes, s)
		}
		d.Learn(k, minutes, next)
	})
}

// season is what is usual by hour of the week, of the weeks before.
func (a *anomalies) season(ctx context.Context) map[anomaly.Key]*anomaly.Season {
	to := now() / ledger.Hour * ledger.Hour
	from := to - seasonSpan
	all := map[anomaly.Key]*anomaly.Season{}
	first := to
	a.past(ctx, usage.Range{From: from, To: to}, ledger.PerHour, func(k anomaly.Key, rows map[ledger.Instant]usage.Row) {
		hours := map[int64]float64{}
		for at, row := range rows {
			hours[int64(at/ledger.Hour)] = float64(row.Cost)
			if k == (anomaly.Key{}) {
				first = min(first, at)
			}
		}
		// Everything comes first: before it began nothing is known of anybody.
		all[k] = anomaly.SeasonOf(hours, int64(first/ledger.Hour), int64(to/ledger.Hour))
	})
	return all
}
