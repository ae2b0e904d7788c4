package main

import (
	"encoding/json"
	"fmt"
	"io"
	"math"
	"text/tabwriter"

	"purser/api/admin"
)

// result is what -json prints.
type result struct {
	Rounds  int          `json:"rounds"`
	Seconds float64      `json:"seconds_a_cell"`
	Cells   []resultCell `json:"cells"`    // beside the proxy and the provider
	Ruled   []resultCell `json:"governed"` // a node that more governs beside one
	Asked   int64        `json:"requests_to_the_nodes"`
	PutOff  int64        `json:"put_off"` // of those: answered 503 undecided, and recorded so
	Records int64        `json:"usage_records"`
	Billed  int64        `json:"billed_nanousd"`
	Cost    int64        `json:"recorded_nanousd"`
	Errors  int64        `json:"errors"`
}

// resultCell compares the targets in one cell; all figures are medians over the rounds.
type resultCell struct {
	Stream      bool         `json:"stream"`
	Paced       bool         `json:"paced"`
	Connections int          `json:"connections"`
	Name        string       `json:"name"`
	Targets     []resultLine `json:"targets"`
	// Purser over ReverseProxy, or governed over purser.
	CPURatio     float64 `json:"cpu_ratio"`
	P50Ratio     float64 `json:"p50_ratio"`
	P99Ratio     float64 `json:"p99_ratio"`
	RateRatio    float64 `json:"rate_ratio"`
	MallocsRatio float64 `json:"allocations_ratio"`
}

// resultLine is one target in one cell.
type resultLine struct {
	Target   string  `json:"target"`
	Requests int64   `json:"requests"`
	Rate     float64 `json:"requests_per_second"`
	CPU      float64 `json:"cpu_micros"` // of that process, for one request
	P50      float64 `json:"p50_micros"`
	P99      float64 `json:"p99_micros"`
	AddedP50 float64 `json:"added_p50_micros"` // to direct, or of governed to purser
	AddedP99 float64 `json:"added_p99_micros"`
	AddedCPU float64 `json:"added_cpu_micros,omitempty"` // of governed to purser
	// Until the first event, of streams; and that less the direct call's, and over it.
	First50      float64  `json:"first_p50_micros,omitempty"`
	First99      float64  `json:"first_p99_micros,omitempty"`
	AddedFirst50 float64  `json:"added_first_p50_micros,omitempty"`
	AddedFirst99 float64  `json:"added_first_p99_micros,omitempty"`
	FirstRatio   float64  `json:"first_p50_ratio,omitempty"`
	Mallocs      *float64 `json:"allocations,omitempty"` // for one request
	RSS          float64  `json:"rss_mib"`
}

func (r *run) result(recorded admin.UsageRow) result {
	out := result{
		Rounds: r.plan.rounds, Seconds: r.plan.seconds.Seconds(), Asked: r.asked, PutOff: r.putOff, Records: recorded.Requests,
		Billed: r.billed, Cost: recorded.Cost, Errors: r.errors,
	}
	for _, c := range r.cells {
		if c.kind == beside {
			out.Cells = append(out.Cells, c.result(purser, bare, direct))
		} else {
			out.Ruled = append(out.Ruled, c.result(governed, purser, purser))
		}
	}
	return out
}

// result compares target a with b, and what all targets add to base.
func (c *cell) result(a, b, base int) resultCell {
	ratio := func(figure func(sample) float64) float64 {
		return medianRatio(c.rounds[a], c.rounds[b], figure)
	}
	out := resultCell{
		Stream: c.stream, Paced: c.paced, Connections: c.connections, Name: c.name(),
		CPURatio: ratio(cpuOf), P50Ratio: ratio(p50Of), P99Ratio: ratio(p99Of), RateRatio: ratio(rateOf), MallocsRatio: ratio(mallocsOf),
	}
	for _, t := range c.kind.targets() {
		rounds := c.rounds[t]
		line := resultLine{
			Target: targetNames[t], Rate: medianOf(rounds, rateOf), CPU: medianOf(rounds, cpuOf), RSS: medianOf(rounds, rssOf),
			P50: medianOf(rounds, p50Of), P99: medianOf(rounds, p99Of),
			AddedP50: medianAdded(rounds, c.rounds[base], p50Of), AddedP99: medianAdded(rounds, c.rounds[base], p99Of),
		}
		if t == governed {
			line.AddedCPU = medianAdded(rounds, c.rounds[base], cpuOf)
		}
		if c.stream && c.kind == beside {
			line.First50, line.First99 = medianOf(rounds, first50Of), medianOf(rounds, first99Of)
			line.AddedFirst50, line.AddedFirst99 = medianAdded(rounds, c.rounds[direct], first50Of), medianAdded(rounds, c.rounds[direct], first99Of)
			line.FirstRatio = medianRatio(rounds, c.rounds[direct], first50Of)
		}
		if m := medianOf(rounds, mallocsOf); !math.IsNaN(m) {
			line.Mallocs = &m
		}
		for _, s := range rounds {
			line.Requests += s.requests
		}
		out.Targets = append(out.Targets, line)
	}
	return out
}

func (r *result) writeJSON(w io.Writer) error {
	e := json.NewEncoder(w)
	e.SetIndent("", "  ")
	return e.Encode(r)
}

// writeTable prints Markdown, so that the table can be kept as it is.
func (r *result) writeTable(out io.Writer) error {
	w := tabwriter.NewWriter(out, 0, 0, 1, ' ', 0)
	fmt.Fprintln(w, "| answer, connections\t| target\t| CPU per request\t| p50\t| added\t| p99\t| added\t| requests/s\t| allocations\t| RSS\t|")
	fmt.Fprintln(w, "|---\t|---\t|---\t|---\t|---\t|---\t|---\t|---\t|---\t|---\t|")
	for _, c := range r.Cells {
		for _, t := range c.Targets {
			added50, added99 := fmt.Sprintf("%.0f µs", t.AddedP50), fmt.Sprintf("%.0f µs", t.AddedP99)
			if t.Target == targetNames[direct] {
				added50, added99 = "-", "-"
			}
			fmt.Fprintf(w, "| %s\t| %s\t| %.0f µs\t| %.0f µs\t| %s\t| %.0f µs\t| %s\t| %.0f\t| %s\t| %.0f MiB\t|\n",
				c.Name, t.Target, t.CPU, t.P50, added50, t.P99, added99, t.Rate, t.mallocs(), t.RSS)
		}
	}
	fmt.Fprintln(w, "\n| purser / ReverseProxy\t| CPU per request\t| p50\t| p99\t| requests/s\t| allocations\t|")
	fmt.Fprintln(w, "|---\t|---\t|---\t|---\t|---\t|---\t|")
	for _, c := range r.Cells {
		fmt.Fprintf(w, "| %s\t| %.2f\t| %.2f\t| %.2f\t| %.2f\t| %.2f\t|\n", c.Name, c.CPURatio, c.P50Ratio, c.P99Ratio, c.RateRatio, c.MallocsRatio)
	}
	r.writeFirsts(w)
	r.writeGoverned(w)
	fmt.Fprintf(w, "\n%d errors; %d requests to the nodes, %d of them put off, %d usage records; billed %d, recorded %d nano-dollars\n", r.Errors, r.Asked, r.PutOff, r.Records, r.Billed, r.Cost)
	return w.Flush()
}

func (l *resultLine) mallocs() string {
	if l.Mallocs == nil {
		return "-"
	}
	return fmt.Sprintf("%.0f", *l.Mallocs)
}

// writeFirsts prints when streams bring their first event.
func (r *result) writeFirsts(w io.Writer) {
	fmt.Fprintln(w, "\n| first event of\t| target\t| p50\t| added\t| over direct\t| p99\t| added\t|")
	fmt.Fprintln(w, "|---\t|---\t|---\t|---\t|---\t|---\t|---\t|")
	for _, c := range r.Cells {
		for _, t := range c.Targets {
			if c.Stream {
				fmt.Fprintf(w, "| %s\t| %s\t| %.0f µs\t| %.0f µs\t| %.2f\t| %.0f µs\t| %.0f µs\t|\n",
					c.Name, t.Target, t.First50, t.AddedFirst50, t.FirstRatio, t.First99, t.AddedFirst99)
			}
		}
	}
}

// writeGoverned prints what governance costs.
func (r *result) writeGoverned(w io.Writer) {
	fmt.Fprintln(w, "\n| answer, connections\t| governance\t| CPU per request\t| added\t| p50\t| added\t| p99\t| added\t| requests/s\t| allocations\t|")
	fmt.Fprintln(w, "|---\t|---\t|---\t|---\t|---\t|---\t|---\t|---\t|---\t|---\t|")
	for _, c := range r.Ruled {
		off, on := c.Targets[0], c.Targets[1]
		fmt.Fprintf(w, "| %s\t| off\t| %.0f µs\t| -\t| %.0f µs\t| -\t| %.0f µs\t| -\t| %.0f\t| %s\t|\n", c.Name, off.CPU, off.P50, off.P99, off.Rate, off.mallocs())
		fmt.Fprintf(w, "| %s\t| on\t| %.0f µs\t| %.0f µs\t| %.0f µs\t| %.0f µs\t| %.0f µs\t| %.0f µs\t| %.0f\t| %s\t|\n",
			c.Name, on.CPU, on.AddedCPU, on.P50, on.AddedP50, on.P99, on.AddedP99, on.Rate, on.mallocs())
	}
	fmt.Fprintln(w, "\n| governance on / off\t| CPU per request\t| p50\t| p99\t| requests/s\t| allocations\t|")
	fmt.Fprintln(w, "|---\t|---\t|---\t|---\t|---\t|---\t|")
	for _, c := range r.Ruled {
		fmt.Fprintf(w, "| %s\t| %.2f\t| %.2f\t| %.2f\t| %.2f\t| %.2f\t|\n", c.Name, c.CPURatio, c.P50Ratio, c.P99Ratio, c.RateRatio, c.MallocsRatio)
	}
}
