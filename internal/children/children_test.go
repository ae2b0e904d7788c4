package children

import (
	"context"
	"crypto/sha256"
	"errors"
	"fmt"
	"slices"
	"strings"
	"sync"
	"testing"

	"purser/childkey"
	"purser/internal/directory"
	"purser/ledger"
	"purser/proxy"
	"purser/proxy/dialect"
)

const (
	secret = "pk_abcdefghijklmnopqrstuvwxyz234567abcdefgh"
	noon   = 20_000*ledger.Day + 12*ledger.Hour
)

// world is a directory, a ledger's rules, and the register between them.
type world struct {
	t   testing.TB
	reg *Registry

	mu      sync.Mutex
	dir     *directory.State
	rules   map[ledger.BudgetID]ledger.Budget
	parents map[directory.KeyID]*proxy.Principal
	admits  int
	fail    error         // of what changes anything
	gate    chan struct{} // if set, Admit waits for it
	deaf    bool          // rules do not come into force
}

func newWorld(t testing.TB, change func(*directory.Key)) *world {
	w := &world{t: t, dir: directory.New(), rules: map[ledger.BudgetID]ledger.Budget{}, parents: map[directory.KeyID]*proxy.Principal{}}
	w.reg = New(w, w, func(id ledger.BudgetID) bool {
		w.mu.Lock()
		defer w.mu.Unlock()
		_, ok := w.rules[id]
		return ok && !w.deaf
	})
	k := directory.Key{ID: "parent", Hash: sha256.Sum256([]byte(secret)), Public: childkey.Public(secret), Scopes: directory.ScopeMint | directory.ScopeInference}
	if change != nil {
		change(&k)
	}
	w.apply(noon, directory.WriteKey{Key: k})
	return w
}

func (w *world) apply(at ledger.Instant, c directory.Command) {
	w.t.Helper()
	w.mu.Lock()
	defer w.mu.Unlock()
	if out := w.dir.Apply(at, c); out.Code != directory.Applied {
		w.t.Fatalf("%T: %v", c, out.Code)
	}
	clear(w.parents)
}

// FindPublic implements Parents as a node does.
func (w *world) FindPublic(public [32]byte, at ledger.Instant) (*proxy.Principal, proxy.KeyState) {
	w.mu.Lock()
	defer w.mu.Unlock()
	k, ok := w.dir.FindPublic(public)
	if !ok {
		return nil, proxy.KeyUnknown
	}
	p := w.parents[k.ID]
	if p == nil {
		p = &proxy.Principal{ID: string(k.ID), Bound: k.Bound, Expires: k.Expires}
		if len(k.AllowModels) > 0 {
			p.Models = proxy.Allow{k.AllowModels}
		}
		if !k.Can(directory.ScopeMint) {
			p.Barred |= proxy.MintKeys
		}
		w.parents[k.ID] = p
	}
	return p, map[directory.Status]proxy.KeyState{
		directory.Active: proxy.KeyActive, directory.Expired: proxy.KeyExpired, directory.Revoked: proxy.KeyRevoked, directory.Replaced: proxy.KeyReplaced,
	}[k.StatusOfPublic(public, at)]
}

// Directory implements Replicated.
func (w *world) Directory() *directory.State {
	w.mu.Lock()
	defer w.mu.Unlock()
	return w.dir.Clone()
}

// Admit implements Replicated.
func (w *world) Admit(_ context.Context, c directory.AdmitChildren) (directory.Code, error) {
	if w.gate != nil {
		<-w.gate
	}
	w.mu.Lock()
	defer w.mu.Unlock()
	w.admits++
	if w.fail != nil {
		return 0, w.fail
	}
	return w.dir.Apply(w.dir.Now(), c).Code, nil
}

// Cap implements Replicated.
func (w *world) Cap(_ context.Context, b ledger.Budget) error {
	w.mu.Lock()
	defer w.mu.Unlock()
	if w.fail == nil {
		w.rules[b.ID] = b
	}
	return w.fail
}

func usd(text string) *childkey.USD {
	u, err := childkey.ParseUSD(text)
	if err != nil {
		panic(err)
	}
	return &u
}

// minter is a test of either kind.
type minter interface {
	Helper()
	Fatal(...any)
}

// mint makes a child that lives for an hour from noon, if it does not say.
func mint(t minter, parent string, c childkey.Caveats) string {
	t.Helper()
	if c.Expires == 0 {
		c.Expires = int64((noon + ledger.Hour) / ledger.Second)
	}
	token, err := childkey.Mint(parent, c)
	if err != nil {
		t.Fatal(err)
	}
	return token
}

func (w *world) refused(token string, at ledger.Instant, want dialect.Code, about string) {
	w.t.Helper()
	p, e := w.reg.Find(token, at)
	if e == nil || e.Code != want || !strings.Contains(e.Message, about) {
		w.t.Errorf("%+v, %v, want %s about %q", p, e, want, about)
	}
}

func (w *world) found(token string, at ledger.Instant) *proxy.Principal {
	w.t.Helper()
	p, e := w.reg.Find(token, at)
	if e != nil {
		w.t.Fatalf("refused: %v", e)
	}
	return p
}

func TestAChildFollowsItsParent(t *testing.T) {
	w := newWorld(t, func(k *directory.Key) { k.AllowModels = []string{"gpt-*"} })
	child := mint(t, secret, childkey.Caveats{Models: []string{"*-mini"}, Bind: map[string]string{"agent": "a", "tag:job": "7"}})
	grand := mint(t, child, childkey.Caveats{Expires: int64(noon/ledger.Second) + 60})
	p := w.found(child, noon)
	if p.ID != "parent" || !p.Models.Allows("gpt-5-mini") || p.Models.Allows("gpt-5") || p.Models.Allows("claude-mini") || p.Bound.Values[ledger.DimAgent] != "a" || p.Capped != nil {
		t.Errorf("the child is %+v", p)
	}
	if again := w.found(child, noon); again != p {
		t.Error("it was composed anew though nothing changed")
	}
	w.found(grand, noon)
	w.refused(grand, noon+60*ledger.Second, dialect.CodeExpiredKey, "generation 2")
	w.refused(child, noon+ledger.Hour, dialect.CodeExpiredKey, "generation 1")

	k, _ := w.dir.Key("parent")
	narrow := *k
	narrow.AllowModels = []string{"gpt-4*"}
	w.apply(noon, directory.WriteKey{Expect: k.Version, Key: narrow})
	if p := w.found(child, noon); p.Models.Allows("gpt-5-mini") || !p.Models.Allows("gpt-4o-mini") {
		t.Error("the parent was narrowed, its child was not")
	}
	w.apply(noon, directory.RotateKey{ID: "parent", Hash: directory.Hash{1}, Public: [32]byte{1}, OldUntil: noon + ledger.Minute})
	w.found(child, noon)
	w.refused(child, noon+ledger.Minute, dialect.CodeRevokedKey, "rotation")
	w.apply(noon, directory.RevokeKey{ID: "parent"})
	w.refused(child, noon, dialect.CodeRevokedKey, "was revoked")
	w.refused(grand, noon, dialect.CodeRevokedKey, "was revoked")
}

func TestChildrenThatAreRefused(t *testing.T) {
	w := newWorld(t, func(k *directory.Key) {
		k.Bound.Values[ledger.DimTeam] = "blue"
		k.Bound.Tags = []ledger.Tag{{Name: "job", Value: "7"}}
		for i := range 10 {
			k.Bound.Tags = append(k.Bound.Tags, ledger.Tag{Name: fmt.Sprintf("k%d", i), Value: "x"})
		}
	})
	at := func(d ledger.Instant) int64 { return int64((noon + d) / ledger.Second) }
	bound := func(name, value string) childkey.Caveats {
		return childkey.Caveats{Bind: map[string]string{name: value}}
	}
	many := childkey.Caveats{Bind: map[string]string{}}
	for i := range 6 {
		many.Bind[fmt.Sprintf("tag:t%d", i)] = "x"
	}
	for name, c := range map[string]struct {
		token string
		about string
	}{
		"not a token":            {childkey.Prefix + "nothing", "cut off"},
		"too long":               {childkey.Prefix + strings.Repeat("A", childkey.MaxToken), "at most"},
		"of another secret":      {mint(t, secret+"x", childkey.Caveats{}), "no virtual key"},
		"a changed block":        {forge(t, mint(t, secret, childkey.Caveats{})), "was changed"},
		"another team":           {mint(t, secret, bound("team", "red")), "another value"},
		"another tag":            {mint(t, secret, bound("tag:job", "8")), "another value"},
		"an organisation":        {mint(t, secret, bound("org", "acme")), "organisation"},
		"the key":                {mint(t, secret, bound("key", "other")), "facts"},
		"a model":                {mint(t, secret, bound("model", "m")), "facts"},
		"a tag of the gateway's": {mint(t, secret, bound("tag:purser.slice.1", "1.2")), "gateway alone"},
		"no dimension":           {mint(t, secret, bound("colour", "red")), "unknown dimension"},
		"too many tags":          {mint(t, secret, many), "the most is 16"},
		"a month and a day":      {mint(t, secret, childkey.Caveats{Expires: at(32 * ledger.Day)}), "too long"},
		"two days with a slice":  {mint(t, secret, childkey.Caveats{Expires: at(2 * ledger.Day), Slice: usd("1")}), "too long"},
		"for ever":               {mint(t, secret, childkey.Caveats{Expires: 1 << 62}), "too long"},
	} {
		t.Run(name, func(t *testing.T) {
			w.t = t
			w.refused(c.token, noon, dialect.CodeChildKey, c.about)
		})
	}
	w.found(mint(t, secret, bound("team", "blue")), noon)
	w.found(mint(t, secret, childkey.Caveats{Expires: at(ledger.Day), Slice: usd("1")}), noon)
	slow := mint(t, secret, childkey.Caveats{Expires: at(-ledger.Second)})
	w.refused(slow, noon-ledger.Hour, dialect.CodeExpiredKey, "expired") // a clock that is slow, and a directory that knows better

	without := newWorld(t, func(k *directory.Key) { k.Scopes = 0 })
	without.refused(mint(t, secret, childkey.Caveats{}), noon, dialect.CodeChildKey, "children:mint")
}

// forge changes what a block says and keeps its form.
func forge(t *testing.T, token string) string {
	t.Helper()
	k, err := childkey.Parse(token)
	if err != nil {
		t.Fatal(err)
	}
	other, _ := childkey.Parse(mint(t, secret, childkey.Caveats{Expires: k.Last().Expires + 1}))
	parts, theirs := strings.Split(token, "."), strings.Split(mint(t, secret, childkey.Caveats{Expires: other.Last().Expires}), ".")
	parts[1] = theirs[1]
	return strings.Join(parts, ".")
}

func TestASliceIsCappedBeforeItsFirstRequest(t *testing.T) {
	w := newWorld(t, nil)
	child := mint(t, secret, childkey.Caveats{Slice: usd("0.0567")})
	grand := mint(t, child, childkey.Caveats{Slice: usd("0.05")})
	p := w.found(grand, noon)
	if len(w.rules) != 0 {
		t.Fatal("a rule was made before it was asked for")
	}
	if e := p.Capped(t.Context()); e != nil {
		t.Fatal(e)
	}
	if len(w.rules) != 2 || len(w.dir.Children("parent")) != 2 {
		t.Errorf("%d rules, %d children are counted", len(w.rules), len(w.dir.Children("parent")))
	}
	dims := p.Bound
	for _, b := range w.rules {
		split, covers := b.Covers(&dims)
		if err := b.Validate(); err != nil || !covers || split == "" || b.Soft {
			t.Errorf("rule %+v covers the request: %v; %v", b, covers, err)
		}
	}
	if w.rules["purser.slice.1.56000000.20000"].Limit != 56_000_000 || w.rules["purser.slice.2.50000000.20000"].Limit != 50_000_000 {
		t.Errorf("rules %v", w.rules)
	}
	if id := Uncapped(&dims, slices.Values([]ledger.BudgetID{"purser.slice.1.56000000.20000"})); id != "purser.slice.2.50000000.20000" {
		t.Errorf("a chain without the second slice is said to lack %q", id)
	}
	if id := Uncapped(&dims, func(yield func(ledger.BudgetID) bool) {
		for id := range w.rules {
			if !yield(id) {
				return
			}
		}
	}); id != "" {
		t.Errorf("a chain with both is said to lack %q", id)
	}
	before := w.admits
	if e := w.found(child, noon).Capped(t.Context()); e != nil || w.admits != before {
		t.Errorf("the child itself, whose slice was counted: %v, %d times", e, w.admits-before)
	}
	delete(w.rules, "purser.slice.1.56000000.20000") // as by an operator
	if e := p.Capped(t.Context()); e != nil || len(w.rules) != 2 {
		t.Errorf("a rule that is gone is not made again: %v", e)
	}
}

func TestAChildWhoseSliceCannotBeCappedIsRefused(t *testing.T) {
	w := newWorld(t, func(k *directory.Key) { k.MaxChildren = 2 })
	token := func() string { return mint(t, secret, childkey.Caveats{Slice: usd("1")}) }
	first := w.found(token(), noon)
	w.fail = errors.New("no quorum")
	if e := first.Capped(t.Context()); e == nil || e.Code != dialect.CodeUndecided || e.RetryAfterMillis == 0 {
		t.Errorf("without a quorum: %v", e)
	}
	w.fail, w.deaf = nil, true
	if e := first.Capped(t.Context()); e == nil || e.Code != dialect.CodeUndecided {
		t.Errorf("with a rule that is not in force here: %v", e)
	}
	w.deaf = false
	if e := first.Capped(t.Context()); e != nil {
		t.Error(e)
	}
	if e := w.found(token(), noon).Capped(t.Context()); e != nil {
		t.Error(e)
	}
	third, admits := w.found(token(), noon), w.admits
	for range 3 {
		if e := third.Capped(t.Context()); e == nil || e.Code != dialect.CodeChildLimit {
			t.Errorf("a child more than the key may have: %v", e)
		}
	}
	if w.admits != admits {
		t.Error("it was written to the log that a child is one too many")
	}
	w.apply(noon, directory.RevokeKey{ID: "parent"})
	if e := third.Capped(t.Context()); e == nil {
		t.Error("the parent is revoked, and its child was admitted")
	}
}

// TestAChildIsAdmittedOnce however many requests come with it at first.
func TestAChildIsAdmittedOnce(t *testing.T) {
	w := newWorld(t, nil)
	w.gate = make(chan struct{})
	token := mint(t, secret, childkey.Caveats{Slice: usd("1")})
	var asking sync.WaitGroup
	begun := make(chan struct{}, 20)
	for range cap(begun) {
		asking.Go(func() {
			p, e := w.reg.Find(token, noon)
			begun <- struct{}{}
			if e == nil {
				e = p.Capped(t.Context())
			}
			if e != nil {
				t.Error(e)
			}
		})
	}
	for range cap(begun) {
		<-begun
	}
	close(w.gate)
	asking.Wait()
	if w.admits != 1 {
		t.Errorf("it was admitted %d times", w.admits)
	}
}

func TestMintOnline(t *testing.T) {
	w := newWorld(t, nil)
	parent, _ := w.FindPublic(childkey.Public(secret), noon)
	made, e := w.reg.Mint(parent, secret, []byte(`{"usd":0.0567,"models":["a*"],"bind":{"agent":"x"},"ttl_seconds":60,"depth":1}`), noon)
	if e != nil {
		t.Fatal(e)
	}
	m := made.(Minted)
	child := w.found(m.Key, noon)
	if m.Object != "key.child" || m.USD != "0.056" || m.Parent != "parent" || m.ExpiresAt != int64(noon/ledger.Second)+60 || m.ID != child.Child {
		t.Errorf("made %+v", m)
	}
	made, e = w.reg.Mint(child, m.Key, []byte(`{"sealed":true}`), noon)
	if e != nil {
		t.Fatal(e)
	}
	sealed := made.(Minted)
	if p := w.found(sealed.Key, noon); p.Expires != child.Expires || sealed.ExpiresAt != m.ExpiresAt {
		t.Error("a grandchild outlives its parent")
	}
	for body, about := range map[string]string{
		`{"usd":-1}`: "usd", `{"future":1}`: "future", `[]`: "array", `{} {}`: "more than one", `{"ttl_seconds":-1}`: "range",
		`{"ttl_seconds":1,"expires_at":5}`: "two ways", `{"models":[]}`: "patterns", `{"bind":{"org":"x"}}`: "organisation",
		`{"ttl_seconds":100000,"usd":1}`: "too long", `{"expires_at":1}`: "expired",
	} {
		if _, e := w.reg.Mint(parent, secret, []byte(body), noon); e == nil || !strings.Contains(e.Message, about) {
			t.Errorf("%s: %v, want something about %q", body, e, about)
		}
	}
	if _, e := w.reg.Mint(parent, sealed.Key, nil, noon); e == nil || !strings.Contains(e.Message, "sealed") {
		t.Errorf("a child of a sealed one: %v", e)
	}
	if _, e := w.reg.Mint(parent, "pk_of_another_secret", nil, noon); e == nil {
		t.Error("a child that proves nothing was given away")
	}
	var limited *dialect.Error
	for range maxMints + 1 {
		if _, limited = w.reg.Mint(parent, secret, []byte("!"), noon); limited.Code == dialect.CodeRateLimit {
			break
		}
	}
	if limited.Code != dialect.CodeRateLimit || limited.RetryAfterMillis <= 0 {
		t.Errorf("after %d in a minute: %v", maxMints, limited)
	}
	if _, e := w.reg.Mint(parent, secret, nil, noon+ledger.Minute); e != nil {
		t.Errorf("a minute later: %v", e)
	}
}

func TestWhatIsRememberedIsBounded(t *testing.T) {
	r := newRecent[int, int](3)
	for i := range 5 {
		r.put(i, i)
		r.get(0)
	}
	if _, ok := r.get(0); !ok || r.len() != 3 {
		t.Errorf("%d are kept, the one in use: %v", r.len(), ok)
	}
	if got := r.put(0, 9); got != 0 {
		t.Errorf("a second value replaced the first: %d", got)
	}
}
