package ui

import (
	"fmt"
	"maps"
	"net/url"
	"slices"
	"time"
)

// outcomes say how a request ended.
var outcomes = map[string]string{
	"completed": "The upstream answered in full.", "cache_hit": "It was answered from a cache and cost nothing.",
	"coalesced": "It was answered with the answer to an identical request in flight, and cost nothing.",
	"refused":   "A budget said no; nothing was sent to a provider.", "denied": "The key, a policy or the input did not allow it; nothing was sent, or the answer was withheld.",
	"upstream_error": "The provider refused, or broke before it could bill.", "disconnected": "The client went away; the answer was read to its end, for the bill.",
	"truncated": "The provider broke off after it had begun.", "undecided": "The cluster could not decide; nothing was sent.", "cut_short": "The budget had no more for the stream; it was ended here.",
	"replayed": "Answered as the request before with the same Idempotency-Key.",
}

// bases say what the charge rests on.
var bases = map[string]string{
	"reported": "the provider's own count of tokens, at the catalogue's prices", "estimated": "tokens counted from what passed through, since the provider reported none",
	"full_hold": "the whole hold, since what was used is not known", "no_charge": "nothing was billed", "reported_cost": "the cost that the provider itself reported",
}

// bounds say how the hold was made.
var bounds = map[string]string{
	"bytes": "the bytes of the prompt", "vocabulary": "a bound by the tokenizer's vocabulary", "exact": "an exact count of the prompt", "window": "the model's context window", "counted": "the provider's own count, with a margin",
}

// classes say what each class of waste is.
var classes = map[string]string{
	"retry_loop": "An agent went in a circle, or sent the same call again and again in one run.", "failed": "It was billed, and nobody got an answer.",
	"exact_repeat": "It had been asked and answered before.", "near_repeat": "The same had been asked in other words.",
	"unused_output":    "The answer was made and not delivered, or was cut at its cap and asked for again.",
	"uncached_context": "The prompt's beginning could have been read from the provider's cache.", "oversized_context": "The input is far beyond what its peers need, or compression takes a part of it out.",
	"stronger_model": "A cheaper model does the task as well, by the outcomes that were reported.", "no_outcome": "The run has no outcome, among runs that have one.",
}

// step is one part of the time of a request.
type step struct {
	Name, Class string
	X, W        string
	Took        int64 // nanoseconds
}

// meter is one amount of what was used.
type meter struct {
	Name string
	N    int64
}

// lever is one that saved something, or cost more than it saved.
type lever struct {
	Name  string
	Saved int64
	Share float64 // of the baseline
}

// fact is a name and a value that leads somewhere.
type fact struct{ Name, Value, Link string }

// explain makes sentences, steps and lists of the record.
func (v *requestView) explain() {
	v.tell()
	v.time()
	for _, name := range slices.Sorted(maps.Keys(v.Usage)) {
		v.Meters = append(v.Meters, meter{name, v.Usage[name]})
	}
	for _, name := range slices.Sorted(maps.Keys(v.Savings)) {
		v.Levers = append(v.Levers, lever{name, v.Savings[name], share(v.Savings[name], v.Baseline)})
	}
	for _, name := range slices.Sorted(maps.Keys(v.Dimensions)) {
		value := v.Dimensions[name]
		f := fact{name, value, "/ui/explorer?" + url.Values{"filter": {name + ":" + value}, "range": {"7d"}}.Encode()}
		if name == "run" {
			f.Link = runLink(value)
		}
		v.Links = append(v.Links, f)
	}
}

// tell says what happened.
func (v *requestView) tell() {
	say := func(format string, args ...any) { v.Story = append(v.Story, fmt.Sprintf(format, args...)) }
	if text, ok := outcomes[v.Outcome]; ok {
		say("%s", text)
	}
	switch v.Kind {
	case "correction":
		say("This row corrects what was recorded of %s: %s", v.Corrects, v.Note)
	case "adjustment":
		say("This row adjusts the sum to the provider's bill: %s", v.Note)
	case "presumed":
		say("This row is what a lost node may have spent: %s", v.Note)
	}
	if bound, ok := bounds[v.Bound]; ok && v.Hold > 0 {
		say("Before it was sent, %s was held, the most it could cost by %s.", exact(v.Hold), bound)
	}
	if basis, ok := bases[v.Basis]; ok {
		say("It was charged %s: %s.", exact(v.Cost), basis)
	}
	if v.Overrun > 0 {
		say("%s of that is overrun: the provider billed beyond the cap of the request.", exact(v.Overrun))
	}
	if saved := v.Saved(); saved > 0 {
		say("Without the levers it would have cost %s; they saved %s, %s.", exact(v.Baseline), exact(saved), percent(share(saved, v.Baseline)))
	}
	if v.Attempts > 1 {
		say("It took %d calls of providers; this row is of call %d.", v.Attempts, v.Attempt)
	}
	if v.Shape != nil && v.Shape.Before > v.Shape.After && v.Shape.After > 0 {
		say("Its prompt was compressed from %s to %s tokens (%s).", grouped(v.Shape.Before), grouped(v.Shape.After), words(v.Shape.Level))
	}
	if v.Made > v.Delivered && v.Delivered >= 0 && v.Made > 0 {
		say("%s of the answer's text did not reach the client.", percent(share(v.Made-v.Delivered, v.Made)))
	}
}

// time lays the parts of its time out one after the other.
func (v *requestView) time() {
	total := v.Total
	if total <= 0 {
		return
	}
	at := int64(0)
	put := func(name, class string, until int64) {
		until = min(max(until, at), total)
		if until-at >= int64(time.Microsecond) {
			v.Steps = append(v.Steps, step{name, class, units(share(at, total)), units(max(share(until-at, total), 0.004)), until - at})
		}
		at = until
	}
	put("Waiting for the hold", "c1", v.Admit)
	if v.FirstByte > 0 {
		put("To the first byte", "c2", v.FirstByte)
		put("Answering", "c0", total)
		return
	}
	put("Until it ended", "c0", total)
}
