package evaluate

import (
	"fmt"
	"io"
	"text/tabwriter"

	"purser/semcache/decide"
)

// Result is one measured figure.
type Result struct {
	Protocol string  `json:"protocol"`
	Figure   string  `json:"figure"`
	Value    float64 `json:"value"`
	N        int     `json:"n"` // observations that Value is of
	Low      float64 `json:"low"`
	High     float64 `json:"high"` // of the 95 % interval
	// Goal is what section "Measured" of docs/semcache.md asks for: a bound of Value, or of
	// High where BoundHigh says so. "" is a figure without a goal.
	Goal string `json:"goal,omitempty"`
	Met  bool   `json:"met"`
	Note string `json:"note,omitempty"`
}

// shareOf is a Result for a share of n.
func shareOf(protocol, figure string, k, n int) Result {
	low, high := decide.ClopperPearson(k, n, 0.95)
	r := Result{Protocol: protocol, Figure: figure, N: n, Low: low, High: high}
	if n > 0 {
		r.Value = float64(k) / float64(n)
	}
	return r
}

func (r Result) atLeast(goal float64) Result {
	r.Goal, r.Met = fmt.Sprintf(">= %.3g", goal), r.N > 0 && r.Value >= goal
	return r
}

func (r Result) atMost(goal float64) Result {
	r.Goal, r.Met = fmt.Sprintf("<= %.3g", goal), r.N > 0 && r.Value <= goal
	return r
}

// Print writes results as a table.
func Print(w io.Writer, results []Result) error {
	t := tabwriter.NewWriter(w, 0, 0, 2, ' ', 0)
	fmt.Fprintln(t, "PROTOCOL\tFIGURE\tVALUE\t95 %\tN\tGOAL\t\tNOTE")
	for _, r := range results {
		verdict := ""
		if r.Goal != "" {
			verdict = "missed"
			if r.Met {
				verdict = "met"
			}
		}
		fmt.Fprintf(t, "%s\t%s\t%.4f\t%.4f-%.4f\t%d\t%s\t%s\t%s\n", r.Protocol, r.Figure, r.Value, r.Low, r.High, r.N, r.Goal, verdict, r.Note)
	}
	return t.Flush()
}
