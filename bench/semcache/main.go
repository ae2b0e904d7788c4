// Command semcache measures the parts of the semantic cache that are on every lookup:
// the embedded embedder, and the exact index. Figures of one run, on one core.
//
//	go run ./bench/semcache            (make bench-semcache)
//	go run ./bench/semcache -texts FILE  reads prompts, one a line, instead of making them
package main

import (
	"bufio"
	"context"
	"errors"
	"flag"
	"fmt"
	"math/rand/v2"
	"os"
	"runtime"
	"slices"
	"strings"
	"time"

	"purser/semcache/embed"
	"purser/semcache/index"
)

func main() {
	rounds := flag.Int("rounds", 2000, "measurements of each kind")
	texts := flag.String("texts", "", "a file of prompts, one a line")
	flag.Parse()
	if err := run(*rounds, *texts); err != nil {
		fmt.Fprintln(os.Stderr, "bench/semcache:", err)
		os.Exit(1)
	}
}

func run(rounds int, texts string) error {
	runtime.GOMAXPROCS(1)
	start, resident := time.Now(), rss()
	static, err := embed.NewStatic()
	if err != nil {
		return err
	}
	fmt.Printf("embedder %s, %d values, ready in %v\n", static.ID(), static.Dim(), time.Since(start).Round(10*time.Microsecond))
	loaded := rss()
	if err := embedding(static, rounds, texts); err != nil {
		return err
	}
	embedded := rss()
	for _, rows := range []int{1_000, 10_000, 100_000} {
		if err := searching(static, rows, rounds); err != nil {
			return err
		}
	}
	fmt.Printf("resident: %s at the start, %s with the vocabulary, %s after the texts (read from the program's file, and given back when memory is short), %s with 100,000 rows\n",
		resident, loaded, embedded, rss())
	return nil
}

// words are common ones, and what prompts are made of.
var words = strings.Fields(`how do i configure the reverse proxy so that requests from billing are retried only when no byte was sent yet
	what is the best way to learn a language and how long does it take explain difference between them in simple terms please
	write short email customer order delay refund policy error code database connection timeout python function returns list
	summarize this document translate into french why does my test fail kubernetes deployment memory limit idempotency invoice`)

func prompt(r *rand.Rand, n int) string {
	var b strings.Builder
	for i := range n {
		if i > 0 {
			b.WriteByte(' ')
		}
		b.WriteString(words[r.IntN(len(words))])
	}
	return b.String()
}

func embedding(e embed.Embedder, rounds int, file string) error {
	ctx, dst, r := context.Background(), make([]float32, e.Dim()), rand.New(rand.NewPCG(1, 2))
	if file != "" {
		lines, err := readLines(file, rounds)
		if err != nil {
			return err
		}
		return timeTexts(ctx, e, dst, fmt.Sprintf("%d prompts", len(lines)), lines)
	}
	for _, n := range []int{8, 16, 32, 64, 120} {
		lines := make([]string, rounds)
		for i := range lines {
			lines[i] = prompt(r, n)
		}
		if err := timeTexts(ctx, e, dst, fmt.Sprintf("%3d words", n), lines); err != nil {
			return err
		}
	}
	return nil
}

func timeTexts(ctx context.Context, e embed.Embedder, dst []float32, what string, lines []string) error {
	took := make([]time.Duration, 0, len(lines))
	for _, line := range lines {
		at := time.Now()
		err := e.Embed(ctx, dst, line)
		took = append(took, time.Since(at))
		if err != nil && !errors.Is(err, embed.ErrNoWords) {
			return err
		}
	}
	fmt.Printf("embed %s: %s\n", what, quantiles(took))
	return nil
}

func searching(e embed.Embedder, rows, rounds int) error {
	scopes := index.NewScopes(e.Dim(), index.Limits{PerScope: rows, Total: rows})
	r := rand.New(rand.NewPCG(3, uint64(rows)))
	v, q := make([]float32, e.Dim()), make([]int8, e.Dim())
	var scope index.Scope
	at := time.Now()
	for id := range rows {
		if err := e.Embed(context.Background(), v, prompt(r, 4+r.IntN(20))); err != nil {
			return err
		}
		if err := scopes.Add(scope, uint64(id), q, index.Quantize(q, v)); err != nil {
			return err
		}
	}
	filled := time.Since(at)
	rounds = min(rounds, max(200, rounds*10_000/rows))
	alone, both := make([]time.Duration, 0, rounds), make([]time.Duration, 0, rounds)
	for range rounds {
		text := prompt(r, 12)
		at := time.Now()
		if err := e.Embed(context.Background(), v, text); err != nil {
			return err
		}
		scale := index.Quantize(q, v)
		embedded := time.Now()
		scopes.Search(scope, q, scale, 5, 0.55)
		end := time.Now()
		alone, both = append(alone, end.Sub(embedded)), append(both, end.Sub(at))
	}
	fmt.Printf("search %7d rows of one scope: %s; with embedding 12 words: %s; filled at %.0f rows/s\n",
		rows, quantiles(alone), quantiles(both), float64(rows)/filled.Seconds())
	return nil
}

func quantiles(took []time.Duration) string {
	slices.Sort(took)
	at := func(q float64) time.Duration {
		return took[min(len(took)-1, int(q*float64(len(took))))].Round(100 * time.Nanosecond)
	}
	return fmt.Sprintf("p50 %v p99 %v (n=%d)", at(0.5), at(0.99), len(took))
}

func readLines(file string, most int) ([]string, error) {
	f, err := os.Open(file)
	if err != nil {
		return nil, err
	}
	defer f.Close()
	var lines []string
	s := bufio.NewScanner(f)
	for len(lines) < most && s.Scan() {
		lines = append(lines, s.Text())
	}
	if len(lines) == 0 && s.Err() == nil {
		return nil, fmt.Errorf("%s has no lines", file)
	}
	return lines, s.Err()
}

// rss is the resident memory, as Linux tells it.
func rss() string {
	b, err := os.ReadFile("/proc/self/status")
	if err != nil {
		return "unknown"
	}
	for line := range strings.Lines(string(b)) {
		if rest, ok := strings.CutPrefix(line, "VmRSS:"); ok {
			return strings.TrimSpace(rest)
		}
	}
	return "unknown"
}
