package history

import (
	"encoding/json"
	"fmt"
	"os"
	"time"

	"purser/api/admin"
	"purser/internal/simprovider"
)

// End is what is there when everything is healed, the clients are gone and every
// node has given back what it held.
type End struct {
	Left       int64              // when the clients were gone
	Healed     int64              // when the last fault was healed
	Drained    time.Duration      // from when the clients were gone until nothing was outstanding; 0: it never was
	Nodes      map[string]NodeEnd // by place
	Rows       []simprovider.Row  // the bill, in the order in which it was written
	Records    []Record           // usage records of all nodes
	Reported   int64              // cost of them all, as a usage report sums it up
	Lacking    []string           // nodes of whose records some may be missing, and why
	Answered   []admin.NodeAnswer // whose records they are
	Unrecorded []admin.Unrecorded // what a usage report says that may have been spent without a record
	Exits      map[string]string  // nodes that did not end well at their SIGTERM, and how
	Audit      []Audit            // the trail, in its order
	Disks      map[string]string  // directories of the nodes' data, by place
	Replay     Replay             // of the logs of Raft on these
}

// Replay is what was read of the logs that nodes left.
type Replay struct {
	Entries int      // carried out once more
	Logs    int      // that were read from their first entry on
	Skipped []string // logs that could not be, and why
}

// NodeEnd is a node at the end.
type NodeEnd struct {
	Status  admin.Status
	Budgets []admin.BudgetDetail
}

// Record is a usage record as the admin API writes it, as far as it is judged.
type Record struct {
	ID       string   `json:"id"` // of the request
	At       string   `json:"at"` // RFC 3339, by the node's clock
	Kind     string   `json:"kind,omitempty"`
	Corrects string   `json:"corrects,omitempty"`
	Outcome  string   `json:"outcome"`
	Code     string   `json:"code,omitempty"`
	Basis    string   `json:"basis"`
	Attempt  int      `json:"attempt"`
	Cost     int64    `json:"cost_nanousd"`
	Hold     int64    `json:"hold_nanousd"`
	Overrun  int64    `json:"overrun_nanousd"`
	Admit    int64    `json:"admit_ns"`
	Total    int64    `json:"total_ns"`
	Charges  []Charge `json:"charges,omitempty"`
}

// Charge is one account's part of a record, in the account's unit.
type Charge struct {
	Budget string   `json:"budget"`
	Split  []string `json:"split,omitempty"`
	Start  int64    `json:"window_start_ns"` // since 1970
	Held   int64    `json:"held"`
	Spent  int64    `json:"spent"`
}

// Call is the id under which the provider bills what the record is of.
func (r *Record) Call() string { return fmt.Sprintf("%s-%d", r.ID, r.Attempt) }

// Audit is an entry of the audit trail.
type Audit struct {
	Seq    uint64          `json:"seq"`
	At     string          `json:"at"` // RFC 3339, ledger time
	Node   string          `json:"node"`
	Action string          `json:"action"`
	Target string          `json:"target"`
	After  json.RawMessage `json:"after,omitempty"`
	Result string          `json:"result"`
}

// Write keeps the end in a file, for those who judge the run once more.
func (e *End) Write(file string) error {
	b, err := json.Marshal(e)
	if err == nil {
		err = os.WriteFile(file, b, 0o600)
	}
	if err != nil {
		return fmt.Errorf("writing the end of the run: %w", err)
	}
	return nil
}

// ReadEnd reads what [End.Write] wrote.
func ReadEnd(file string) (*End, error) {
	b, err := os.ReadFile(file)
	if err != nil {
		return nil, fmt.Errorf("reading the end of the run: %w", err)
	}
	e := &End{}
	if err := json.Unmarshal(b, e); err != nil {
		return nil, fmt.Errorf("reading the end of the run: %w", err)
	}
	return e, nil
}
