package children

import (
	"context"
	"crypto/sha256"
	"errors"
	"fmt"
	"sync"
	"sync/atomic"
	"time"

	"purser/childkey"
	"purser/internal/directory"
	"purser/ledger"
	"purser/proxy"
	"purser/proxy/dialect"
)

const (
	// maxKnown bounds the tokens whose verification is remembered: some 25 MB.
	maxKnown = 8192
	// maxAdmitting bounds the children that are admitted at a time.
	maxAdmitting = 64
	// admitWait bounds how long the first request of a child waits for its slice.
	admitWait = 3 * time.Second
	// retryMillis is about the time a new leader takes.
	retryMillis = 1000
)

// Parents finds keys by what proves their children.
type Parents interface {
	FindPublic(public [32]byte, at ledger.Instant) (*proxy.Principal, proxy.KeyState)
}

// Replicated is what every node of the cluster has alike. An error of the two that
// change it means that whether they did is open.
type Replicated interface {
	// Directory is as new as this node has it.
	Directory() *directory.State
	// Admit has children of a key counted.
	Admit(context.Context, directory.AdmitChildren) (directory.Code, error)
	// Cap makes a rule, and returns once this node's requests go by it.
	Cap(context.Context, ledger.Budget) error
}

// Registry knows the child keys that were shown to this node lately.
type Registry struct {
	parents Parents
	rest    Replicated
	// inForce says whether this node's requests go by a rule.
	inForce func(ledger.BudgetID) bool
	known   *recent[[sha256.Size]byte, *known]
	slots   chan struct{}
	mints   rates
}

// New returns a Registry that knows nobody.
func New(parents Parents, rest Replicated, inForce func(ledger.BudgetID) bool) *Registry {
	return &Registry{
		parents: parents, rest: rest, inForce: inForce,
		known: newRecent[[sha256.Size]byte, *known](maxKnown), slots: make(chan struct{}, maxAdmitting),
	}
}

// known is a token that was verified.
type known struct {
	token    *childkey.Token
	slices   []Slice
	is       atomic.Pointer[composed]
	admitted atomic.Bool // its slices are counted

	mu     sync.Mutex
	flight *flight // the admission under way
}

// composed is what the child may do while its parent is as it was.
type composed struct {
	parent, child *proxy.Principal
	err           error
}

type flight struct {
	done chan struct{}
	err  *dialect.Error
}

// Find implements proxy.Children.
func (r *Registry) Find(text string, at ledger.Instant) (*proxy.Principal, *dialect.Error) {
	at = max(at, r.rest.Directory().Now()) // a clock that is slow revives nobody
	hash := sha256.Sum256([]byte(text))
	k, seen := r.known.get(hash)
	if !seen {
		t, err := childkey.Parse(text)
		if err != nil {
			return nil, refuse("this child key is refused: %s", err)
		}
		k = &known{token: t, slices: slicesOf(t)}
	}
	parent, e := r.parent(k.token, at)
	if e != nil {
		return nil, e
	}
	if !seen {
		// After the parent was found: nobody has signatures checked who knows none.
		if err := k.token.Verify(); err != nil {
			return nil, refuse("this child key is refused: %s", err)
		}
		k.token = k.token.Claims()
		k = r.known.put(hash, k)
	}
	if e := k.alive(at); e != nil {
		return nil, e
	}
	c := k.is.Load()
	if c == nil || c.parent != parent {
		c = r.compose(k, parent)
		k.is.Store(c)
	}
	if c.err != nil {
		return nil, refuse("this child key is refused: %s", c.err)
	}
	return c.child, nil
}

// parent is the key whose secret the token goes back to, if that may have children.
func (r *Registry) parent(t *childkey.Token, at ledger.Instant) (*proxy.Principal, *dialect.Error) {
	parent, state := r.parents.FindPublic(t.Root, at)
	switch state {
	case proxy.KeyActive:
	case proxy.KeyRevoked:
		return nil, dialect.NewError(dialect.CodeRevokedKey, "", "the virtual key that this child key was made of was revoked")
	case proxy.KeyReplaced:
		return nil, dialect.NewError(dialect.CodeRevokedKey, "", "the secret that this child key was made of was replaced by a rotation, and its overlap is over")
	case proxy.KeyExpired:
		return nil, dialect.NewError(dialect.CodeExpiredKey, "", "the virtual key that this child key was made of has expired")
	case proxy.KeySuspended:
		return nil, dialect.NewError(dialect.CodeSuspendedKey, "", "the virtual key that this child key was made of is suspended")
	default:
		return nil, refuse("this child key was made of no virtual key of this gateway that may have children (scope children:mint)")
	}
	if parent.Barred&proxy.MintKeys != 0 {
		return nil, refuse("the virtual key that this child key was made of may have no children: it has not the scope children:mint")
	}
	return parent, nil
}

// alive says whether every generation has begun to live and has not ended.
func (k *known) alive(at ledger.Instant) *dialect.Error {
	for i := range k.token.Blocks {
		b := &k.token.Blocks[i]
		most := MaxLife
		if b.Slice != nil {
			most = directory.MaxChildLife
		}
		switch left := ledger.Instant(b.Expires) - at/ledger.Second; {
		case left <= 0:
			return dialect.NewError(dialect.CodeExpiredKey, "", "this child key has expired: its generation %d has", i+1)
		case left > most/ledger.Second:
			return refuse("this child key is refused: its generation %d lives too long: at most %d hours from now, with a slice of the budget %d", i+1, MaxLife/ledger.Hour, ledger.Day/ledger.Hour)
		}
	}
	return nil
}

func (r *Registry) compose(k *known, parent *proxy.Principal) *composed {
	child, err := Compose(parent, k.token)
	if err == nil && len(k.slices) > 0 {
		child.Capped = func(ctx context.Context) *dialect.Error { return r.capped(ctx, k, directory.KeyID(parent.ID)) }
	}
	return &composed{parent, child, err}
}

func refuse(format string, args ...any) *dialect.Error {
	return dialect.NewError(dialect.CodeChildKey, "", format, args...)
}

func undecided(format string, args ...any) *dialect.Error {
	e := dialect.NewError(dialect.CodeUndecided, "", format, args...)
	e.RetryAfterMillis = retryMillis
	return e
}

// capped returns once what the child spends is capped on this node.
func (r *Registry) capped(ctx context.Context, k *known, parent directory.KeyID) *dialect.Error {
	if k.admitted.Load() && r.allInForce(k) {
		return nil
	}
	ctx, cancel := context.WithTimeout(ctx, admitWait)
	defer cancel()
	k.mu.Lock()
	f, leads := k.flight, k.flight == nil
	if leads {
		f = &flight{done: make(chan struct{}), err: undecided("the admission of this child key broke off; try again")}
		k.flight = f
	}
	k.mu.Unlock()
	if !leads {
		select {
		case <-f.done:
			return f.err
		case <-ctx.Done():
			return undecided("the slice of this child key is not capped yet; nothing was sent, try again")
		}
	}
	defer func() {
		k.mu.Lock()
		k.flight = nil
		k.mu.Unlock()
		close(f.done)
	}()
	f.err = r.admit(ctx, k, parent)
	return f.err
}

func (r *Registry) allInForce(k *known) bool {
	for i := range k.slices {
		if !r.inForce(k.slices[i].ID()) {
			return false
		}
	}
	return true
}

// admit has the child counted, and makes the rules of its slices.
func (r *Registry) admit(ctx context.Context, k *known, parent directory.KeyID) *dialect.Error {
	select {
	case r.slots <- struct{}{}:
		defer func() { <-r.slots }()
	default:
		return undecided("%d child keys are being admitted; nothing was sent, try again", maxAdmitting)
	}
	if !k.admitted.Load() {
		if e := r.count(ctx, k, parent); e != nil {
			return e
		}
		k.admitted.Store(true)
	}
	for i := range k.slices {
		if s := &k.slices[i]; !r.inForce(s.ID()) {
			if err := r.rest.Cap(ctx, s.Rule()); err != nil {
				return undecided("the slice of this child key cannot be capped, so nothing was sent; try again: %s", reason(err))
			}
		}
	}
	if !r.allInForce(k) {
		return undecided("the slice of this child key is not capped on this node yet; nothing was sent, try again")
	}
	return nil
}

// count has the slices along the token counted that are not.
func (r *Registry) count(ctx context.Context, k *known, parent directory.KeyID) *dialect.Error {
	dir := r.rest.Directory()
	c := directory.AdmitChildren{Parent: parent}
	for _, s := range k.slices {
		if !dir.Admitted(parent, s.Child) {
			c.Children = append(c.Children, directory.Child{ID: s.Child, Generation: s.Generation, Slice: s.Limit, Expires: s.Expires})
		}
	}
	if len(c.Children) == 0 {
		return nil
	}
	// Asked here first, so that a holder who goes on trying writes nothing to the log.
	if key, ok := dir.Key(parent); !ok || dir.Room(key, dir.Now()) < len(c.Children) {
		return full(parent)
	}
	code, err := r.rest.Admit(ctx, c)
	if err != nil {
		return undecided("whether this child key may spend could not be decided; nothing was sent, try again: %s", reason(err))
	}
	switch code {
	case directory.Applied, directory.Unchanged:
		return nil
	case directory.TooManyChildren, directory.LimitReached:
		return full(parent)
	case directory.KeyRevoked, directory.UnknownKey:
		return dialect.NewError(dialect.CodeRevokedKey, "", "the virtual key that this child key was made of was revoked")
	case directory.KeySuspended:
		return dialect.NewError(dialect.CodeSuspendedKey, "", "the virtual key that this child key was made of is suspended")
	case directory.KeyExpired, directory.ChildExpired:
		return dialect.NewError(dialect.CodeExpiredKey, "", "this child key has expired, or the virtual key that it was made of has")
	}
	return refuse("this child key is refused: %s", code)
}

func full(parent directory.KeyID) *dialect.Error {
	return dialect.NewError(dialect.CodeChildLimit, "", "the virtual key %s has as many children with a slice of its budget as it may have at a time; some have to expire first", parent)
}

// ErrRules says that there are as many rules of slices as there may be.
var ErrRules = fmt.Errorf("there are %d rules of slices", MaxRules)

// reason is what of an error concerns the caller.
func reason(err error) string {
	if errors.Is(err, ErrRules) {
		return err.Error()
	}
	return "no quorum has said so in time"
}
