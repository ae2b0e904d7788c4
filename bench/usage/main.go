// Command usage measures usage records at scale: it writes thirty days of them as fast as it
// can, with and without rolling them up at the same time, and then asks.
//
//	go run ./bench/usage -records 10000000   (make bench-usage RECORDS=10000000)
//
// It ends with an error if the rollups do not add up to what was written.
package main

import (
	"context"
	"errors"
	"flag"
	"fmt"
	"os"
	"runtime"
	"runtime/pprof"
	"time"

	"purser/internal/store"
	"purser/internal/usage"
	"purser/ledger"
)

func main() {
	n := flag.Int("records", 200_000, "how many")
	flag.IntVar(&over, "days", 30, "over how many days they are spread")
	dir := flag.String("dir", "", "where to put the store (default: a temporary directory)")
	rounds := flag.Int("rounds", 20, "measurements of each question")
	profile := flag.String("profile", "", "a file for a CPU profile of the questions")
	flag.Parse()
	if err := run(*n, *dir, *rounds, *profile); err != nil {
		fmt.Fprintln(os.Stderr, "bench/usage:", err)
		os.Exit(1)
	}
}

const begin = ledger.Instant(1_788_220_800_000_000_000) // a midnight

var over int // days

// span is the time that the records are of.
func span() ledger.Instant { return ledger.Instant(over) * 24 * ledger.Hour }

func run(n int, dir string, rounds int, profile string) (err error) {
	if dir, err = os.MkdirTemp(dir, "purser-bench-usage-"); err != nil {
		return err
	}
	defer func() { err = errors.Join(err, os.RemoveAll(dir)) }()
	s, err := store.Open(store.Options{Dir: dir, Fatal: func(err error) { panic(err) }})
	if err != nil {
		return err
	}
	j, err := usage.Open(s, usage.DefaultConfig())
	if err != nil {
		return errors.Join(err, s.Close())
	}
	ctx := context.Background()
	fmt.Printf("%d records over %d days; %d cores\n", n, over, runtime.GOMAXPROCS(0))
	w, err := write(ctx, j, n)
	if err == nil {
		err = settle(ctx, j)
	}
	if err == nil {
		err = sizes(s, n)
	}
	if err == nil {
		err = profiled(profile, func() error { return ask(ctx, j, w, rounds) })
	}
	return errors.Join(err, j.Close(), s.Close())
}

// profiled runs f, and writes a CPU profile of it where one is wanted.
func profiled(file string, f func() error) error {
	if file == "" {
		return f()
	}
	out, err := os.Create(file)
	if err != nil {
		return err
	}
	if err := pprof.StartCPUProfile(out); err != nil {
		return errors.Join(err, out.Close())
	}
	err = f()
	pprof.StopCPUProfile()
	return errors.Join(err, out.Close())
}

// settle rolls up what is left.
func settle(ctx context.Context, j *usage.Journal) error {
	began, busy := time.Now(), processor()
	if err := j.Roller(usage.Own).Roll(ctx, begin+span()+24*ledger.Hour); err != nil {
		return err
	}
	fmt.Printf("rolled up the rest in %v, processor %v\n", time.Since(began).Round(time.Millisecond), (processor() - busy).Round(time.Millisecond))
	return nil
}

// sizes tells what the store takes on disk.
func sizes(s *store.Store, n int) error {
	db := s.DB()
	if err := db.Flush(); err != nil {
		return err
	}
	if err := db.Compact(context.Background(), []byte{0}, []byte{0xff}, true); err != nil {
		return err
	}
	fmt.Println("on disk, after compaction, bytes a record:")
	for _, part := range []struct {
		what         string
		lower, upper []byte
	}{
		{"records", []byte{store.PrefixRecord}, []byte{store.PrefixRecord + 1}},
		{"rollups by minute", rollups(1), rollups(2)},
		{"rollups by hour", rollups(2), rollups(3)},
		{"rollups by day", rollups(3), rollups(4)},
		{"everything", []byte{0}, []byte{0xff}},
	} {
		size, err := db.EstimateDiskUsage(part.lower, part.upper)
		if err != nil {
			return err
		}
		fmt.Printf("  %-18s %8.1f\n", part.what, float64(size)/float64(n))
	}
	return nil
}

// rollups is where the buckets of a level begin, as package usage has them.
func rollups(level byte) []byte { return []byte{store.PrefixRollup, 0, 'b', level} }
