package ledger

import (
	"fmt"
	"strconv"
	"strings"
	"testing"
)

// ruling reads a command about raises and breakers, or returns nil.
func (w *stage) ruling(t *testing.T, words []string, args map[string]string, line string) Command {
	id, values, split := strings.Cut(words[min(1, len(words)-1)], "/")
	c := Scope{Budget: BudgetID(id), All: !split}
	if split {
		c.Split = MakeSplit(strings.Split(values, ",")...)
	}
	_, reason, _ := strings.Cut(line, `"`)
	reason, _, _ = strings.Cut(reason, `"`)
	after := func(name string) Instant {
		if args[name] == "" {
			return 0
		}
		return span(t, args[name])
	}
	count := func(word string) int64 {
		n, err := strconv.ParseInt(word, 10, 64)
		if err != nil {
			t.Fatal(err)
		}
		return n
	}
	switch words[0] {
	case "raise":
		return PutRaise{Raise{
			Budget: c.Budget, ID: RaiseID(words[2]), All: c.All, Split: c.Split, Amount: Amount(count(words[3])),
			Until: w.now + after("until"), Reason: reason,
		}}
	case "unraise":
		return EndRaise{Budget: c.Budget, ID: RaiseID(words[2])}
	case "trip":
		return TripBudget{Scope: c, Cause: ByOperator, Reason: reason, For: after("for")}
	case "reset":
		_, atOnce := args["close"]
		return ResetBreaker{Scope: c, Close: atOnce}
	case "probed":
		return Probed{Scope: c, Serial: uint32(count(words[2])), Good: words[3] == "good"}
	}
	return nil
}

func (w *stage) raises(id BudgetID) string {
	var b strings.Builder
	for _, x := range w.state.Raises(id) {
		fmt.Fprintf(&b, "%s: %d for %s until %s", x.ID, x.Amount, printScope(x.Scope()), printInstant(x.Until))
		if x.Reason != "" {
			fmt.Fprintf(&b, " (%s)", x.Reason)
		}
		b.WriteString("\n")
	}
	if b.Len() == 0 {
		return "none\n"
	}
	return b.String()
}

func (w *stage) trips(id BudgetID) string {
	var b strings.Builder
	for _, x := range w.state.Trips(id) {
		fmt.Fprintf(&b, "%s: %s by %s since %s, serial %d", printScope(x.Scope), x.State, x.Cause, printInstant(x.Since), x.Serial)
		if x.Until > 0 {
			fmt.Fprintf(&b, ", until %s", printInstant(x.Until))
		}
		if x.Probes > 0 {
			fmt.Fprintf(&b, ", %d probes to go", x.Probes)
		}
		if x.Reason != "" {
			fmt.Fprintf(&b, " (%s)", x.Reason)
		}
		b.WriteString("\n")
	}
	if b.Len() == 0 {
		return "closed\n"
	}
	return b.String()
}

func printScope(c Scope) string {
	if c.All {
		return "all"
	}
	return strings.Join(c.Split.Values(), ",")
}
