package main

import (
	"cmp"
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"net/http"
	"os"
	"slices"
	"strings"
	"time"

	"purser/api/admin"
)

type tailCmd struct {
	remote
	Filter map[string]string `help:"Only requests with this value: --filter customer=acme --filter outcome=refused."`
}

// tailAgain is how soon a node that broke off is asked again.
const tailAgain = 2 * time.Second

// Run prints requests of the whole cluster as they end, until it is interrupted.
func (c *tailCmd) Run(ctx context.Context) error {
	t := tail{json: c.JSON, out: os.Stdout, notes: os.Stderr}
	for first := true; ; first = false {
		err := c.client().Watch(ctx, admin.UsageQuery{Filter: c.Filter}, t.see)
		var fault *admin.Fault
		switch {
		case ctx.Err() != nil:
			return nil
		case err == nil: // the node lets nobody watch for ever
			continue
		case first && !t.seen, errors.As(err, &fault) && fault.Status != http.StatusServiceUnavailable:
			return err
		}
		fmt.Fprintf(t.notes, "the node broke off, and is asked again: %v\n", err)
		select {
		case <-ctx.Done():
			return nil
		case <-time.After(tailAgain):
		}
	}
}

// tail writes what is seen, one line for each record.
type tail struct {
	json       bool
	out, notes io.Writer
	seen       bool
	missing    []string
}

func (t *tail) see(e admin.LiveEvent) error {
	// Of the first event, nobody is heard yet.
	if t.seen && !slices.Equal(e.Missing, t.missing) {
		t.missing = e.Missing
		if len(e.Missing) == 0 {
			fmt.Fprintln(t.notes, "all nodes are heard")
		} else {
			fmt.Fprintf(t.notes, "not heard: %s\n", strings.Join(e.Missing, ", "))
		}
	}
	t.seen = true
	if e.Dropped > 0 {
		fmt.Fprintf(t.notes, "%d more are not shown: they come faster than they are written here\n", e.Dropped)
	}
	for _, text := range e.Records {
		line := string(text)
		if !t.json {
			var r tailed
			if err := json.Unmarshal(text, &r); err != nil {
				return fmt.Errorf("a record cannot be read: %w", err)
			}
			line = r.line()
		}
		if _, err := fmt.Fprintln(t.out, line); err != nil {
			return err
		}
	}
	return nil
}

// tailed is what a line shows of a record.
type tailed struct {
	ID         string            `json:"id"`
	At         time.Time         `json:"at"`
	Dimensions map[string]string `json:"dimensions"`
	Model      string            `json:"model"`
	Served     string            `json:"model_served"`
	Outcome    string            `json:"outcome"`
	Kind       string            `json:"kind"`
	Status     int               `json:"status"`
	Code       string            `json:"code"`
	Usage      map[string]int64  `json:"usage"`
	Cost       int64             `json:"cost_nanousd"`
	Total      int64             `json:"total_ns"`
}

// shownDimensions are those of a line, in order.
var shownDimensions = []string{"team", "customer", "feature", "agent", "run"}

func (r *tailed) line() string {
	tokens := int64(0)
	for _, n := range r.Usage {
		tokens += n
	}
	var of []string
	for _, name := range shownDimensions {
		if v := r.Dimensions[name]; v != "" {
			of = append(of, name+"="+v)
		}
	}
	what := cmp.Or(r.Kind, r.Outcome)
	if r.Code != "" {
		what += " " + r.Code
	}
	return printable(fmt.Sprintf("%s  %-14s %3d  %-22s %7d tokens  %12s  %6dms  %s  %s", r.At.Local().Format(time.TimeOnly), what, r.Status,
		cmp.Or(r.Served, r.Model, "-"), tokens, units("usd", r.Cost), r.Total/1_000_000, r.ID, strings.Join(of, " ")))
}
