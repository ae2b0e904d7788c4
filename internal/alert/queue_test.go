package alert

import (
	"fmt"
	"testing"

	"pgregory.net/rapid"

	"purser/internal/directory"
	"purser/ledger"
)

func open(seq uint64, at ledger.Instant, deliveries ...directory.Delivery) *directory.Alert {
	return &directory.Alert{Seq: seq, At: at, Open: true, Deliveries: deliveries}
}

var failed = Answer{Fault: "connection"}

func TestADeliveryIsTriedAgainAfterEverLongerWaits(t *testing.T) {
	q := NewQueue("w")
	q.Sync([]*directory.Alert{open(1, 0)})
	now, attempts := ledger.Instant(0), 0
	var waits []ledger.Instant // in seconds
	for {
		seq, ok := q.Next(now)
		if !ok {
			t.Fatalf("nothing is due after %d attempts", attempts)
		}
		if _, ok := q.Next(now); ok {
			t.Fatal("two attempts at once")
		}
		note, _ := q.Ended(seq, now, failed, 0.999999)
		attempts++
		if note.Attempts != uint32(attempts) || note.Last != now || note.Fault != "connection" {
			t.Fatalf("noted %+v", note)
		}
		if note.State == directory.DeliveryAbandoned {
			break
		}
		next := q.jobs[1].next
		waits = append(waits, (next-now+ledger.Second-1)/ledger.Second) // whole seconds, upwards
		if _, ok := q.Next(next - 1); ok {
			t.Fatal("tried too soon")
		}
		now = next
	}
	if got := fmt.Sprint(waits[:13]); got != "[1 2 4 8 16 32 64 128 256 512 1024 2048 3600]" {
		t.Errorf("waits %s", got)
	}
	if now < 22*ledger.Hour || now > ledger.Day || !q.Over(1) {
		t.Errorf("given up after %d hours", now/ledger.Hour)
	}
}

func TestJitterIsBetweenHalfAndTheWhole(t *testing.T) {
	for jitter, want := range map[float64]ledger.Instant{0: ledger.Second / 2, 0.5: ledger.Second * 3 / 4} {
		q := NewQueue("w")
		q.Sync([]*directory.Alert{open(1, 0)})
		q.Next(0)
		q.Ended(1, 0, failed, jitter)
		if got := q.jobs[1].next; got != want {
			t.Errorf("jitter %v: %d", jitter, got)
		}
	}
}

func TestTheReceiversWordsCount(t *testing.T) {
	for name, c := range map[string]struct {
		answer Answer
		state  directory.DeliveryState
		next   ledger.Instant // 0: whatever
	}{
		"taken":            {Answer{OK: true, Status: 204}, directory.DeliveryDone, 0},
		"gone":             {Answer{Gone: true, Status: 410, Fault: "gone"}, directory.DeliveryAbandoned, 0},
		"later":            {Answer{Status: 429, Fault: "status", RetryAfter: ledger.Minute}, directory.DeliveryPending, ledger.Minute},
		"much later":       {Answer{Status: 503, Fault: "status", RetryAfter: 48 * ledger.Hour}, directory.DeliveryPending, ledger.Hour},
		"sooner than that": {Answer{Status: 503, Fault: "status", RetryAfter: 1}, directory.DeliveryPending, ledger.Second / 2},
	} {
		q := NewQueue("w")
		q.Sync([]*directory.Alert{open(1, 0)})
		q.Next(0)
		note, ok := q.Ended(1, 0, c.answer, 0)
		if !ok || note.State != c.state || note.Status != c.answer.Status || c.next != 0 && q.jobs[1].next != c.next || q.Over(1) != (c.state != directory.DeliveryPending) {
			t.Errorf("%s: %+v, next %d", name, note, q.jobs[1].next)
		}
	}
}

func TestAReceiverThatIsDownIsTriedSeldom(t *testing.T) {
	q := NewQueue("w")
	var events []*directory.Alert
	for seq := range uint64(1000) {
		events = append(events, open(seq+1, 0))
	}
	q.Sync(events)
	attempts := 0
	for now := ledger.Instant(0); now < ledger.Hour; now += ledger.Second / 4 {
		if seq, ok := q.Next(now); ok {
			q.Ended(seq, now, failed, 0.5)
			attempts++
		}
	}
	if attempts < 300 || attempts > 380 {
		t.Errorf("%d attempts in an hour for 1000 events", attempts)
	}
	now, delivered := ledger.Hour, 0
	for ; delivered < 1000 && now < ledger.Hour+ledger.Minute; now += ledger.Second / 100 {
		if seq, ok := q.Next(now); ok {
			q.Ended(seq, now, Answer{OK: true}, 0)
			delivered++
		}
	}
	if delivered != 1000 {
		t.Errorf("%d delivered within a minute of its return", delivered)
	}
}

func TestOneEventThatIsRefusedKeepsNoneBack(t *testing.T) {
	q := NewQueue("w")
	q.Sync([]*directory.Alert{open(1, 0), open(2, 0), open(3, 0)})
	order := ""
	for now := ledger.Instant(0); now < 10*ledger.Second; now += ledger.Second / 10 {
		if seq, ok := q.Next(now); ok {
			order += fmt.Sprint(seq)
			q.Ended(seq, now, Answer{OK: seq != 1, Fault: "status", Status: 400}, 0)
		}
	}
	if order[:3] != "123" || q.Over(1) || !q.Over(2) || !q.Over(3) {
		t.Errorf("in the order %s", order)
	}
}

func TestANewLeaderGoesOnWhereTheOldOneStopped(t *testing.T) {
	q := NewQueue("w")
	q.Sync([]*directory.Alert{open(1, 0, directory.Delivery{Webhook: "w", State: directory.DeliveryPending, Attempts: 4, Last: 100 * ledger.Second})})
	if _, ok := q.Next(108*ledger.Second - 1); ok {
		t.Error("tried too soon")
	}
	if _, ok := q.Next(108 * ledger.Second); !ok {
		t.Fatal("not tried")
	}
	if note, _ := q.Ended(1, 108*ledger.Second, failed, 0); note.Attempts != 5 {
		t.Errorf("noted %+v", note)
	}
	q.Sync(nil)
	if _, ok := q.Next(ledger.Day); ok {
		t.Error("what was closed is tried")
	}
	q.busy = true
	if _, ok := q.Ended(1, 1, Answer{OK: true}, 0); ok {
		t.Error("what was closed is noted")
	}
}

func TestPlan(t *testing.T) {
	s := directory.New()
	var raises []directory.Raise
	for i, typ := range []string{BudgetLevel, NodeDown, BudgetLevel, Test, ClockOdd} {
		r, err := Once(fmt.Sprint(i), 1, Notice{typ, Info, "s", Data{"webhook": "b"}})
		if err != nil {
			t.Fatal(err)
		}
		raises = append(raises, r)
	}
	s.Apply(1, directory.RaiseAlerts{Raises: raises})
	s.Apply(2, directory.NoteDeliveries{Notes: []directory.DeliveryNote{
		{Seq: 1, Delivery: directory.Delivery{Webhook: "a", State: directory.DeliveryDone}},
		{Seq: 3, Delivery: directory.Delivery{Webhook: "a", State: directory.DeliveryPending}},
	}})
	webhooks := []*Webhook{{ID: "a", Spec: Spec{Events: []string{"budget.*"}}}, {ID: "b", Spec: Spec{Events: []string{"node.*"}}}}
	seqs := func(p Plan) string {
		out := ""
		for _, id := range []string{"a", "b"} {
			out += id
			for _, a := range p.To[id] {
				out += fmt.Sprint(a.Seq)
			}
		}
		return out + fmt.Sprint(p.Closed)
	}
	never := func(string, uint64) bool { return false }
	if got := seqs(NewPlan(s, webhooks, never)); got != "a3b24[1 5]" {
		t.Errorf("plan %s", got)
	}
	if got := seqs(NewPlan(s, webhooks, func(w string, seq uint64) bool { return w == "a" && seq == 3 })); got != "a3b24[1 3 5]" {
		t.Errorf("with what is known of one: %s", got)
	}
	if got := seqs(NewPlan(s, nil, never)); got != "ab[1 2 3 4 5]" {
		t.Errorf("with nobody to tell: %s", got)
	}
}

// TestQueueUnderAnyAnswers: whatever a receiver does, an event is over when it was
// taken or a day has passed, no attempt comes sooner than half its wait, and one
// that was over is not tried.
func TestQueueUnderAnyAnswers(t *testing.T) {
	rapid.Check(t, func(t *rapid.T) {
		q := NewQueue("w")
		var events []*directory.Alert
		for seq := range uint64(rapid.IntRange(1, 5).Draw(t, "events")) {
			events = append(events, open(seq+1, ledger.Instant(seq)*ledger.Minute))
		}
		q.Sync(events)
		attempts, over := map[uint64]uint32{}, map[uint64]bool{}
		now := 5 * ledger.Minute
		for range rapid.IntRange(1, 200).Draw(t, "steps") {
			now += ledger.Instant(rapid.Int64Range(0, int64(2*ledger.Hour)).Draw(t, "passes"))
			seq, ok := q.Next(now)
			if !ok {
				continue
			}
			a := Answer{OK: rapid.IntRange(0, 3).Draw(t, "ok") == 0, Fault: "x"}
			if over[seq] {
				t.Fatalf("event %d is tried although it is over", seq)
			}
			note, known := q.Ended(seq, now, a, rapid.Float64Range(0, 0.999).Draw(t, "jitter"))
			attempts[seq]++
			if !known || note.Attempts != attempts[seq] {
				t.Fatalf("noted %+v after %d attempts", note, attempts[seq])
			}
			over[seq] = note.State != directory.DeliveryPending
			if a.OK != (note.State == directory.DeliveryDone) || note.State == directory.DeliveryAbandoned && now < ledger.Day-2*ledger.Hour {
				t.Fatalf("%+v becomes %+v at %d", a, note, now)
			}
			if !over[seq] && q.jobs[seq].next < now+backoff(attempts[seq])/2 {
				t.Fatalf("attempt %d follows too soon", attempts[seq]+1)
			}
		}
	})
}
