package main

import (
	"bytes"
	"encoding/json"
	"strings"
	"testing"

	"purser/api/admin"
)

func TestTailShowsWhatEndedAndWhatItMissed(t *testing.T) {
	record := func(model string) json.RawMessage {
		b, err := json.Marshal(map[string]any{
			"id": "req_1", "at": "2026-05-01T12:00:00Z", "outcome": "completed", "status": 200, "model_served": model, "cost_nanousd": 1_500_000,
			"usage": map[string]int64{"input": 10, "output": 5}, "total_ns": 42_000_000, "dimensions": map[string]string{"customer": "acme"},
		})
		if err != nil {
			t.Fatal(err)
		}
		return b
	}
	var out, notes bytes.Buffer
	w := tail{out: &out, notes: &notes}
	for _, e := range []admin.LiveEvent{
		{Missing: []string{"b"}},
		{Records: []json.RawMessage{record("gpt"), record("evil\x1b[2Jmodel")}},
		{Dropped: 3, Missing: []string{"c"}},
		{},
	} {
		if err := w.see(e); err != nil {
			t.Fatal(err)
		}
	}
	lines := strings.Split(strings.TrimSpace(out.String()), "\n")
	if len(lines) != 2 || !strings.Contains(lines[0], "completed") || !strings.Contains(lines[0], "15 tokens") || !strings.Contains(lines[0], "$0.001500") || !strings.Contains(lines[0], "customer=acme") {
		t.Errorf("lines %q", lines)
	}
	if strings.ContainsRune(out.String(), 0x1b) {
		t.Error("a model's name moves the cursor")
	}
	if want := "not heard: c\nall nodes are heard\n"; !strings.Contains(notes.String(), "3 more are not shown") || strings.ReplaceAll(notes.String(), "3 more are not shown: they come faster than they are written here\n", "") != want {
		t.Errorf("notes %q", notes.String())
	}
	out.Reset()
	w.json = true
	if err := w.see(admin.LiveEvent{Records: []json.RawMessage{record("gpt")}}); err != nil || out.String() != string(record("gpt"))+"\n" {
		t.Errorf("as JSON: %q, %v", out.String(), err)
	}
}
