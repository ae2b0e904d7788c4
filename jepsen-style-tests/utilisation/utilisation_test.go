package utilisation

import (
	"flag"
	"fmt"
	"testing"
	"time"

	"purser/ledger"
)

// Long forms, set by the make target.
var (
	seed     = flag.Uint64("seed", 1, "seed of every run")
	requests = flag.Int("requests", 100_000, "cap of the larger runs, in requests of mean cost; the smaller have a tenth")
	most     = flag.Int("nodes", 100, "most nodes")
)

// TestUtilisation prints how much of a cap is spent at the first refusal, and
// checks what is promised of it.
func TestUtilisation(t *testing.T) {
	t.Logf("seed %d; %d clients, a request takes %v and holds %d times its mean cost", *seed, clients, service, holdOf/meanCost)
	t.Logf("%-14s %6s %9s | %8s %14s | %9s %9s | %10s %10s %10s %13s | %s", "what", "nodes", "cap", "spent", "spent or held",
		"waited", "undecided", "exchanges", "asking", "entries", "entries, last", "refusal")
	t.Logf("%-14s %6s %9s | %8s %14s | %9s %9s | %10s %10s %10s %13s |", "", "", "requests", "", "", "", "",
		"per 10,000", "per 10,000", "per 10,000", "hundredth")
	for _, n := range []int{3, 100, 1000} {
		if n > *most {
			continue
		}
		for _, r := range []int{*requests, *requests / 10} {
			s := setup{seed: *seed, nodes: n, requests: r, clients: clients, service: service}
			row(t, "static slices", s, (*world).static)
			row(t, "direct", s, (*world).direct)
			f := row(t, "leases", s, (*world).cluster)
			switch {
			case r >= 1_000_000:
				want(t, s, "spent or held", share(s, f.spent+f.held), 0.999)
			case r >= 100_000:
				want(t, s, "spent", share(s, f.spent), 0.985)
			default: // the holds in flight alone are a large part of it
				want(t, s, "spent or held", share(s, f.spent+f.held), 0.98)
			}
			s.dies = true
			f = row(t, "one dies", s, (*world).cluster)
			if r >= 1_000_000 {
				want(t, s, "spent, one dead", share(s, f.spent), 0.95)
			}
		}
	}
}

const (
	clients = 200
	service = 100 * time.Millisecond
)

// row runs a world and prints what it came to.
func row(t *testing.T, what string, s setup, start func(*world)) figures {
	t.Helper()
	w := newWorld(s)
	start(w)
	f := w.run()
	per := func(n, of int) string { return fmt.Sprintf("%.0f", 10_000*float64(n)/float64(max(of, 1))) }
	t.Logf("%-14s %6d %9d | %7.3f%% %13.3f%% | %8.3f%% %9d | %10s %10s %10s %13s | %s", what, s.nodes, s.requests,
		100*share(s, f.spent), 100*share(s, f.spent+f.held), 100*float64(f.waited)/float64(f.admitted), f.undecided,
		per(f.exchanges, f.admitted), per(f.asking, f.admitted), per(f.entries, f.admitted), per(f.endEntries, f.endAdmitted), f.refusal)
	return f
}

func share(s setup, a ledger.Amount) float64 {
	return float64(a) / float64(ledger.Amount(s.requests)*meanCost)
}

func want(t *testing.T, s setup, what string, got, least float64) {
	t.Helper()
	if got < least {
		t.Errorf("%d nodes, cap of %d requests: %s %.3f %%, at least %.1f %%; repeat with -seed %d", s.nodes, s.requests, what, 100*got, 100*least, s.seed)
	}
}
