package report

import (
	"cmp"
	"fmt"
	"maps"
	"slices"
	"strings"
	"text/tabwriter"
	"time"

	"purser/jepsen-style-tests/outside/verdict"
)

// Text is the run for people.
func (s *Summary) Text() string {
	var b strings.Builder
	p := func(format string, args ...any) { fmt.Fprintf(&b, format+"\n", args...) }
	p("%s: seed %d, %d nodes, %v, network: %s, build: %s", s.Verdict, s.Seed, s.Nodes, s.Duration.Round(time.Second), s.Network, s.Build)
	p("to repeat: %s", s.Again)
	for _, why := range s.Invalid {
		p("not fit to be judged: %s", why)
	}
	for _, m := range s.Missing {
		p("left out: %s", m)
	}
	made, bit, skipped := 0, 0, 0
	for _, m := range s.Faults {
		made, bit, skipped = made+m.Made, bit+m.Bit, skipped+m.Skipped
	}
	p("%d faults of %d names, %d seen to bite, %d skipped; %d terms, %d lives of nodes", made, len(s.Faults), bit, skipped, s.Terms, s.Lives)
	p("%d requests: %s; %d changes and reads; %d answers replayed", s.Requests, counts(s.Kinds), s.Changes, s.Replayed)
	p("the provider billed %d calls, %s; records have %s; %s of the bill are without a record", s.Rows, Dollars(s.Billed), Dollars(s.Recorded), Dollars(s.Unproven))
	p("everything was given back %v after the last client", s.Drained.Round(time.Millisecond))
	if s.Starved > 0 {
		p("the machine ran nothing for a tenth of a second or more %d times", s.Starved)
	}
	if s.Entries > 0 {
		p("%d entries of the log were carried out once more", s.Entries)
	}
	if len(s.Findings) == 0 {
		p("no findings")
	} else {
		p("findings: %s", counts(s.Findings))
	}
	w := tabwriter.NewWriter(&b, 0, 0, 2, ' ', 0)
	fmt.Fprintf(w, "class\tadmitted at warm nodes\tat all\trecovered p50\tp99\n")
	for _, class := range slices.Sorted(maps.Keys(s.Admitted)) {
		a := s.Admitted[class]
		fmt.Fprintf(w, "%s\t%s\t%s\t%s\t%s\n", class, Percent(a.WarmAdmitted, a.Warm), Percent(a.AllAdmitted, a.All), Quantile(s.Recovery[class], 50), Quantile(s.Recovery[class], 99))
	}
	_ = w.Flush() // into memory
	p("from the loss of a leader to the next answered change: p50 %s, p99 %s; to the next decision elsewhere: p50 %s, p99 %s",
		Quantile(s.Commits, 50), Quantile(s.Commits, 99), Quantile(s.Decides, 50), Quantile(s.Decides, 99))
	w = tabwriter.NewWriter(&b, 0, 0, 2, ' ', 0)
	fmt.Fprintf(w, "fault\tclass\tmade\tbit\tskipped\n")
	for _, name := range slices.Sorted(maps.Keys(s.Faults)) {
		m := s.Faults[name]
		fmt.Fprintf(w, "%s\t%s\t%d\t%d\t%d\n", name, m.Class, m.Made, m.Bit, m.Skipped)
	}
	_ = w.Flush()
	for _, x := range s.Slopes {
		p("%s over %v: memory %+.1f MB an hour (median %.0f MB), file descriptors %+.1f an hour, goroutines %+.1f an hour", x.Node, x.Span.Round(time.Minute), x.RSS/1e6, x.RSSMedian/1e6, x.FDs, x.Goroutines)
	}
	return b.String()
}

// told are the findings, each on a line.
func told(findings []verdict.Finding) string {
	var b strings.Builder
	for _, f := range findings {
		fmt.Fprintf(&b, "%s at %v: %s\n", f.Checker, time.Duration(f.At).Round(time.Millisecond), oneLine(f.What))
	}
	return b.String()
}

func counts[N int | int64](of map[string]N) string {
	var list []string
	for _, name := range slices.SortedFunc(maps.Keys(of), func(a, b string) int { return cmp.Or(cmp.Compare(of[b], of[a]), cmp.Compare(a, b)) }) {
		list = append(list, fmt.Sprintf("%s %d", name, of[name]))
	}
	return strings.Join(list, ", ")
}

// Dollars are nano-dollars to the last one.
func Dollars(nano int64) string { return fmt.Sprintf("%d.%09d USD", nano/1e9, nano%1e9) }

// Percent is a part of all, and how many all are; "-" of none.
func Percent(of, all int64) string {
	if all == 0 {
		return "-"
	}
	return fmt.Sprintf("%.3f %% of %d", 100*float64(of)/float64(all), all)
}

// Quantile of a list of nanoseconds: the smallest that so many percent are not above.
func Quantile(list []int64, percent int) string {
	if len(list) == 0 {
		return "-"
	}
	sorted := slices.Sorted(slices.Values(list))
	i := (len(sorted)*percent + 99) / 100
	return time.Duration(sorted[max(1, i)-1]).Round(time.Millisecond).String()
}
