// Package report keeps what a run showed: for machines, which add up many runs, for
// people, and as a page to look at.
package report

import (
	"encoding/json"
	"errors"
	"fmt"
	"os"
	"path/filepath"
	"strings"
	"time"

	"purser/jepsen-style-tests/outside/history"
	"purser/jepsen-style-tests/outside/verdict"
)

// The files of a run, beside its history.
const (
	SummaryFile  = "summary.json"
	TextFile     = "report.txt"
	TimelineFile = "timeline.html"
	RepeatFile   = "repeat.sh"
	EndFile      = "end.json"
)

// version is that of the form of a summary.
const version = 1

// Summary is a run in one line. Those of many runs can be added up.
type Summary struct {
	Version  int           `json:"version"`
	Seed     uint64        `json:"seed"`
	Nodes    int           `json:"nodes"`
	Network  string        `json:"network"`
	Build    string        `json:"build"`
	Began    time.Time     `json:"began"`
	Duration time.Duration `json:"duration_ns"` // from the beginning to the end of the clients
	Again    string        `json:"again"`
	Missing  []string      `json:"missing,omitempty"` // faults that could not be made, by reason
	// Verdict is good, bad, or invalid: the run is not fit to be judged.
	Verdict  string                   `json:"verdict"`
	Invalid  []string                 `json:"invalid,omitempty"`
	Findings map[string]int           `json:"findings,omitempty"` // by checker
	Faults   map[string]Made          `json:"faults"`             // by name
	Requests int                      `json:"requests"`
	Changes  int                      `json:"changes"`
	Kinds    map[string]int64         `json:"kinds"` // requests, by how they ended
	Rows     int64                    `json:"rows"`
	Billed   int64                    `json:"billed_nanousd"`
	Unproven int64                    `json:"without_record_nanousd"` // billed, and inside what is presumed or written off
	Recorded int64                    `json:"recorded_nanousd"`
	Replayed int64                    `json:"replayed"`
	Admitted map[string]verdict.Share `json:"admitted"`              // by class of faults
	Recovery map[string][]int64       `json:"recovery_ns,omitempty"` // the same
	Commits  []int64                  `json:"leader_to_commit_ns,omitempty"`
	Decides  []int64                  `json:"leader_to_decision_ns,omitempty"`
	Drained  time.Duration            `json:"drained_ns"`
	Starved  int                      `json:"starved"` // times at which the machine ran nothing for a tenth of a second
	Terms    uint64                   `json:"terms"`
	Lives    int                      `json:"incarnations"`
	Entries  int                      `json:"replayed_entries"` // of the log, carried out once more
	Slopes   []verdict.Slope          `json:"slopes,omitempty"`
}

// Made is how often a fault was made.
type Made struct {
	Class   string `json:"class"`
	Made    int    `json:"made"`
	Bit     int    `json:"bit"`     // and was seen to have its effect
	Skipped int    `json:"skipped"` // it had nothing left to break
}

// slopesFrom is how long a process must have been watched for its slopes to be told.
const slopesFrom = 20 * time.Minute

// Make sums a run up.
func Make(h *history.History, end *history.End, findings []verdict.Finding) *Summary {
	f := verdict.Measure(h, end)
	s := &Summary{
		Version: version, Seed: h.Meta.Seed, Nodes: h.Meta.Nodes, Network: h.Meta.Network, Build: h.Meta.Build, Began: h.Meta.Began, Again: h.Meta.Again, Missing: h.Meta.Missing,
		Duration: time.Duration(end.Left), Invalid: verdict.Assume(h, end), Findings: map[string]int{}, Faults: map[string]Made{},
		Requests: len(h.Requests), Changes: len(h.Changes), Kinds: f.Kinds, Rows: f.Rows, Billed: f.Billed, Unproven: f.Unrecorded, Recorded: f.Recorded,
		Replayed: f.Replayed, Admitted: f.Admitted, Recovery: f.Recovery, Commits: f.Committed, Decides: f.WithoutLead, Drained: end.Drained, Starved: len(h.Starved),
		Terms: f.Terms, Lives: f.Incarnations, Entries: end.Replay.Entries, Slopes: verdict.Slopes(h, slopesFrom),
	}
	for _, x := range h.Faults {
		m := s.Faults[x.Name]
		m.Class = x.Class
		switch {
		case x.Skipped != "":
			m.Skipped++
		default:
			m.Made++
			if x.Bit {
				m.Bit++
			}
		}
		s.Faults[x.Name] = m
	}
	for _, x := range findings {
		s.Findings[x.Checker]++
	}
	switch {
	case len(s.Invalid) > 0: // what was found in it is told, and proves nothing
		s.Verdict = "invalid"
	case len(findings) > 0:
		s.Verdict = "bad"
	default:
		s.Verdict = "good"
	}
	return s
}

// Write keeps a run in a directory.
func Write(dir string, h *history.History, end *history.End, findings []verdict.Finding) (*Summary, error) {
	s := Make(h, end, findings)
	line, err := json.Marshal(s)
	if err != nil {
		return nil, fmt.Errorf("writing the summary: %w", err)
	}
	page, err := timeline(h, end, findings, s)
	if err != nil {
		return nil, err
	}
	put := func(name string, mode os.FileMode, b []byte) error {
		if err := os.WriteFile(filepath.Join(dir, name), b, mode); err != nil {
			return fmt.Errorf("keeping the run: %w", err)
		}
		return nil
	}
	const plain, runs = 0o600, 0o700
	return s, errors.Join(
		draw(dir, h, end, s),
		put(SummaryFile, plain, append(line, '\n')),
		put(TextFile, plain, []byte(s.Text()+told(findings))),
		put(TimelineFile, plain, page),
		put(RepeatFile, runs, []byte("#!/bin/sh\n# From the top of the repository. The plan of faults is the same; the scheduling of processes is not.\nexec "+oneLine(h.Meta.Again)+"\n")),
		end.Write(filepath.Join(dir, EndFile)),
	)
}

// draw keeps pages of the budgets whose changes and reads have no order.
func draw(dir string, h *history.History, end *history.End, s *Summary) error {
	if s.Findings["C7"] == 0 {
		return nil
	}
	n := 0
	return verdict.Draw(h, end, func(string) string { // a budget's id may be no name of a file
		n++
		return filepath.Join(dir, fmt.Sprintf("order-%d.html", n))
	})
}

// oneLine keeps a command from becoming several.
func oneLine(text string) string { return strings.NewReplacer("\n", " ", "\r", " ").Replace(text) }

// Read reads the summary of a run.
func Read(file string) (*Summary, error) {
	b, err := os.ReadFile(file)
	if err != nil {
		return nil, fmt.Errorf("reading a summary: %w", err)
	}
	s := &Summary{}
	if err := json.Unmarshal(b, s); err != nil {
		return nil, fmt.Errorf("reading the summary %s: %w", file, err)
	}
	if s.Version != version {
		return nil, fmt.Errorf("the summary %s is of version %d, this reads %d", file, s.Version, version)
	}
	return s, nil
}
