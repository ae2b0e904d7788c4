package ui

import (
	"math"
	"net/url"
	"strings"
	"testing"
	"time"
)

func TestMoneyForPeople(t *testing.T) {
	for n, want := range map[int64]string{
		0: "$0", 1: "$0.000000001", 12_345: "$0.0000123", 50_000_000: "$0.05", 34_012_345: "$0.0340", 100_000_000: "$0.10", 999_400_000: "$0.999", 999_900_000: "$1.00",
		1_000_000_000: "$1.00", 1_234_567_890: "$1.23", -1_235_000_000: "−$1.24", 12_345_678_000_000: "$12,346", 9_999_994_000_000: "$9,999.99", -5: "−$0.000000005",
		math.MinInt64: "−$9,223,372,037", math.MaxInt64: "$9,223,372,037",
	} {
		if got := money(n); got != want {
			t.Errorf("%d is %s, want %s", n, got, want)
		}
	}
	if got := exact(-1_234_000_000_005); got != "−$1,234.000000005" {
		t.Error(got)
	}
}

func TestNumbersForPeople(t *testing.T) {
	for n, want := range map[int64]string{0: "0", 999: "999", 9_999: "9,999", 12_345: "12.3k", 999_500: "1000k", 4_560_000: "4.56M", -12_345: "−12.3k", math.MaxInt64: "9223372T"} {
		if got := count(n); got != want {
			t.Errorf("%d is %s, want %s", n, got, want)
		}
	}
	for r, want := range map[float64]string{0: "0%", 0.0001: "<0.1%", 0.051: "5.1%", 0.0996: "10%", 0.5: "50%", 1.2: "120%", math.NaN(): "–", math.Inf(1): "–"} {
		if got := percent(r); got != want {
			t.Errorf("%v is %s, want %s", r, got, want)
		}
	}
	for ns, want := range map[int64]string{0: "–", 900: "0 µs", 250_000: "250 µs", 12_000_000: "12 ms", 2_440_000: "2.4 ms", 1_234_000_000: "1.23 s", 90_000_000_000: "1m 30s", int64(26 * time.Hour): "1d 2h"} {
		if got := latency(ns); got != want {
			t.Errorf("%d is %s, want %s", ns, got, want)
		}
	}
	now := time.Date(2026, 3, 1, 12, 0, 0, 0, time.UTC)
	for at, want := range map[string]string{"2026-03-01T11:59:30Z": "30s ago", "2026-03-01T13:30:00+01:00": "in 30m", "2026-03-01T12:00:00Z": "now", "soon": "soon"} {
		if got := ago(now, at); got != want {
			t.Errorf("%s is %s, want %s", at, got, want)
		}
	}
}

// What a bar is drawn from may be anything: the drawing stays within its box.
func TestBarsStayWithinTheirBox(t *testing.T) {
	for _, f := range []float64{math.NaN(), math.Inf(1), math.Inf(-1), -1, 0, 0.5, 1, 7} {
		for _, p := range fillParts(map[string]any{"used": f, "held": f, "forecast": f}) {
			if strings.ContainsAny(p.X+p.W, "-NI") {
				t.Errorf("%v draws %+v", f, p)
			}
		}
	}
}

func TestSpansOfPages(t *testing.T) {
	now := time.Date(2026, 3, 31, 12, 34, 56, 789, time.UTC)
	for query, want := range map[string]string{
		"":                                    "2026-03-30T12:00:00Z hour",
		"range=1h":                            "2026-03-31T11:34:00Z minute",
		"range=30d":                           "2026-03-01T00:00:00Z day",
		"range=month":                         "2026-03-01T00:00:00Z day",
		"from=2026-01-31":                     "2026-01-31T00:00:00Z day",
		"from=2026-03-31T09:30&to=2026-03-31": "ends before it begins",
		"from=2026-03-31T09:30":               "2026-03-31T09:30:00Z hour",
		"from=2026-03-31T09:30:00%2B02:00":    "2026-03-31T07:30:00Z hour",
		"from=2020-01-01":                     "2020-01-01T00:00:00Z month",
		"from=yesterday":                      "A moment is written like",
		"range=9y":                            "no such range",
	} {
		q, err := url.ParseQuery(query)
		if err != nil {
			t.Fatal(err)
		}
		got := ""
		if s, err := spanOf(q, now); err != nil {
			got = err.Error()
		} else {
			got = s.From.Format(time.RFC3339) + " " + s.Interval
		}
		if !strings.Contains(got, want) {
			t.Errorf("%q is %q, want %q", query, got, want)
		}
	}
}

func TestFilters(t *testing.T) {
	for text, want := range map[string]filter{"customer:a:b": {"customer", "a:b"}, "tag:job:x:y": {"tag:job", "x:y"}, "team:": {"team", ""}} {
		if got, ok := parseFilter(text); !ok || got != want || got.text() != text {
			t.Errorf("%q is %+v %v", text, got, ok)
		}
	}
	for _, text := range []string{"", "customer", ":x", "tag::x", "tag:job"} {
		if got, ok := parseFilter(text); ok {
			t.Errorf("%q is %+v", text, got)
		}
	}
}
