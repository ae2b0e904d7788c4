package store

import (
	"errors"
	"fmt"
	"log/slog"

	"github.com/cockroachdb/pebble/v2"
)

// logger is Pebble's logger. Its Fatalf is how Pebble reports a log or manifest
// that could not be written; the store has failed then.
type logger struct {
	store *Store
	log   *slog.Logger
}

func (l *logger) Infof(format string, args ...any) {
	l.log.Debug("store", "event", fmt.Sprintf(format, args...))
}

func (l *logger) Errorf(format string, args ...any) {
	l.log.Error("store", "event", fmt.Sprintf(format, args...))
}

func (l *logger) Fatalf(format string, args ...any) {
	l.store.Fail(fmt.Errorf("the store could not go on: %w", fatalError(format, args)))
}

// fatalError keeps the error among args, so that callers can ask what it is.
func fatalError(format string, args []any) error {
	text := fmt.Sprintf(format, args...)
	for _, a := range args {
		if err, ok := a.(error); ok {
			return &described{text: text, err: err}
		}
	}
	return errors.New(text)
}

type described struct {
	text string
	err  error
}

func (d *described) Error() string { return d.text }
func (d *described) Unwrap() error { return d.err }

// events listens for what an operator should know. An error of a flush or a
// compaction is a failure too: Pebble would try again for ever while records
// pile up in memory.
func (s *Store) events(log *slog.Logger) *pebble.EventListener {
	return &pebble.EventListener{
		BackgroundError: func(err error) {
			if s.closed.Load() || errors.Is(err, pebble.ErrCancelledCompaction) {
				return
			}
			s.Fail(fmt.Errorf("background work of the store: %w", err))
		},
		DataCorruption: func(info pebble.DataCorruptionInfo) {
			log.Error("store data is damaged", "file", info.Path, "error", info.Details)
		},
		DiskSlow: func(info pebble.DiskSlowInfo) {
			log.Warn("disk is slow", "operation", info.OpType.String(), "took", info.Duration)
		},
		WriteStallBegin: func(info pebble.WriteStallBeginInfo) {
			log.Warn("store stalls writes", "reason", info.Reason)
		},
		WriteStallEnd: func() { log.Info("store writes again") },
	}
}
