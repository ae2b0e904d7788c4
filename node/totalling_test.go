package node

import (
	"context"
	"errors"
	"net/http"
	"strings"
	"testing"
	"testing/synctest"

	"purser/api/admin"
	"purser/internal/directory"
	"purser/internal/record"
	"purser/internal/usage"
	"purser/ledger"
	"purser/raftfsm"
)

// What a node has no answer to, because of what it keeps no more, is an answer to who asks:
// the question is refused with its words, and the node is not taken for one that is away.
func TestANodeThatCannotAnswerSaysWhy(t *testing.T) {
	n := recorded(t, nil)
	n.cfg.Cluster.Listen = "127.0.0.1:1" // so that it has copies
	n.fsm = raftfsm.New()
	n.openCopies()
	const day = 24 * ledger.Hour
	at := 100 * day
	for i := range ledger.Instant(10) {
		n.usage.Commit(usage.Entry{Record: &record.Record{ID: record.NewID(at + i*ledger.Hour), At: at, Cost: 5}})
	}
	if err := n.usage.Roller(usage.Own).Retain(t.Context(), usage.Retention{Records: day, Minutes: day, Hours: day, Days: 100 * day}, at+10*day); err != nil {
		t.Fatal(err)
	}
	ask := func(from ledger.Instant) (p toldTotals, err error) {
		query, err := usage.MarshalTotals(&usage.TotalsQuery{Range: usage.Range{From: from, To: at + 10*day}})
		if err != nil {
			t.Fatal(err)
		}
		body, err := questionOn(usage.Own, query, 0)
		if err != nil {
			t.Fatal(err)
		}
		return p, n.tellTotals(t.Context(), "asker", body, func(b []byte) error {
			if b[0] == pieceAlive || err != nil {
				return err
			}
			err = p.take(b[0], b[1:])
			return err
		})
	}
	if p, err := ask(at); err != nil || len(p.rows) == 0 {
		t.Errorf("of whole days: %d bytes of rows, %v", len(p.rows), err)
	}
	_, err := ask(at + ledger.Minute)
	if refused, ok := errors.AsType[usage.QueryError](err); !ok || !strings.Contains(string(refused), "by the day") {
		t.Errorf("of a part of a day: %v", err)
	}
}

// A question does not wait for its place for ever.
func TestAQuestionWaitsForItsPlaceSoLong(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		places := make(chan struct{}, 1)
		leave, err := enter(t.Context(), places)
		if err != nil {
			t.Fatal(err)
		}
		var fault *admin.Fault
		if _, err := enter(t.Context(), places); !errors.As(err, &fault) || fault.Code != "undecided" {
			t.Errorf("with none free: %v", err)
		}
		ctx, cancel := context.WithCancel(t.Context())
		cancel()
		if _, err := enter(ctx, places); !errors.Is(err, context.Canceled) {
			t.Errorf("of one who has gone: %v", err)
		}
		leave()
		if _, err := enter(t.Context(), places); err != nil {
			t.Error(err)
		}
	})
}

// What is not found is unknown, and not nothing, as long as a node is silent that is not gone
// for good.
func TestWhatASilentNodeMayHaveIsNotCalledUnknown(t *testing.T) {
	d := directory.New()
	for i, id := range []ledger.NodeID{"a", "b", "gone"} {
		token := directory.Hash{byte(i + 1)}
		d.Apply(1, directory.PutToken{Hash: token, Expires: 9})
		if out := d.Apply(1, directory.AdmitNode{Node: directory.Node{ID: id, Address: "x:1"}, Token: token}); out.Code != directory.Applied {
			t.Fatal(out)
		}
	}
	if out := d.Apply(1, directory.SetNode{ID: "gone", State: directory.NodeRemoved}); out.Code != directory.Applied {
		t.Fatal(out)
	}
	var fault *admin.Fault
	there := []admin.NodeAnswer{{Node: "a", By: "a"}, {Node: "b", By: "b"}, {Node: "gone", By: "b", MayLack: true}}
	if err := notFound(d, there, "no record"); !errors.As(err, &fault) || fault.Status != http.StatusNotFound {
		t.Errorf("with all there: %v", err)
	}
	for _, silent := range []admin.NodeAnswer{{Node: "b", By: "a", MayLack: true}, {Node: "b", Err: "it did not answer in time"}} {
		if err := notFound(d, []admin.NodeAnswer{there[0], silent}, "no record"); !errors.As(err, &fault) || fault.Status != http.StatusServiceUnavailable {
			t.Errorf("with %+v: %v", silent, err)
		}
	}
}
