// Command routing measures the strategy learned on prompts that it makes: fifteen kinds
// of task, three models of which it is known how often each answers each kind well, and
// the prices of the catalogue. It prints what learned routing comes to on prompts that
// it was not trained on, beside each model alone, chance, and who knows the best model
// of each kind.
//
//	go run ./bench/routing        (make bench-routing)
package main

import (
	"flag"
	"fmt"
	"math"
	"os"
)

func main() {
	train := flag.Int("train", 3000, "prompts to learn from")
	test := flag.Int("test", 3000, "prompts to be judged by")
	seed := flag.Uint64("seed", 1, "of everything that is drawn")
	keep := flag.Float64("keep", 0.99, "share of the best model's quality that tuning keeps")
	flag.Parse()
	if err := run(*train, *test, *seed, *keep); err != nil {
		fmt.Fprintln(os.Stderr, "bench/routing:", err)
		os.Exit(1)
	}
}

func run(train, test int, seed uint64, keep float64) error {
	w, err := newWorld(train, test, seed)
	if err != nil {
		return err
	}
	rows, _, err := figures(w, seed, keep)
	if err != nil {
		return err
	}
	large := rows[0]
	for _, r := range rows {
		if r.name == "always large" {
			large = r
		}
	}
	fmt.Printf("%d kinds, %d prompts to learn from, %d others to be judged by, seed %d; quality: share of answers that are good\n\n", len(kinds), train, test, seed)
	fmt.Printf("%-16s %6s %18s %8s %10s %12s\n", "", "alpha", "quality", "regret", "cost", "of large's")
	for _, r := range rows {
		alpha := ""
		if r.alpha >= 0 {
			alpha = fmt.Sprintf("%.2f", r.alpha)
		}
		fmt.Printf("%-16s %6s %9.4f ± %.4f %8.4f %10s %11.1f%%\n", r.name, alpha, r.quality, r.err, r.regret,
			fmt.Sprintf("$%.4f", float64(r.cost)/1e9), 100*float64(r.cost)/float64(large.cost))
	}
	return nil
}

// deviation is the standard error of a share p of n.
func deviation(p, n float64) float64 { return math.Sqrt(p * (1 - p) / n) }
