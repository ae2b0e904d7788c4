package vault

import (
	"container/list"
	"context"
	"errors"
	"fmt"
	"sync"
	"time"
)

const (
	// maxOpened bounds the secrets that are kept opened: more are opened again when
	// they are used, which is microseconds with a local master key.
	maxOpened = 1024
	// failureLife is how long a failure to open is repeated without asking again, so
	// that a key service which is down is not asked by every request.
	failureLife = 2 * time.Second
	// openLimit bounds the opening of one secret, also by a slow key service.
	openLimit = 5 * time.Second
)

// ErrUnknown says that there is no such credential.
var ErrUnknown = errors.New("there is no such credential")

// Opener gives the secrets of credentials to who sends requests. What it has
// opened it keeps, up to a limit, and overwrites when it is superseded.
type Opener struct {
	vault *Vault
	limit int

	mu     sync.Mutex
	known  map[string]*Credential
	opened map[string]*list.Element
	order  list.List // of *plain, the one used longest ago in front
}

// plain is a secret, or why there is none. It is filled before done is closed.
type plain struct {
	of     *Credential
	done   chan struct{}
	secret []byte // with Opener.mu, as all below
	gone   bool   // it was dropped
	err    error
	until  time.Time // of a failure
}

// NewOpener knows no credential yet.
func NewOpener(v *Vault) *Opener {
	return &Opener{vault: v, limit: maxOpened, known: map[string]*Credential{}, opened: map[string]*list.Element{}}
}

// Serve makes list what Open knows. It keeps the credentials, which nobody may
// change. Secrets of others, and of those whose sealed form has changed, are overwritten.
func (o *Opener) Serve(list []*Credential) {
	o.mu.Lock()
	defer o.mu.Unlock()
	known := make(map[string]*Credential, len(list))
	for _, c := range list {
		if was := o.known[c.ID]; was != nil && was.Provider == c.Provider && same(&was.Sealed, &c.Sealed) {
			c = was // what is opened of it stays
		}
		known[c.ID] = c
	}
	for id, e := range o.opened {
		if known[id] != e.Value.(*plain).of {
			o.dropLocked(id, e)
		}
	}
	o.known = known
}

func same(a, b *Sealed) bool {
	return a.Master == b.Master && a.Generation == b.Generation && a.nonce == b.nonce && string(a.wrapped) == string(b.wrapped) && string(a.text) == string(b.text)
}

func (o *Opener) dropLocked(id string, e *list.Element) {
	p := e.Value.(*plain)
	clear(p.secret)
	p.gone = true
	o.order.Remove(e)
	delete(o.opened, id)
}

// Open gives a secret, as a copy that nobody can overwrite. It waits for a key
// service at most until ctx ends or openLimit is over; of those who ask for the same
// secret meanwhile, one asks the service.
func (o *Opener) Open(ctx context.Context, id string) (string, error) {
	for {
		p, secret, err := o.get(ctx, id)
		if p == nil {
			return secret, err
		}
		select {
		case <-p.done: // look again, at this or at what has superseded it
		case <-ctx.Done():
			return "", fmt.Errorf("credential %s: %w", id, ctx.Err())
		}
	}
}

// get gives the secret, or who opens it at present.
func (o *Opener) get(ctx context.Context, id string) (wait *plain, secret string, err error) {
	o.mu.Lock()
	c := o.known[id]
	if c == nil {
		o.mu.Unlock()
		return nil, "", fmt.Errorf("credential %s: %w", id, ErrUnknown)
	}
	e := o.opened[id]
	if e != nil && e.Value.(*plain).failed(time.Now()) {
		o.dropLocked(id, e)
		e = nil
	}
	if e == nil {
		secret, err = o.openLocked(ctx, c)
		return nil, secret, err
	}
	defer o.mu.Unlock()
	o.order.MoveToBack(e)
	p := e.Value.(*plain)
	if !p.isDone() {
		return p, "", nil
	}
	return nil, string(p.secret), p.err
}

func (p *plain) isDone() bool {
	select {
	case <-p.done:
		return true
	default:
		return false
	}
}

// failed says that it is time to try again.
func (p *plain) failed(now time.Time) bool { return p.isDone() && p.err != nil && now.After(p.until) }

// openLocked opens c for whoever asks, and gives the lock back.
func (o *Opener) openLocked(ctx context.Context, c *Credential) (string, error) {
	p := &plain{of: c, done: make(chan struct{})}
	o.opened[c.ID] = o.order.PushBack(p)
	if front := o.order.Front(); o.order.Len() > o.limit {
		o.dropLocked(front.Value.(*plain).of.ID, front)
	}
	o.mu.Unlock()

	// Others wait for it: that this one's client went away must not fail theirs.
	limited, cancel := context.WithTimeout(context.WithoutCancel(ctx), openLimit)
	defer cancel()
	secret, err := o.vault.Open(limited, c.Binding(), c.Sealed)

	o.mu.Lock()
	defer o.mu.Unlock()
	defer close(p.done)
	if err != nil {
		p.err, p.until = fmt.Errorf("credential %s: %w", c.ID, err), time.Now().Add(failureLife)
		return "", p.err
	}
	if p.gone {
		defer clear(secret) // superseded; this request was under way before
	} else {
		p.secret = secret
	}
	return string(secret), nil
}
