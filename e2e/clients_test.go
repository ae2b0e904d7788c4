package e2e

import (
	"bytes"
	"context"
	"errors"
	"flag"
	"fmt"
	"image"
	"image/png"
	"net/http"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"testing"
	"time"

	"purser/api/admin"
	"purser/e2e/compat"
	"purser/internal/record"
	"purser/ledger"
)

var (
	installs  = flag.Bool("install", false, "run what needs packages of npm or PyPI, which are installed at first, too")
	tableFile = flag.String("table", "", "write what every client saw to this file")
)

// scenarioTime bounds one scenario with one client: a slow machine starting an agent.
const scenarioTime = 90 * time.Second

// task is one scenario for one client.
type task struct {
	scenario compat.Scenario
	knobs    map[string]string // what is set of the client, by the names of its knobs
	picture  string            // path of a PNG to ask about
	// flowing waits until an answer that began after this task is under way.
	flowing func(context.Context) error
	// lastBody is the last request for an answer, as the gateway saw it.
	lastBody func() []byte
}

// driver runs a client's scenarios, one at a time. It returns nil for a pass, an
// absent for what the client has not, and else what happened.
type driver func(ctx context.Context, x task) error

// absent is why a scenario does not apply to a client.
type absent string

func (a absent) Error() string { return string(a) }

// unreachable is why a client could not be installed: its registry was not reached.
type unreachable struct{ error }

// clientSuite runs the clients against one node, each scenario with a key of its own.
type clientSuite struct {
	*rig
	counted *counting
	picture string                // path of a PNG
	away    map[compat.Kind]error // why what a kind needs is not there; asked for once
}

// TestClients runs every scenario with every client, with nothing changed but base
// URL and key. Without -install only those in Go run.
func TestClients(t *testing.T) {
	locks, err := compat.ReadLocks("..")
	if err != nil {
		t.Fatal(err)
	}
	r := newRig(t, rigOptions{config: "  - name: anthropic\n    api: anthropic\n    base_url: PROVIDER/v1\n    key: sk-e2e\n" + geminiUpstream, purse: "  admission_wait: 5s\n"}) // the machine may be slow
	r.budget(usd("cap", "500"))
	// A refusal has the limit in it: with digits that look like a status, for clients
	// that look for one in the text.
	b := usd("empty", "0.000000429")
	b.Match = map[string][]string{"customer": {"broke"}}
	r.budget(b)
	s := &clientSuite{rig: r, counted: countBefore(t, r.url), picture: drawPicture(t), away: map[compat.Kind]error{}}

	rows := make([]compat.Row, len(compat.Clients))
	for i := range compat.Clients {
		c := &compat.Clients[i]
		rows[i] = compat.Row{Client: c, Cells: map[compat.Scenario]compat.Cell{}}
		if rows[i].Versions, err = locks.Of(c); err != nil {
			t.Fatal(err)
		}
		t.Run(c.ID, func(t *testing.T) { s.run(t, &rows[i]) })
	}
	s.judge(t, rows)
	if *tableFile != "" && !slices.ContainsFunc(rows, func(r compat.Row) bool { return len(r.Cells) == 0 }) { // not after -run of some
		if err := os.WriteFile(*tableFile, []byte(compat.Draw(rows, locks.Runtime())), 0o644); err != nil {
			t.Fatal(err)
		}
	}
}

// drawPicture writes a picture whose tokens are hundreds at every provider.
func drawPicture(t *testing.T) string {
	t.Helper()
	var b bytes.Buffer
	if err := png.Encode(&b, image.NewGray(image.Rect(0, 0, 900, 500))); err != nil {
		t.Fatal(err)
	}
	path := filepath.Join(t.TempDir(), "picture.png")
	if err := os.WriteFile(path, b.Bytes(), 0o600); err != nil {
		t.Fatal(err)
	}
	return path
}

// run fills a client's row.
func (s *clientSuite) run(t *testing.T, row *compat.Row) {
	drive, err := s.open(t, row.Client)
	var away unreachable
	if errors.As(err, &away) {
		for _, sc := range compat.Scenarios {
			row.Cells[sc.ID] = compat.Cell{Result: compat.NotRun, Why: away.Error()}
		}
		t.Skip(away)
	}
	if err != nil {
		t.Fatal(err)
	}
	for _, sc := range compat.Scenarios {
		cell := s.cell(t, row.Client, sc.ID, drive)
		row.Cells[sc.ID] = cell
		switch cell.Result {
		case compat.Passed:
		case compat.NotApplicable:
			t.Logf("%s does not apply: %s", sc.ID, cell.Why)
		case compat.Failed, compat.NotRun:
			t.Errorf("%s: %s", sc.ID, cell.Why)
		}
	}
}

// open gives what drives a client, and installs it if need be.
func (s *clientSuite) open(t *testing.T, c *compat.Client) (driver, error) {
	t.Helper()
	if c.Kind == compat.Go {
		return goDrivers[c.ID], nil
	}
	if err := s.away[c.Kind]; err != nil {
		return nil, err
	}
	dir, err := folders[c.Kind].install(t)
	if err != nil {
		s.away[c.Kind] = err
		return nil, err
	}
	if c.Kind == compat.Agent {
		return newAgent(t, c.ID, dir).drive, nil
	}
	return startProgram(t, c, dir)
}

// slowly makes a stream last for seconds: a client that leaves has not read it all.
const slowly = "tokens=400+slow-chunks=15ms"

// cell runs one scenario.
func (s *clientSuite) cell(t *testing.T, c *compat.Client, scenario compat.Scenario, drive driver) compat.Cell {
	t.Helper()
	bound := map[string]string{"agent": c.ID, "feature": string(scenario)}
	if scenario == compat.Denial {
		bound["customer"] = "broke"
	}
	key, err := s.admin.CreateKey(t.Context(), admin.NewKey{Name: c.ID, Bound: bound})
	if err != nil {
		t.Fatal(err)
	}
	if scenario == compat.Cancel {
		s.plan(t, slowly)
		defer s.plan(t, "ok")
	}
	before, passed := s.counted.answers.Load(), s.counted.passed.Load()
	ctx, stop := context.WithTimeout(t.Context(), scenarioTime)
	defer stop()
	err = drive(ctx, task{
		scenario: scenario, picture: s.picture, lastBody: func() []byte { return *s.counted.last.Load() },
		knobs:   map[string]string{c.URL.Name: s.counted.url + c.URL.Path, c.Key.Name: key.Secret},
		flowing: func(ctx context.Context) error { return s.counted.flows(ctx, passed) },
	})
	out := compat.Cell{Result: compat.Passed, Attempts: s.counted.answers.Load() - before}
	var why absent
	switch {
	case errors.As(err, &why):
		out.Result, out.Why = compat.NotApplicable, string(why)
	case err != nil:
		out.Result, out.Why = compat.Failed, strings.ReplaceAll(err.Error(), "\n", " ")
	}
	if scenario == compat.Denial && out.Attempts != 1 {
		out.Result, out.Why = compat.Failed, strings.TrimSpace(fmt.Sprintf("the gateway was asked %d times. %s", out.Attempts, out.Why))
	}
	return out
}

// plan has the provider behave so from now on.
func (s *clientSuite) plan(t *testing.T, mode string) {
	t.Helper()
	control := strings.TrimSuffix(s.upstream, "/v1") + "/_sim/mode"
	res, err := http.Post(control, "application/json", strings.NewReader(fmt.Sprintf(`{"mode":%q}`, mode)))
	if err != nil {
		t.Fatal(err)
	}
	res.Body.Close()
	if res.StatusCode != 200 {
		t.Fatalf("setting the mode %q: %d", mode, res.StatusCode)
	}
}

// judge stops the node and takes back what its records do not bear out: each pass
// has records, those of a stream that the client left tell the provider's usage,
// and all of them equal the bill.
func (s *clientSuite) judge(t *testing.T, rows []compat.Row) {
	t.Helper()
	if !slices.ContainsFunc(rows, func(r compat.Row) bool { return r.Cells[compat.Chat].Result == compat.Passed }) {
		return // nothing was spent, and it has failed
	}
	s.settled("cap")
	s.stopNode()
	bill, records := s.billRows(), s.records()
	if got := compare(t, bill, records); got.billed == 0 || got.billed != got.recorded || got.different+got.unbilled > 0 {
		t.Errorf("records and bill differ: %+v", got)
	}
	type cell struct {
		client   string
		scenario compat.Scenario
	}
	seen := map[cell][]*record.Record{}
	for _, row := range bill {
		if rec := records[row.ClientRequestID]; rec != nil {
			at := cell{rec.Dims.Values[ledger.DimAgent], compat.Scenario(rec.Dims.Values[ledger.DimFeature])}
			seen[at] = append(seen[at], rec)
		}
	}
	for _, row := range rows {
		for _, sc := range compat.Scenarios {
			c := row.Cells[sc.ID]
			if c.Result != compat.Passed {
				continue
			}
			if why := objection(row.Client.Route, sc.ID, seen[cell{row.Client.ID, sc.ID}]); why != "" {
				t.Errorf("%s, %s: %s", row.Client.ID, sc.ID, why)
				row.Cells[sc.ID] = compat.Cell{Result: compat.Failed, Why: why}
			}
		}
	}
}

// objection is what the records of a scenario say against its pass, or "".
func objection(route string, s compat.Scenario, records []*record.Record) string {
	has := func(f func(*record.Record) bool) bool {
		for _, rec := range records {
			if f(rec) {
				return true
			}
		}
		return false
	}
	if s != compat.Others && has(func(r *record.Record) bool { return !strings.HasPrefix(r.Endpoint, route) }) {
		return "it took another route than " + route
	}
	switch s {
	case compat.Others: // some of them cost nothing
	case compat.Denial, compat.Errors:
		if len(records) > 0 {
			return fmt.Sprintf("%d calls were made of what was to be refused", len(records))
		}
	case compat.Cancel:
		if !has(func(r *record.Record) bool {
			return r.Stream && r.Outcome == record.Disconnected && r.Basis == record.Reported
		}) {
			return "no call was left in mid-stream and recorded with the provider's usage"
		}
	case compat.Stream:
		if !has(func(r *record.Record) bool { return r.Stream && r.Outcome == record.Completed }) {
			return "no stream was recorded"
		}
	case compat.Tools, compat.Parallel:
		if len(records) < 2 {
			return "no call with the tools' results was recorded"
		}
	case compat.Chat, compat.Structured, compat.Image:
		if !has(func(r *record.Record) bool { return r.Outcome == record.Completed && r.Usage.TotalOutput() > 0 }) {
			return "no call was recorded"
		}
	}
	return ""
}
