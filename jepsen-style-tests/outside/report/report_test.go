package report

import (
	"encoding/xml"
	"errors"
	"fmt"
	"io"
	"os"
	"path/filepath"
	"strings"
	"testing"
	"time"

	"purser/api/admin"
	"purser/internal/simprovider"
	"purser/jepsen-style-tests/outside/history"
	"purser/jepsen-style-tests/outside/verdict"
)

const second = int64(time.Second)

// hostile is a text that would break a page, a line or a script that takes it as it is.
const hostile = "</pre><script>alert(1)</script>\n\"'`$(x)"

func run() (*history.History, *history.End) {
	began := time.Date(2026, 5, 1, 12, 0, 0, 0, time.UTC)
	h := &history.History{Meta: history.Meta{
		Version: 1, Seed: 42, Nodes: 3, Began: began, Network: "namespaces", Build: "shipped", Again: "make jepsen SEED=42",
		Budgets: []admin.Budget{{ID: "all", Unit: "usd", Limit: "1", Window: "total"}},
	}}
	h.Faults = []history.Fault{
		{Seq: 1, Name: "kill-leader", Class: "process", Targets: []string{"n1"}, Begun: 2 * second, Ended: 4 * second, Bit: true, Seen: "n1 died"},
		{Seq: 2, Name: "kill-leader", Class: "process", Targets: []string{"n2"}, Begun: 3 * second, Ended: 5 * second, Seen: hostile},
		{Seq: 3, Name: "loss", Class: "network", Begun: 6 * second, Ended: 7 * second, Bit: true},
		{Seq: 4, Name: "loss", Class: "network", Begun: 8 * second, Ended: 8 * second, Skipped: "busy"},
	}
	end := &history.End{Left: 10 * second, Drained: 1500 * time.Millisecond, Nodes: map[string]history.NodeEnd{}}
	for i := range 20 {
		at := int64(i) * second / 2
		h.Requests = append(h.Requests, history.Request{ID: "op", Node: "n1", Begun: at, Ended: at + 1, Status: 200})
	}
	h.Requests[19].Status, h.Requests[19].Code = 503, "undecided"
	end.Rows = []simprovider.Row{{Call: "c1", ClientRequestID: "req_1-1", EndUser: "op", Cost: 1_500_000_000, At: began}}
	end.Records = []history.Record{{ID: "req_1", Attempt: 1, Cost: 1_500_000_000, Basis: "reported"}}
	for i := range 5 {
		a := admin.Account{Budget: "all" + hostile, Limit: 100, Spent: int64(i * 10), Available: int64(100 - i*10)}
		h.Samples = append(h.Samples, history.Sample{At: int64(i) * second, Node: "n1", Accounts: []admin.Account{a}})
	}
	return h, end
}

// fit is a run whose assumptions hold.
func fit() (*history.History, *history.End) {
	h, end := run()
	end.Rows, end.Records = nil, nil
	for i := range 60 {
		id := fmt.Sprintf("%d", i)
		h.Requests = append(h.Requests, history.Request{ID: id, Node: "n2", Begun: 9 * second, Ended: 9*second + 1, Status: 200})
		end.Rows = append(end.Rows, simprovider.Row{Call: id, ClientRequestID: "req_" + id + "-1", EndUser: id, Cost: 1_500_000_000, At: h.Meta.Began.Add(9 * time.Second)})
	}
	end.Records = []history.Record{{ID: "req_1", Attempt: 1, Cost: 1_500_000_000, Basis: "reported"}}
	for _, place := range []string{"n1", "n2", "n3"} {
		h.Samples = append(h.Samples, history.Sample{Node: place})
		end.Nodes[place] = history.NodeEnd{}
	}
	return h, end
}

func TestARunIsKept(t *testing.T) {
	h, end := fit()
	dir := t.TempDir()
	findings := []verdict.Finding{{Checker: "C9", What: "no reason: " + hostile, At: 4 * second}}
	wrote, err := Write(dir, h, end, findings)
	if err != nil {
		t.Fatal(err)
	}
	s, err := Read(filepath.Join(dir, SummaryFile))
	if err != nil {
		t.Fatal(err)
	}
	if s.Seed != 42 || s.Verdict != "bad" || s.Findings["C9"] != 1 || s.Faults["kill-leader"] != (Made{"process", 2, 1, 0}) || s.Faults["loss"] != (Made{"network", 1, 1, 1}) ||
		s.Billed != 60*1_500_000_000 || s.Kinds["undecided"] != 1 || s.Duration != 10*time.Second || s.Text() != wrote.Text() {
		t.Errorf("the summary is %+v", s)
	}
	text := string(read(t, dir, TextFile))
	for _, want := range []string{"bad: seed 42, 3 nodes, 10s", "make jepsen SEED=42", "3 faults of 2 names, 2 seen to bite, 1 skipped", "90.000000000 USD", "findings: C9 1", "C9 at 4s: no reason"} {
		if !strings.Contains(text, want) {
			t.Errorf("the report does not say %q:\n%s", want, text)
		}
	}
	if again, err := history.ReadEnd(filepath.Join(dir, EndFile)); err != nil || len(again.Rows) != 60 {
		t.Errorf("the end was kept as %+v, %v", again, err)
	}
	if script := string(read(t, dir, RepeatFile)); !strings.Contains(script, "\nexec make jepsen SEED=42\n") {
		t.Errorf("the command to repeat is %q", script)
	}
}

// TestThePageKeepsStringsOut: what a node or a client said is text, whatever it has in it.
func TestThePageKeepsStringsOut(t *testing.T) {
	h, end := run()
	s := Make(h, end, nil)
	html, err := timeline(h, end, []verdict.Finding{{Checker: "C1", What: hostile, At: second}}, s)
	if err != nil {
		t.Fatal(err)
	}
	if strings.Contains(string(html), "<script") || strings.Contains(string(html), "<pre></pre>") {
		t.Error("a hostile text is part of the page")
	}
	if got := strings.Count(string(html), `class="process`); got != 2 {
		t.Errorf("%d bars of process faults, want 2", got)
	}
	if !strings.Contains(string(html), "process idle") {
		t.Error("a fault that was not seen to bite looks like one that was")
	}
	d := xml.NewDecoder(strings.NewReader(string(html)))
	d.Strict, d.AutoClose, d.Entity = false, xml.HTMLAutoClose, xml.HTMLEntity
	for {
		if _, err := d.Token(); errors.Is(err, io.EOF) {
			break
		} else if err != nil {
			t.Fatalf("the page is not well formed: %v", err)
		}
	}
}

func TestARunThatIsNotFitIsInvalid(t *testing.T) {
	h, end := run()
	if s := Make(h, end, []verdict.Finding{{Checker: "C1"}}); s.Verdict != "invalid" || len(s.Invalid) == 0 || s.Findings["C1"] != 1 {
		t.Errorf("a run of 20 requests is %s: %v", s.Verdict, s.Invalid)
	}
}

func TestASummaryOfAnotherVersionIsRefused(t *testing.T) {
	file := filepath.Join(t.TempDir(), "s.json")
	for text, want := range map[string]string{`{"version":2}`: "of version 2", `{`: "reading the summary"} {
		if err := os.WriteFile(file, []byte(text), 0o600); err != nil {
			t.Fatal(err)
		}
		if _, err := Read(file); err == nil || !strings.Contains(err.Error(), want) {
			t.Errorf("%s: %v", text, err)
		}
	}
}

func TestQuantiles(t *testing.T) {
	list := make([]int64, 100)
	for i := range list {
		list[i] = int64(100-i) * second
	}
	for percent, want := range map[int]string{50: "50s", 99: "99s", 100: "100s", 1: "1s"} {
		if got := Quantile(list, percent); strings.Replace(got, "1m40s", "100s", 1) != want && got != (map[string]string{"99s": "1m39s"})[want] {
			t.Errorf("p%d is %s, want %s", percent, got, want)
		}
	}
	if Quantile(nil, 50) != "-" || Quantile([]int64{7 * second}, 99) != "7s" {
		t.Error("of none or one")
	}
}

func read(t *testing.T, dir, name string) []byte {
	t.Helper()
	b, err := os.ReadFile(filepath.Join(dir, name))
	if err != nil {
		t.Fatal(err)
	}
	return b
}
