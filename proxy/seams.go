package proxy

import (
	"context"
	"net/netip"
	"time"

	"purser/internal/record"
	"purser/ledger"
	"purser/proxy/dialect"
	"purser/proxy/lever"
	"purser/proxy/loop"
	"purser/proxy/policy"
	"purser/proxy/price"
	"purser/proxy/redaction"
	"purser/proxy/redaction/body"
	"purser/proxy/route"
	"purser/proxy/template"
	"purser/proxy/upstream"
)

// Keys finds the holder of a virtual key by the SHA-256 of its secret.
type Keys interface {
	Find(hash [32]byte, now ledger.Instant) (*Principal, KeyState)
}

// Attempts counts requests with keys that nobody has, by where they come from.
type Attempts interface {
	// Failed notes one, and returns how long its address is to wait; 0: not at all.
	Failed(from netip.Addr, now time.Time) time.Duration
}

// KeyState says whether a key may be used.
type KeyState uint8

// The key states.
const (
	KeyUnknown KeyState = iota
	KeyActive
	KeyRevoked
	KeyExpired
	KeyReplaced // its secret was, by a rotation
	KeySuspended
)

// Principal is what a virtual key stands for. It is immutable.
type Principal struct {
	ID       string
	Name     string
	Bound    ledger.Dimensions // cannot be overridden by a request
	Required []ledger.DimRef
	Models   Allow // as clients name them
	CacheOff bool

	Barred    Uses           // what it may not be used for
	Endpoints Allow          // by their paths in the table of routes
	Providers Allow          // as the price catalogue names them
	Upstreams Allow          // as they are configured
	Expires   ledger.Instant // 0: never
	Created   ledger.Instant // of a child key, when its root was

	Child string // of a child key: its ID; "" of others
	// Capped, of a child key with a slice of the budget, returns once what it spends
	// is capped, or why that is not so. It may wait. Nil: nothing is to be done.
	Capped func(context.Context) *dialect.Error
}

// Children are the keys that holders of virtual keys make for others.
type Children interface {
	// Find verifies a child key, from what this node knows, and returns what it may do
	// as of now. The error says why it may do nothing.
	Find(token string, now ledger.Instant) (*Principal, *dialect.Error)
	// Mint makes a child of the key with this secret. What it returns is written to
	// the client as JSON, once.
	Mint(parent *Principal, secret string, body []byte, now ledger.Instant) (any, *dialect.Error)
}

// KeyPool is the keys that one upstream may be asked with.
type KeyPool interface {
	// Order gives the ids of those that a request of these dimensions may be sent
	// with, the one to try first at the front. Those of one lot have one order, on every
	// node; with chance as the lot they are spread.
	Order(d *ledger.Dimensions, at ledger.Instant, lot uint64) []string
	// Open gives a key. An error says, without a secret, what an operator has to mend.
	Open(ctx context.Context, id string) (upstream.Secret, error)
}

// Governance is what rules requests beside budgets, as of now.
type Governance interface {
	// Rules are immutable: a request keeps those it began with. An error means that
	// what the rules are could not be decided.
	Rules() (Rules, error)
}

// Rules is one version of what rules requests.
type Rules interface {
	// Complete fills the dimensions that follow from those there are. An error is a
	// contradiction among them, in words for the caller.
	Complete(*ledger.Dimensions) error
	Policies
	// Route is what a name that clients ask for stands for; nil where it is none.
	Route(name string) *route.Route
	// RouteNames lists those names, in order.
	RouteNames() []string
	// Loop is the rule that repetitions of a request of these dimensions are judged
	// by; nil for none.
	Loop(*ledger.Dimensions) *loop.Rule
	// Levers is the settings of the levers of a request of these dimensions that asks
	// for a name, of a route or a model.
	Levers(asked string, d *ledger.Dimensions) lever.Set
	// Template is what a request names as name@version, name@environment or name. An
	// error is for the caller.
	Template(id string) (*template.Template, template.Use, error)
}

// Loops notices runs and sessions that go round in circles.
type Loops interface {
	// Enter looks at a request; Leave is called in any case when it has ended.
	Enter(*loop.Rule, loop.Subject, loop.Evidence, ledger.Instant) (loop.Visit, loop.Found)
	Leave(v loop.Visit, answered bool, cost ledger.Amount, at ledger.Instant)
	// Tell is told of each loop once; it does not wait.
	Tell(loop.Found)
}

// Policies say which requests may run.
type Policies interface {
	// Policies is nil where there are none.
	Policies() *policy.Set
}

// Redactions say what is looked for in texts, and hear what was found.
type Redactions interface {
	// Set is that of now, nil where there is none. An error means that it could not be
	// decided.
	Set() (*redaction.Set, error)
	// Ask asks a recognizer outside about texts. It gives spans of each, in bytes.
	Ask(ctx context.Context, h *redaction.Hook, texts [][]byte) ([][]redaction.Finding, error)
	// Found is told what was found in a request or its answer.
	Found(body.Counts)
}

// Compressors shorten texts outside, by a model.
type Compressors interface {
	// Shorten gives texts in the place of others, "" for one that stays, by the
	// compressor of that name. ratio is how much of a text is to stay. Equal texts of
	// one scope have equal answers where that is possible.
	Shorten(ctx context.Context, name, scope string, texts []string, ratio float64) ([]string, error)
}

// Purse sets allowance aside on this node.
type Purse interface {
	// Chain finds every account a request of these dimensions is charged to. An
	// error means it could not be decided (see Undecided).
	Chain(*ledger.Dimensions) (Chain, error)
	// Room is the budget of money of a chain that has the least left, of those that
	// refuse, as far as this node knows. It never waits.
	Room(Chain) (Room, bool)
	// Rate is the same of the limits of requests or tokens in a minute or an hour.
	Rate(Chain, ledger.Unit) (Room, bool)
}

// Room is what is left of an account: the limit less what was spent. Holds are
// not taken off.
type Room struct {
	Account     ledger.AccountKey
	Limit, Left ledger.Amount
	ResetsAt    ledger.Instant // MaxInstant: never
}

// Part is the accounts of a chain that are held together.
type Part uint8

// The parts: requests and slots are held before the caches are asked, usd and
// tokens before the upstream is.
const (
	Limits Part = iota
	Money
)

// Claim is an amount by unit: what a hold sets aside, or what was spent of it.
type Claim struct {
	USD    ledger.Amount // nano-dollars
	Tokens ledger.Amount
}

// Chain is the accounts of one request.
type Chain interface {
	// Try holds c if every account has it at hand; it never waits.
	Try(Part, Claim) (Hold, bool)
	// Reserve waits for allowance up to the admission wait. A refusal is a
	// decision; an error means undecided, and nothing is held.
	Reserve(context.Context, Part, Claim) (Hold, *Refusal, error)
	// Recycle says that the request is over. Its holds have ended before.
	Recycle()
}

// Hold is an allowance set aside. It ends once, by Settle or Release.
type Hold interface {
	// Settle replaces the hold by what was spent and appends the charges.
	Settle(actual Claim, charges []record.Charge) []record.Charge
	Release()
	// Extend sets more aside, in the same accounts, to end with the hold. Like
	// [Chain].Reserve it waits, and where it refuses or errs nothing has changed.
	Extend(context.Context, Claim) (*Refusal, error)
}

// Refusal says which account has no room, and where its allowance is. Amounts
// are in the account's unit.
type Refusal struct {
	Account ledger.AccountKey
	Unit    ledger.Unit
	Window  ledger.WindowKind

	Limit, Spent, Held, Unreachable, Needed ledger.Amount
	ResetsAt                                ledger.Instant // MaxInstant: never

	Trip *Trip // set where the budget's breaker refuses, whatever is left
}

// Trip is why the breaker of a budget refuses.
type Trip struct {
	HalfOpen bool // it lets single requests through, and others later
	Cause    string
	Reason   string // an operator's, or a sentence; "" for none
	Since    ledger.Instant
	Until    ledger.Instant // when single requests are let through; 0 for when it is reset
}

// Cached is one complete, successful answer in its JSON form.
type Cached struct {
	Body  []byte
	Model string // as the provider named it
	Usage price.Usage
	Cost  ledger.Amount // what it would have cost to make without any lever, nano-dollars

	Created ledger.Instant
	Stale   bool // its time is over
}

// CacheAsk says which answers a request takes.
type CacheAsk struct {
	Created ledger.Instant // none from before; 0: however old
	Stale   bool           // one that has expired will do while another makes it anew
	Fresh   bool           // none that is there will do
	Wait    time.Duration  // for one that is being made; 0: not at all
	Since   int64          // as [Cache].Key gave it: none that a purge has struck until then
}

// CacheScope is what an answer belongs to. Requests of different scopes never
// share one.
type CacheScope struct {
	Tenant   string // who may see each other's answers; never empty
	Route    string // the upstream's name
	Model    string // as the upstream names it
	Endpoint string
}

// Cache is the exact cache. A fault in it is a miss.
type Cache interface {
	// Key names the entry of a request, given in canonical form. since is for the fill
	// that the request may end in: what is purged after that is not to come back.
	Key(s CacheScope, canonical []byte) (key [32]byte, since int64)
	// Get returns the entry of key that this node has at hand.
	Get(key [32]byte, ask CacheAsk) (*Cached, bool)
	// Join asks the other nodes, and makes the caller the leader of key's flight (a
	// Flight, which it must end), or waits for the present leader's answer. shared
	// says that it was in flight. Both nil: go on alone.
	Join(ctx context.Context, key [32]byte, ask CacheAsk) (f Flight, c *Cached, shared bool)
}

// Flight is a request that others may be waiting for.
type Flight interface {
	// Land ends the flight, with the answer or with nil when there is none to share.
	Land(*Fill)
	// Abandon ends it without a word about the answer: one of those who wait leads next.
	Abandon()
}

// Fill is an answer to be stored with the record of the request that made it.
type Fill struct {
	Key    [32]byte
	Answer *Cached
	Since  int64         // as [Cache].Key gave it
	Asked  string        // the model as the upstream was asked for it
	TTL    time.Duration // 0: that of the configuration
	Stale  time.Duration // that it may be given for when it has expired
	Tags   []string      // by which it can be purged
}

// Denials is told of requests that policies refuse.
type Denials interface {
	// Denied must not wait.
	Denied(Denial)
}

// Denial is a request that a policy refused.
type Denial struct {
	Policy, Rule string // by their ids; the policy "key" is what the key itself forbids
	Code         string // that the client was answered with
	Key          string // id of the virtual key
	Address      netip.Addr
}

// Journal makes a finished request durable: record, proof of the charges and
// cache entry in one batch. It may block to slow requests down, never drops,
// and has read everything it was given when it returns.
type Journal interface {
	Commit(*record.Record, *Fill)
}
