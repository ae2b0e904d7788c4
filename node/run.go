package node

import (
	"context"
	"errors"
	"fmt"
	"log/slog"
	"net"
	"os"
)

// Run opens a node, serves until ctx ends, and drains. ready is called with the
// node's address once it answers.
func Run(ctx context.Context, cfg Config, version string, ready func(url string)) error {
	log := newLogger(cfg.Log)
	fatal := func(err error) {
		log.Error("the node cannot go on safely and ends at once", "error", err)
		os.Exit(exitFatal)
	}
	ln, err := net.Listen("tcp", cfg.Listen.Client)
	if err != nil {
		return fmt.Errorf("listen.client: %w", err)
	}
	n, err := Open(ctx, cfg, version, log, fatal)
	if err != nil {
		return errors.Join(err, ln.Close())
	}
	served := make(chan error, 1)
	go func() { served <- n.Serve(ln) }()
	scheme := "http"
	if cfg.Listen.TLSCert != "" {
		scheme = "https"
	}
	ready(scheme + "://" + ln.Addr().String())
	log.Info("node ready", "node", cfg.Node.ID, "address", ln.Addr().String(), "incarnation", n.purse.Incarnation())
	select {
	case err = <-served:
		served <- nil
	case <-ctx.Done():
		log.Info("draining", "limit", cfg.Listen.DrainTime)
	}
	closing, cancel := context.WithTimeout(context.Background(), cfg.Listen.DrainTime)
	defer cancel()
	err = errors.Join(err, n.Close(closing), <-served)
	log.Info("node stopped")
	return err
}

// exitFatal is the status of a process that could not go on safely.
const exitFatal = 70

func newLogger(c LogConfig) *slog.Logger {
	levels := map[string]slog.Level{"debug": slog.LevelDebug, "info": slog.LevelInfo, "warn": slog.LevelWarn, "error": slog.LevelError}
	opts := &slog.HandlerOptions{Level: levels[c.Level]}
	if c.JSON {
		return slog.New(slog.NewJSONHandler(os.Stderr, opts))
	}
	return slog.New(slog.NewTextHandler(os.Stderr, opts))
}
