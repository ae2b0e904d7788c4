package node

import (
	"encoding/json"
	"fmt"
	"log/slog"
	"testing"
	"time"

	"purser/internal/access"
	"purser/internal/directory"
	"purser/ledger"
)

func storedToken(t *testing.T, s *directory.State, id, spec string) {
	t.Helper()
	ref := directory.Ref{Kind: directory.ObjectAdminToken, ID: id}
	if out := s.Apply(1, directory.PutObject{Ref: ref, Expect: directory.AnyVersion, Spec: []byte(spec)}); out.Code != directory.Applied {
		t.Fatalf("%s: %v", id, out.Code)
	}
}

func tokenSpec(t *testing.T, id string, change func(*access.Token)) string {
	t.Helper()
	k := access.Token{ID: id, Name: id, Hash: access.HashOf(id), Role: access.Finance, By: "root"}
	if change != nil {
		change(&k)
	}
	b, err := json.Marshal(k)
	if err != nil {
		t.Fatal(err)
	}
	return string(b)
}

func TestATokenThatCannotBeReadIsRefusedAndHarmsNoOther(t *testing.T) {
	s := directory.New()
	storedToken(t, s, "tok_good", tokenSpec(t, "tok_good", nil))
	storedToken(t, s, "tok_later", `{"id":"tok_later","name":"x","hash":"`+string(access.HashOf("tok_later"))+`","role":"emperor"}`)
	storedToken(t, s, "tok_limit", `{"id":"tok_limit","name":"x","hash":"`+string(access.HashOf("tok_limit"))+`","role":"finance","by":"root","created":1,"only_on_mondays":true}`)
	storedToken(t, s, "tok_other", tokenSpec(t, "tok_good2", nil))
	storedToken(t, s, "tok_broken", `{`)
	var table tokenTable
	for range 2 { // the second time from what it knows
		table.compile(s, slog.New(slog.DiscardHandler))
		if all := table.now.Load().All(); len(all) != 1 || all[0].ID != "tok_good" {
			t.Fatalf("there are %+v", all)
		}
	}
	good := table.now.Load().All()[0]
	storedToken(t, s, "tok_good", tokenSpec(t, "tok_good", func(k *access.Token) { k.Revoked = 5 }))
	table.compile(s, slog.New(slog.DiscardHandler))
	if found, ok := table.now.Load().Find(access.HashOf("tok_good")); !ok || found.Status(0) != access.Revoked || good.Status(0) != access.Active {
		t.Errorf("after its revocation %+v", found)
	}
	s.Apply(1, directory.DeleteObject{Ref: directory.Ref{Kind: directory.ObjectAdminToken, ID: "tok_good"}, Expect: directory.AnyVersion})
	table.compile(s, slog.New(slog.DiscardHandler))
	if _, ok := table.now.Load().Find(access.HashOf("tok_good")); ok || len(table.known) != 4 {
		t.Errorf("after it went, %d are known", len(table.known))
	}
}

func TestWhichTokensAreForgotten(t *testing.T) {
	const day = 24 * 60 * 60
	at := ledger.Instant(100*day) * ledger.Second
	for name, c := range map[string]struct {
		t          access.Token
		now, whole bool // forgotten at all, and when the table is full
	}{
		"one that does not end":      {access.Token{}, false, false},
		"one that has not ended":     {access.Token{Expires: 101 * day}, false, false},
		"expired yesterday":          {access.Token{Expires: 99 * day}, false, true},
		"expired long ago":           {access.Token{Expires: 60 * day}, true, true},
		"revoked yesterday":          {access.Token{Revoked: 99 * day}, false, true},
		"revoked long ago":           {access.Token{Revoked: 60 * day, Expires: 300 * day}, true, true},
		"a session that would last":  {access.Token{Session: true, Expires: 101 * day}, false, false},
		"a session that would be up": {access.Token{Session: true, Expires: 100 * day}, true, true},
	} {
		if got := forgettable(&c.t, at, false); got != c.now {
			t.Errorf("%s: forgotten %v", name, got)
		}
		if got := forgettable(&c.t, at, true); got != c.whole {
			t.Errorf("%s, of a full table: forgotten %v", name, got)
		}
	}
}

func TestEndedSessionsAreCountedByPerson(t *testing.T) {
	const at = 1000
	list := []*access.Token{
		{Session: true, By: "person:eve", Expires: at + 1}, {Session: true, By: "person:eve", Expires: at + 2}, {Session: true, By: "person:eve", Expires: at},
		{Session: true, By: "person:bob", Expires: at + 1}, {By: "person:eve", Expires: at + 1},
	}
	if n := endedBy(list, "person:eve", ledger.Instant(at)*ledger.Second); n != 2 {
		t.Errorf("eve has ended %d sessions that would still last, not 2", n)
	}
}

func TestTheReachOfUsage(t *testing.T) {
	if within(access.Everything) != nil {
		t.Error("everything is limited")
	}
	if got := within(access.Reach{}); got == nil || len(got) != 0 {
		t.Errorf("nothing is %v", got)
	}
	if got := within(access.Reach{Teams: []string{"a", "b"}, Members: []string{"eve"}}); len(got) != 2 {
		t.Errorf("two dimensions are %v", got)
	}
}

// BenchmarkCompileTokens is a change of any object, with as many tokens as there may be.
func BenchmarkCompileTokens(b *testing.B) {
	s := directory.New()
	for i := range access.MaxTokens {
		k := access.Token{ID: fmt.Sprintf("tok_%d", i), Name: "x", Hash: access.HashOf(fmt.Sprint(i)), Role: access.Finance, Created: time.Now().Unix()}
		spec, err := json.Marshal(k)
		if err != nil {
			b.Fatal(err)
		}
		s.Apply(1, directory.PutObject{Ref: directory.Ref{Kind: directory.ObjectAdminToken, ID: k.ID}, Expect: 0, Spec: spec})
	}
	var table tokenTable
	table.compile(s, slog.New(slog.DiscardHandler))
	for b.Loop() {
		table.compile(s, slog.New(slog.DiscardHandler))
	}
}
