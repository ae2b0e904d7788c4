package main

import (
	"strings"
	"testing"

	"purser/ledger"
)

// TestExamplesAreReadFromLinesAndTables: alike, and what is wrong is said with its line.
func TestExamplesAreReadFromLinesAndTables(t *testing.T) {
	lines, err1 := labelledLines(strings.NewReader(`{"text":"a, b","quality":{"small":0.5,"large":1},"cost":{"large":0.002}}` + "\n\n" + `{"text":"c","quality":{"small":1}}` + "\n"))
	table, err2 := labelledTable(strings.NewReader("text,small,large,cost:large\n\"a, b\",0.5,1,0.002\nc,1,,\n"))
	if err1 != nil || err2 != nil {
		t.Fatal(err1, err2)
	}
	for _, list := range [][]labelledPrompt{lines, table} {
		if len(list) != 2 || list[0].Text != "a, b" || list[0].Quality["small"] != 0.5 || list[0].costs["large"] != 2*ledger.Amount(1e6) || len(list[1].Quality) != 1 || len(list[1].costs) != 0 {
			t.Errorf("%+v", list)
		}
	}
	for text, want := range map[string]string{
		`{"text":"secret","quality":{"a":2}}`:                    "line 1: the quality of a",
		`{"text":"secret"}`:                                      "line 1: text or quality",
		`{"text":"secret","quality":{"a":1},"cost":{"a":-1}}`:    "line 1: the cost of a",
		`{"text":"secret","quality":{"a":1},"note":"x"}`:         "line 1 is no example",
		`{"text":"x","quality":{"a":1}}` + "\n" + `secret {bad}`: "line 2 is no example",
	} {
		if _, err := labelledLines(strings.NewReader(text)); err == nil || !strings.Contains(err.Error(), want) || strings.Contains(err.Error(), "secret") {
			t.Errorf("%s: %v", text, err)
		}
	}
}
