package ui

import (
	"cmp"
	"net/url"
	"slices"
	"strconv"
	"strings"

	"purser/api/admin"
)

// explorerView is what the explorer shows.
type explorerView struct {
	selection
	Metric  metric
	Metrics []metric
	Ranges  []tab
	Chips   []chip
	Names   []string // of dimensions
	ByText  string   // the dimensions that it is grouped by
	Report  admin.UsageReport
	Rows    []explorerRow
	Sort    string
	Chart   *chart
	List    string // where the requests are
	Exports []export
}

// tab is one of several pages of which one is shown.
type tab struct {
	Name, Link string
	Now        bool
}

// chip is a filter that can be taken away.
type chip struct {
	filter
	Remove string
}

// explorerRow is one group.
type explorerRow struct {
	admin.UsageRow
	Names  []string // of its values
	Down   string   // where it leads
	List   string   // its requests
	Share  float64  // of the metric's total
	Errors float64  // of its requests
}

// explorer shows what was used, by any dimensions, over any time.
func explorer(c *Call) error {
	v := explorerView{Metrics: metrics, Metric: metricOf(c.Q.Get("metric")), Names: dimensions, Sort: cmp.Or(c.Q.Get("sort"), "-cost")}
	var err error
	if v.selection, err = c.selected(); err != nil {
		return err
	}
	if len(v.By) == 0 {
		v.By = v.next([]string{"model"})
	}
	if v.Report, err = c.usage(&v.selection, v.By, url.Values{"limit": {strconv.Itoa(maxGroups)}}); err != nil {
		return err
	}
	if err := v.draw(c); err != nil {
		return err
	}
	v.fill()
	v.links()
	return c.Render("explorer", "Explorer", &v)
}

// draw makes the chart, of the groups that are largest by its metric.
func (v *explorerView) draw(c *Call) error {
	by := v.By
	if v.Metric.alone {
		by = nil
	}
	rows, err := c.overTime(&v.selection, by)
	if err != nil || rows == nil {
		return err
	}
	largest := slices.DeleteFunc(slices.Clone(v.Report.Rows), func(r admin.UsageRow) bool { return r.Rest })
	slices.SortStableFunc(largest, func(a, b admin.UsageRow) int { return cmp.Compare(v.Metric.of(&b), v.Metric.of(&a)) })
	var names []string
	for i := range largest {
		if !v.Metric.alone && v.Metric.of(&largest[i]) > 0 {
			names = append(names, group(&largest[i], v.By))
		}
	}
	v.Chart = drawn(v.Metric.Name+" by "+strings.Join(v.By, " and "), rows, v.By, names, &v.Span, v.Metric)
	if v.Metric.alone {
		v.Chart.Title = v.Metric.Name
	}
	return nil
}

// fill makes the rows of the table.
func (v *explorerView) fill() {
	total := v.Metric.of(&v.Report.Total)
	for _, r := range v.Report.Rows {
		row := explorerRow{UsageRow: r, Share: share(v.Metric.of(&r), total), Errors: share(failures(&r), r.Requests)}
		if v.Metric.alone {
			row.Share = share(r.Cost, v.Report.Total.Cost)
		}
		var more []filter
		for _, f := range v.By {
			row.Names = append(row.Names, cmp.Or(r.Group[f], none))
			more = append(more, filter{f, r.Group[f]})
		}
		if !r.Rest {
			down := v.narrowed(more...)
			row.List = down.link("/ui/requests")
			down.By = down.next(v.By)
			row.Down = down.link("/ui/explorer", "metric", v.Metric.Key)
			if v.By[0] == "run" && r.Group["run"] != "" {
				row.Down = "/ui/runs/" + url.PathEscape(r.Group["run"])
			}
		}
		v.Rows = append(v.Rows, row)
	}
	name, down := strings.CutPrefix(v.Sort, "-")
	slices.SortStableFunc(v.Rows, func(a, b explorerRow) int {
		if a.Rest != b.Rest { // the rest stays last
			if a.Rest {
				return 1
			}
			return -1
		}
		order := strings.Compare(strings.Join(a.Names, "\x00"), strings.Join(b.Names, "\x00"))
		if name != "name" {
			m := metricOf(name)
			order = cmp.Compare(m.of(&a.UsageRow), m.of(&b.UsageRow))
		}
		if down {
			return -order
		}
		return order
	})
}

// links makes what leads from the page to others like it.
func (v *explorerView) links() {
	v.ByText = strings.Join(v.By, ",")
	for _, r := range ranges {
		other := v.selection
		other.Span = span{Key: r.key}
		v.Ranges = append(v.Ranges, tab{r.name, other.link("/ui/explorer", "metric", v.Metric.Key), r.key == v.Span.Key})
	}
	for _, f := range v.Filters {
		v.Chips = append(v.Chips, chip{f, v.without(f).link("/ui/explorer", "metric", v.Metric.Key)})
	}
	v.List = v.link("/ui/requests")
	v.Exports = v.exports()
}
