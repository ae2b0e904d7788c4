package verdict

import (
	"os"
	"path/filepath"
	"testing"

	"purser/api/admin"
	"purser/jepsen-style-tests/outside/history"
)

func (m *made) read(at, limit, spent int64) *history.Change {
	c := m.change("read", "all", limit, at, at+1)
	c.Found, c.Accounts = true, []admin.Account{account("all", "", limit, spent, 0)}
	return c
}

// told puts a change into the audit trail.
func (m *made) told(action, target, after string) {
	m.end.Audit = append(m.end.Audit, history.Audit{Seq: uint64(len(m.end.Audit) + 1), Action: action, Target: target, After: []byte(after)})
}

func TestC7SeesReadsInNoOrder(t *testing.T) {
	founded := func(m *made) { m.told("budget.put", "budget/all", `{"unit":"usd","limit":"0.0002"}`) }
	put := func(m *made, limit, begun, ended int64, text string) *history.Change {
		c := m.change("limit", "all", limit, begun, ended)
		m.told("budget.put", "budget/all", `{"unit":"usd","limit":"`+text+`"}`)
		return c
	}
	eachBut(t, "", []spoilt{
		{"the limit of before, after another was acknowledged", func(m *made) {
			put(m, 200_000, -10, -9, "0.0002")
			put(m, 300_000, 10, 20, "0.0003")
			m.read(30, 200_000, 0)
		}, []string{"C7: no order explains the 3 changes and reads of budget all"}},
		{"while it changes either is right", func(m *made) {
			put(m, 200_000, -10, -9, "0.0002")
			put(m, 300_000, 10, 20, "0.0003")
			m.read(15, 200_000, 0)
			m.read(16, 300_000, 0)
		}, nil},
		{"but not back again", func(m *made) {
			put(m, 200_000, -10, -9, "0.0002")
			put(m, 300_000, 10, 20, "0.0003")
			m.read(15, 300_000, 0)
			m.read(17, 200_000, 0)
		}, []string{"C7: no order"}},
		{"a change without an answer may come late", func(m *made) {
			put(m, 200_000, -10, -9, "0.0002")
			c := put(m, 300_000, 10, 20, "0.0003")
			c.OK, c.Known = false, false
			m.read(30, 200_000, 0)
			m.read(40, 300_000, 0)
		}, nil},
		{"one that is not in the trail never does", func(m *made) {
			put(m, 200_000, -10, -9, "0.0002")
			c := m.change("limit", "all", 300_000, 10, 20)
			c.OK, c.Known = false, false
			m.read(40, 300_000, 0)
		}, []string{"C7: no order"}},
		{"one that was refused has no effect", func(m *made) {
			put(m, 200_000, -10, -9, "0.0002")
			m.change("limit", "all", 300_000, 10, 20).OK = false
			m.read(40, 300_000, 0)
		}, []string{"C7: no order"}},
		{"what is spent shrinks, in another session", func(m *made) {
			founded(m)
			m.read(10, 200_000, 50).Session = 1
			m.read(20, 200_000, 40).Session = 2
		}, []string{"C7: no order"}},
		{"a budget that is gone", func(m *made) {
			founded(m)
			m.change("delete", "all", 0, 60*second, 61*second)
			m.told("budget.delete", "budget/all", "")
			m.read(62*second, 200_000, 0)
		}, []string{"C7: no order"}},
		{"a budget that is there, and is not found", func(m *made) {
			founded(m)
			c := m.read(10, 200_000, 0)
			c.Found, c.Limit, c.Accounts = false, 0, nil
		}, []string{"C7: no order"}},
		{"acknowledged, and not in the trail", func(m *made) { m.change("limit", "all", 300_000, 10, 20) }, []string{"C7: change 1 (limit of all, limit 300000) was acknowledged by  and is not in the audit trail"}},
		{"after a restore the limit is that of the backup", func(m *made) {
			put(m, 300_000, 10, 20, "0.0003")
			m.read(40, 200_000, 0)
			m.fault("restore-backup", "raft", 30, 35, "n1", "n2", "n3")
		}, nil},
		{"a revocation that is not in the trail", func(m *made) { m.change("revoke", "key-9", 0, 10, 20) }, []string{"C7: change 1 (revoke of key-9"}},
		{"a revocation that is", func(m *made) { m.change("revoke", "key-9", 0, 10, 20); m.told("key.revoke", "key/key-9", "") }, nil},
	})
}

func TestManyReadsAreThinned(t *testing.T) {
	m := good(t)
	for i := range int64(3 * mostReads) {
		m.read(10*i, 200_000, i)
	}
	m.change("limit", "all", 300_000, 5, 6)
	steps := newBook(m.h, m.end).steps(nil)["all"]
	if len(steps) != mostReads+1 {
		t.Fatalf("%d steps, want %d and a change", len(steps), mostReads)
	}
	if last := steps[len(steps)-2].Input.(look); last.spent < 3*mostReads-3 {
		t.Errorf("the last read that is left is %+v", last)
	}
}

func TestWhatHasNoOrderIsDrawn(t *testing.T) {
	m := good(t)
	m.read(10, 200_000, 50)
	m.read(20, 200_000, 40).Session = 2
	file := filepath.Join(t.TempDir(), "all.html")
	if err := Draw(m.h, m.end, func(string) string { return file }); err != nil {
		t.Fatal(err)
	}
	if info, err := os.Stat(file); err != nil || info.Size() == 0 {
		t.Errorf("there is no page: %v", err)
	}
}

func TestIdempotencyKeysSendOnce(t *testing.T) {
	again := func(m *made, change func(*history.Request)) {
		m.h.Requests[4].Idem = "idem-1"
		r := m.h.Requests[4]
		r.Try, r.Node, r.Replayed, r.RequestID = 1, "n3", true, "req_again"
		r.Begun, r.Ended = r.Begun+second, r.Ended+second
		change(&r)
		m.h.Requests = append(m.h.Requests, r)
	}
	each(t, []spoilt{
		{"the same answer", func(m *made) { again(m, func(*history.Request) {}) }, nil},
		{"another answer", func(m *made) { again(m, func(r *history.Request) { r.Digest = "other" }) }, []string{"idempotency: op-4 was answered in another way by n3"}},
		{"another answer, of nodes that begin with an older build", func(m *made) {
			m.h.Meta.Older = "v0"
			again(m, func(r *history.Request) { r.Digest = "other" })
		}, nil},
		{"another body, refused", func(m *made) {
			again(m, func(r *history.Request) {
				r.ID, r.Clash, r.Status, r.Code = "op-x", true, 422, "idempotency_key_reused"
			})
		}, nil},
		{"another body, answered", func(m *made) { again(m, func(r *history.Request) { r.ID, r.Clash = "op-x", true }) }, []string{"idempotency: op-x has the key idem-1 of another body"}},
		{"sent twice", func(m *made) {
			again(m, func(*history.Request) {})
			m.more(4, "req_again", 0, 5e9)
			m.end.Records = append(m.end.Records, history.Record{ID: "req_again", Attempt: 1, Basis: "reported"})
		}, []string{"idempotency: op-4 was sent twice under the key idem-1: as req_0004 and as req_again"}},
		{"two attempts of one request", func(m *made) {
			again(m, func(*history.Request) {})
			m.more(4, "req_0004", 0, 5e9)
			m.end.Rows[calls].ClientRequestID = "req_0004-2"
			m.end.Records = append(m.end.Records, history.Record{ID: "req_0004", Attempt: 2, Basis: "reported"})
		}, nil},
	})
}

func TestRevokedKeysEnd(t *testing.T) {
	revoke := func(m *made, at int64) {
		m.h.Requests = append(m.h.Requests, history.Request{ID: "late", Node: "n2", Key: "gone", Begun: 40 * second, Ended: 41 * second, Status: 200})
		m.change("revoke", "gone", 0, at-1, at)
		m.told("key.revoke", "key/gone", "")
	}
	each(t, []spoilt{
		{"at once", func(m *made) { revoke(m, 39*second) }, nil},
		{"too late", func(m *made) { revoke(m, 35*second) }, []string{"revocation: late was run by n2 with key gone, 5s after"}},
		{"a node that is cut off", func(m *made) { revoke(m, 35*second); m.fault("split", "network", 34*second, 41*second) }, nil},
		{"a node that is cut off, later than it may", func(m *made) { revoke(m, 20*second); m.fault("split", "network", 19*second, 41*second) }, []string{"revocation"}},
		{"refused", func(m *made) { revoke(m, 20*second); m.h.Requests[calls].Status = 401 }, nil},
	})
}
