package simprovider

import (
	"bufio"
	"context"
	"crypto/sha256"
	"encoding/hex"
	"errors"
	"fmt"
	"net"
	"strconv"
	"sync"
	"sync/atomic"
	"time"
)

// Provider is a simulated provider. Make one with [New], serve it, close it.
type Provider struct {
	cfg       Config
	keys      map[string]*account
	models    map[string]*Model
	bill      *Bill
	mix       *mix
	forced    forced
	cache     *promptCache
	responses keptResponses
	count     counter          // of chat models
	embeds    counter          // of embedding models
	now       func() time.Time // bill, rate limits and prompt cache; a test may set it
	run       string           // part of every call id, so that ids differ between runs
	calls     atomic.Uint64

	closing atomic.Bool   // no new requests
	halted  chan struct{} // closed: end what is in flight
	wg      sync.WaitGroup

	mu        sync.Mutex // guards what follows
	listeners []net.Listener
	conns     map[*conn]struct{}
	closed    chan struct{} // closed when Close is done; nil before it is called
	closeErr  error
}

// account is one accepted key.
type account struct {
	fingerprint string

	mu     sync.Mutex
	minute int64 // of the unix epoch
	used   int   // requests in it
}

// take counts one request, and says how many are left of a limit this minute.
func (a *account) take(at time.Time, limit int) (left int) {
	a.mu.Lock()
	defer a.mu.Unlock()
	if m := at.Unix() / 60; m != a.minute {
		a.minute, a.used = m, 0
	}
	a.used++
	return limit - a.used
}

// Fingerprint is what the bill calls a key.
func Fingerprint(key string) string {
	sum := sha256.Sum256([]byte(key))
	return hex.EncodeToString(sum[:6])
}

// New validates the configuration and opens the bill. It serves nothing yet.
func New(cfg Config) (*Provider, error) {
	if err := cfg.Validate(); err != nil {
		return nil, fmt.Errorf("configuration of the simulated provider: %w", err)
	}
	if cfg.Now == nil {
		cfg.Now = time.Now
	}
	drawn, err := newMix(cfg.Mix, cfg.Seed)
	if err != nil {
		return nil, err
	}
	bill, err := openBill(cfg.Bill, cfg.SyncBill, cfg.KeepRows)
	if err != nil {
		return nil, err
	}
	count, embeds := newCounters(cfg.Tokens)
	p := &Provider{
		cfg: cfg, bill: bill, mix: drawn,
		keys: map[string]*account{}, models: map[string]*Model{},
		cache: newPromptCache(&cfg), count: count, embeds: embeds,
		now: cfg.Now, run: strconv.FormatInt(time.Now().UnixNano(), 36),
		halted: make(chan struct{}), conns: map[*conn]struct{}{},
	}
	for _, k := range cfg.Keys {
		p.keys[k] = &account{fingerprint: Fingerprint(k)}
	}
	for i := range cfg.Models {
		p.models[cfg.Models[i].ID] = &cfg.Models[i]
	}
	return p, nil
}

// Serve answers on the listener until Close, which it owns from here on. It
// may be called for several listeners at once. It returns nil after Close.
func (p *Provider) Serve(ln net.Listener) error { return p.accept(ln, p.handle) }

// ServeControl answers only the control surface, under /_sim/, on a listener of
// its own. Config.Control need not be set for it.
func (p *Provider) ServeControl(ln net.Listener) error { return p.accept(ln, p.handleControl) }

func (p *Provider) accept(ln net.Listener, handle func(*call) bool) error {
	p.mu.Lock()
	if p.closing.Load() {
		p.mu.Unlock()
		return errors.Join(errors.New("the simulated provider is closed"), ln.Close())
	}
	p.listeners = append(p.listeners, ln)
	p.mu.Unlock()
	for {
		nc, err := ln.Accept()
		if p.closing.Load() {
			if err == nil {
				nc.Close()
			}
			return nil
		}
		if err != nil {
			return fmt.Errorf("accepting a connection: %w", err)
		}
		if !p.open(nc, handle) {
			nc.Close()
		}
	}
}

// open starts a connection's goroutine, unless there are too many or it is over.
func (p *Provider) open(nc net.Conn, handle func(*call) bool) bool {
	c := &conn{p: p, nc: nc, br: bufio.NewReaderSize(nc, readBuffer)}
	p.mu.Lock()
	defer p.mu.Unlock()
	if p.closing.Load() || len(p.conns) >= p.cfg.MaxConns {
		return false
	}
	p.conns[c] = struct{}{}
	p.wg.Add(1)
	go func() {
		defer p.wg.Done()
		c.serve(handle)
		p.mu.Lock()
		defer p.mu.Unlock()
		delete(p.conns, c)
	}()
	return true
}

// Addr is the address of the first listener, nil before Serve.
func (p *Provider) Addr() net.Addr {
	p.mu.Lock()
	defer p.mu.Unlock()
	if len(p.listeners) == 0 {
		return nil
	}
	return p.listeners[0].Addr()
}

// Bill is the provider's bill; it stays readable after Close.
func (p *Provider) Bill() *Bill { return p.bill }

// SetPlan makes the next count calls follow the plan, or all if count is 0,
// ahead of the mix. Nil ends it. A plan of the request itself comes first.
func (p *Provider) SetPlan(plan *Plan, count int) { p.forced.set(plan, count) }

// Reset forgets the set plan, the prompt cache, and the totals and kept rows of
// the bill. A bill's file keeps every row.
func (p *Provider) Reset() {
	p.forced.set(nil, 0)
	p.cache.forget()
	p.bill.reset()
}

// Close takes no new requests, lets those in flight end until the context is
// done, then breaks them off; they are billed either way. Then it closes the
// bill. Further calls wait for the first.
func (p *Provider) Close(ctx context.Context) error {
	p.mu.Lock()
	if p.closed != nil {
		done := p.closed
		p.mu.Unlock()
		<-done
		return p.closeErr
	}
	p.closed = make(chan struct{})
	defer close(p.closed)
	p.closing.Store(true)
	for _, ln := range p.listeners {
		ln.Close() // Serve sees closing and returns
	}
	for c := range p.conns {
		c.nc.SetReadDeadline(time.Unix(1, 0)) // wakes the idle; the busy set it anew
	}
	p.mu.Unlock()

	ended := make(chan struct{})
	go func() { p.wg.Wait(); close(ended) }()
	select {
	case <-ended:
	case <-ctx.Done():
		close(p.halted)
		p.mu.Lock()
		for c := range p.conns {
			c.nc.Close()
		}
		p.mu.Unlock()
		<-ended
	}
	p.closeErr = p.bill.close()
	return p.closeErr
}
