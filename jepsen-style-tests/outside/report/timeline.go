package report

import (
	"bytes"
	"cmp"
	_ "embed"
	"fmt"
	"html/template"
	"maps"
	"slices"
	"time"

	"purser/jepsen-style-tests/outside/history"
	"purser/jepsen-style-tests/outside/verdict"
)

//go:embed timeline.html
var pageText string

var page = template.Must(template.New("timeline").Parse(pageText))

// The picture's measures, in pixels.
const (
	wide   = 1200 // of the run's time
	bar    = 12   // height of a fault's bar
	tall   = 160  // height of a plot
	margin = 110  // for names, at the left
)

// view is what the page shows.
type view struct {
	Summary  *Summary
	Text     string
	Findings []shown
	Lanes    []lane
	Requests plot
	Budgets  []plot
	Wide     int
	All      int // width with the margin
	Margin   int
	Tall     int
	Marks    []text // times along the axis
	Height   int    // of the lanes
}

// shown is a finding in its place.
type shown struct {
	verdict.Finding
	When string
	X    float64
}

// lane has the faults of a node, those at one time below each other.
type lane struct {
	Name   string
	Y, Mid int
	High   int
	Bars   []box
}

type box struct {
	X, Y, Wide float64
	Class      string
	Title      string
	Bit        bool
}

type text struct {
	X    float64
	Text string
}

// plot is lines or areas over time.
type plot struct {
	Name  string
	Most  string
	Lines []line
}

type line struct{ Name, Class, Points string }

// timeline draws the run as one page that needs nothing else.
func timeline(h *history.History, end *history.End, findings []verdict.Finding, s *Summary) ([]byte, error) {
	length := max(end.Left, int64(time.Second))
	for _, f := range h.Faults {
		length = max(length, f.Ended)
	}
	x := func(at int64) float64 { return float64(max(0, at)) / float64(length) * wide }
	v := view{Summary: s, Text: s.Text(), Wide: wide, All: wide + margin, Margin: margin, Tall: tall}
	const shownFindings = 500
	for _, f := range findings[:min(len(findings), shownFindings)] {
		v.Findings = append(v.Findings, shown{f, time.Duration(f.At).Round(time.Millisecond).String(), x(f.At)})
	}
	const marks = 10
	for i := range marks + 1 {
		at := length / marks * int64(i)
		v.Marks = append(v.Marks, text{x(at), time.Duration(at).Round(time.Second).String()})
	}
	v.Lanes, v.Height = lanes(h, x)
	v.Requests = requests(h, length)
	v.Budgets = budgets(h, x)
	var out bytes.Buffer
	if err := page.Execute(&out, &v); err != nil {
		return nil, fmt.Errorf("drawing the run: %w", err)
	}
	return out.Bytes(), nil
}

// lanes are the faults by the places that they are about; those that name none have a
// lane of their own.
func lanes(h *history.History, x func(int64) float64) (list []lane, high int) {
	const everywhere = "cluster"
	by := map[string][]history.Fault{}
	for _, f := range h.Faults {
		if f.Skipped != "" {
			continue
		}
		targets := f.Targets
		if len(targets) == 0 {
			targets = []string{everywhere}
		}
		for _, place := range targets {
			by[place] = append(by[place], f)
		}
	}
	for i := range h.Meta.Nodes {
		if place := fmt.Sprintf("n%d", i+1); by[place] == nil {
			by[place] = []history.Fault{}
		}
	}
	y := 0
	for _, place := range slices.Sorted(maps.Keys(by)) {
		l := lane{Name: place, Y: y}
		var rows []int64 // when each is free again
		for _, f := range by[place] {
			row := slices.IndexFunc(rows, func(free int64) bool { return free <= f.Begun })
			if row < 0 {
				row = len(rows)
				rows = append(rows, 0)
			}
			rows[row] = f.Ended
			const least = 2
			l.Bars = append(l.Bars, box{
				X: x(f.Begun), Y: float64(y + row*bar), Wide: max(least, x(f.Ended)-x(f.Begun)), Class: f.Class, Bit: f.Bit,
				Title: fmt.Sprintf("%s, %v for %v: %s %s", f.Name, time.Duration(f.Begun).Round(time.Millisecond), time.Duration(f.Ended-f.Begun).Round(time.Millisecond), f.Seen, f.Err),
			})
		}
		l.High = max(1, len(rows)) * bar
		l.Mid = y + l.High/2
		y += l.High + bar/2
		list = append(list, l)
	}
	return list, y
}

// requests are by how they ended, in two hundred parts of the time.
func requests(h *history.History, length int64) plot {
	const parts = 200
	counts := map[verdict.Kind]*[parts]int{}
	most := 1
	for i := range h.Requests {
		k := verdict.KindOf(&h.Requests[i])
		if counts[k] == nil {
			counts[k] = &[parts]int{}
		}
		part := min(parts-1, max(0, int(h.Requests[i].Begun*parts/length)))
		counts[k][part]++
		most = max(most, counts[k][part])
	}
	p := plot{Name: "requests", Most: fmt.Sprintf("%d in %v", most, (time.Duration(length) / parts).Round(time.Millisecond))}
	for _, k := range verdict.Kinds {
		if counts[k] == nil {
			continue
		}
		var b bytes.Buffer
		for i, n := range counts[k] {
			fmt.Fprintf(&b, "%.1f,%.1f ", float64(i)*wide/parts, tall-float64(n)/float64(most)*tall)
		}
		p.Lines = append(p.Lines, line{k.String(), k.String(), b.String()})
	}
	return p
}

// mostBudgets bounds how many are drawn: those of whose limits the largest part was
// spent at some time.
const mostBudgets = 12

// budgets are what was spent of accounts, and their limits, as the first place saw them.
func budgets(h *history.History, x func(int64) float64) (list []plot) {
	type look struct{ at, limit, spent, unsure int64 }
	looks := map[string][]look{}
	for i := range h.Samples {
		s := &h.Samples[i]
		if s.Node != "n1" {
			continue
		}
		for j := range s.Accounts {
			a := &s.Accounts[j]
			if a.WindowStart != "" {
				continue // of windows there are too many
			}
			name := a.Budget
			for _, dimension := range slices.Sorted(maps.Keys(a.Split)) {
				name += " " + a.Split[dimension]
			}
			looks[name] = append(looks[name], look{s.At, a.Limit, a.Spent, a.Presumed + a.WrittenOff})
		}
	}
	part := map[string]float64{}
	for name, list := range looks {
		for _, l := range list {
			part[name] = max(part[name], float64(l.spent)/float64(max(1, l.limit)))
		}
	}
	names := slices.SortedFunc(maps.Keys(looks), func(a, b string) int { return cmp.Or(cmp.Compare(part[b], part[a]), cmp.Compare(a, b)) })
	for _, name := range names[:min(len(names), mostBudgets)] {
		most := int64(1)
		for _, l := range looks[name] {
			most = max(most, l.limit, l.spent)
		}
		var limit, spent, unsure bytes.Buffer
		y := func(n int64) float64 { return tall - float64(n)/float64(most)*tall }
		for _, l := range looks[name] {
			fmt.Fprintf(&limit, "%.1f,%.1f ", x(l.at), y(l.limit))
			fmt.Fprintf(&spent, "%.1f,%.1f ", x(l.at), y(l.spent))
			fmt.Fprintf(&unsure, "%.1f,%.1f ", x(l.at), y(l.unsure))
		}
		list = append(list, plot{Name: name, Most: fmt.Sprint(most), Lines: []line{
			{"limit", "limit", limit.String()}, {"spent", "spent", spent.String()}, {"presumed and written off", "unsure", unsure.String()},
		}})
	}
	return list
}
