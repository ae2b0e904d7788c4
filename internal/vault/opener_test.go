package vault

import (
	"bytes"
	"context"
	"errors"
	"fmt"
	"sync"
	"sync/atomic"
	"testing"
	"testing/synctest"
	"time"
)

func credential(t testing.TB, v *Vault, id, secret string) *Credential {
	t.Helper()
	c := &Credential{ID: id, Provider: "openai"}
	c.Sealed, c.Fingerprint = seal(t, v, c.Binding(), secret, Sealed{})
	return c
}

// service is a key service: it counts, waits and fails.
type service struct {
	*LocalKey
	asked atomic.Int64
	gate  func()
	fault atomic.Pointer[error]
}

func (s *service) Unwrap(ctx context.Context, wrapped, bound []byte) ([]byte, error) {
	s.asked.Add(1)
	if s.gate != nil {
		s.gate()
	}
	if e := s.fault.Load(); e != nil {
		return nil, *e
	}
	return s.LocalKey.Unwrap(ctx, wrapped, bound)
}

func TestTheServiceIsAskedOnce(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		open := make(chan struct{})
		s := &service{LocalKey: key(t, 1), gate: func() { <-open }}
		v := with(t, s)
		o := NewOpener(v)
		o.Serve([]*Credential{credential(t, v, "a", "sk-1")})
		var done sync.WaitGroup
		for range 50 {
			done.Go(func() {
				if got, err := o.Open(context.Background(), "a"); got != "sk-1" || err != nil {
					t.Errorf("%q, %v", got, err)
				}
			})
		}
		// One that gives up does not spoil it for the others, whoever asked first.
		ctx, cancel := context.WithCancel(context.Background())
		done.Go(func() {
			if got, err := o.Open(ctx, "a"); err == nil && got != "sk-1" {
				t.Errorf("%q", got)
			}
		})
		synctest.Wait()
		cancel()
		synctest.Wait()
		close(open)
		done.Wait()
		if n := s.asked.Load(); n != 1 {
			t.Errorf("the service was asked %d times", n)
		}
	})
}

func TestAFailureIsRepeatedForAWhile(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		s := &service{LocalKey: key(t, 1)}
		v := with(t, s)
		o := NewOpener(v)
		o.Serve([]*Credential{credential(t, v, "a", "sk-1")})
		down := errors.New("the service is down")
		s.fault.Store(&down)
		for range 10 {
			if _, err := o.Open(context.Background(), "a"); !errors.Is(err, down) {
				t.Fatal(err)
			}
		}
		if n := s.asked.Load(); n != 1 {
			t.Errorf("a service that is down was asked %d times", n)
		}
		s.fault.Store(nil)
		time.Sleep(failureLife + 1)
		if got, err := o.Open(context.Background(), "a"); got != "sk-1" || err != nil {
			t.Errorf("%q, %v", got, err)
		}
	})
}

// TestWhatIsSupersededIsOverwritten: after a change, a deletion, and when there are
// too many; and not when only what is beside the secret has changed.
func TestWhatIsSupersededIsOverwritten(t *testing.T) {
	ctx := context.Background()
	s := &service{LocalKey: key(t, 1)}
	v := with(t, s)
	o := NewOpener(v)
	a, b := credential(t, v, "a", "sk-1"), credential(t, v, "b", "sk-2")
	o.Serve([]*Credential{a, b})
	bytesOf := func(id string) []byte {
		t.Helper()
		if _, err := o.Open(ctx, id); err != nil {
			t.Fatal(err)
		}
		return o.opened[id].Value.(*plain).secret
	}
	first, second := bytesOf("a"), bytesOf("b")
	heavier := *a
	heavier.Weight = 9
	o.Serve([]*Credential{&heavier, b})
	if string(bytesOf("a")) != "sk-1" || s.asked.Load() != 2 {
		t.Errorf("another weight had the secret opened again: %d", s.asked.Load())
	}
	next := *a
	next.Sealed, _ = seal(t, v, a.Binding(), "sk-3", a.Sealed)
	o.Serve([]*Credential{&next})
	if !bytes.Equal(first, make([]byte, len(first))) || !bytes.Equal(second, make([]byte, len(second))) {
		t.Errorf("left in memory: %q, %q", first, second)
	}
	if got, err := o.Open(ctx, "a"); got != "sk-3" || err != nil {
		t.Errorf("%q, %v", got, err)
	}
	if _, err := o.Open(ctx, "b"); !errors.Is(err, ErrUnknown) {
		t.Errorf("%v", err)
	}
	// Bound to another provider it is another credential, which does not open.
	moved := next
	moved.Provider = "evil"
	o.Serve([]*Credential{&moved})
	if got, err := o.Open(ctx, "a"); !errors.Is(err, ErrDamaged) {
		t.Errorf("%q, %v", got, err)
	}

	o.limit = 3
	var many []*Credential
	for i := range 10 {
		many = append(many, credential(t, v, fmt.Sprintf("c%d", i), "sk-many"))
	}
	o.Serve(many)
	oldest := bytesOf("c0")
	for _, c := range many {
		bytesOf(c.ID)
	}
	if len(o.opened) != 3 || o.order.Len() != 3 || !bytes.Equal(oldest, make([]byte, len(oldest))) {
		t.Errorf("%d are kept, the oldest is %q", len(o.opened), oldest)
	}
}

// TestRotationWhileSecretsAreUsed: no question fails, and each gets a secret that
// was right while it asked, while master and data keys change under it.
func TestRotationWhileSecretsAreUsed(t *testing.T) {
	ctx := context.Background()
	keys := []Wrapper{key(t, 1)}
	m, err := OpenMasters(func() ([]Wrapper, error) { return keys, nil })
	if err != nil {
		t.Fatal(err)
	}
	v := New(m)
	o := NewOpener(v)
	c := credential(t, v, "a", "sk-1")
	o.Serve([]*Credential{c})
	stop := make(chan struct{})
	var users sync.WaitGroup
	var used atomic.Int64
	for range 4 {
		users.Go(func() {
			for {
				select {
				case <-stop:
					return
				default:
				}
				if got, err := o.Open(ctx, "a"); got != "sk-1" || err != nil {
					t.Errorf("%q, %v", got, err)
					return
				}
				used.Add(1)
			}
		})
	}
	for i := range 200 {
		for seen := used.Load(); used.Load() == seen && !t.Failed(); { // each form is used
		}
		next := *c
		if i%2 == 0 {
			keys = append([]Wrapper{key(t, byte(i+2))}, keys[0])
			if err := m.Reload(); err != nil {
				t.Fatal(err)
			}
			next.Sealed, _, err = v.Rewrap(ctx, c.Binding(), c.Sealed, Outdated)
		} else {
			next.Sealed, err = v.Renew(ctx, c.Binding(), c.Sealed)
		}
		if err != nil {
			t.Fatal(err)
		}
		o.Serve([]*Credential{&next})
		c = &next
	}
	close(stop)
	users.Wait()
}
