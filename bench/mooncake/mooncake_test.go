package main

import (
	"bytes"
	"cmp"
	"encoding/json"
	"fmt"
	"os"
	"path/filepath"
	"slices"
	"strconv"
	"strings"
	"testing"
)

// turns is how many prompts a conversation of the test's has.
const turns = 6

// writeTrace writes a trace of conversations whose turns are ten seconds apart, each a
// second after the other.
func writeTrace(t *testing.T, conversations int) string {
	t.Helper()
	var list []entry
	next := int64(1)
	for c := range conversations {
		history := []int64{0}
		for turn := range turns {
			for range 3 {
				history = append(history, next)
				next++
			}
			last := append(append([]int64{}, history...), -next) // a block that is not whole has a hash of its own
			next++
			list = append(list, entry{Timestamp: int64(c*1000 + turn*10_000), Input: int64(len(history))*blockTokens + 100, Output: 300, Blocks: last})
		}
	}
	slices.SortStableFunc(list, func(a, b entry) int { return cmp.Compare(a.Timestamp, b.Timestamp) })
	var b bytes.Buffer
	for _, e := range list {
		line, err := json.Marshal(e)
		if err != nil {
			t.Fatal(err)
		}
		b.Write(append(line, '\n'))
	}
	path := filepath.Join(t.TempDir(), "trace.jsonl")
	if err := os.WriteFile(path, b.Bytes(), 0o600); err != nil {
		t.Fatal(err)
	}
	return path
}

// TestPromptsHaveTheLengthsOfTheTrace, in alternating turns that end with the caller's,
// and a conversation that goes on has all the messages of what it goes on from.
func TestPromptsHaveTheLengthsOfTheTrace(t *testing.T) {
	list, err := readTrace(writeTrace(t, 5), 1)
	if err != nil {
		t.Fatal(err)
	}
	before := map[int64][]byte{} // the messages of a conversation's last prompt, by its first block
	for i, p := range convert(list) {
		tokens := p.system.tokens
		for j, m := range p.messages {
			tokens += m.tokens()
			if m.model != (j%2 == 1) {
				t.Errorf("prompt %d: message %d is the model's: %v", i, j, m.model)
			}
		}
		if turn := (len(p.Blocks) - 2) / 3; tokens != p.Input || len(p.messages) != 2*turn-1 {
			t.Errorf("prompt %d has %d tokens of %d, in %d messages", i, tokens, p.Input, len(p.messages))
		}
		said := p.appendMessages(nil, false)
		if !bytes.HasPrefix(said, before[p.Blocks[1]]) {
			t.Errorf("prompt %d does not begin with the one before it", i)
		}
		before[p.Blocks[1]] = said
	}
	if len(before) != 5 {
		t.Errorf("%d conversations", len(before))
	}
}

// TestTheReplayAddsUp: on conversations that all go on, coordination reads more and
// costs less than none, and what the records say was saved is the difference of the
// bills.
func TestTheReplayAddsUp(t *testing.T) {
	var out bytes.Buffer
	o := options{trace: writeTrace(t, 60), sample: 1, nodes: 3, credentials: 4}
	if err := o.run(&out); err != nil {
		t.Fatal(err)
	}
	rows := map[string][]string{}
	for _, line := range strings.Split(out.String(), "\n") {
		for _, s := range scenarios {
			if rest, ok := strings.CutPrefix(strings.TrimSpace(line), s.name+" "); ok {
				rows[s.name] = strings.Fields(strings.ReplaceAll(rest, "%", ""))
			}
		}
	}
	number := func(name string, column int) float64 {
		if len(rows[name]) <= column {
			t.Fatalf("there is no column %d of %q in\n%s", column, name, out.String())
		}
		n, err := strconv.ParseFloat(strings.ReplaceAll(rows[name][column], "$", ""), 64)
		if err != nil {
			t.Fatal(err)
		}
		return n
	}
	const read, bill, saved, records = 1, 4, 5, 6
	for _, x := range [][2]string{{"Anthropic, nobody marks", "Anthropic, coordinated"}, {"OpenAI, by itself", "OpenAI, coordinated"}} {
		if number(x[1], read) < number(x[0], read)+20 || number(x[1], bill) >= number(x[0], bill) {
			t.Errorf("%s reads %.1f %% for $%.2f, without %.1f %% for $%.2f", x[1], number(x[1], read), number(x[1], bill), number(x[0], read), number(x[0], bill))
		}
	}
	if a, b := number("Anthropic, coordinated", saved), number("Anthropic, coordinated", records); fmt.Sprint(a) != fmt.Sprint(b) {
		t.Errorf("the bills differ by $%.2f, the records say $%.2f", a, b)
	}
}

func TestAMissingTraceIsSaid(t *testing.T) {
	if err := (&options{sample: 1, nodes: 1, credentials: 1}).run(&bytes.Buffer{}); err == nil || !strings.Contains(err.Error(), "-trace") {
		t.Errorf("%v", err)
	}
}
