// Package history is what was seen of a cluster from outside: by its clients, by
// those who administer it, by a prober, and by whoever made the faults. A run writes
// it as JSON lines, one value of [Line] each, and judges it afterwards; the bill of the
// provider, the other half of the evidence, is the provider's own file.
//
// Times are nanoseconds since the run began, on one monotonic clock, that of the
// harness; a row of the bill is brought onto it by [History.At]. Amounts are nano-dollars,
// or counts.
package history

import (
	"bufio"
	"encoding/json"
	"fmt"
	"io"
	"os"
	"slices"
	"strings"
	"sync"
	"time"

	"purser/api/admin"
)

// Request is one request of a client, with all its tries at the one node.
type Request struct {
	ID       string   `json:"id"` // of the operation: the request's `user`, so that the bill names it. Repetitions of a request have its ID
	Try      int      `json:"try,omitempty"`
	Client   int      `json:"client"`
	Workload string   `json:"workload"`
	Node     string   `json:"node"`
	Begun    int64    `json:"begun"`
	Ended    int64    `json:"ended"`
	Budgets  []string `json:"budgets,omitempty"` // that cover it, as "id" or "id[value]" of its split, several values with "," between
	Key      string   `json:"key"`               // name of the virtual key
	Idem     string   `json:"idem,omitempty"`    // its Idempotency-Key
	Stream   bool     `json:"stream,omitempty"`
	Mode     string   `json:"mode,omitempty"` // of the provider, that it asked for

	Status    int     `json:"status"` // 0: no answer, or none that was whole
	Code      string  `json:"code,omitempty"`
	Refusal   *Budget `json:"refusal,omitempty"`
	RequestID string  `json:"request_id,omitempty"`
	Cache     string  `json:"cache,omitempty"` // x-purser-cache
	Replayed  bool    `json:"replayed,omitempty"`
	Clash     bool    `json:"clash,omitempty"`  // its Idem is that of a request with another body: it must be refused
	Cost      int64   `json:"cost,omitempty"`   // x-purser-cost-nanousd, where it is known to be one
	Costed    bool    `json:"costed,omitempty"` // Cost was given
	Digest    string  `json:"digest,omitempty"` // of the whole body of a good answer
	Left      bool    `json:"left,omitempty"`   // the client hung up by intent
	Err       string  `json:"err,omitempty"`
}

// Budget is what a refusal says of the budget that refuses, see docs/errors.md.
type Budget struct {
	ID          string `json:"id"`
	Account     string `json:"account"`
	Unit        string `json:"unit"`
	Window      string `json:"window"`
	Limit       int64  `json:"limit"`
	Spent       int64  `json:"spent"`
	Held        int64  `json:"held"`
	Unreachable int64  `json:"unreachable"`
	Needed      int64  `json:"needed"`
	// Breaker is the budget's breaker, where that refuses and not the amounts.
	Breaker *Breaker `json:"breaker,omitempty"`
}

// Breaker is how a breaker stands that refuses.
type Breaker struct {
	State string `json:"state"`
}

// Change is one operation of an administrator.
type Change struct {
	ID      int    `json:"id"`
	Session int    `json:"session"`         // which does one thing at a time
	Node    string `json:"node"`            // that was asked
	Kind    string `json:"kind"`            // limit, raise, delete, read, fence, release; of keys: key, rotate, revoke
	Of      string `json:"of"`              // the budget, node or key
	Limit   int64  `json:"limit,omitempty"` // asked for; of a raise, what is added; of a read, the budget's as it was read
	Begun   int64  `json:"begun"`
	Ended   int64  `json:"ended"`
	// Known says that there was an answer: OK, or an error that excludes an effect.
	Known    bool            `json:"known"`
	OK       bool            `json:"ok"`
	Accounts []admin.Account `json:"accounts,omitempty"` // of a read
	Found    bool            `json:"found,omitempty"`    // of a read: there is such a budget
	Err      string          `json:"err,omitempty"`
}

// Sample is what one node said of itself, without asking others.
type Sample struct {
	At          int64           `json:"at"`
	Node        string          `json:"node"` // by its place in the cluster, which it keeps when it is replaced
	Is          string          `json:"is"`   // its id
	State       string          `json:"state,omitempty"`
	Role        string          `json:"role,omitempty"`
	Leader      string          `json:"leader,omitempty"`
	Term        uint64          `json:"term,omitempty"`
	Applied     uint64          `json:"applied,omitempty"`
	Generation  uint32          `json:"generation,omitempty"`
	Digest      string          `json:"digest,omitempty"`
	Holds       int             `json:"holds"`
	Incarnation uint32          `json:"incarnation,omitempty"`
	LedgerTime  int64           `json:"ledger_time,omitempty"` // of the run, to the second; 0: it said none
	Accounts    []admin.Account `json:"accounts,omitempty"`
	RSS         int64           `json:"rss,omitempty"` // bytes
	FDs         int             `json:"fds,omitempty"`
	Goroutines  int             `json:"goroutines,omitempty"`
	// Checkpoint is the last digest that the node took at an entry of the log; each node
	// takes one at the same entries.
	Checkpoint *admin.Checkpoint `json:"checkpoint,omitempty"`
	Down       bool              `json:"down,omitempty"` // not running, or it did not answer
}

// Fault is one fault that was made.
type Fault struct {
	Seq     int      `json:"seq"`
	Name    string   `json:"name"`
	Class   string   `json:"class"`
	Targets []string `json:"targets,omitempty"` // nodes it is about, "" none in particular
	Begun   int64    `json:"begun"`
	Ended   int64    `json:"ended"` // healed
	Bit     bool     `json:"bit"`   // it was seen to have an effect
	Seen    string   `json:"seen,omitempty"`
	Loses   bool     `json:"loses,omitempty"`   // its targets' disks lost what they had acknowledged: wiped, rolled back, replaced, damaged
	Kills   bool     `json:"kills,omitempty"`   // it ended its targets' processes without warning, whatever its class
	Skipped string   `json:"skipped,omitempty"` // why it was not made
	Err     string   `json:"err,omitempty"`     // what went wrong that must not
	Stops   []Stop   `json:"stops,omitempty"`   // of processes in peace
	Cut     int64    `json:"cut,omitempty"`     // from when on its targets heard none of the other nodes, until its end; 0: it is not about that
}

// Stop is a process that was told to end.
type Stop struct {
	Node string `json:"node"` // its place
	Is   string `json:"is"`   // its id
	From int64  `json:"from"` // when it was told
	To   int64  `json:"to"`   // when it had ended
	Well bool   `json:"well"` // with status 0
}

// Line is one line of the file: one of these.
type Line struct {
	Meta    *Meta         `json:"meta,omitempty"`
	Request *Request      `json:"request,omitempty"`
	Change  *Change       `json:"change,omitempty"`
	Sample  *Sample       `json:"sample,omitempty"`
	Fault   *Fault        `json:"fault,omitempty"`
	Budget  *admin.Budget `json:"budget,omitempty"` // one more of Meta.Budgets
	Starved *Starved      `json:"starved,omitempty"`
}

// Starved is a time in which the machine did not run what was due: no judgement of how
// soon anything was done then would be one of the nodes.
type Starved struct {
	From int64 `json:"from"`
	To   int64 `json:"to"`
}

// Meta is what a run was.
type Meta struct {
	Version int       `json:"version"`
	Seed    uint64    `json:"seed"`
	Nodes   int       `json:"nodes"`
	Began   time.Time `json:"began"` // wall clock of the run's zero
	Network string    `json:"network"`
	Build   string    `json:"build"`
	Again   string    `json:"again"` // the command that repeats the run
	// Older is the build that the nodes begin with, where they are upgraded in the run.
	Older string `json:"older,omitempty"`
	// Missing are faults that were asked for and could not be made here, by reason.
	Missing []string `json:"missing,omitempty"`
	// Authority is how long a node goes on that hears nothing of the ledger, nanoseconds.
	Authority int64 `json:"authority,omitempty"`
	// Budgets as they were made, in that order; what was asked of them later are Changes.
	Budgets []admin.Budget `json:"budgets,omitempty"`
}

const version = 1

// History is a run as far as it has been seen. Its methods may be called by any
// number of goroutines.
type History struct {
	Meta     Meta
	Requests []Request
	Changes  []Change
	Samples  []Sample
	Faults   []Fault
	Starved  []Starved

	began time.Time
	mu    sync.Mutex
	file  *os.File
	out   *bufio.Writer
	err   error
}

// Begin starts a history whose time is now, written to a file as it goes.
func Begin(file string, m Meta) (*History, error) {
	f, err := os.Create(file)
	if err != nil {
		return nil, fmt.Errorf("making the history: %w", err)
	}
	began := time.Now()
	m.Version, m.Began = version, began.Round(0).UTC()
	h := &History{Meta: m, began: began, file: f, out: bufio.NewWriterSize(f, 1<<20)}
	h.put(Line{Meta: &h.Meta})
	return h, nil
}

// Now is the time of the run.
func (h *History) Now() int64 { return int64(time.Since(h.began)) }

// At brings a reading of the wall clock of this machine onto the time of the run.
func (h *History) At(t time.Time) int64 { return int64(t.Sub(h.Meta.Began)) }

// put writes a line; the first error is kept for Close.
func (h *History) put(l Line) {
	b, err := json.Marshal(l)
	if err == nil {
		_, err = h.out.Write(append(b, '\n'))
	}
	if err != nil && h.err == nil {
		h.err = err
	}
}

// Requested notes a request that has ended.
func (h *History) Requested(r Request) {
	h.mu.Lock()
	defer h.mu.Unlock()
	h.Requests = append(h.Requests, r)
	h.put(Line{Request: &r})
}

// Changed notes a change that has ended, and numbers it.
func (h *History) Changed(c Change) {
	h.mu.Lock()
	defer h.mu.Unlock()
	c.ID = len(h.Changes) + 1
	h.Changes = append(h.Changes, c)
	h.put(Line{Change: &c})
}

// Sampled notes what a node said.
func (h *History) Sampled(s Sample) {
	h.mu.Lock()
	defer h.mu.Unlock()
	h.Samples = append(h.Samples, s)
	h.put(Line{Sample: &s})
}

// Starving notes that the machine was starved.
func (h *History) Starving(x Starved) {
	h.mu.Lock()
	defer h.mu.Unlock()
	h.Starved = append(h.Starved, x)
	h.put(Line{Starved: &x})
}

// Struck notes a fault that is over, or was skipped.
func (h *History) Struck(f Fault) {
	h.mu.Lock()
	defer h.mu.Unlock()
	h.Faults = append(h.Faults, f)
	h.put(Line{Fault: &f})
	if err := h.out.Flush(); err != nil && h.err == nil { // so that a run which is killed leaves what led to it
		h.err = err
	}
}

// Made notes a budget that is about to be made.
func (h *History) Made(b admin.Budget) {
	h.mu.Lock()
	defer h.mu.Unlock()
	h.Meta.Budgets = append(h.Meta.Budgets, b)
	h.put(Line{Budget: &b})
}

// Since counts the requests of a kind that have ended since a time.
func (h *History) Since(at int64, kind func(*Request) bool) (n int) {
	h.mu.Lock()
	defer h.mu.Unlock()
	for i := len(h.Requests) - 1; i >= 0; i-- {
		r := &h.Requests[i]
		if r.Ended < at-int64(slack) {
			break
		}
		if r.Ended >= at && kind(r) {
			n++
		}
	}
	return n
}

// Covered are the accounts that cover each operation that has ended since a time, by its
// id.
func (h *History) Covered(since int64) map[string][]string {
	h.mu.Lock()
	defer h.mu.Unlock()
	out := map[string][]string{}
	for i := range h.Requests {
		if r := &h.Requests[i]; r.Ended >= since {
			out[r.ID] = r.Budgets
		}
	}
	return out
}

// BudgetOf is the id of the budget of an account, as requests name it.
func BudgetOf(account string) string {
	id, _, _ := strings.Cut(account, "[")
	return id
}

// slack is how far requests may stand from the order in which they ended.
const slack = time.Second

// Counts says how much there is, for progress.
func (h *History) Counts() (requests, changes, faults int) {
	h.mu.Lock()
	defer h.mu.Unlock()
	return len(h.Requests), len(h.Changes), len(h.Faults)
}

// Close writes what is left. The history stays readable; nothing may be added.
func (h *History) Close() error {
	h.mu.Lock()
	defer h.mu.Unlock()
	if h.file == nil {
		return nil
	}
	err := h.err
	if e := h.out.Flush(); err == nil {
		err = e
	}
	if e := h.file.Close(); err == nil {
		err = e
	}
	h.file = nil
	if err != nil {
		return fmt.Errorf("writing the history: %w", err)
	}
	return nil
}

// Read reads the file of a run.
func Read(r io.Reader) (*History, error) {
	h := &History{}
	for d := json.NewDecoder(r); ; {
		var l Line
		if err := d.Decode(&l); err == io.EOF {
			break
		} else if err != nil {
			return nil, fmt.Errorf("reading the history: %w", err)
		}
		switch {
		case l.Meta != nil:
			h.Meta = *l.Meta
		case l.Request != nil:
			h.Requests = append(h.Requests, *l.Request)
		case l.Change != nil:
			h.Changes = append(h.Changes, *l.Change)
		case l.Sample != nil:
			h.Samples = append(h.Samples, *l.Sample)
		case l.Budget != nil:
			h.Meta.Budgets = append(h.Meta.Budgets, *l.Budget)
		case l.Fault != nil:
			h.Faults = append(h.Faults, *l.Fault)
		case l.Starved != nil:
			h.Starved = append(h.Starved, *l.Starved)
		}
	}
	if h.Meta.Version != version {
		return nil, fmt.Errorf("a history of version %d, this reads %d", h.Meta.Version, version)
	}
	return h, nil
}

// SortRequests brings the requests into the order in which they began.
func (h *History) SortRequests() {
	slices.SortStableFunc(h.Requests, func(a, b Request) int { return int(min(1, max(-1, a.Begun-b.Begun))) })
}
