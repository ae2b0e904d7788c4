package verdict

import (
	"encoding/json"
	"fmt"
	"strings"
	"testing"
	"time"

	"purser/api/admin"
	"purser/internal/simprovider"
	"purser/jepsen-style-tests/outside/history"
	"purser/ledger"
	"purser/proxy/price"
)

// made is a run as it ought to be, to be spoilt.
type made struct {
	*testing.T
	h      *history.History
	end    *history.End
	ignore string // checker whose findings the test is not about
	// misreported leaves the report of usage as it is: else it goes along with the records.
	misreported bool
}

const (
	second = int64(time.Second)
	cost   = 1000
	calls  = 100
)

var zero = time.Date(2026, 5, 1, 12, 0, 0, 0, time.UTC)

// good is a run of a minute at three nodes: a hundred requests, one every half second,
// each of which cost 1,000 nano-dollars, of a budget "all" and one of a minute, "fast".
func good(t *testing.T) *made {
	m := &made{T: t, h: &history.History{Meta: history.Meta{
		Version: 1, Seed: 7, Nodes: 3, Began: zero,
		Budgets: []admin.Budget{
			{ID: "all", Unit: "usd", Limit: "0.0002", Window: "total"},
			{ID: "fast", Unit: "usd", Limit: "0.00013", Window: "minute"},
			{ID: "at-once", Unit: "slots", Limit: "2", Window: "total"},
			{ID: "by", Unit: "requests", Limit: "60", Window: "total", Each: []string{"customer"}},
		},
	}}, end: &history.End{Left: 51 * second, Healed: 50 * second, Drained: time.Second, Nodes: map[string]history.NodeEnd{}}}
	for i := range calls {
		m.call(i)
	}
	m.end.Reported = calls * cost
	for i := range 3 {
		place := fmt.Sprintf("n%d", i+1)
		for s := range 10 {
			m.h.Samples = append(m.h.Samples, history.Sample{
				At: int64(s) * 5 * second, Node: place, Is: place + "-1", State: "ready", Term: 2, Incarnation: 1, Applied: uint64(10 + s/2), Digest: fmt.Sprintf("digest-%d", s/2),
				Accounts:   []admin.Account{account("all", "", 200_000, int64(s)*10*cost, 0)},
				Checkpoint: &admin.Checkpoint{Entry: uint64(s / 5), Digest: fmt.Sprint(s / 5)},
			})
		}
		m.end.Nodes[place] = history.NodeEnd{
			Status: admin.Status{Node: place + "-1", AppliedLog: 20, Digest: "the end"},
			Budgets: []admin.BudgetDetail{
				{Accounts: []admin.Account{account("all", "", 200_000, calls*cost, 0)}},
				{Accounts: []admin.Account{account("fast", zero.Format(time.RFC3339), 130_000, calls*cost, 0)}},
			},
		}
	}
	return m
}

// call is one request, of which every hundredth second tells another.
func (m *made) call(i int) {
	at := int64(i) * second / 2
	id, request, node := fmt.Sprintf("op-%d", i), fmt.Sprintf("req_%04d", i), fmt.Sprintf("n%d", i%3+1)
	customer := fmt.Sprintf("by[%c]", 'a'+i%2)
	m.h.Requests = append(m.h.Requests, history.Request{
		ID: id, Node: node, Begun: at, Ended: at + second/4, Budgets: []string{"all", "fast", "at-once", customer}, Key: "k", Status: 200, RequestID: request,
		Cost: cost, Costed: true, Digest: "answer",
	})
	var usage price.Usage
	usage[price.OutputText] = 10
	m.end.Rows = append(m.end.Rows, simprovider.Row{
		Call: fmt.Sprint(i), ClientRequestID: request + "-1", EndUser: id, Usage: usage, Cap: 60, Cost: cost, At: zero.Add(time.Duration(at + second/8)),
	})
	m.end.Records = append(m.end.Records, history.Record{
		ID: request, At: zero.Add(time.Duration(at)).Format(time.RFC3339Nano), Outcome: "completed", Basis: "reported", Attempt: 1, Cost: cost, Hold: 3 * cost, Total: second / 4,
		Charges: []history.Charge{
			{Budget: "all", Held: 3 * cost, Spent: cost}, {Budget: "fast", Start: zero.UnixNano(), Held: 3 * cost, Spent: cost},
			{Budget: "at-once", Held: 1}, {Budget: "by", Split: []string{strings.Trim(customer, "by[]")}, Held: 1, Spent: 1},
		},
	})
}

// account adds up: what is left is available.
func account(id, start string, limit, spent, presumed int64) admin.Account {
	return admin.Account{Budget: id, Unit: "usd", WindowStart: start, Limit: limit, Available: limit - spent, Spent: spent, Presumed: presumed, State: "open"}
}

// accounts changes an account at every node's end.
func (m *made) accounts(id string, change func(*admin.Account)) {
	for _, n := range m.end.Nodes {
		for i := range n.Budgets {
			for j := range n.Budgets[i].Accounts {
				if a := &n.Budgets[i].Accounts[j]; a.Budget == id {
					change(a)
				}
			}
		}
	}
}

// unrecorded takes the record of a call away.
func (m *made) unrecorded(i int) {
	m.end.Records[i].Kind = "adjustment"
}

// more bills another call of an operation.
func (m *made) more(op int, request string, cost ledger.Amount, at time.Duration) {
	row := m.end.Rows[op]
	row.Call, row.ClientRequestID, row.Cost, row.At = "more", request+"-1", cost, zero.Add(at)
	m.end.Rows = append(m.end.Rows, row)
}

func (m *made) fault(name, class string, begun, ended int64, targets ...string) *history.Fault {
	m.h.Faults = append(m.h.Faults, history.Fault{Seq: len(m.h.Faults) + 1, Name: name, Class: class, Begun: begun, Ended: ended, Targets: targets, Bit: true})
	return &m.h.Faults[len(m.h.Faults)-1]
}

func (m *made) change(kind, of string, limit, begun, ended int64) *history.Change {
	m.h.Changes = append(m.h.Changes, history.Change{ID: len(m.h.Changes) + 1, Kind: kind, Of: of, Limit: limit, Begun: begun, Ended: ended, Known: true, OK: true})
	return &m.h.Changes[len(m.h.Changes)-1]
}

// expect fails unless the findings are these, by checker and a part of the text, in any
// order; a finding that is wanted may be there more than once.
func (m *made) expect(name string, want ...string) {
	m.Helper()
	if !m.misreported {
		m.end.Reported = 0
		for i := range m.end.Records {
			m.end.Reported += m.end.Records[i].Cost
		}
	}
	found := Judge(m.h, m.end)
	matched := make([]bool, len(want))
	for _, f := range found {
		text, known := f.Checker+": "+f.What, f.Checker == m.ignore
		for i, w := range want {
			if strings.Contains(text, w) {
				matched[i], known = true, true
			}
		}
		if !known {
			m.Errorf("%s: found %q, which is not among %q", name, text, want)
		}
	}
	for i, w := range want {
		if !matched[i] {
			m.Errorf("%s: %q was not found among %v", name, w, found)
		}
	}
}

// spoilt is a way to break a run, and what is then to be found.
type spoilt struct {
	name  string
	spoil func(*made)
	want  []string
}

// each spoils a good run in each way. Changes of these are in no audit trail.
func each(t *testing.T, list []spoilt) {
	t.Helper()
	eachBut(t, "C7", list)
}

func eachBut(t *testing.T, ignore string, list []spoilt) {
	t.Helper()
	for _, s := range list {
		m := good(t)
		m.ignore = ignore
		s.spoil(m)
		m.expect(s.name, s.want...)
	}
}

func TestAGoodRunIsGood(t *testing.T) {
	m := good(t)
	m.expect("good")
	if why := Assume(m.h, m.end); len(why) > 0 {
		t.Errorf("a good run is not fit to be judged: %v", why)
	}
}

// TestAHistoryIsJudgedFromItsFiles: what is read again is found to be the same.
func TestAHistoryIsJudgedFromItsFiles(t *testing.T) {
	m := good(t)
	m.more(0, "req_more", 150_000, 60*time.Second)
	file := t.TempDir() + "/end.json"
	if err := m.end.Write(file); err != nil {
		t.Fatal(err)
	}
	end, err := history.ReadEnd(file)
	if err != nil {
		t.Fatal(err)
	}
	want, got := Judge(m.h, m.end), Judge(m.h, end)
	if a, b := jsonOf(t, want), jsonOf(t, got); a != b || len(want) == 0 {
		t.Errorf("found %s, and of what was read again %s", a, b)
	}
}

func jsonOf(t *testing.T, v any) string {
	b, err := json.Marshal(v)
	if err != nil {
		t.Fatal(err)
	}
	return string(b)
}
