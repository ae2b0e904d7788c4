// Anomaly measures on recorded traffic how soon injected loops are flagged, and how often
// something is that is none.
//
//	go run ./bench/anomaly -trace FILE [-trace FILE] [-seeds 40] [-days 14] [-seed 1]
//
// A trace is the CSV of the Azure LLM inference traces, plain or gzipped: a line for each
// request, of its time, its input tokens and its output tokens. Requests are given to 20
// agents of 4 teams, by chance, some of which have far more than others.
//
// Prices are 2.50 and 10.00 dollars for a million tokens. What is flagged counts unless
// a narrower key explains it: that is what is told.
package main

import (
	"flag"
	"fmt"
	"math"
	"math/rand/v2"
	"os"
	"slices"
	"time"

	"purser/internal/anomaly"
	"purser/ledger"
)

type files []string

func (f *files) String() string     { return fmt.Sprint(*f) }
func (f *files) Set(s string) error { *f = append(*f, s); return nil }

func main() {
	var traces files
	flag.Var(&traces, "trace", "a trace; may be given more than once")
	seeds := flag.Int("seeds", 40, "loops for each trace and rate")
	days := flag.Int("days", 14, "days that are put together from pieces of each trace")
	seed := flag.Uint64("seed", 1, "of everything that is drawn")
	flag.Parse()
	if len(traces) == 0 {
		fmt.Fprintln(os.Stderr, "anomaly: no -trace is given; it is a CSV file with the columns TIMESTAMP,ContextTokens,GeneratedTokens, such as the Azure LLM inference traces")
		os.Exit(2)
	}
	fmt.Printf("seed %d\n", *seed)
	for _, file := range traces {
		requests, err := read(file)
		if err != nil {
			fmt.Fprintln(os.Stderr, "anomaly:", err)
			os.Exit(1)
		}
		measure(file, requests, *seeds, *days, *seed)
	}
}

func measure(name string, requests []request, seeds, days int, seed uint64) {
	span := requests[len(requests)-1].at - requests[0].at
	var cost ledger.Amount
	for _, r := range requests {
		cost += r.cost()
	}
	fmt.Printf("\n%s: %d requests in %v, $%.2f\n", name, len(requests), time.Duration(span).Round(time.Second), float64(cost)/1e9)

	told := 0
	for s := range seeds {
		told += len(run(assigned(requests, rand.New(rand.NewPCG(seed, uint64(s)))), nil).told)
	}
	judged := float64(seeds) * float64(span-15*ledger.Minute) / float64(24*ledger.Hour)
	low, high := poisson(told)
	fmt.Printf("as recorded, %d ways to give the requests to agents: %d flagged in %.2f days, %.2f a day (%.2f to %.2f)\n", seeds, told, judged, float64(told)/judged, low/judged, high/judged)

	d := resampled(requests, days, rand.New(rand.NewPCG(seed, 1<<32)))
	told = len(run(d, nil).told)
	low, high = poisson(told)
	fmt.Printf("%d days of its minutes, in another order and with a daily profile: %d flagged, %.2f a day (%.2f to %.2f)\n", days, told, float64(told)/float64(days), low/float64(days), high/float64(days))

	fmt.Println("loops injected: calls a minute, times the agent's own rate, found, at the right agent, delay p50, p95, spent before it was flagged p50")
	for _, every := range []ledger.Instant{10 * ledger.Second, 4 * ledger.Second, 2 * ledger.Second, ledger.Second / 2} {
		var delays, spent, times []float64
		found, right := 0, 0
		for s := range seeds {
			rng := rand.New(rand.NewPCG(seed, uint64(s)))
			list := assigned(requests, rng)
			l := loop{agent: fmt.Sprintf("agent-%02d", rng.IntN(agents)), from: requests[0].at + 25*ledger.Minute + ledger.Instant(rng.Int64N(int64(20*ledger.Minute))), every: every}
			out := run(list, &l)
			times = append(times, l.times(list))
			if out.delay < 0 {
				continue
			}
			found++
			delays, spent = append(delays, out.delay), append(spent, out.spent)
			if out.right {
				right++
			}
		}
		fmt.Printf("  %4.0f  x%-5.1f %d of %d (%.0f %%), right %d, %s s, %s s, $%s\n", float64(ledger.Minute)/float64(every), at(times, 0.5), found, seeds, 100*float64(found)/float64(seeds), right, show(delays, 0.5), show(delays, 0.95), show(spent, 0.5))
	}
}

func show(values []float64, q float64) string {
	if len(values) == 0 {
		return "-"
	}
	return fmt.Sprintf("%.2f", at(values, q))
}

func at(values []float64, q float64) float64 {
	slices.Sort(values)
	return values[min(int(q*float64(len(values))), len(values)-1)]
}

// outcome is what came of one run.
type outcome struct {
	told  []*anomaly.Event // but for those of the loop
	delay float64          // seconds from the loop's begin; below 0: it was not flagged
	spent float64          // dollars of the loop by then
	right bool             // the first that was told is of the loop's agent
}

// run has a detector see the requests, and a loop among them.
func run(requests []request, l *loop) (out outcome) {
	out.delay = -1
	d, seen := anomaly.New(anomaly.DefaultConfig()), &anomaly.Recent{}
	if l != nil {
		requests = l.into(requests)
	}
	next := anomaly.BinOf(requests[0].at)
	flush := func(until int64) {
		for ; next < until; next++ {
			for _, e := range d.Bin(next, seen.Of(next)) {
				if e.Ended != 0 || e.By != (anomaly.Key{}) {
					continue
				}
				if l == nil || e.Flagged < l.from {
					out.told = append(out.told, e)
					continue
				}
				if out.delay < 0 {
					out.delay = float64(e.Flagged-l.from) / float64(ledger.Second)
					out.spent = float64(l.cost(e.Flagged)) / 1e9
					out.right = e.Key == anomaly.Key{Dim: "agent", Value: l.agent}
				}
			}
		}
	}
	for _, r := range requests {
		flush(anomaly.BinOf(r.at))
		seen.Add(r.at, r.cost(), []anomaly.Key{{Dim: "agent", Value: r.agent}, {Dim: "team", Value: r.team}})
	}
	flush(next + 1)
	return out
}

// poisson is the 95 % interval of the mean of a count (Garwood 1936), by its normal
// approximation for the cube root (Wilson, Hilferty 1931).
func poisson(n int) (low, high float64) {
	const z = 1.96
	x := float64(n)
	if n > 0 {
		low = x * math.Pow(1-1/(9*x)-z/(3*math.Sqrt(x)), 3)
	}
	x++
	return low, x * math.Pow(1-1/(9*x)+z/(3*math.Sqrt(x)), 3)
}
