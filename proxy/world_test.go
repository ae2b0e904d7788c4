package proxy

import (
	"context"
	"errors"
	"fmt"
	"io"
	"log/slog"
	"net"
	"net/http"
	"strings"
	"sync"
	"testing"

	"purser/internal/record"
	"purser/ledger"
	"purser/proxy/price"
	"purser/proxy/upstream"
)

// world is a gateway between fakes and one real upstream client.
type world struct {
	t       *testing.T
	gateway *Gateway
	purse   *fakePurse
	journal *fakeJournal
	keys    fakeKeys
	stop    context.CancelFunc
}

// operatorsKey is what the upstream that speaks OpenAI's and Anthropic's formats is
// asked with. Nothing but its being configured says that it is a key.
const operatorsKey = "Zm9vYmFyIHRoZSBrZXk="

// newWorld starts a gateway whose upstream is handler.
func newWorld(t *testing.T, handler http.HandlerFunc, change func(*Config)) *world {
	t.Helper()
	ln, err := net.Listen("tcp", "127.0.0.1:0")
	if err != nil {
		t.Fatal(err)
	}
	server := &http.Server{Handler: handler, ErrorLog: nil}
	served := make(chan struct{})
	go func() { defer close(served); _ = server.Serve(ln) }()
	ucfg := upstream.Default()
	ucfg.Name, ucfg.BaseURL, ucfg.Keys = "up", "http://"+ln.Addr().String()+"/v1", []upstream.Key{{ID: "key", Secret: operatorsKey}}
	client, err := upstream.New(ucfg)
	if err != nil {
		t.Fatal(err)
	}
	ucfg.Name, ucfg.BaseURL = "google", "http://"+ln.Addr().String()+"/v1beta"
	ucfg.KeyHeader, ucfg.KeyPrefix, ucfg.Keys = Gemini.KeyHeader(), "", []upstream.Key{{ID: "key", Secret: operatorsKey}}
	google, err := upstream.New(ucfg)
	if err != nil {
		t.Fatal(err)
	}
	w := &world{t: t, purse: &fakePurse{t: t, free: 1 << 40}, journal: &fakeJournal{}, keys: fakeKeys{}}
	cfg := DefaultConfig()
	if change != nil {
		change(&cfg)
	}
	base, stop := context.WithCancel(context.Background())
	w.stop = stop
	var serial int
	w.gateway, err = New(base, cfg, []*Upstream{
		{Name: "up", Provider: "openai", Models: []string{"*"}, Client: client},
		{Name: "ant", Provider: "anthropic", Models: []string{"*"}, Client: client, Speaks: Anthropic, CapField: "max_tokens"},
		{Name: "google", Provider: "google", Models: []string{"*"}, Client: google, Speaks: Gemini, Credential: "key", Aliases: map[string]string{"quick": "gemini-2.0-flash"}},
		{Name: "bedrock", Provider: "aws", Models: []string{}, Client: client, Speaks: Converse, Aliases: map[string]string{"claude-haiku-4-5": "anthropic.claude-haiku-4-5-20251001-v1:0"}},
	}, price.Embedded(), Seams{
		Keys: w.keys, Purse: w.purse, Journal: w.journal, Log: slog.New(slog.DiscardHandler),
		NewID: func() string { serial++; return fmt.Sprintf("req_%d", serial) }, Now: func() ledger.Instant { return 1_790_000_000 * ledger.Second },
	})
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() {
		w.gateway.Wait()
		stop()
		for _, c := range []*upstream.Client{client, google} {
			if err := c.Close(context.Background()); err != nil {
				t.Error(err)
			}
		}
		server.Close()
		<-served
		if n := w.purse.outstanding(); n != 0 {
			t.Errorf("%d holds did not end", n)
		}
	})
	w.keys[sha("pk_good")] = keyed{&Principal{ID: "k1"}, KeyActive}
	return w
}

// ask sends a chat request through the gateway and reads the answer whole.
func (w *world) ask(body string, headers ...string) (*Answer, string) {
	w.t.Helper()
	return w.send("POST", "/v1/chat/completions", body, headers...)
}

// send sends a request by its parts. The path may have a query; an Authorization
// header among those given counts.
func (w *world) send(method, path, body string, headers ...string) (*Answer, string) {
	w.t.Helper()
	path, query, _ := strings.Cut(path, "?")
	return w.serve(&Request{Method: method, Path: path, Query: query, Body: []byte(body),
		Header: headerList(append(headers, "Authorization", "Bearer pk_good"))})
}

// serve sends a request through the gateway and reads the answer whole.
func (w *world) serve(r *Request) (*Answer, string) {
	w.t.Helper()
	a := w.gateway.Serve(r)
	if a.Stream == nil {
		return a, string(a.Body)
	}
	var all strings.Builder
	for {
		b, err := a.Stream.Next()
		all.Write(b)
		if errors.Is(err, io.EOF) {
			break
		}
		if err != nil {
			all.WriteString("<broken off>")
			break
		}
	}
	a.Stream.Close()
	return a, all.String()
}

// last is the newest record.
func (w *world) last() record.Record {
	w.t.Helper()
	w.journal.mu.Lock()
	defer w.journal.mu.Unlock()
	if len(w.journal.records) == 0 {
		w.t.Fatal("there is no record")
	}
	return w.journal.records[len(w.journal.records)-1]
}

type headerList []string

func (h headerList) Peek(name string) []byte {
	for i := 0; i+1 < len(h); i += 2 {
		if strings.EqualFold(h[i], name) {
			return []byte(h[i+1])
		}
	}
	return nil
}

func (h headerList) Each(f func(name, value []byte)) {
	for i := 0; i+1 < len(h); i += 2 {
		f([]byte(h[i]), []byte(h[i+1]))
	}
}

type keyed struct {
	p     *Principal
	state KeyState
}

type fakeKeys map[[32]byte]keyed

func (k fakeKeys) Find(h [32]byte, _ ledger.Instant) (*Principal, KeyState) {
	return k[h].p, k[h].state
}

type fakeJournal struct {
	mu      sync.Mutex
	records []record.Record
}

func (j *fakeJournal) Commit(r *record.Record, _ *Fill) {
	j.mu.Lock()
	defer j.mu.Unlock()
	copied := *r
	copied.Charges = append([]record.Charge(nil), r.Charges...)
	copied.Rulings = append([]record.Ruling(nil), r.Rulings...)
	copied.Savings = append([]record.Saving(nil), r.Savings...)
	copied.Dims.Tags = append([]ledger.Tag(nil), r.Dims.Tags...)
	j.records = append(j.records, copied)
}

// fakePurse has one account of nano-dollars and checks that each hold ends once.
type fakePurse struct {
	rates map[ledger.Unit]Room
	t     *testing.T
	mu    sync.Mutex
	free  ledger.Amount
	spent ledger.Amount
	open  int
	fail  error // what Reserve answers when it is set

	refuse Refusal // by which every hold of its part is refused, when it has a unit
	held   []ledger.Amount

	extended int  // holds, how often
	panics   bool // Extend does
}

func (p *fakePurse) outstanding() int {
	p.mu.Lock()
	defer p.mu.Unlock()
	return p.open
}

// Room is that of a budget of $1 that had what is free now.
func (p *fakePurse) Room(Chain) (Room, bool) {
	p.mu.Lock()
	defer p.mu.Unlock()
	return Room{Account: ledger.AccountKey{Budget: "b"}, Limit: ledger.NanoPerUSD, Left: ledger.NanoPerUSD - p.spent, ResetsAt: 1_790_000_060 * ledger.Second}, true
}

func (p *fakePurse) Rate(_ Chain, u ledger.Unit) (Room, bool) {
	r, ok := p.rates[u]
	return r, ok
}

func (p *fakePurse) Chain(*ledger.Dimensions) (Chain, error) { return fakeChain{p}, nil }

type fakeChain struct{ p *fakePurse }

func (c fakeChain) Recycle() {}

func (c fakeChain) Try(part Part, claim Claim) (Hold, bool) {
	c.p.mu.Lock()
	defer c.p.mu.Unlock()
	if part == Money && claim.USD > c.p.free || part == partOf(c.p.refuse.Unit) {
		return nil, false
	}
	h := &fakeHold{p: c.p}
	if part == Money {
		h.amount = claim.USD
		c.p.free -= claim.USD
		c.p.held = append(c.p.held, claim.USD)
	}
	c.p.open++
	return h, true
}

func (c fakeChain) Reserve(_ context.Context, part Part, claim Claim) (Hold, *Refusal, error) {
	if c.p.fail != nil {
		return nil, nil, c.p.fail
	}
	if h, ok := c.Try(part, claim); ok {
		return h, nil, nil
	}
	if c.p.refuse.Unit != 0 {
		r := c.p.refuse
		return nil, &r, nil
	}
	return nil, &Refusal{Account: ledger.AccountKey{Budget: "b"}, Unit: ledger.USD, Window: ledger.Total, Limit: 10, Spent: 4, Held: 3, Needed: claim.USD, ResetsAt: ledger.MaxInstant}, nil
}

// partOf is the part of a chain that counts a unit; no part for none.
func partOf(u ledger.Unit) Part {
	switch u {
	case ledger.USD, ledger.Tokens:
		return Money
	case ledger.Requests, ledger.Slots:
		return Limits
	}
	return 255
}

type fakeHold struct {
	p      *fakePurse
	amount ledger.Amount
	ended  bool
}

func (h *fakeHold) end(spent ledger.Amount) {
	h.p.mu.Lock()
	defer h.p.mu.Unlock()
	if h.ended {
		h.p.t.Error("a hold ended twice")
	}
	h.ended = true
	h.p.open--
	h.p.free += h.amount - spent
	h.p.spent += spent
}

func (h *fakeHold) Settle(actual Claim, dst []record.Charge) []record.Charge {
	h.end(actual.USD)
	return append(dst, record.Charge{Held: h.amount, Spent: actual.USD})
}

func (h *fakeHold) Release() { h.end(0) }

func (h *fakeHold) Extend(_ context.Context, c Claim) (*Refusal, error) {
	h.p.mu.Lock()
	defer h.p.mu.Unlock()
	if h.ended {
		h.p.t.Error("a hold that has ended was extended")
	}
	if c.USD < 0 || c.Tokens < 0 {
		h.p.t.Errorf("a hold is extended by %+v", c)
	}
	if h.p.panics {
		panic("in a test")
	}
	if h.p.fail != nil {
		return nil, h.p.fail
	}
	if c.USD > h.p.free {
		return &Refusal{Account: ledger.AccountKey{Budget: "b"}, Unit: ledger.USD, Window: ledger.Total, Needed: c.USD, ResetsAt: ledger.MaxInstant}, nil
	}
	h.p.free -= c.USD
	h.amount += c.USD
	h.p.extended++
	return nil, nil
}
