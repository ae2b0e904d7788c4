package record

import (
	"encoding/hex"
	"encoding/json"
	"fmt"
	"time"

	"purser/ledger"
	"purser/proxy/price"
)

// document is the JSON form of a record. Money is whole nano-dollars; the
// amounts of a charge are in the unit of its budget. Times are RFC 3339, spans
// are nanoseconds. Fields that are not set are left out.
type document struct {
	ID         string            `json:"id"`
	At         string            `json:"at"`
	Dimensions map[string]string `json:"dimensions,omitempty"` // free tags as "tag:<name>"
	Endpoint   string            `json:"endpoint,omitempty"`
	Dialect    string            `json:"dialect,omitempty"`
	Upstream   string            `json:"upstream,omitempty"`
	UpstreamID string            `json:"upstream_id,omitempty"`
	Model      string            `json:"model,omitempty"`
	Served     string            `json:"model_served,omitempty"`
	Tier       string            `json:"tier,omitempty"`
	Stream     bool              `json:"stream"`
	Outcome    string            `json:"outcome"`
	Status     int               `json:"status"`
	Code       string            `json:"code,omitempty"`

	Usage   map[string]int64 `json:"usage,omitempty"` // by meter, those that are not zero
	Cost    ledger.Amount    `json:"cost_nanousd"`
	List    ledger.Amount    `json:"list_nanousd"`
	Priced  ledger.Amount    `json:"priced_nanousd"`
	Differs ledger.Amount    `json:"difference_nanousd,omitempty"` // cost without what the catalogue makes of it
	Hold    ledger.Amount    `json:"hold_nanousd"`
	Overrun ledger.Amount    `json:"overrun_nanousd"`
	RateID  string           `json:"rate,omitempty"`
	Prices  string           `json:"catalogue,omitempty"`
	Basis   string           `json:"basis"`
	Bound   string           `json:"bound"`

	Attempt  int                      `json:"attempt"`
	Attempts int                      `json:"attempts"`
	Cache    string                   `json:"cache"`
	Baseline ledger.Amount            `json:"baseline_nanousd"`          // what it would have cost without levers
	Savings  map[string]ledger.Amount `json:"savings_nanousd,omitempty"` // by lever

	Admit     int64 `json:"admit_ns"`
	FirstByte int64 `json:"first_byte_ns"`
	Total     int64 `json:"total_ns"`

	Charges  []chargeDocument `json:"charges,omitempty"`
	Policies []rulingDocument `json:"policies,omitempty"`

	Route         *routeDocument    `json:"route,omitempty"`
	PromptVersion int64             `json:"prompt_version,omitempty"`
	Semantic      *semanticDocument `json:"semantic,omitempty"`
	Shape         *shapeDocument    `json:"shape,omitempty"`
	Fingerprint   string            `json:"fingerprint,omitempty"` // 16 hexadecimal digits

	Kind       string `json:"kind,omitempty"` // left out for a request
	Corrects   string `json:"corrects,omitempty"`
	Note       string `json:"note,omitempty"`
	Step       string `json:"step,omitempty"`
	Parent     string `json:"parent,omitempty"`
	Client     string `json:"client,omitempty"`
	Trace      string `json:"trace_id,omitempty"`       // 32 hexadecimal digits
	Caller     string `json:"caller_span_id,omitempty"` // 16
	Credential string `json:"credential,omitempty"`
	OutputCap  int64  `json:"output_cap,omitempty"`
	Made       int64  `json:"answer_bytes,omitempty"`
	Delivered  int64  `json:"delivered_bytes,omitempty"`
	Gist       string `json:"gist,omitempty"`   // 16 hexadecimal digits
	Prefix     string `json:"prefix,omitempty"` // 16
}

type routeDocument struct {
	Name       string               `json:"name,omitempty"`
	Strategy   string               `json:"strategy,omitempty"`
	Reason     string               `json:"reason,omitempty"`
	Considered []consideredDocument `json:"considered,omitempty"`
	Cluster    int64                `json:"cluster,omitempty"` // of prompts, as a router numbers them
	Canary     bool                 `json:"canary,omitempty"`  // the request was drawn for a canary
}

type consideredDocument struct {
	Model    string `json:"model"`
	Upstream string `json:"upstream,omitempty"`
	Score    int64  `json:"score_millionths"`
	Why      string `json:"why,omitempty"`
}

type semanticDocument struct {
	Verdict     string `json:"verdict"`
	Reason      string `json:"reason,omitempty"`
	Similarity  int64  `json:"similarity_millionths,omitempty"`
	Probability int64  `json:"probability_millionths,omitempty"`
	Entry       string `json:"entry,omitempty"` // 16 hexadecimal digits
	Bound       int64  `json:"error_bound_millionths,omitempty"`
}

type shapeDocument struct {
	Level       string `json:"compression,omitempty"`
	Before      int64  `json:"tokens_before,omitempty"`
	After       int64  `json:"tokens_after,omitempty"`
	Breakpoints int64  `json:"cache_breakpoints,omitempty"`
}

type rulingDocument struct {
	Policy string `json:"policy"`
	Rule   string `json:"rule"`
	Effect string `json:"effect"`
	Shadow bool   `json:"shadow,omitempty"`
}

type chargeDocument struct {
	Budget      ledger.BudgetID `json:"budget"`
	Split       []string        `json:"split,omitempty"` // in the order of the budget's each
	Start       ledger.Instant  `json:"window_start_ns"` // since 1970
	Incarnation uint32          `json:"incarnation"`
	Held        ledger.Amount   `json:"held"`
	Spent       ledger.Amount   `json:"spent"`
}

// MarshalJSON implements json.Marshaler.
func (r *Record) MarshalJSON() ([]byte, error) {
	d := document{
		ID: r.ID, At: time.Unix(0, int64(r.At)).UTC().Format(time.RFC3339Nano), Dimensions: dimensionMap(&r.Dims),
		Endpoint: r.Endpoint, Dialect: r.Dialect, Upstream: r.Upstream, UpstreamID: r.UpstreamID,
		Model: r.Model, Served: r.Served, Tier: r.Tier, Stream: r.Stream,
		Outcome: r.Outcome.String(), Status: r.Status, Code: r.Code,
		Usage: UsageMap(&r.Usage), Cost: r.Cost, List: r.List, Priced: r.Priced, Differs: r.Cost - r.Priced, Hold: r.Hold, Overrun: r.Overrun,
		RateID: r.RateID, Prices: r.Prices, Basis: r.Basis.String(), Bound: r.Bound.String(),
		Attempt: r.Attempt, Attempts: r.Attempts, Cache: r.Cache.String(), Baseline: r.Baseline, PromptVersion: r.PromptVersion,
		Admit: r.Admit, FirstByte: r.FirstByte, Total: r.Total,
	}
	for _, s := range r.Savings {
		if d.Savings == nil {
			d.Savings = make(map[string]ledger.Amount)
		}
		d.Savings[s.Lever.String()] += s.Amount
	}
	for i := range r.Charges {
		c := &r.Charges[i]
		d.Charges = append(d.Charges, chargeDocument{
			Budget: c.Account.Budget, Split: c.Account.Split.Values(), Start: c.Account.Start,
			Incarnation: c.Incarnation, Held: c.Held, Spent: c.Spent,
		})
	}
	for _, p := range r.Rulings {
		d.Policies = append(d.Policies, rulingDocument{Policy: p.Policy, Rule: p.Rule, Effect: p.Effect.String(), Shadow: p.Shadow})
	}
	d.levers(r)
	d.more(r)
	b, err := json.Marshal(&d)
	if err != nil {
		return nil, fmt.Errorf("write usage record %s as JSON: %w", r.ID, err)
	}
	return b, nil
}

// levers writes what the levers did, where they did something.
func (d *document) levers(r *Record) {
	if t := &r.Route; t.Name != "" || t.Strategy != "" || t.Reason != "" || len(t.Considered) > 0 || t.Cluster != 0 || t.Canary {
		d.Route = &routeDocument{Name: t.Name, Strategy: t.Strategy, Reason: t.Reason, Cluster: t.Cluster, Canary: t.Canary}
		for _, c := range t.Considered {
			d.Route.Considered = append(d.Route.Considered, consideredDocument(c))
		}
	}
	if s := &r.Semantic; *s != (Semantic{}) {
		d.Semantic = &semanticDocument{
			Verdict: s.Verdict.String(), Reason: s.Reason, Similarity: s.Similarity, Probability: s.Probability, Bound: s.Bound,
		}
		if s.Entry != 0 {
			d.Semantic.Entry = fmt.Sprintf("%016x", s.Entry)
		}
	}
	if r.Fingerprint != 0 {
		d.Fingerprint = fmt.Sprintf("%016x", r.Fingerprint)
	}
	if s := &r.Shape; *s != (Shape{}) {
		d.Shape = (*shapeDocument)(s)
	}
}

// more writes what is neither of the call nor of the levers.
func (d *document) more(r *Record) {
	if r.Kind != KindRequest {
		d.Kind, d.Outcome, d.Basis = r.Kind.String(), "", ""
	}
	d.Corrects, d.Note, d.Step, d.Parent, d.Client, d.Credential = r.Corrects, r.Note, r.Step, r.Parent, r.Client, r.Credential
	d.OutputCap, d.Made, d.Delivered = r.OutputCap, r.Made, r.Delivered
	if r.Trace != [16]byte{} {
		d.Trace = hex.EncodeToString(r.Trace[:])
	}
	if r.Caller != [8]byte{} {
		d.Caller = hex.EncodeToString(r.Caller[:])
	}
	if r.Gist != 0 {
		d.Gist = fmt.Sprintf("%016x", r.Gist)
	}
	if r.Prefix != 0 {
		d.Prefix = fmt.Sprintf("%016x", r.Prefix)
	}
}

func dimensionMap(d *ledger.Dimensions) map[string]string {
	m := make(map[string]string)
	for i, v := range d.Values {
		if v != "" {
			m[ledger.Dim(i).String()] = v
		}
	}
	for _, t := range d.Tags {
		m[ledger.DimRef{Dim: ledger.DimTag, Tag: t.Name}.String()] = t.Value
	}
	return m
}

// UsageMap is the usage by the names of its meters, those that are not zero.
func UsageMap(u *price.Usage) map[string]int64 {
	m := make(map[string]int64)
	for i, n := range u {
		if n != 0 {
			m[price.Meter(i).String()] = n
		}
	}
	return m
}
