package main

import (
	"os"
	"path/filepath"
	"strings"
	"testing"
	"time"

	"purser/internal/audit"
	"purser/internal/audit/export"
	"purser/ledger"
)

func TestAuditVerifyOfAFile(t *testing.T) {
	var lines []string
	var heads []audit.Head
	at := audit.Head{}
	for i, action := range []string{"budget.put", "key.put", "key.revoke"} {
		l := audit.NewLink(at.Hash, &audit.Entry{Seq: at.Seq + 1, At: ledger.Instant(i + 1), Event: audit.Event{Facts: audit.Facts{Action: action}, Result: audit.Applied, Count: 1}})
		b, err := export.AppendLine(nil, l)
		if err != nil {
			t.Fatal(err)
		}
		at = audit.Head{Seq: at.Seq + 1, Hash: l.Hash}
		heads, lines = append(heads, at), append(lines, string(b))
	}
	file := filepath.Join(t.TempDir(), "trail.jsonl")
	for what, c := range map[string]struct {
		text string
		args []string
		says string
	}{
		"whole":                  {strings.Join(lines, ""), nil, "3 entries verified"},
		"whole, with heads":      {strings.Join(lines, ""), []string{"--head", heads[1].String(), "--head", heads[2].String()}, "compared with 2 heads"},
		"from the second":        {strings.Join(lines[1:], ""), nil, "2 entries verified, after " + heads[0].String()},
		"after the first":        {strings.Join(lines[1:], ""), []string{"--after", heads[0].String()}, "2 entries verified"},
		"without the first":      {strings.Join(lines[1:], ""), []string{"--after", (audit.Head{}).String()}, "entry 1 is removed"},
		"without the last":       {strings.Join(lines[:2], ""), []string{"--head", heads[2].String()}, "entry 3 is removed"},
		"without the middle":     {lines[0] + lines[2], nil, "entry 2 is removed"},
		"in another order":       {lines[0] + lines[2] + lines[1], nil, "entry 2 is reordered"},
		"changed":                {strings.Replace(strings.Join(lines, ""), "key.put", "key.get", 1), nil, "entry 2 is changed"},
		"an empty file, a head":  {"", []string{"--head", heads[0].String()}, "entry 1 is removed"},
		"another chain's head":   {strings.Join(lines, ""), []string{"--head", audit.Head{Seq: 2, Hash: audit.Hash{1}}.String()}, "entry 2 is rewritten"},
		"a head that is no head": {strings.Join(lines, ""), []string{"--head", "2"}, "--head: "},
	} {
		if err := os.WriteFile(file, []byte(c.text), 0o600); err != nil {
			t.Fatal(err)
		}
		cmd := auditVerifyCmd{File: file}
		for i := 0; i+1 < len(c.args); i += 2 {
			if c.args[i] == "--head" {
				cmd.Head = append(cmd.Head, c.args[i+1])
			} else {
				cmd.After = c.args[i+1]
			}
		}
		said, err := printed(t, func() error { return cmd.Run(t.Context()) })
		if err != nil {
			said += err.Error()
		}
		if sound := !strings.Contains(c.says, " is ") && !strings.Contains(c.says, "--"); !strings.Contains(said, c.says) || (err == nil) != sound {
			t.Errorf("%s: it said %q, %v, not %q", what, said, err, c.says)
		}
	}
}

// printed is what f prints to standard output.
func printed(t *testing.T, f func() error) (string, error) {
	t.Helper()
	old := os.Stdout
	defer func() { os.Stdout = old }()
	out, err := os.Create(filepath.Join(t.TempDir(), "stdout"))
	if err != nil {
		t.Fatal(err)
	}
	defer out.Close()
	os.Stdout = out
	failed := f()
	b, err := os.ReadFile(out.Name())
	if err != nil {
		t.Fatal(err)
	}
	return string(b), failed
}

func TestSinceIsATimeOrADuration(t *testing.T) {
	now := time.Date(2026, 9, 21, 14, 0, 0, 0, time.UTC)
	for in, want := range map[string]string{"2h": "2026-09-21T12:00:00Z", "90m": "2026-09-21T12:30:00Z", "2026-01-01T00:00:00+01:00": "2026-01-01T00:00:00+01:00"} {
		if got, err := sinceText(in, now); err != nil || got != want {
			t.Errorf("%s is %s, %v", in, got, err)
		}
	}
	for _, in := range []string{"", "yesterday", "-2h", "2026-01-01"} {
		if got, err := sinceText(in, now); err == nil {
			t.Errorf("%q is %s", in, got)
		}
	}
}

// TestAnEntryCannotMoveTheCursor: whoever can name a key can write into the trail.
func TestAnEntryCannotMoveTheCursor(t *testing.T) {
	e := audit.Entry{Seq: 1, Event: audit.Event{Facts: audit.Facts{Actor: "person:\x1b[2J\u009b1A", Target: "key/\r\x7f\n2 forged", Action: "key.put", After: []byte(`{"a":"é"}`)}, Result: audit.Applied, Count: 2}}
	got := auditLine(&e)
	if strings.ContainsAny(got, "\x1b\r\x7f\u009b") || !strings.Contains(got, "é") || !strings.Contains(got, ", 2 times") || strings.Count(got, "\n") != 1 || strings.Contains(got, "\n2") {
		t.Errorf("%q", got)
	}
}
