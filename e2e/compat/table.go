package compat

import (
	"cmp"
	"fmt"
	"slices"
	"strconv"
	"strings"
)

// Result is what became of one scenario with one client.
type Result uint8

// The results.
const (
	NotRun        Result = iota // the client could not be installed
	Passed                      // it did what the scenario says
	NotApplicable               // the client has no such thing
	Failed
)

// Cell is a result, and why it is no pass.
type Cell struct {
	Result   Result
	Why      string
	Attempts int64 // requests for an answer that the gateway saw
}

// Row is one client's results.
type Row struct {
	Client   *Client
	Versions []string // of Client.Packages
	Cells    map[Scenario]Cell
}

// head says whose row it is; a test finds the versions of the lock files in it.
func (r *Row) head() string {
	var names, versions []string
	for i, name := range r.Client.Packages {
		names = append(names, "`"+name+"`")
		versions = append(versions, r.Versions[i])
	}
	if r.Client.How != "" {
		names = append(names, r.Client.How)
	}
	return fmt.Sprintf("| %s | %s | %s | `%s` |", r.Client.Kind, strings.Join(names, ", "), strings.Join(versions, ", "), r.Client.Route)
}

// Draw is the document of a run. It has no date and no duration, so that a run
// which found the same leaves it as it was.
func Draw(rows []Row, runtime string) string {
	var b strings.Builder
	b.WriteString(opening)
	line := func(cells ...string) { b.WriteString("| " + strings.Join(cells, " | ") + " |\n") }

	titles := []string{"", "client", "version", "route"}
	for _, s := range Scenarios {
		titles = append(titles, string(s.ID))
	}
	line(titles...)
	b.WriteString(strings.Repeat("|---", len(titles)) + "|\n")
	var notes []string
	for i := range rows {
		r := &rows[i]
		b.WriteString(r.head())
		for _, s := range Scenarios {
			b.WriteString(" " + r.Cells[s.ID].text(s.ID, &notes) + " |")
		}
		b.WriteString("\n")
	}
	for i, note := range notes {
		fmt.Fprintf(&b, "\n%d. %s", i+1, note)
	}
	fmt.Fprintf(&b, "\n\nThe JavaScript clients run on Node %s, which comes with them.\n", runtime)

	b.WriteString("\n## What a pass says\n\n| scenario | pass |\n|---|---|\n")
	for _, s := range Scenarios {
		line(string(s.ID), s.Means)
	}
	b.WriteString(settings)
	b.WriteString(knobTable())
	return b.String()
}

// text is a cell as it is shown. Reasons are numbered below the table, each once.
func (c Cell) text(s Scenario, notes *[]string) string {
	note := func() string {
		at := slices.Index(*notes, c.Why)
		if at < 0 {
			at = len(*notes)
			*notes = append(*notes, c.Why)
		}
		return "(" + strconv.Itoa(at+1) + ")"
	}
	switch c.Result {
	case Passed:
		if s == Denial {
			return "pass, " + plural(c.Attempts, "attempt")
		}
		return "pass"
	case NotApplicable:
		return "n/a " + note()
	case Failed:
		return "**fail** " + note()
	case NotRun:
	}
	return "**not run** " + note()
}

func plural(n int64, what string) string {
	if n == 1 {
		return "1 " + what
	}
	return fmt.Sprint(n, " ", what, "s")
}

// knobTable lists what is set of each client. Clients of one kind that share a
// package have one line.
func knobTable() string {
	var b strings.Builder
	seen := map[string]bool{}
	for i := range Clients {
		c := &Clients[i]
		name := c.Packages[len(c.Packages)-1]
		text := fmt.Sprintf("| %s | `%s` | `%s` | `http://NODE%s` | `%s` |\n", c.Kind, name, c.URL.Name, c.URL.Path, cmp.Or(c.Key.Name, "-"))
		if !seen[text] {
			seen[text] = true
			b.WriteString(text)
		}
	}
	return b.String()
}

const opening = `# Clients

Written by ` + "`make e2e`" + ` from what it saw; do not edit it. Each client is installed from its registry at the version of its lock file
([e2e/clients](../e2e/clients/)), and runs against a node whose upstream is the simulated provider. Nothing of a client is set but
where the node is and a key ([below](#what-is-set)). A pass is what the client saw and what the node recorded: at the end, the records
of all these calls equal the provider's bill, call by call.

`

const settings = `
## What is set

` + "`NODE`" + ` is the address of a node. A name in capitals is an environment variable, any other an option or a key of the client's configuration.

| | client | where | is set to | the key |
|---|---|---|---|---|
`
