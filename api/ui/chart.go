package ui

import (
	"cmp"
	"fmt"
	"math"
	"slices"
	"strings"
	"time"

	"purser/api/admin"
)

// maxSeries is how many groups a chart tells apart; the rest is one more.
const maxSeries = 7

// chart is amounts over time, as columns of stacked parts.
type chart struct {
	Title   string
	Series  []series
	Columns []column
	Ticks   []string // what the lines across are, from the top
	Marks   []string // what stands below, from the left
	From    string   // where the first column begins, RFC 3339
	To      string   // where the last one ends
	Alone   bool     // parts do not add up: there is one
}

// series is one group of a chart.
type series struct {
	Name, Class string
	Total       string
}

// column is one interval.
type column struct {
	Label    string
	From, To string // RFC 3339
	X, W     string
	Parts    []part
	Values   []string // for each series
	Text     string   // all of it, for a reader who points there
}

// part is one group's part of a column.
type part struct{ Class, Y, H string }

// group names the group of a row, whose fields are by.
func group(r *admin.UsageRow, by []string) string {
	names := make([]string, len(by))
	for i, f := range by {
		names[i] = cmp.Or(r.Group[f], none)
	}
	return strings.Join(names, " · ")
}

// none is shown for requests that have no value of a dimension.
const none = "(none)"

// drawn makes a chart of the rows of a report by interval; groups are in the order of
// names, and those that are not among them are the rest.
func drawn(title string, rows []admin.UsageRow, by, names []string, s *span, m metric) *chart {
	c := &chart{Title: title, Alone: m.alone}
	names = names[:min(len(names), maxSeries)]
	width := len(names) + 1
	at := map[string]int{}
	var starts []time.Time
	for t := begin(s.From, s.Interval); t.Before(s.To); t = after(t, s.Interval) {
		at[t.Format(time.RFC3339)] = len(starts)
		starts = append(starts, t)
	}
	values, sums := make([][]int64, len(starts)), make([]int64, width)
	for i := range values {
		values[i] = make([]int64, width)
	}
	for i := range rows {
		t, err := time.Parse(time.RFC3339, rows[i].Start)
		if err != nil {
			continue
		}
		col, ok := at[t.UTC().Format(time.RFC3339)]
		if !ok {
			continue
		}
		j := slices.Index(names, group(&rows[i], by))
		if j < 0 {
			j = width - 1
		}
		values[col][j] += m.of(&rows[i])
		sums[j] += m.of(&rows[i])
	}
	shown := make([]int, 0, width)
	for j := range width {
		if j == width-1 && sums[j] == 0 && width > 1 {
			continue
		}
		shown = append(shown, j)
		name, class := "Everything", "c0"
		switch {
		case j < len(names):
			name, class = names[j], fmt.Sprintf("c%d", j)
		case width > 1:
			name, class = "Everything else", "c7"
		}
		total := ""
		if !m.alone {
			total = m.text(sums[j])
		}
		c.Series = append(c.Series, series{Name: name, Class: class, Total: total})
	}
	c.columns(starts, values, shown, s.Interval, m)
	return c
}

// columns draws the columns, in a box of a thousand by a hundred.
func (c *chart) columns(starts []time.Time, values [][]int64, shown []int, interval string, m metric) {
	var most int64
	for _, v := range values {
		var sum int64
		for _, j := range shown {
			sum += max(0, v[j])
		}
		most = max(most, sum)
	}
	top := roundUp(most)
	c.Ticks = []string{m.text(top), m.text(top / 2), m.text(0)}
	wide := 1000 / float64(max(1, len(starts)))
	for i, t := range starts {
		col := column{
			Label: label(t, interval), From: t.Format(time.RFC3339), To: after(t, interval).Format(time.RFC3339),
			X: fmt.Sprintf("%.2f", wide*float64(i)+wide*0.08), W: fmt.Sprintf("%.2f", wide*0.84),
		}
		y := 100.0
		var text strings.Builder
		text.WriteString(col.Label)
		for k, j := range shown {
			v := values[i][j]
			col.Values = append(col.Values, m.text(v))
			if v <= 0 {
				continue
			}
			h := 100 * float64(v) / float64(top)
			y -= h
			col.Parts = append(col.Parts, part{c.Series[k].Class, fmt.Sprintf("%.2f", y), fmt.Sprintf("%.2f", h)})
			fmt.Fprintf(&text, "\n%s: %s", c.Series[k].Name, m.text(v))
		}
		if len(col.Parts) == 0 {
			text.WriteString("\nnothing")
		}
		col.Text = text.String()
		c.Columns = append(c.Columns, col)
	}
	if n := len(starts); n > 0 {
		c.From, c.To = c.Columns[0].From, c.Columns[n-1].To
		const marks = 5
		for k := range min(marks, n) {
			c.Marks = append(c.Marks, c.Columns[k*(n-1)/max(1, min(marks, n)-1)].Label)
		}
	}
}

// roundUp is the next round number: 1, 2 or 5 and zeros.
func roundUp(n int64) int64 {
	for step := int64(1); step < math.MaxInt64/10; step *= 10 {
		for _, f := range []int64{1, 2, 5} {
			if n <= step*f {
				return step * f
			}
		}
	}
	return max(1, n)
}

// segment is a part of a bar of a hundred units.
type segment struct {
	Class string
	X, W  string // as SVG has numbers
}

// units writes a length of a bar; what is out of range ends at its end.
func units(f float64) string {
	if math.IsNaN(f) {
		f = 0
	}
	return fmt.Sprintf("%.2f", max(0, min(100, f*100)))
}

// fillParts are the parts of a bar of how full something is: used, what is held on top,
// and where a forecast ends. Missing ones are none.
func fillParts(of map[string]any) []segment {
	at := func(name string) float64 { f, _ := of[name].(float64); return max(0, min(1, f)) }
	used, held, forecast := at("used"), at("held"), at("forecast")
	level := "ok"
	switch {
	case used+held >= 1:
		level = "full"
	case used+held >= 0.8:
		level = "high"
	}
	list := []segment{{"used " + level, "0", units(used)}}
	if held > 0 {
		list = append(list, segment{"held", units(used), units(min(held, 1-used))})
	}
	if end := min(forecast, 1); end > used+held {
		list = append(list, segment{"forecast", units(used + held), units(end - used - held)})
	}
	return list
}

func barWidth(share float64) string { return units(share) }

// sparkPoints are the points of a line in a box of 100 by 24, from 0 to the largest.
func sparkPoints(values []float64) string {
	most := 0.0
	for _, v := range values {
		most = max(most, v)
	}
	if most == 0 {
		most = 1
	}
	var b strings.Builder
	for i, v := range values {
		x := 100.0
		if len(values) > 1 {
			x = 100 * float64(i) / float64(len(values)-1)
		}
		fmt.Fprintf(&b, "%.1f,%.1f ", x, 23-22*max(0, v)/most)
	}
	return strings.TrimSpace(b.String())
}
