package node

import (
	"context"
	"crypto/ecdsa"
	"crypto/elliptic"
	"crypto/rand"
	"crypto/x509"
	"encoding/pem"
	"errors"
	"fmt"
	"log/slog"
	"math/big"
	"os"
	"path/filepath"
	"strings"
	"testing"
	"time"

	"github.com/hashicorp/raft"

	"purser/api/pb"
	"purser/internal/alert"
	"purser/internal/alerting"
	"purser/internal/directory"
	"purser/internal/purse"
	"purser/ledger"
	"purser/raftfsm"
)

// entries is a log of this process alone.
type entries struct {
	fsm    *raftfsm.FSM
	index  uint64
	broken bool
}

func (e *entries) Apply(entry []byte, _ time.Duration) (any, error) {
	if e.broken {
		return nil, errors.New("no quorum")
	}
	e.index++
	return e.fsm.Apply(&raft.Log{Index: e.index, Data: entry}), nil
}

// teller is the part of a node that raises alerts, over a log of its own.
func teller(t testing.TB) (*alerts, *entries) {
	t.Helper()
	n := &Node{cfg: Default(), log: slog.New(slog.DiscardHandler), fsm: raftfsm.New()}
	log := &entries{fsm: n.fsm}
	n.proposer = raftfsm.NewProposer(log, n.fsm, raftfsm.SystemClock(), nil)
	t.Cleanup(n.proposer.Close)
	a := &alerts{n: n, patience: alert.DefaultPatience(), refused: map[ledger.AccountKey]refusal{}, known: map[ledger.AccountKey]bool{}}
	a.dispatcher = alerting.NewDispatcher(alerting.Seams{})
	n.alerts = a
	return a, log
}

func (a *alerts) told() (out []string) {
	for _, e := range a.n.fsm.Directory().Alerts() {
		out = append(out, e.Type)
	}
	return out
}

func day(t testing.TB, a *alerts, budget ledger.Budget) ledger.AccountKey {
	t.Helper()
	budget.Window = ledger.Window{Kind: ledger.PerDay}
	if out, err := a.n.proposer.Propose(t.Context(), ledger.PutBudget{Budget: budget}); err != nil || out.Code != ledger.Applied {
		t.Fatalf("%+v, %v", out, err)
	}
	start, _ := budget.Window.Bounds(now())
	return ledger.AccountKey{Budget: budget.ID, Start: start}
}

func TestARefusalIsToldOnce(t *testing.T) {
	a, log := teller(t)
	account := day(t, a, ledger.Budget{ID: "cap", Unit: ledger.USD, Limit: 1000})
	refusal := func(code purse.RefusalCode) *purse.Refusal {
		return &purse.Refusal{Code: code, Account: account, Budget: "cap", Unit: ledger.USD, Limit: 1000, Spent: 800, Held: 100, Unreachable: 50}
	}
	a.refuse(refusal(purse.Contended))
	a.tellEvents(t.Context())
	if got := a.told(); len(got) != 0 {
		t.Fatalf("told %v of a wait", got)
	}
	for range 3 {
		a.refuse(refusal(purse.Exhausted))
	}
	log.broken = true
	a.tellEvents(t.Context())
	log.broken = false
	a.tellEvents(t.Context())
	if got := a.told(); len(got) != 1 || got[0] != alert.BudgetExhausted {
		t.Fatalf("told %v", got)
	}
	before := log.index
	a.refuse(refusal(purse.Exhausted))
	a.tellEvents(t.Context())
	if log.index != before {
		t.Error("proposed again what is known")
	}
	unknown := refusal(purse.Exhausted)
	unknown.Account.Budget = "deleted"
	a.refuse(unknown)
	a.tellEvents(t.Context())
	if got := a.told(); len(got) != 1 {
		t.Errorf("told %v", got)
	}
}

func TestWhatTheRequestPathSeesIsBounded(t *testing.T) {
	a, _ := teller(t)
	for i := range maxRefused + 10 {
		a.refuse(&purse.Refusal{Code: purse.Exhausted, Account: ledger.AccountKey{Budget: ledger.BudgetID(fmt.Sprint(i))}})
	}
	for i := range maxPending + 10 {
		a.Raise("loop_detected", fmt.Sprint("run ", i), map[string]string{"cause": "repeats"})
	}
	if len(a.refused) != maxRefused || len(a.pending) != maxPending || a.dropped != 10 {
		t.Errorf("%d refusals, %d pending, %d dropped", len(a.refused), len(a.pending), a.dropped)
	}
	a.tellEvents(t.Context())
	if got := a.told(); len(got) != maxPending || len(a.pending) != 0 {
		t.Errorf("%d told, %d pending", len(got), len(a.pending))
	}
	a.Raise("loop_detected", "run 1", map[string]string{"cause": "repeats"})
	a.Raise("something else", "run 1", nil)
	a.tellEvents(t.Context())
	if got := a.told(); len(got) != maxPending {
		t.Error("what several nodes see is told twice")
	}
}

// TestNothingIsRaisedWhileThereIsNoRoom: and everything when there is.
func TestNothingIsRaisedWhileThereIsNoRoom(t *testing.T) {
	a, _ := teller(t)
	fill := func() (seqs []uint64) {
		for i := 0; a.n.fsm.Directory().OpenAlerts() < directory.MaxOpenAlerts; i++ {
			r, err := alert.Once(fmt.Sprint("fill/", i), now(), alert.Notice{Type: alert.LoopDetected, Severity: alert.Info, Summary: "s"})
			if err != nil || !a.propose(t.Context(), []directory.Raise{r}) {
				t.Fatal(err)
			}
		}
		for _, e := range a.n.fsm.Directory().Alerts() {
			seqs = append(seqs, e.Seq)
		}
		return seqs
	}
	seqs := fill()
	down := alert.Node{ID: "n2", Silent: ledger.Hour}
	conditions := a.patience.Node(nil, &down, now())
	if a.news(t.Context(), conditions) {
		t.Error("there was room")
	}
	if out, err := a.n.proposer.ProposeDirectory(t.Context(), directory.NoteDeliveries{Closed: seqs[:2]}); err != nil || out.Code != directory.Applied {
		t.Fatal(out, err)
	}
	for range 2 { // the second time there is nothing new
		if !a.news(t.Context(), conditions) {
			t.Error("there was no room")
		}
	}
	if got := a.told(); got[len(got)-1] != alert.NodeDown || len(got) != len(seqs)+1 {
		t.Errorf("%d told, the last of type %s", len(got), got[len(got)-1])
	}
}

func TestAccountsAndKeysAreLookedAt(t *testing.T) {
	a, _ := teller(t)
	account := day(t, a, ledger.Budget{ID: "cap", Unit: ledger.USD, Limit: 1000, Alerts: []uint8{50}})
	spend(t, a, account, 1, 600, 0)
	ends := now() + 3*ledger.Day
	for i, k := range []directory.Key{{ID: "soon", Expires: ends}, {ID: "later", Expires: now() + 30*ledger.Day}, {ID: "gone", Expires: ends}} {
		k.Hash[0] = byte(i + 1)
		if out, err := a.n.proposer.ProposeDirectory(t.Context(), directory.PutKey{Key: k}); err != nil || out.Code != directory.Applied {
			t.Fatal(out, err)
		}
	}
	if out, err := a.n.proposer.ProposeDirectory(t.Context(), directory.RevokeKey{ID: "gone"}); err != nil || out.Code != directory.Applied {
		t.Fatal(out, err)
	}
	for range 2 {
		a.lookAtAccounts(t.Context())
		a.lookAtKeys(t.Context())
	}
	if got := strings.Join(a.told(), " "); got != alert.BudgetLevel+" "+alert.KeyExpiring {
		t.Errorf("told %s", got)
	}
}

// spend has node n2 spend and hold of an account.
func spend(t *testing.T, a *alerts, account ledger.AccountKey, seq uint64, spent, held ledger.Amount) {
	t.Helper()
	if seq == 1 {
		if out, err := a.n.proposer.Propose(t.Context(), ledger.Register{Node: "n2", Store: ledger.StoreID{2}}); err != nil || out.Code != ledger.Applied {
			t.Fatal(out, err)
		}
	}
	ask := &ledger.Exchange{Node: "n2", Incarnation: 1, Seq: seq, Rows: []ledger.Row{{Account: account}}, Needs: []ledger.Need{{Claims: []ledger.Claim{{Missing: spent + held}}}}}
	if out, err := a.n.proposer.Propose(t.Context(), ask); err != nil || out.Code != ledger.Applied {
		t.Fatal(out, err)
	}
	l, _ := a.n.fsm.Ledger().Lease(account, "n2")
	report := &ledger.Exchange{Node: "n2", Incarnation: 1, Seq: seq + 1, Rows: []ledger.Row{{Account: account, Spent: spent, Returned: l.Granted - spent - held}}}
	if out, err := a.n.proposer.Propose(t.Context(), report); err != nil || out.Code != ledger.Applied {
		t.Fatal(out, err)
	}
}

func TestWhatANodeThatIsGoneHolds(t *testing.T) {
	a, _ := teller(t)
	account := day(t, a, ledger.Budget{ID: "cap", Unit: ledger.USD, Limit: 1000})
	spend(t, a, account, 1, 600, 70)
	list := []alert.Node{{ID: "n2", Silent: ledger.Hour}, {ID: "n3", Silent: ledger.Hour}, {ID: "n4"}}
	a.holdings(list)
	if list[0].Holds["usd"] != 70 || len(list[1].Holds) != 0 || list[2].Holds != nil {
		t.Errorf("%+v", list)
	}
	if out, err := a.n.proposer.Propose(t.Context(), ledger.Fence{Node: "n2"}); err != nil || out.Code != ledger.Applied {
		t.Fatal(out, err)
	}
	seen := map[string]*sighting{}
	at := time.Now()
	n := a.node(&directory.Node{ID: "n2", State: directory.NodeRemoved}, nil, seen, at, at)
	if !n.Fenced || !n.Removed || n.Answers || n.Silent == 0 {
		t.Errorf("%+v", n)
	}
	n = a.node(&directory.Node{ID: "n2"}, &pb.ProgressReply{Clock: at.Add(5 * time.Second).UnixNano()}, seen, at.Add(-time.Second), at.Add(time.Second))
	if !n.Answers || n.Silent != 0 || n.Ahead != 5*ledger.Second {
		t.Errorf("%+v", n)
	}
}

func TestANodeRepeatsOnlyWhatChanged(t *testing.T) {
	a, log := teller(t)
	said := map[string]told{}
	in := func(days ledger.Instant) []alert.Condition {
		return []alert.Condition{
			a.patience.Certificate(&alert.Certificate{Name: "n1/listen", Node: "n1", Ends: now() + days*ledger.Day}, now()),
			a.patience.Upstream(&alert.Upstream{Node: "n1", Name: "openai"}, now()),
		}
	}
	at := time.Now()
	a.tellState(t.Context(), said, in(10), at)
	first := log.index
	a.tellState(t.Context(), said, in(10), at.Add(time.Minute))
	if got := a.told(); len(got) != 1 || got[0] != alert.CertificateExpiring || log.index != first || first != 1 {
		t.Fatalf("told %v in %d entries", got, log.index)
	}
	log.broken = true
	a.tellState(t.Context(), said, in(80), at.Add(2*time.Minute))
	log.broken = false
	a.tellState(t.Context(), said, in(80), at.Add(3*time.Minute))
	if got := a.told(); len(got) != 2 || got[1] != alert.CertificateRenewed {
		t.Errorf("told %v", got)
	}
	before := log.index
	a.tellState(t.Context(), said, in(80), at.Add(3*time.Minute+repeatAfter))
	if log.index != before+1 || len(a.told()) != 2 {
		t.Errorf("what may be forgotten is not proposed again, or told twice: %v", a.told())
	}
}

func TestWebhooksAreReadAgainWhenTheyChange(t *testing.T) {
	a, _ := teller(t)
	a.n.cfg.Alerts.Secrets = map[string]string{"ops": "whsec_" + strings.Repeat("QUFB", 8)}
	put := func(id, spec string) {
		c := directory.PutObject{Ref: directory.Ref{Kind: directory.ObjectWebhook, ID: id}, Expect: directory.AnyVersion, Spec: []byte(spec)}
		if out, err := a.n.proposer.ProposeDirectory(context.Background(), c); err != nil || out.Code != directory.Applied {
			t.Fatal(out, err)
		}
	}
	if len(a.webhooks()) != 0 {
		t.Error("there are some")
	}
	put("b", `{"url":"https://example.com/","secret":"ops"}`)
	put("a", `{"url":"https://example.com/","secret":"nowhere"}`)
	put("c", `{"pigeon":true}`)
	list := a.webhooks()
	if len(list) != 2 || list[0].ID != "a" || !list[0].Broken || list[1].ID != "b" || list[1].Broken || len(list[1].Keys) != 1 {
		t.Fatalf("%+v", list)
	}
	if again := a.webhooks(); &again[0] != &list[0] {
		t.Error("they are read at each look")
	}
	for i := range alert.MaxWebhooks {
		put(fmt.Sprint("0", i), `{"url_secret":"x","form":"slack"}`)
	}
	list = a.webhooks()
	if len(list) != alert.MaxWebhooks || list[0].Created > list[len(list)-1].Created {
		t.Errorf("%d webhooks", len(list))
	}
	for _, id := range []string{"a", "b"} {
		found := false
		for _, w := range list {
			found = found || w.ID == id
		}
		if !found {
			t.Errorf("%s has lost its place to a newer one", id)
		}
	}
}

func TestTheEndOfACertificateFile(t *testing.T) {
	key, err := ecdsa.GenerateKey(elliptic.P256(), rand.Reader)
	if err != nil {
		t.Fatal(err)
	}
	ends := time.Now().Add(time.Hour).Truncate(time.Second)
	der, err := x509.CreateCertificate(rand.Reader, &x509.Certificate{SerialNumber: big.NewInt(1), NotAfter: ends}, &x509.Certificate{SerialNumber: big.NewInt(1)}, &key.PublicKey, key)
	if err != nil {
		t.Fatal(err)
	}
	dir := t.TempDir()
	good, bad, none := filepath.Join(dir, "good"), filepath.Join(dir, "bad"), filepath.Join(dir, "none")
	for file, b := range map[string][]byte{good: pem.EncodeToMemory(&pem.Block{Type: "CERTIFICATE", Bytes: der}), bad: pem.EncodeToMemory(&pem.Block{Type: "CERTIFICATE", Bytes: der[1:]}), none: []byte("x")} {
		if err := os.WriteFile(file, b, 0o600); err != nil {
			t.Fatal(err)
		}
	}
	if got, err := endOf(good); err != nil || got != ledger.Instant(ends.UnixNano()) {
		t.Errorf("%d, %v", got, err)
	}
	for _, file := range []string{bad, none, filepath.Join(dir, "absent")} {
		if _, err := endOf(file); err == nil {
			t.Errorf("%s has an end", file)
		}
	}
}

// BenchmarkLookAtAccounts is one look of the leader at 200,000 accounts of which none
// has anything new.
func BenchmarkLookAtAccounts(b *testing.B) {
	const accounts = 200_000
	a, _ := teller(b)
	account := day(b, a, ledger.Budget{ID: "each", Unit: ledger.USD, Limit: 1000, Alerts: []uint8{50, 80}, Each: []ledger.DimRef{{Dim: ledger.DimCustomer}}})
	propose := func(c ledger.Command) {
		if out, err := a.n.proposer.Propose(b.Context(), c); err != nil || out.Code != ledger.Applied {
			b.Fatal(out, err)
		}
	}
	for i := 0; i < accounts; {
		node := ledger.NodeID(fmt.Sprint("n", i))
		propose(ledger.Register{Node: node, Store: ledger.StoreID{byte(i), byte(i >> 8), byte(i >> 16), 1}})
		for seq := range uint64(16) {
			x := &ledger.Exchange{Node: node, Incarnation: 1, Seq: seq + 1}
			for range ledger.MaxNeeds / 2 {
				account.Split = ledger.Split(fmt.Sprint("c", i))
				x.Needs = append(x.Needs, ledger.Need{Claims: []ledger.Claim{{Row: len(x.Rows), Missing: 10}}})
				x.Rows = append(x.Rows, ledger.Row{Account: account})
				i++
			}
			propose(x)
		}
	}
	for b.Loop() {
		a.lookAtAccounts(b.Context())
	}
	if len(a.told()) != 0 {
		b.Fatal("something was told")
	}
}
