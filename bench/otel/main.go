// Command otel measures what spans cost the requests that they are made of, in one run:
//
//	go run ./bench/otel -bin bin/purser
//
// It starts a simulated provider and four nodes of the same binary: without telemetry,
// and with a receiver that takes everything, one that refuses connections, and one that
// accepts and never answers. Each gets the same requests from the same
// number of connections; the nodes take turns within a round, so that what else the
// machine does hits all alike, and a figure is the median over the rounds.
//
// Machines differ and are shared, so only ratios within the run carry over. It ends with
// status 1 if a request fails, or if the node whose receiver works lost a span.
package main

import (
	"bytes"
	"context"
	"errors"
	"flag"
	"fmt"
	"io"
	"net"
	"net/http"
	"net/http/httptest"
	"os"
	"os/exec"
	"os/signal"
	"path/filepath"
	"regexp"
	"slices"
	"strings"
	"sync"
	"syscall"
	"text/tabwriter"
	"time"

	"purser/api/admin"
)

const (
	token     = "bench-otel-admin-token-of-one-run"
	startTime = 30 * time.Second
	askTime   = 30 * time.Second
)

func main() {
	bin := flag.String("bin", "bin/purser", "the binary to measure")
	rounds := flag.Int("rounds", 12, "turns of each node")
	each := flag.Int("requests", 1000, "requests of a turn")
	conns := flag.Int("connections", 4, "at once")
	flag.Parse()
	ctx, stop := signal.NotifyContext(context.Background(), syscall.SIGINT, syscall.SIGTERM)
	defer stop()
	if err := run(ctx, *bin, *rounds, *each, *conns); err != nil {
		fmt.Fprintln(os.Stderr, "bench/otel:", err)
		os.Exit(1)
	}
}

// target is a node, and what was measured of it.
type target struct {
	name, telemetry string
	url, key        string
	median, p99     []float64 // milliseconds, a round each
	rate            []float64 // requests a second
}

func run(ctx context.Context, bin string, rounds, each, conns int) error {
	dir, err := os.MkdirTemp("", "purser-bench-otel-")
	if err != nil {
		return err
	}
	defer os.RemoveAll(dir)
	live := httptest.NewServer(http.HandlerFunc(func(_ http.ResponseWriter, q *http.Request) {
		_, _ = io.Copy(io.Discard, q.Body) // unread: what a receiver does with spans is no cost of the node
	}))
	defer live.Close()
	dead := httptest.NewServer(nil)
	dead.Close()
	hanging, err := net.Listen("tcp", "127.0.0.1:0") // its backlog takes connections, and nobody reads
	if err != nil {
		return err
	}
	defer hanging.Close()

	var started []*exec.Cmd
	defer func() {
		for _, p := range started {
			_ = p.Process.Kill() // what it returns is of no interest any more
			_ = p.Wait()
		}
	}()
	start := func(marker string, args ...string) (string, error) {
		cmd, url, err := startProcess(bin, filepath.Join(dir, args[0]+".log"), marker, args...)
		if cmd != nil {
			started = append(started, cmd)
		}
		return url, err
	}
	provider, err := start("provider at ", "simprovider", "--listen", "127.0.0.1:0", "--key", "sk-bench")
	if err != nil {
		return err
	}
	targets := []*target{
		{name: "none"},
		{name: "live", telemetry: "  endpoint: " + live.URL + "\n"},
		{name: "dead", telemetry: "  endpoint: " + dead.URL + "\n"},
		{name: "hanging", telemetry: "  endpoint: http://" + hanging.Addr().String() + "\n"},
	}
	for i, t := range targets {
		config := filepath.Join(dir, fmt.Sprintf("node-%d.yaml", i))
		text := fmt.Sprintf("node:\n  id: bench-%d\n  data_dir: %q\nlisten:\n  client: 127.0.0.1:0\nadmin:\n  token: %s\n  open_metrics: true\ncache:\n  enabled: false\nupstreams:\n  - name: sim\n    base_url: %s\n    key: sk-bench\n",
			i, filepath.Join(dir, fmt.Sprint("data-", i)), token, provider)
		if t.telemetry != "" {
			text += "telemetry:\n  queue: 65536\n  interval: 5s\n" + t.telemetry
		}
		if err := os.WriteFile(config, []byte(text), 0o600); err != nil {
			return err
		}
		if t.url, err = start("serves at ", "serve", "--config", config); err != nil {
			return err
		}
		if err := t.prepare(ctx); err != nil {
			return fmt.Errorf("%s: %w", t.name, err)
		}
	}
	client := &http.Client{Transport: &http.Transport{MaxIdleConnsPerHost: conns}, Timeout: askTime}
	for round := -1; round < rounds; round++ { // the first is to warm up
		for i := range targets {
			t := targets[(i+max(round, 0))%len(targets)]
			if err := t.turn(ctx, client, each, conns, round >= 0); err != nil {
				return fmt.Errorf("%s: %w", t.name, err)
			}
		}
	}
	report(os.Stdout, targets)
	return check(ctx, targets)
}

// startProcess runs the binary; what follows marker in its output is its address.
func startProcess(bin, log, marker string, args ...string) (*exec.Cmd, string, error) {
	cmd := exec.Command(bin, args...)
	f, err := os.OpenFile(log, os.O_CREATE|os.O_APPEND|os.O_WRONLY, 0o600)
	if err != nil {
		return nil, "", err
	}
	defer f.Close()
	cmd.Stderr = f
	out, err := cmd.StdoutPipe()
	if err != nil {
		return nil, "", err
	}
	if err := cmd.Start(); err != nil {
		return nil, "", fmt.Errorf("%w (make build makes the binary)", err)
	}
	var seen bytes.Buffer
	b := make([]byte, 4096)
	for {
		n, err := out.Read(b)
		seen.Write(b[:n])
		if _, rest, ok := strings.Cut(seen.String(), marker); ok && strings.Contains(rest, "\n") {
			url, _, _ := strings.Cut(rest, "\n")
			go func() { _, _ = io.Copy(io.Discard, out) }() // until the process ends
			return cmd, strings.TrimSpace(url), nil
		}
		if err != nil {
			text, _ := os.ReadFile(log)
			return cmd, "", fmt.Errorf("%s ended before it was ready: %s", args[0], text)
		}
	}
}

// prepare makes a key and a budget.
func (t *target) prepare(ctx context.Context) error {
	ctx, cancel := context.WithTimeout(ctx, startTime)
	defer cancel()
	c := &admin.Client{URL: t.url, Token: token}
	if _, err := c.PutBudget(ctx, admin.Budget{ID: "all", Unit: "usd", Limit: "1000000", Window: "total"}); err != nil {
		return err
	}
	k, err := c.CreateKey(ctx, admin.NewKey{Name: "bench"})
	t.key = k.Secret
	return err
}

const body = `{"model":"gpt-4o-mini","max_completion_tokens":20,"messages":[{"role":"user","content":"What is a purser?"}]}`

// turn asks so many requests, from so many connections.
func (t *target) turn(ctx context.Context, client *http.Client, requests, conns int, counts bool) error {
	var took [][]float64
	errs := make([]error, conns)
	took = make([][]float64, conns)
	var group sync.WaitGroup
	began := time.Now()
	for c := range conns {
		group.Go(func() {
			for range requests / conns {
				at := time.Now()
				if errs[c] = t.ask(ctx, client); errs[c] != nil {
					return
				}
				took[c] = append(took[c], float64(time.Since(at))/1e6)
			}
		})
	}
	group.Wait()
	if err := errors.Join(errs...); err != nil || !counts {
		return err
	}
	all := slices.Sorted(slices.Values(slices.Concat(took...)))
	t.median, t.p99 = append(t.median, all[len(all)/2]), append(t.p99, all[len(all)*99/100])
	t.rate = append(t.rate, float64(len(all))/time.Since(began).Seconds())
	return nil
}

func (t *target) ask(ctx context.Context, client *http.Client) error {
	req, err := http.NewRequestWithContext(ctx, http.MethodPost, t.url+"/v1/chat/completions", strings.NewReader(body))
	if err != nil {
		return err
	}
	req.Header.Set("Authorization", "Bearer "+t.key)
	req.Header.Set("x-purser-run", "bench")
	res, err := client.Do(req)
	if err != nil {
		return err
	}
	defer res.Body.Close()
	answer, err := io.ReadAll(res.Body)
	if err == nil && res.StatusCode != http.StatusOK {
		err = fmt.Errorf("status %d: %s", res.StatusCode, answer)
	}
	return err
}

func median(list []float64) float64 {
	sorted := slices.Sorted(slices.Values(list))
	return sorted[len(sorted)/2]
}

// report prints medians over the rounds, and the median of each round's ratio to the
// node without telemetry.
func report(w io.Writer, targets []*target) {
	base := targets[0]
	ratio := func(of, to []float64) float64 {
		list := make([]float64, len(of))
		for i := range of {
			list[i] = of[i] / to[i]
		}
		return median(list)
	}
	out := tabwriter.NewWriter(w, 0, 0, 2, ' ', 0)
	fmt.Fprintln(out, "receiver\tp50 ms\tratio\tp99 ms\tratio\trequests/s\tratio")
	for _, t := range targets {
		fmt.Fprintf(out, "%s\t%.3f\t%.2f\t%.3f\t%.2f\t%.0f\t%.2f\n", t.name, median(t.median), ratio(t.median, base.median),
			median(t.p99), ratio(t.p99, base.p99), median(t.rate), ratio(t.rate, base.rate))
	}
	_ = out.Flush() // to the terminal
}

// check looks into the nodes' own metrics: with a receiver that works nothing was
// lost.
func check(ctx context.Context, targets []*target) error {
	var errs []error
	for _, t := range targets[1:] {
		req, err := http.NewRequestWithContext(ctx, http.MethodGet, t.url+"/metrics", nil)
		if err != nil {
			return err
		}
		res, err := http.DefaultClient.Do(req)
		if err != nil {
			return err
		}
		text, err := io.ReadAll(res.Body)
		res.Body.Close()
		if err != nil {
			return err
		}
		lost := regexp.MustCompile(`(?m)^purser_telemetry_(?:requests_dropped_total|spans_total\{outcome="failed"\}) [1-9]`).Match(text)
		if works := t.name == "live"; works && lost {
			errs = append(errs, fmt.Errorf("%s: spans were lost", t.name))
		}
	}
	return errors.Join(errs...)
}
