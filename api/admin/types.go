package admin

import (
	"encoding/json"

	"purser/internal/access"
)

// Money is an amount of nano-dollars; in JSON a plain integer.
type Money = int64

// NewKey asks for a virtual key.
type NewKey struct {
	// ID is its id: 1 to 64 characters of a-z, 0-9, '.', '_', '-'; "" for one that the
	// node makes up.
	ID       string            `json:"id,omitempty"`
	Name     string            `json:"name"`
	Bound    map[string]string `json:"bound,omitempty"`    // dimension or "tag:<name>" to the value it is fixed to
	Required []string          `json:"required,omitempty"` // dimensions each request must carry
	Models   []string          `json:"models,omitempty"`   // patterns of models the key may ask for; none means all
	Expires  string            `json:"expires,omitempty"`  // RFC 3339
	CacheOff bool              `json:"cache_off,omitempty"`
	KeyRights
	Suspended bool        `json:"suspended,omitempty"` // refused until it is resumed
	Budgets   []KeyBudget `json:"budgets,omitempty"`   // of the key alone
	// Hash makes a key of a secret that exists elsewhere: its SHA-256, in hexadecimal.
	// Such a key has no children until it is rotated.
	Hash string `json:"hash,omitempty"`
}

// Key is a virtual key as lists show it: never its secret.
type Key struct {
	ID        string            `json:"id"`
	Name      string            `json:"name"`
	Bound     map[string]string `json:"bound,omitempty"`
	Required  []string          `json:"required,omitempty"`
	Models    []string          `json:"models,omitempty"`
	Created   string            `json:"created"`
	Expires   string            `json:"expires,omitempty"`
	Revoked   string            `json:"revoked,omitempty"`
	CacheOff  bool              `json:"cache_off,omitempty"`
	Suspended bool              `json:"suspended,omitempty"`
	State     string            `json:"state"` // active, suspended, expired, revoked
	KeyRights
	LastUsed string `json:"last_used,omitempty"` // to the minute; told once a minute
	OldUntil string `json:"old_secret_until,omitempty"`
	MayMint  bool   `json:"may_have_children,omitempty"`
	Version  uint64 `json:"version"`
}

// CreatedKey is the answer to NewKey and to a rotation; Secret is shown this once,
// and "" where the caller brought it.
type CreatedKey struct {
	Key
	Secret string `json:"secret"`
}

// Budget is a rule as the API reads and writes it.
type Budget struct {
	ID     string              `json:"id"`
	Match  map[string][]string `json:"match,omitempty"` // dimension to the values it may have
	Each   []string            `json:"each,omitempty"`  // one account per value of these dimensions
	Unit   string              `json:"unit"`            // usd, tokens, requests, slots
	Limit  json.Number         `json:"limit"`           // dollars for usd (at most nine decimals), else a count
	Window string              `json:"window"`          // total, minute, hour, day, week, month
	Zone   string              `json:"zone,omitempty"`  // IANA time zone, UTC when absent
	Soft   bool                `json:"soft,omitempty"`
	Alerts []int               `json:"alerts,omitempty"` // percent of the limit

	Breaker *BreakerRule `json:"breaker,omitempty"`
	// Version tells this rule from others of its id. A change that carries it is of
	// that rule, and refused where it is another by now.
	Version uint64 `json:"version,omitempty"`
}

// BreakerRule says when a budget trips and how it comes back.
type BreakerRule struct {
	Probes    int         `json:"probes,omitempty"`     // requests that must end well before it is closed; 0 closes it at once
	RateTimes int         `json:"rate_times,omitempty"` // trips an account that is spent so many times as fast as it was
	Overrun   json.Number `json:"overrun,omitempty"`    // trips an account each time so much more than the holds was billed, as limit is written
	CoolDown  string      `json:"cool_down,omitempty"`  // how long it rests after it has tripped by itself, such as "10m"; else until it is reset
}

// Raise adds to the limit of accounts of a budget until a moment.
type Raise struct {
	ID     string            `json:"id"`
	Split  map[string]string `json:"split,omitempty"` // one account, by its dimensions; none is every account
	By     json.Number       `json:"by"`              // as the budget's limit is written
	Until  string            `json:"until"`           // RFC 3339
	Reason string            `json:"reason,omitempty"`
}

// BreakerChange opens or resets the breaker of a budget, or of one of its accounts.
type BreakerChange struct {
	Split  map[string]string `json:"split,omitempty"`
	Reason string            `json:"reason,omitempty"` // of opening it; callers that are refused are told
	For    string            `json:"for,omitempty"`    // of opening it: a duration such as "10m", after which probes are let through
	Close  bool              `json:"close,omitempty"`  // of resetting it: at once, without probes
}

// Breaker is how a circuit breaker stands.
type Breaker struct {
	State  string            `json:"state"`           // closed, open, half_open
	Cause  string            `json:"cause,omitempty"` // operator, rate, overrun, probe, raise; exhausted
	Reason string            `json:"reason,omitempty"`
	Since  string            `json:"since,omitempty"`
	Until  string            `json:"until,omitempty"`  // when probes are let through
	Probes int               `json:"probes,omitempty"` // that have yet to end well
	Split  map[string]string `json:"split,omitempty"`  // of a budget's list: the one account it is of
}

// Forecast is how long an account lasts if it goes on being spent as fast as of late.
type Forecast struct {
	RatePerHour int64   `json:"rate_per_hour"` // nano-dollars or counts
	ExhaustsAt  *string `json:"exhausts_at"`   // null: not before the window ends
	WindowEnd   *string `json:"window_end"`    // null: never
	Basis       Basis   `json:"basis"`
}

// Basis is what a forecast goes by.
type Basis struct {
	Source      string  `json:"source"` // what was looked at, and how it is averaged
	Samples     int     `json:"samples"`
	Since       string  `json:"since"`        // the first look
	SpanSeconds float64 `json:"span_seconds"` // from the first to the last
	AgeSeconds  float64 `json:"age_seconds"`  // since the last
}

// Account is one account of a budget. Amounts are nano-dollars for usd, else counts.
type Account struct {
	Budget      string            `json:"budget"`
	Split       map[string]string `json:"split,omitempty"`
	Unit        string            `json:"unit"`
	WindowStart string            `json:"window_start,omitempty"`
	WindowEnd   string            `json:"window_end,omitempty"`
	Limit       int64             `json:"limit"`
	Available   int64             `json:"available"`
	Outstanding int64             `json:"outstanding"` // leased to nodes and neither spent nor returned
	Spent       int64             `json:"spent"`       // includes presumed
	Presumed    int64             `json:"presumed"`
	WrittenOff  int64             `json:"written_off"`
	Withheld    int64             `json:"withheld"` // part of written_off: by a restore, until it is released
	Overrun     int64             `json:"overrun"`
	State       string            `json:"state"`
	Breaker     Breaker           `json:"breaker"`
	Forecast    *Forecast         `json:"forecast"`         // null where there is too little to go by
	Leases      []Lease           `json:"leases,omitempty"` // by node; in the answer about one budget alone
}

// Lease is what one node has got of an account, and what became of it. Amounts are in
// the account's unit.
type Lease struct {
	Node     string `json:"node"`
	Granted  int64  `json:"granted"`
	Spent    int64  `json:"spent"` // what the node has reported
	Returned int64  `json:"returned"`
	Out      int64  `json:"out"`  // neither spent nor returned
	Held     *int64 `json:"held"` // by requests under way, as the node itself says; null: it did not answer
	Overrun  int64  `json:"overrun"`
}

// BudgetDetail is a budget with its open accounts, the raises that are in force and
// the breakers that are not closed.
type BudgetDetail struct {
	Budget
	Accounts []Account `json:"accounts"`
	Raises   []Raise   `json:"raises,omitempty"`
	Breakers []Breaker `json:"breakers,omitempty"`
}

// UsageQuery selects and groups usage records.
type UsageQuery struct {
	From   string            // RFC 3339; empty: 24 hours ago
	To     string            // RFC 3339; empty: now
	Group  []string          // dimensions, or model_served, upstream, outcome
	Filter map[string]string // dimension to value, "unallocated" for what has none
	// AnyOf are further filters: of each dimension, one of the values.
	AnyOf map[string][]string
	Limit int  // most groups shown; the rest is summed as "other"
	Worth bool // what answers were reported to be worth is added up, too

	Interval string // minute, hour, day, week or month: a row for each, and each group; empty: none
	Zone     string // IANA name of the zone whose days, weeks and months those are; empty: UTC
	Raw      bool   // groups as they were recorded: without mappings, and "" for what has none
	Newest   bool   // records alone: the newest first

	// Reach is whose requests are counted, whatever the filter says. The zero Reach
	// is nobody's. It is the caller's and not sent.
	Reach access.Reach
}

// Unallocated is shown in the place of a dimension or tag that is not set.
const Unallocated = "unallocated"

// UsageRow is the total of one group.
type UsageRow struct {
	Group    map[string]string `json:"group,omitempty"`
	Rest     bool              `json:"rest,omitempty"`  // of all groups beyond the limit: each value is "other"
	Start    string            `json:"start,omitempty"` // of the interval, RFC 3339 in the zone asked for
	Requests int64             `json:"requests"`
	Calls    int64             `json:"calls,omitempty"`   // of upstreams that those made
	Retries  int64             `json:"retries,omitempty"` // of these, beyond the first of each request
	Tokens   map[string]int64  `json:"tokens,omitempty"`  // by meter, those that are not zero
	Cost     Money             `json:"cost_nanousd"`      // as charged to budgets
	List     Money             `json:"list_nanousd"`      // at list prices
	Priced   Money             `json:"priced_nanousd"`    // by the catalogue, contracts included
	Overrun  Money             `json:"overrun_nanousd"`
	Saved    Money             `json:"saved_nanousd"` // by all levers, less what they cost

	Baseline Money            `json:"baseline_nanousd"`          // without any lever: cost and savings
	Savings  map[string]Money `json:"savings_nanousd,omitempty"` // by lever
	Outcomes map[string]int64 `json:"outcomes,omitempty"`        // records by how they ended
	Judged   int64            `json:"judged,omitempty"`          // requests with a reported quality
	Quality  *float64         `json:"quality,omitempty"`         // their mean, 0 to 1
	Semantic int64            `json:"semantic_hits,omitempty"`
	Error    int64            `json:"semantic_error_bound_millionths,omitempty"` // the largest upper bound that those were served under
	TotalP50 int64            `json:"total_p50_ns,omitempty"`
	FirstP50 int64            `json:"first_byte_p50_ns,omitempty"`
	TotalP90 int64            `json:"total_p90_ns,omitempty"`
	TotalP99 int64            `json:"total_p99_ns,omitempty"`
	FirstP90 int64            `json:"first_byte_p90_ns,omitempty"`
	FirstP99 int64            `json:"first_byte_p99_ns,omitempty"`
	Presumed Money            `json:"presumed_nanousd,omitempty"` // of the cost: what a lost node may have spent
	Adjusted Money            `json:"adjusted_nanousd,omitempty"` // of the cost: corrections and adjustments
}

// UsageReport is the answer to a UsageQuery; Rows sum to Total.
type UsageReport struct {
	From  string     `json:"from"`
	To    string     `json:"to"`
	Rows  []UsageRow `json:"rows"`
	Total UsageRow   `json:"total"`

	// Collapsed are the fields of the groups of which rollups have given up rarer values,
	// where their records are too many or gone: those are in groups named "other".
	Collapsed []string `json:"collapsed,omitempty"`

	// Nodes are those whose records are, or ought to be, in the answer.
	Nodes []NodeAnswer `json:"nodes,omitempty"`
	// Complete says that no record is known to be missing.
	Complete bool `json:"complete"`
	// Unrecorded is what may have been spent without a record; null where the question has
	// a filter or a limited reach, and where the node that is asked cannot tell.
	Unrecorded []Unrecorded `json:"unrecorded"`
}

// Unrecorded is what may have been spent of one account of a budget in dollars without a
// record that is left. It is no part of any sum: a request is charged to each budget that it
// matches, so that the same dollar may be in several of these.
type Unrecorded struct {
	Budget      string            `json:"budget"`
	Split       map[string]string `json:"split,omitempty"`
	WindowStart string            `json:"window_start,omitempty"`
	Presumed    Money             `json:"presumed_nanousd"`    // part of what the ledger has as spent: by nodes that crashed
	WrittenOff  Money             `json:"written_off_nanousd"` // what fenced nodes held, records or not
	// Lost is the most that fenced nodes can have spent beyond the records that are left of
	// them; null where that is not known, or not yet.
	Lost *Money `json:"lost_nanousd"`
}

// NodeAnswer is the part of one node in an answer.
type NodeAnswer struct {
	Node string `json:"node"`
	By   string `json:"by,omitempty"`    // the node that answered for it, with its copies
	Err  string `json:"error,omitempty"` // why its records are missing
	// MayLack says that the copies that answered may lack what the node did last.
	MayLack bool `json:"may_lack,omitempty"`
}

// Answered says whose records an answer was made of.
type Answered struct {
	Nodes    []NodeAnswer `json:"nodes"`
	Complete bool         `json:"complete"` // no record of them is known to be missing
}

// AnsweredBy is what is said of these nodes.
func AnsweredBy(nodes []NodeAnswer) Answered { return Answered{nodes, Complete(nodes)} }

// Status is a node at a glance.
type Status struct {
	Node        string           `json:"node"`
	Version     string           `json:"version"`
	State       string           `json:"state"` // starting, ready, draining
	Leader      string           `json:"leader"`
	Cluster     string           `json:"cluster,omitempty"`
	Role        string           `json:"role"`              // leader, follower or candidate, as Raft has it; gateway
	Follows     string           `json:"follows,omitempty"` // of a gateway: the member that tells it what it goes by
	Term        uint64           `json:"term"`
	Incarnation uint32           `json:"incarnation"`
	LedgerTime  string           `json:"ledger_time"`
	Digest      string           `json:"digest"`     // "" of a gateway
	Generation  uint32           `json:"generation"` // how many restored backups this ledger goes back to
	AppliedLog  uint64           `json:"applied_log"`
	Budgets     int              `json:"budgets"`
	Accounts    int              `json:"accounts"`
	Keys        int              `json:"keys"`
	Upstreams   []UpstreamStatus `json:"upstreams"`
	Catalogue   string           `json:"catalogue"`
	Holds       int              `json:"holds"`
	Uptime      float64          `json:"uptime_seconds"`
}

// NewToken asks for a join token.
type NewToken struct {
	Expires string `json:"expires,omitempty"` // RFC 3339; default an hour from now
}

// Token lets one node join, once.
type Token struct {
	Token   string `json:"token"`
	Expires string `json:"expires"`
}

// NewAdminToken asks for an admin token.
type NewAdminToken struct {
	Name    string   `json:"name"`
	Role    string   `json:"role"`              // owner, admin, finance, team_admin, member
	Teams   []string `json:"teams,omitempty"`   // that it is limited to
	Orgs    []string `json:"orgs,omitempty"`    // the same
	Member  string   `json:"member,omitempty"`  // of role member: whose things it reads
	Scopes  []string `json:"scopes,omitempty"`  // permissions; none means all that the role has
	Expires string   `json:"expires,omitempty"` // RFC 3339
}

// AdminToken is an admin token as lists show it: never its secret.
type AdminToken struct {
	ID      string   `json:"id"`
	Name    string   `json:"name"`
	Role    string   `json:"role"`
	Teams   []string `json:"teams,omitempty"`
	Orgs    []string `json:"orgs,omitempty"`
	Member  string   `json:"member,omitempty"`
	Scopes  []string `json:"scopes,omitempty"`
	By      string   `json:"by"` // who made it
	Created string   `json:"created"`
	Expires string   `json:"expires,omitempty"`
	Revoked string   `json:"revoked,omitempty"`
	State   string   `json:"state"` // active, expired, revoked
}

// CreatedAdminToken is the answer to NewAdminToken; Secret is shown this once.
type CreatedAdminToken struct {
	AdminToken
	Secret string `json:"secret"`
}

// Whoami says who the caller is.
type Whoami struct {
	Name        string                 `json:"name"`
	Email       string                 `json:"email,omitempty"`
	Roles       []string               `json:"roles"`
	Expires     string                 `json:"expires,omitempty"`
	Permissions map[string]WhoamiReach `json:"permissions"` // over whose things
}

// WhoamiReach is whose things a permission is over: all, or any of the others.
type WhoamiReach struct {
	All     bool     `json:"all,omitempty"`
	Teams   []string `json:"teams,omitempty"`
	Orgs    []string `json:"orgs,omitempty"`
	Members []string `json:"members,omitempty"`
}

// Members is the cluster as the answering node sees it.
type Members struct {
	Cluster string   `json:"cluster"`
	Leader  string   `json:"leader"`
	Nodes   []Member `json:"nodes"`
}

// Member is one node.
type Member struct {
	ID          string `json:"id"`
	Address     string `json:"address"`
	Region      string `json:"region,omitempty"`
	Zone        string `json:"zone,omitempty"`
	State       string `json:"state"` // active, draining, removed
	Role        string `json:"role"`  // leader, voter, nonvoter, none; gateway
	Joined      string `json:"joined"`
	Answers     bool   `json:"answers"`           // it answered the node that was asked
	Version     string `json:"version,omitempty"` // of its build, if it answers or gossips
	Behind      uint64 `json:"behind"`            // entries it has not applied
	Incarnation uint32 `json:"incarnation"`
	Leases      int    `json:"leases"`
	Fenced      bool   `json:"fenced,omitempty"`

	// Checkpoint is the last digest that the node took of its state; absent of gateways,
	// and of a node that is silent or has not taken one yet.
	Checkpoint *Checkpoint `json:"checkpoint,omitempty"`

	Gossip *Gossip `json:"gossip,omitempty"` // as the asked node hears; absent if it has not heard of it
}

// Checkpoint is the digest of a replica's state after an entry of the log. Replicas take
// theirs at the same entries, every half minute: at one entry they are equal.
type Checkpoint struct {
	Entry  uint64 `json:"entry"`
	Digest string `json:"digest"` // SHA-256, in hexadecimal
}

// Gossip is what members tell each other of one. It is a hint: nothing is decided
// by it.
type Gossip struct {
	State       string `json:"state"`              // alive, suspect, failed, left; unseen: the node says it gossips, and was not heard
	Address     string `json:"address"`            // where it gossips
	Seen        string `json:"seen,omitempty"`     // when it last answered the asked node, or was said to be alive
	Conflict    string `json:"conflict,omitempty"` // another place where somebody gossips under this id
	Incarnation uint32 `json:"incarnation,omitempty"`
	Region      string `json:"region,omitempty"`
	Zone        string `json:"zone,omitempty"`
	Version     string `json:"version,omitempty"`
	Cluster     string `json:"cluster_address,omitempty"` // of its cluster port
}

// UpstreamStatus is one configured upstream.
type UpstreamStatus struct {
	Name     string `json:"name"`
	Provider string `json:"provider"`
	BaseURL  string `json:"base_url"`
	State    string `json:"state"`     // closed, open, half_open: the worst of its circuit breakers
	InFlight int    `json:"in_flight"` // calls whose answers have not ended
}

// Problem is the body of every error of the admin API.
type Problem struct {
	Error ProblemDetail `json:"error"`
}

// ProblemDetail says what is wrong and what to do.
type ProblemDetail struct {
	Code    string `json:"code"`
	Message string `json:"message"`
}
