package main

import (
	"encoding/json"
	"fmt"
	"os"
	"path/filepath"
	"strings"
	"testing"
	"time"

	"purser/jepsen-style-tests/outside/report"
	"purser/jepsen-style-tests/outside/verdict"
)

func keep(t *testing.T, dir string, s report.Summary) {
	t.Helper()
	s.Version = 1
	b, err := json.Marshal(s)
	if err == nil {
		err = os.WriteFile(filepath.Join(dir, fmt.Sprintf("%d-%d.json", s.Began.Unix(), s.Seed)), b, 0o600)
	}
	if err != nil {
		t.Fatal(err)
	}
}

const second = int64(time.Second)

func kept(t *testing.T) string {
	dir := t.TempDir()
	at := time.Date(2026, 5, 1, 12, 0, 0, 0, time.UTC)
	keep(t, dir, report.Summary{
		Seed: 1, Nodes: 3, Network: "namespaces", Began: at, Duration: 90 * time.Minute, Verdict: "good", Requests: 100, Rows: 90, Billed: 2_000_000_000, Entries: 7,
		Faults: map[string]report.Made{"kill-leader": {Class: "process", Made: 3, Bit: 2}}, Admitted: map[string]verdict.Share{"process": {Warm: 10, WarmAdmitted: 9, All: 20, AllAdmitted: 15}},
		Recovery: map[string][]int64{"process": {second, 3 * second}}, Commits: []int64{second},
		Slopes: []verdict.Slope{{Node: "n1-1", Span: 80 * time.Minute, RSS: 1_500_000, RSSMedian: 100e6}, {Node: "n2-1", Span: 20 * time.Minute}},
	})
	keep(t, dir, report.Summary{
		Seed: 2, Nodes: 5, Network: "loopback (no namespaces)", Began: at.Add(time.Hour), Duration: 30 * time.Minute, Verdict: "bad", Requests: 11, Findings: map[string]int{"C9": 2, "odd": 1},
		Faults:   map[string]report.Made{"kill-leader": {Class: "process", Made: 1, Bit: 1}, "of-old": {Class: "disk", Made: 1}},
		Admitted: map[string]verdict.Share{"process": {Warm: 10, WarmAdmitted: 10, All: 10, AllAdmitted: 10}}, Recovery: map[string][]int64{"process": {2 * second}},
	})
	keep(t, dir, report.Summary{Seed: 3, Nodes: 3, Began: at, Verdict: "invalid", Invalid: []string{"no load"}, Duration: time.Hour, Requests: 1000})
	return dir
}

const empty = "# Promises\n<!-- tally totals -->\nold\n<!-- tally end -->\n<!-- tally findings -->\n<!-- tally end -->\nbetween\n<!-- tally faults -->\n<!-- tally end -->\n" +
	"<!-- tally availability -->\n<!-- tally end -->\n<!-- tally leaders -->\n<!-- tally end -->\n<!-- tally soak -->\n<!-- tally end -->\nthe end\n"

func TestRunsAreAddedUp(t *testing.T) {
	dir := kept(t)
	doc := filepath.Join(t.TempDir(), "promises.md")
	if err := os.WriteFile(doc, []byte(empty), 0o600); err != nil {
		t.Fatal(err)
	}
	for range 2 { // what is there is replaced
		if err := run(doc, []string{dir, dir}); err != nil { // a run counts once
			t.Fatal(err)
		}
	}
	b, err := os.ReadFile(doc)
	if err != nil {
		t.Fatal(err)
	}
	for _, want := range []string{
		"| runs | 3: 1 good, 1 bad, 1 not fit to be judged |", "| time under load | 2.0 hours, of 2 seeds |", "| with 3 nodes | 1.5 hours |", "| network | loopback in 1 runs |",
		"| faults | 5 made of 2 names; 3 were seen to have their effect |", "| requests | 111; 0 answers", "| 90, 2.000000000 USD |",
		"| C9 | refusal without a reason; no decision, or no answer, with no fault near | 2 | 1 of 2 |", "| C1 | bill above a cap | 0 | 0 of 2 |", "| odd | | 1 | 1 of 2 |",
		"| process | `kill-leader` | SIGKILL of the leader", "| 4 | 3 |", "| disk | `of-old` | | 1 | 0 |",
		"| process | 95.000 % of 20 | 83.333 % of 30 | 2s | 3s | 3 |", "| was answered | 1s | 1s | 1 |",
		"| 1 | n1-1 | 1h20m0s | 100 MB | +1.5 MB | +0.0 | +0.0 |", "\nbetween\n", "the end\n",
	} {
		want = strings.Replace(want, "| was answered", "was answered", 1)
		if !strings.Contains(string(b), want) {
			t.Errorf("the document does not have %q:\n%s", want, b)
		}
	}
	if strings.Contains(string(b), "n2-1") || strings.Contains(string(b), "old\n<!--") {
		t.Errorf("the document has what it must not have:\n%s", b)
	}
}

func TestWhatCannotBeAddedUpIsAnError(t *testing.T) {
	dir, doc := kept(t), filepath.Join(t.TempDir(), "promises.md")
	for text, want := range map[string]string{"# none": "there is no mark", "<!-- tally totals -->\n": "is not ended by"} {
		if err := os.WriteFile(doc, []byte(text), 0o600); err != nil {
			t.Fatal(err)
		}
		if err := run(doc, []string{dir}); err == nil || !strings.Contains(err.Error(), want) {
			t.Errorf("%q: %v", text, err)
		}
	}
	if err := run(doc, nil); err == nil {
		t.Error("of no directory")
	}
	if err := run(doc, []string{t.TempDir()}); err == nil {
		t.Error("of an empty one")
	}
	if err := os.WriteFile(filepath.Join(dir, "x.json"), []byte("{"), 0o600); err != nil {
		t.Fatal(err)
	}
	if err := run(doc, []string{dir}); err == nil || !strings.Contains(err.Error(), "x.json") {
		t.Errorf("of a file that is no summary: %v", err)
	}
}
