package main

import (
	"encoding/json"
	"errors"
	"net/http"
	"net/http/httptest"
	"net/url"
	"strings"
	"testing"
	"time"

	"purser/api/admin"
)

// told is a node that answers usage with some rows, and keeps the question.
func told(t *testing.T, rows ...admin.UsageRow) (address string, asked *url.Values) {
	asked = &url.Values{}
	server := httptest.NewServer(http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		*asked = r.URL.Query()
		report := admin.UsageReport{Rows: rows, Complete: true}
		for _, row := range rows {
			report.Total.Requests += row.Requests
			report.Total.Cost += row.Cost
		}
		_ = json.NewEncoder(w).Encode(report)
	}))
	t.Cleanup(server.Close)
	return server.URL, asked
}

var someRows = []admin.UsageRow{
	{Start: "2026-08-01T00:00:00+02:00", Group: map[string]string{"customer": "acme"}, Requests: 2, Cost: 3_000_000, TotalP50: 1_234_567_890},
	{Start: "2026-08-01T00:00:00+02:00", Group: map[string]string{"customer": "ev\x1b[31mil"}, Requests: 9, Cost: 1_000_000, Outcomes: map[string]int64{"upstream_error": 4}},
	{Start: "2026-08-01T00:00:00+02:00", Group: map[string]string{"customer": "other"}, Rest: true, Requests: 99, Cost: 99_000_000},
}

func TestUsageAsksWhatItIsTold(t *testing.T) {
	address, asked := told(t, someRows...)
	cmd := usageShowCmd{remote: remote{URL: address, Token: "t"}, By: []string{"customer"}, Interval: "day", Limit: 3, Raw: true}
	cmd.From, cmd.Zone, cmd.Filter = "2d", "Europe/Berlin", []string{"team=a", "team=b", "tag:job=x=y"}
	out, err := printed(t, func() error { return cmd.Run(t.Context()) })
	if err != nil {
		t.Fatal(err)
	}
	from, err := time.Parse(time.RFC3339, asked.Get("from"))
	if ago := time.Since(from); err != nil || ago < 47*time.Hour || ago > 49*time.Hour {
		t.Errorf("from %q", asked.Get("from"))
	}
	if f := strings.Join((*asked)["filter"], " "); !strings.Contains(f, "team:a") || !strings.Contains(f, "team:b") || !strings.Contains(f, "tag:job:x=y") {
		t.Errorf("filters %q", f)
	}
	if asked.Get("interval") != "day" || asked.Get("zone") != "Europe/Berlin" || asked.Get("limit") != "3" || asked.Get("raw") != "true" {
		t.Errorf("asked %v", *asked)
	}
	if !strings.Contains(out, "2026-08-01T00:00:00+02:00  acme") || !strings.Contains(out, "1.23s") || strings.Contains(out, "\x1b") {
		t.Errorf("it prints\n%q", out)
	}
	cmd.CSV = true
	if out, err := printed(t, func() error { return cmd.Run(t.Context()) }); err != nil || !strings.HasPrefix(out, "start,customer,rest,requests,") {
		t.Errorf("as CSV %q, %v", out, err)
	}
	cmd.Filter = []string{"team"}
	if err := cmd.Run(t.Context()); err == nil || !strings.Contains(err.Error(), "<dimension>=<value>") {
		t.Errorf("a filter without a value: %v", err)
	}
}

func TestAgo(t *testing.T) {
	for in, want := range map[string]time.Duration{"90m": 90 * time.Minute, "30d": 720 * time.Hour, "0d": 0} {
		if got, ok := agoOf(in); !ok || got != want {
			t.Errorf("%q is %v, %v", in, got, ok)
		}
	}
	for _, in := range []string{"", "2026-08-01", "d", "-3d", "3days", "-2h"} {
		if got, ok := agoOf(in); ok {
			t.Errorf("%q is %v", in, got)
		}
	}
}

func TestTopPrintsOnceWhereThereIsNoTerminal(t *testing.T) {
	address, asked := told(t, someRows...)
	for sort, first := range map[string]string{"spend": "acme", "requests": "ev", "errors": "ev", "latency": "acme"} {
		cmd := topCmd{remote: remote{URL: address, Token: "t"}, By: []string{"customer"}, Sort: sort, Window: 5 * time.Minute, Every: 2 * time.Second}
		out, err := printed(t, func() error { return cmd.Run(t.Context()) })
		lines := strings.Split(strings.TrimSpace(out), "\n")
		if err != nil || len(lines) != 5 || !strings.HasPrefix(lines[1], first) || !strings.HasPrefix(lines[3], "other") || !strings.HasPrefix(lines[4], "total") || strings.Contains(out, "\x1b") {
			t.Errorf("by %s: %v\n%s", sort, err, out)
		}
		if asked.Get("group") != "customer" {
			t.Errorf("asked %v", *asked)
		}
	}
	cmd := topCmd{Every: time.Millisecond, Window: time.Minute}
	if err := cmd.Run(t.Context()); err == nil {
		t.Error("it looks every millisecond")
	}
}

// What is on the screen fits it, whatever is in it, and is not obeyed by it.
func TestTheScreenOfTopFits(t *testing.T) {
	cmd := topCmd{By: []string{"customer"}, Sort: "spend", Window: time.Minute}
	report := &admin.UsageReport{}
	for range 50 {
		report.Rows = append(report.Rows, someRows[1])
	}
	text := string(cmd.screen(report, nil, 10, 40))
	if n := strings.Count(text, "\r\n"); n != 8 {
		t.Errorf("%d lines", n+1)
	}
	for _, known := range []string{termHome, termErase, termClear} {
		text = strings.ReplaceAll(text, known, "")
	}
	if strings.Contains(text, "\x1b") {
		t.Errorf("a name is obeyed: %q", text)
	}
	for _, line := range strings.Split(text, "\r\n") {
		if n := len([]rune(line)); n > 40 {
			t.Errorf("a line of %d characters: %q", n, line)
		}
	}
	if text := string(cmd.screen(nil, errors.New("no \x1b[2J node"), 10, 40)); strings.Contains(text, "\x1b[2J") || !strings.Contains(text, "node") {
		t.Errorf("an error: %q", text)
	}
}

func TestWhatAnAnswerLacksIsSaid(t *testing.T) {
	var out strings.Builder
	sayMissing(&out, []admin.NodeAnswer{{Node: "a", By: "a"}, {Node: "b", By: "c"}, {Node: "d", By: "c", MayLack: true}, {Node: "e", Err: "it is away"}})
	if got, want := out.String(), "purser: node c answers for node d, and may lack its last records\npurser: the records of node e are missing: it is away\n"; got != want {
		t.Errorf("it says %q", got)
	}
}
