package e2e

import (
	"context"
	"encoding/base64"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"net/http"
	"net/http/httptest"
	"os/exec"
	"strings"
	"sync"
	"syscall"
	"testing"
	"time"

	"purser/api/admin"
	"purser/internal/alert"
)

// ear is a receiver of alerts. It verifies each and keeps them by id.
type ear struct {
	*httptest.Server
	t       *testing.T
	key     []byte
	mu      sync.Mutex
	events  map[string]alert.Envelope
	times   map[string]int // how many attempts at an event it took
	inside  map[string]int
	overlap int // attempts at an event while another one was under way
	took    int
	arrived chan struct{} // is told each
	slow    time.Duration // of an answer
	down    bool
}

func newEar(t *testing.T) *ear {
	e := &ear{t: t, key: []byte(strings.Repeat("e", 32)), events: map[string]alert.Envelope{}, times: map[string]int{}, inside: map[string]int{}, arrived: make(chan struct{}, 1)}
	e.Server = httptest.NewServer(http.HandlerFunc(e.hear))
	t.Cleanup(e.Close)
	return e
}

func (e *ear) secret() string { return "whsec_" + base64.StdEncoding.EncodeToString(e.key) }

func (e *ear) hear(w http.ResponseWriter, r *http.Request) {
	body, err := io.ReadAll(r.Body)
	if err != nil {
		return // broken off
	}
	var in alert.Envelope
	id, err := alert.Verify(r.Header, body, e.key, time.Now(), time.Minute)
	if err == nil {
		err = json.Unmarshal(body, &in)
	}
	if err != nil || id != in.ID {
		e.t.Errorf("an alert that is none: %v: %s", err, body)
		w.WriteHeader(http.StatusBadRequest)
		return
	}
	e.mu.Lock()
	if e.inside[id] > 0 {
		e.overlap++
	}
	e.inside[id]++
	down, slow := e.down, e.slow
	e.mu.Unlock()
	select {
	case <-time.After(slow):
	case <-r.Context().Done():
	}
	e.mu.Lock()
	e.inside[id]--
	if !down {
		e.events[id], e.took = in, e.took+1
		e.times[id]++
	}
	e.mu.Unlock()
	select {
	case e.arrived <- struct{}{}:
	default:
	}
	if down {
		w.WriteHeader(http.StatusServiceUnavailable)
	}
}

func (e *ear) set(change func(*ear)) {
	e.mu.Lock()
	defer e.mu.Unlock()
	change(e)
}

// of are the events of a type, by the value of a field of their data.
func (e *ear) of(kind, field string) map[string]int {
	e.mu.Lock()
	defer e.mu.Unlock()
	out := map[string]int{}
	for _, in := range e.events {
		if in.Type != kind {
			continue
		}
		from, name := in.Data, field
		if dim, ok := strings.CutPrefix(field, "split."); ok {
			from, _ = in.Data["split"].(map[string]any)
			name = dim
		}
		out[fmt.Sprint(from[name])]++
	}
	return out
}

func (r *rig) object(kind, id string, spec any) {
	r.t.Helper()
	b, err := json.Marshal(spec)
	if err == nil {
		_, err = r.admin.PutObject(context.Background(), kind, id, nil, b)
	}
	if err != nil {
		r.t.Fatal(err)
	}
}

func alertsConfig(e *ear) string {
	return fmt.Sprintf("alerts:\n  allow_private: true\n  unreachable_after: 2s\n  secrets:\n    ear: %s\n    slack: %s/slack\n", e.secret(), e.URL)
}

// eachCustomer takes four requests of each customer a day, and says so at the second.
func eachCustomer() admin.Budget {
	return admin.Budget{ID: "each", Unit: "requests", Limit: "4", Window: "day", Each: []string{"customer"}, Alerts: []int{50, 100}}
}

func (r *rig) spend(key, customer, text string, want int) {
	r.t.Helper()
	body := fmt.Sprintf(`{"model":"gpt-4o-mini","max_completion_tokens":5,"messages":[{"role":"user","content":%q}]}`, text)
	if status, answer, _ := r.ask(key, body, "x-purser-customer", customer); status != want {
		r.t.Fatalf("%s: status %d, want %d: %s", customer, status, want, answer)
	}
}

func TestAlertsOfANode(t *testing.T) {
	e := newEar(t)
	r := newRig(t, rigOptions{config: alertsConfig(e)})
	r.object("webhooks", "ear", alert.Spec{URL: e.URL, AllowHTTP: true, Secret: "ear"})
	r.object("webhooks", "other", alert.Spec{URL: e.URL, AllowHTTP: true, Secret: "ear", Events: []string{"node.*"}})
	r.budget(eachCustomer())
	key := r.key(admin.NewKey{Name: "k", CacheOff: true, Expires: time.Now().Add(48 * time.Hour).UTC().Format(time.RFC3339)})

	out, err := exec.Command(binary, "alerts", "test", "ear", "--url", r.url, "--token", adminToken).CombinedOutput()
	if err != nil || !strings.Contains(string(out), "delivered") {
		t.Fatalf("alerts test: %v\n%s", err, out)
	}
	if said := r.refused("alerts", "test", "nobody", "--url", r.url, "--token", adminToken); !strings.Contains(said, `no webhook "nobody"`) {
		t.Errorf("a test of nobody: %s", said)
	}

	r.spend(key.Secret, "acme", "a", http.StatusOK)
	r.spend(key.Secret, "acme", "b", http.StatusOK)
	r.spend(key.Secret, "zeta", "a", http.StatusOK)
	r.eventually("half of acme's budget is told", func() error { return gotOnly(e.of(alert.BudgetLevel, "level"), "50") })
	if got := e.of(alert.BudgetLevel, "split.customer"); got["zeta"] != 0 {
		t.Errorf("zeta's is told too: %v", got)
	}

	e.set(func(e *ear) { e.down = true })
	r.spend(key.Secret, "acme", "c", http.StatusOK)
	r.spend(key.Secret, "acme", "d", http.StatusOK)
	r.spend(key.Secret, "acme", "e", http.StatusTooManyRequests)
	r.eventually("what was not taken is shown", func() error {
		list, err := r.admin.ListDeliveries(context.Background(), admin.DeliveryQuery{Webhook: "ear", State: "pending"})
		if err != nil {
			return err
		}
		if len(list) == 0 || list[0].Status != http.StatusServiceUnavailable || list[0].Fault != "status" {
			return fmt.Errorf("%+v", list)
		}
		return nil
	})
	e.set(func(e *ear) { e.down = false })
	for range 12 { // until the circuit breaker opens
		r.ask(key.Secret, `{"model":"gpt-4o-mini","max_completion_tokens":5,"messages":[{"role":"user","content":"x"}]}`, "x-sim-mode", "500")
	}
	r.eventually("everything comes when the receiver is back", func() error {
		return errors.Join(
			gotOnly(e.of(alert.BudgetExhausted, "budget"), "each"), gotOnly(e.of(alert.UpstreamDown, "upstream"), "sim"),
			gotOnly(e.of(alert.KeyExpiring, "name"), "k"), gotOnly(e.of(alert.BudgetLevel, "level"), "50", "100"))
	})

	r.eventually("all is delivered", r.nothingOpen)
	e.set(func(e *ear) { clear(e.events); clear(e.times) })
	r.stopNode()
	r.startNode()
	r.eventually("the upstream is up for the new process", func() error { return gotOnly(e.of(alert.UpstreamUp, "upstream"), "sim") })
	r.eventually("all is delivered", r.nothingOpen)
	e.mu.Lock()
	defer e.mu.Unlock()
	if len(e.events) != 1 {
		t.Errorf("a restart tells again: %v", e.events)
	}
	for id, n := range e.times {
		if n != 1 {
			t.Errorf("%s came %d times", id, n)
		}
	}
	list, err := r.admin.ListAlerts(context.Background(), 100)
	if err != nil || len(list) < 7 {
		t.Errorf("%d alerts are remembered, %v", len(list), err)
	}
}

// gotOnly compares the values that events had with those that are wanted, once each.
func gotOnly(got map[string]int, want ...string) error {
	for _, v := range want {
		if got[v] != 1 {
			return fmt.Errorf("%v, want %v", got, want)
		}
	}
	if len(got) != len(want) {
		return fmt.Errorf("%v, want %v", got, want)
	}
	return nil
}

func (r *rig) nothingOpen() error {
	list, err := r.admin.ListAlerts(context.Background(), 2048)
	if err != nil {
		return err
	}
	for _, a := range list {
		if a.Open {
			return fmt.Errorf("%s is open: %s", a.ID, a.Summary)
		}
	}
	return nil
}

// TestAlertsArriveWhenTheLeaderIsKilled: three nodes; the leader is killed while it
// delivers, and what it was asked to tell arrives from the next one.
func TestAlertsArriveWhenTheLeaderIsKilled(t *testing.T) {
	const customers = 30
	e := newEar(t)
	e.slow = 200 * time.Millisecond
	r := newRig(t, rigOptions{cluster: true, config: alertsConfig(e)})
	first := &peer{id: "e2e-1", url: r.url, process: r.node, admin: r.admin}
	r.joined, r.node = append(r.joined, r.node), nil
	peers := []*peer{first, r.join("e2e-2"), r.join("e2e-3")}
	r.votes("e2e-1", "e2e-2", "e2e-3")
	r.object("webhooks", "ear", alert.Spec{URL: e.URL, AllowHTTP: true, Secret: "ear"})
	r.budget(eachCustomer())
	r.budget(usd("cap", "10"))
	key := r.key(admin.NewKey{Name: "k", CacheOff: true})
	for _, p := range peers {
		r.eventually(p.id+" serves", func() error {
			if status := r.askAt(p.url, key.Secret, "warm up "+p.id); status != http.StatusOK {
				return fmt.Errorf("status %d", status)
			}
			return nil
		})
	}
	for i := range customers {
		for _, text := range []string{"a", "b"} {
			r.spend(key.Secret, fmt.Sprint("c", i), text, http.StatusOK)
		}
	}
	r.eventually("all are raised, and some are told", func() error {
		list, err := r.admin.ListAlerts(context.Background(), 2048)
		if err != nil {
			return err
		}
		raised := 0
		for _, a := range list {
			if a.Type == alert.BudgetLevel {
				raised++
			}
		}
		if told := len(e.of(alert.BudgetLevel, "split.customer")); raised < customers || told < 3 {
			return fmt.Errorf("%d raised, %d told", raised, told)
		}
		return nil
	})
	leader := leading(peers)
	if leader == nil {
		t.Fatal("none leads")
	}
	before := len(e.of(alert.BudgetLevel, "split.customer"))
	r.askAt(leader.url, key.Secret, "so that it holds something")
	r.kill(leader)
	for _, p := range peers {
		if p != leader {
			r.url, r.admin = p.url, p.admin
		}
	}
	r.eventually("every customer's level is told", func() error {
		got := e.of(alert.BudgetLevel, "split.customer")
		if len(got) != customers {
			return fmt.Errorf("%d of %d", len(got), customers)
		}
		for c, n := range got {
			if n != 1 {
				return fmt.Errorf("%s has %d events", c, n)
			}
		}
		return nil
	})
	r.eventually("what the dead leader holds is told", func() error {
		return gotOnly(e.of(alert.AllowanceUnreachable, "node"), leader.id)
	})
	r.eventually("all is delivered and noted", r.nothingOpen)
	e.mu.Lock()
	defer e.mu.Unlock()
	again := e.took - len(e.times)
	t.Logf("%d of %d were told before the kill; %d came twice, %d while another attempt was under way", before, customers, again, e.overlap)
	if e.overlap > 1 {
		t.Errorf("%d attempts at an event from two nodes at once", e.overlap)
	}
	if before == customers || again > 10 {
		t.Errorf("%d came before the kill, and %d twice: nothing was under way, or more than that", before, again)
	}
}

// TestAlertingDelaysNoRequest: with a receiver that never answers.
func TestAlertingDelaysNoRequest(t *testing.T) {
	e := newEar(t)
	e.slow = time.Hour
	r := newRig(t, rigOptions{config: alertsConfig(e), purse: "  admission_wait: 5s\n"})
	r.object("webhooks", "ear", alert.Spec{URL: e.URL, AllowHTTP: true, Secret: "ear"})
	r.budget(eachCustomer())
	key := r.key(admin.NewKey{Name: "k", CacheOff: true})
	for i := range 20 {
		r.spend(key.Secret, fmt.Sprint("c", i), "a", http.StatusOK)
		r.spend(key.Secret, fmt.Sprint("c", i), "b", http.StatusOK)
	}
	r.eventually("the receiver is asked", func() error {
		e.mu.Lock()
		defer e.mu.Unlock()
		if len(e.inside) == 0 {
			return errors.New("it is not")
		}
		return nil
	})
	began := time.Now()
	for i := range 20 {
		r.spend(key.Secret, fmt.Sprint("c", i), "c", http.StatusOK)
	}
	if took := time.Since(began); took > 5*time.Second {
		t.Errorf("20 requests took %v", took)
	}
	began = time.Now()
	if err := r.node.signal(t, syscall.SIGTERM); err != nil {
		t.Errorf("the node ended badly: %v", err)
	}
	r.node = nil
	if took := time.Since(began); took > 8*time.Second {
		t.Errorf("it took %v to stop", took)
	}
}
