package main

import (
	"context"
	"errors"
	"flag"
	"fmt"
	"io"
	"os"
	"os/signal"
	"syscall"
	"time"
)

// options are the flags. The last three are for the processes a run starts.
type options struct {
	bin            string
	seconds        float64
	rounds         int
	chunksPerWrite int
	json           bool
	profile        string

	role, upstream, config string
}

func main() {
	var o options
	flag.StringVar(&o.bin, "bin", "bin/purser", "the purser binary to measure")
	flag.Float64Var(&o.seconds, "seconds", 9, "seconds of each cell and target, over all rounds")
	flag.IntVar(&o.rounds, "rounds", 3, "rounds in which the targets take turns")
	flag.IntVar(&o.chunksPerWrite, "chunks-per-write", 0, "chunks of a stream the provider writes at once; 0 is a whole stream")
	flag.BoolVar(&o.json, "json", false, "print the result as JSON")
	flag.StringVar(&o.profile, "profile", "", "run the nodes under the CPU profiler, which writes this file and FILE.allocs, and for the governed node FILE.governed and FILE.governed.allocs")
	flag.StringVar(&o.role, "role", "", "internal: what this process is (proxy, node)")
	flag.StringVar(&o.upstream, "upstream", "", "internal: the upstream of the proxy")
	flag.StringVar(&o.config, "config", "", "internal: the configuration of the node")
	flag.Parse()
	ctx, stop := signal.NotifyContext(context.Background(), os.Interrupt, syscall.SIGTERM)
	err := o.run(ctx)
	stop()
	if err != nil {
		fmt.Fprintln(os.Stderr, "bench:", err)
		os.Exit(1)
	}
}

func (o *options) run(ctx context.Context) error {
	switch {
	case o.role == "proxy":
		return serveProxy(ctx, o.upstream)
	case o.role == "node":
		return serveNode(ctx, o.config, o.profile)
	case o.role != "":
		return fmt.Errorf("there is no role %q", o.role)
	case o.seconds <= 0 || o.rounds < 1 || o.chunksPerWrite < 0:
		return errors.New("-seconds and -rounds are more than 0, -chunks-per-write is not negative")
	}
	return o.bench(ctx, os.Stdout, os.Stderr)
}

// bench measures, prints and checks. The processes end with it.
func (o *options) bench(ctx context.Context, out, log io.Writer) (err error) {
	dir, err := os.MkdirTemp("", "purser-bench-")
	if err != nil {
		return fmt.Errorf("making a temporary directory: %w", err)
	}
	defer func() { err = errors.Join(err, os.RemoveAll(dir)) }()
	// The processes get the terminal's interrupt themselves; their end is asked for below.
	rig, err := startRig(context.WithoutCancel(ctx), o.bin, dir, o.profile, o.chunksPerWrite)
	if err != nil {
		return err
	}
	defer rig.kill()
	r := newRun(rig, plan{seconds: time.Duration(o.seconds * float64(time.Second)), rounds: o.rounds}, log)
	if err := r.measure(ctx); err != nil {
		return err
	}
	recorded, wrong := r.check(ctx)
	wrong = errors.Join(wrong, r.governs(ctx))
	res := r.result(recorded)
	if o.json {
		err = res.writeJSON(out)
	} else {
		err = res.writeTable(out)
	}
	return errors.Join(wrong, err, rig.close())
}
