package main

import (
	"fmt"
	"maps"
	"slices"
	"strings"
	"time"

	"purser/jepsen-style-tests/outside/nemesis"
	"purser/jepsen-style-tests/outside/report"
	"purser/jepsen-style-tests/outside/verdict"
)

// table is one of the document's.
type table struct{ name, text string }

// checkers are what is looked for, in the words of the document.
var checkers = []struct{ name, what string }{
	{"C1", "bill above a cap"},
	{"C2", "call without one record of its cost, beyond what is presumed or written off; sums that differ"},
	{"C3", "answer whose cost a client was told, without that record"},
	{"C4", "account that does not add up"},
	{"C5", "equal entries of the log, another digest"},
	{"C6", "spending, window, term or incarnation that goes back"},
	{"C7", "changes and reads without an order; acknowledged change that is not in the trail; entry applied twice"},
	{"C8", "something outstanding 30 s after the last client"},
	{"C9", "refusal without a reason; no decision, or no answer, with no fault near"},
	{"idempotency", "request sent twice under one key, or answered in two ways"},
	{"revocation", "request run with a key that was revoked"},
	{"recovery", "node that does not come back, or ends by itself"},
	{"end", "node that does not end well on SIGTERM"},
}

func tablesOf(runs []*report.Summary) []table {
	fit := slices.DeleteFunc(slices.Clone(runs), func(s *report.Summary) bool { return s.Verdict == "invalid" })
	return []table{
		{"totals", totals(runs, fit)},
		{"findings", findings(fit)},
		{"faults", faults(fit)},
		{"availability", availability(fit)},
		{"leaders", leaders(fit)},
		{"soak", soak(fit)},
	}
}

// totals are what was run.
func totals(runs, fit []*report.Summary) string {
	var b strings.Builder
	row := func(name, format string, args ...any) {
		fmt.Fprintf(&b, "| %s | %s |\n", name, fmt.Sprintf(format, args...))
	}
	b.WriteString("| | |\n|---|---|\n")
	verdicts := map[string]int{}
	for _, s := range runs {
		verdicts[s.Verdict]++
	}
	var length time.Duration
	var requests, rows, billed, unproven, replayed, entries int64
	made, bit, names := 0, 0, map[string]bool{}
	seeds, networks, sizes := map[uint64]bool{}, map[string]int{}, map[int]time.Duration{}
	for _, s := range fit {
		length += s.Duration
		requests, rows, billed, unproven = requests+int64(s.Requests), rows+s.Rows, billed+s.Billed, unproven+s.Unproven
		replayed, entries = replayed+s.Replayed, entries+int64(s.Entries)
		seeds[s.Seed] = true
		network, _, _ := strings.Cut(s.Network, " (")
		networks[network]++
		sizes[s.Nodes] += s.Duration
		for name, m := range s.Faults {
			made, bit = made+m.Made, bit+m.Bit
			if m.Made > 0 {
				names[name] = true
			}
		}
	}
	row("runs", "%d: %d good, %d bad, %d not fit to be judged", len(runs), verdicts["good"], verdicts["bad"], verdicts["invalid"])
	row("time under load", "%.1f hours, of %d seeds", length.Hours(), len(seeds))
	for _, n := range slices.Sorted(maps.Keys(sizes)) {
		row(fmt.Sprintf("with %d nodes", n), "%.1f hours", sizes[n].Hours())
	}
	for _, n := range slices.Sorted(maps.Keys(networks)) {
		row("network", "%s in %d runs", n, networks[n])
	}
	row("faults", "%d made of %d names; %d were seen to have their effect", made, len(names), bit)
	row("requests", "%d; %d answers given again under an idempotency key", requests, replayed)
	row("calls that the provider billed", "%d, %s", rows, report.Dollars(billed))
	row("of these without a record, inside what is presumed or written off", "%s", report.Dollars(unproven))
	row("entries of logs, carried out once more", "%d", entries)
	return b.String()
}

func findings(fit []*report.Summary) string {
	count, bad := map[string]int{}, map[string]int{}
	for _, s := range fit {
		for name, n := range s.Findings {
			count[name] += n
			bad[name]++
		}
	}
	var b strings.Builder
	b.WriteString("| checker | would be | found | in runs |\n|---|---|---:|---:|\n")
	for _, c := range checkers {
		fmt.Fprintf(&b, "| %s | %s | %d | %d of %d |\n", c.name, c.what, count[c.name], bad[c.name], len(fit))
		delete(count, c.name)
	}
	for _, name := range slices.Sorted(maps.Keys(count)) {
		fmt.Fprintf(&b, "| %s | | %d | %d of %d |\n", name, count[name], bad[name], len(fit))
	}
	return b.String()
}

// faults has every fault of the harness, also those that no run made.
func faults(fit []*report.Summary) string {
	sums := map[string]report.Made{}
	for _, s := range fit {
		for name, m := range s.Faults {
			sum := sums[name]
			sums[name] = report.Made{Class: m.Class, Made: sum.Made + m.Made, Bit: sum.Bit + m.Bit, Skipped: sum.Skipped + m.Skipped}
		}
	}
	var b strings.Builder
	b.WriteString("| class | fault | | made | had its effect |\n|---|---|---|---:|---:|\n")
	for _, f := range nemesis.Table() {
		m := sums[f.Name]
		fmt.Fprintf(&b, "| %s | `%s` | %s | %d | %d |\n", f.Class, f.Name, f.What, m.Made, m.Bit)
		delete(sums, f.Name)
	}
	for _, name := range slices.Sorted(maps.Keys(sums)) { // of an older harness
		fmt.Fprintf(&b, "| %s | `%s` | | %d | %d |\n", sums[name].Class, name, sums[name].Made, sums[name].Bit)
	}
	return b.String()
}

func availability(fit []*report.Summary) string {
	shares, recovery := map[string]verdict.Share{}, map[string][]int64{}
	for _, s := range fit {
		for class, a := range s.Admitted {
			sum := shares[class]
			sum.Add(a)
			shares[class] = sum
		}
		for class, list := range s.Recovery {
			recovery[class] = append(recovery[class], list...)
		}
	}
	var b strings.Builder
	b.WriteString("| class | admitted at nodes that are up and not hit | at all nodes | every node decides again after the heal, p50 | p99 | of |\n|---|---|---|---:|---:|---:|\n")
	classes := []string{verdict.Quiet}
	for _, c := range nemesis.Classes {
		classes = append(classes, string(c))
	}
	for _, class := range classes {
		a, list := shares[class], recovery[class]
		fmt.Fprintf(&b, "| %s | %s | %s | %s | %s | %d |\n", class, report.Percent(a.WarmAdmitted, a.Warm), report.Percent(a.AllAdmitted, a.All), report.Quantile(list, 50), report.Quantile(list, 99), len(list))
	}
	return b.String()
}

func leaders(fit []*report.Summary) string {
	var commits, decides []int64
	for _, s := range fit {
		commits, decides = append(commits, s.Commits...), append(decides, s.Decides...)
	}
	return fmt.Sprintf("| from the loss of a leader until | p50 | p99 | of |\n|---|---:|---:|---:|\n"+
		"| a change or linearizable read that was asked for since was answered | %s | %s | %d |\n| a node that was not hit decided a request that came since | %s | %s | %d |\n",
		report.Quantile(commits, 50), report.Quantile(commits, 99), len(commits), report.Quantile(decides, 50), report.Quantile(decides, 99), len(decides))
}

// soakFrom is how long a process must have been watched to be in the table.
const soakFrom = time.Hour

func soak(fit []*report.Summary) string {
	var b strings.Builder
	b.WriteString("| seed | node | watched for | memory, median | an hour | file descriptors an hour | goroutines an hour |\n|---|---|---:|---:|---:|---:|---:|\n")
	for _, s := range fit {
		for _, x := range s.Slopes {
			if x.Span < soakFrom {
				continue
			}
			fmt.Fprintf(&b, "| %d | %s | %v | %.0f MB | %+.1f MB | %+.1f | %+.1f |\n", s.Seed, x.Node, x.Span.Round(time.Minute), x.RSSMedian/1e6, x.RSS/1e6, x.FDs, x.Goroutines)
		}
	}
	return b.String()
}
