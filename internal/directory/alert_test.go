package directory

import (
	"bytes"
	"errors"
	"fmt"
	"maps"
	"reflect"
	"slices"
	"strings"
	"testing"

	"pgregory.net/rapid"

	"purser/ledger"
)

func raise(key string, rank uint32, until ledger.Instant) Raise {
	r := Raise{Key: key, Rank: rank, Until: until, Type: "test.raised", Body: []byte(`{"a":1}`)}
	if rank == 0 {
		r.Type = "test.over"
	}
	return r
}

func goldenAlertCommands() []Command {
	return []Command{
		RaiseAlerts{Raises: []Raise{raise("budget/eu", 80, 9_000), raise("node/n1", 1, 1<<62), {Key: "gone"}}},
		NoteDeliveries{Notes: []DeliveryNote{
			{Seq: 1, Delivery: Delivery{Webhook: "ops", State: DeliveryPending, Attempts: 3, Last: 4_000, Status: 503, Fault: "status"}},
			{Seq: 1, Delivery: Delivery{Webhook: "finance", State: DeliveryDone, Attempts: 1, Last: 4_100, Status: 200}},
			{Seq: 2, Delivery: Delivery{Webhook: "ops", State: DeliveryAbandoned, Attempts: 1, Last: 4_200, Fault: "refused_address"}},
		}, Closed: []uint64{2}},
		RaiseAlerts{},
		NoteDeliveries{},
	}
}

func goldenAlertState() *State {
	s := New()
	for i, c := range goldenAlertCommands() {
		s.Apply(ledger.Instant(1000*(i+1)), c)
	}
	return s
}

func TestCompatAlerts_v1(t *testing.T) {
	var commands, records [][]byte
	for _, c := range goldenAlertCommands() {
		commands = append(commands, AppendCommand(nil, c))
	}
	for i, b := range golden(t, "alerts_v1.hex", commands) {
		c, err := DecodeCommand(b)
		if err != nil || !reflect.DeepEqual(c, goldenAlertCommands()[i]) {
			t.Errorf("command %d decodes to %+v, %v", i, c, err)
		}
	}
	s := goldenAlertState()
	for b := range s.Records() {
		records = append(records, bytes.Clone(b))
	}
	back, err := Load(fromRecords(slices.Values(golden(t, "alert_records_v1.hex", records))))
	if err != nil || back.Digest() != s.Digest() || !reflect.DeepEqual(back.Alerts(), s.Alerts()) || !reflect.DeepEqual(back.marks, s.marks) {
		t.Errorf("the records load to another state: %v", err)
	}
	if id := s.Alerts()[0].ID(); id != "evt_daa93df3fbff153b0671a5e08400eacc" {
		t.Errorf("the id of a stored alert has changed: %q", id)
	}
}

func TestAConditionIsToldOnceForEachRank(t *testing.T) {
	s := New()
	steps := []struct {
		at     ledger.Instant
		raise  Raise
		code   Code
		alerts int
	}{
		{10, raise("a", 50, 100), Applied, 1},
		{11, raise("a", 50, 100), Unchanged, 1},
		{12, raise("a", 30, 100), Unchanged, 1},
		{13, raise("a", 80, 100), Applied, 2},
		{14, raise("a", 50, 100), Unchanged, 2},
		{15, raise("b", 0, 0), Unchanged, 2},
		{16, raise("a", 0, 0), Applied, 3},
		{17, raise("a", 0, 0), Unchanged, 3},
		{18, raise("a", 50, 100), Applied, 4},
		{18, Raise{Key: "a"}, Applied, 4}, // forgotten without a word
		{19, raise("a", 50, 100), Applied, 5},
		{99, raise("a", 50, 200), Unchanged, 5},
		{100, raise("a", 50, 200), Applied, 6}, // its window is over
		{101, raise("c", 1, 101), Unchanged, 6},
	}
	for i, step := range steps {
		out := s.Apply(step.at, RaiseAlerts{Raises: []Raise{step.raise}})
		if out.Code != step.code || len(s.Alerts()) != step.alerts {
			t.Fatalf("step %d: %v with %d alerts, want %v with %d", i, out.Code, len(s.Alerts()), step.code, step.alerts)
		}
	}
	if last := s.Alerts()[5]; last.Seq != 6 || last.At != 100 || !last.Open {
		t.Errorf("the last alert is %+v", last)
	}
	if m, ok := s.AlertMark("a"); !ok || m.Rank != 50 {
		t.Errorf("mark %+v, %v", m, ok)
	}
	s.Apply(200, SetNode{})
	if _, ok := s.AlertMark("a"); ok {
		t.Error("a mark outlives its time")
	}
}

func TestIDsDiffer(t *testing.T) {
	seen := map[string]bool{}
	for _, a := range []Alert{{Seq: 1}, {Seq: 2}, {Seq: 1, At: 1}, {Seq: 1, Rank: 1}, {Seq: 1, Key: "k"}} {
		if id := a.ID(); seen[id] {
			t.Errorf("%+v has the id of another", a)
		} else {
			seen[id] = true
		}
	}
}

func TestWhatIsFinalStaysSo(t *testing.T) {
	s := New()
	s.Apply(1, RaiseAlerts{Raises: []Raise{raise("a", 1, 100), raise("b", 1, 100)}})
	note := func(seq uint64, state DeliveryState, attempts uint32) Code {
		return s.Apply(2, NoteDeliveries{Notes: []DeliveryNote{{Seq: seq, Delivery: Delivery{Webhook: "w", State: state, Attempts: attempts}}}}).Code
	}
	for i, step := range []struct {
		got, want Code
	}{
		{note(1, DeliveryPending, 1), Applied},
		{note(1, DeliveryPending, 1), Unchanged},
		{note(1, DeliveryPending, 2), Applied},
		{note(1, DeliveryDone, 3), Applied},
		{note(1, DeliveryPending, 1), Unchanged},
		{note(1, DeliveryAbandoned, 9), Unchanged},
		{note(7, DeliveryDone, 1), Unchanged},
		{note(2, 0, 1), InvalidCommand},
		{s.Apply(3, NoteDeliveries{Closed: []uint64{2}}).Code, Applied},
		{s.Apply(3, NoteDeliveries{Closed: []uint64{2}}).Code, Unchanged},
		{note(2, DeliveryDone, 1), Unchanged},
	} {
		if step.got != step.want {
			t.Errorf("step %d: %v, want %v", i, step.got, step.want)
		}
	}
	if d, ok := s.Alerts()[0].Delivery("w"); !ok || d.State != DeliveryDone || d.Attempts != 3 {
		t.Errorf("delivery %+v", d)
	}
	if s.OpenAlerts() != 1 {
		t.Errorf("%d open", s.OpenAlerts())
	}
}

func TestL9AlertsAreBounded(t *testing.T) {
	s := New()
	n := 0
	fill := func(to int) {
		for s.OpenAlerts() < to {
			c := RaiseAlerts{}
			for range min(MaxRaises, to-s.OpenAlerts()) {
				c.Raises = append(c.Raises, raise(fmt.Sprint("k", n), 1, 1000))
				n++
			}
			if out := s.Apply(1, c); out.Code != Applied {
				t.Fatal(out.Code)
			}
		}
	}
	fill(MaxOpenAlerts)
	before := s.Digest()
	two := RaiseAlerts{Raises: []Raise{raise("k1", 0, 0), raise("k2", 0, 0)}}
	if out := s.Apply(1, two); out.Code != NoRoomForAlerts || s.Digest() != before {
		t.Fatalf("beyond the room: %v", out.Code)
	}
	if out := s.Apply(1, RaiseAlerts{Raises: []Raise{{Key: "k1"}}}); out.Code != Applied {
		t.Errorf("a word is not needed to forget: %v", out.Code)
	}
	for range 3 {
		for _, a := range s.Alerts() {
			if a.Open && a.Seq%4 != 0 {
				s.Apply(1, NoteDeliveries{Closed: []uint64{a.Seq}})
			}
		}
		fill(MaxOpenAlerts)
	}
	if len(s.Alerts()) > MaxAlerts || s.OpenAlerts() != MaxOpenAlerts {
		t.Errorf("%d alerts, %d open", len(s.Alerts()), s.OpenAlerts())
	}
	if !slices.IsSortedFunc(s.Alerts(), func(a, b *Alert) int { return int(a.Seq) - int(b.Seq) }) || s.Alerts()[0].Seq != 4 {
		t.Errorf("the oldest open alert is gone: %d", s.Alerts()[0].Seq)
	}
	for i := range MaxAlertTargets + 5 {
		s.Apply(1, NoteDeliveries{Notes: []DeliveryNote{{Seq: 4, Delivery: Delivery{Webhook: fmt.Sprint("w", i), State: DeliveryPending}}}})
	}
	if got := len(s.Alerts()[0].Deliveries); got != MaxAlertTargets {
		t.Errorf("%d deliveries", got)
	}
	s.marks = make([]*AlertMark, 0, MaxAlertMarks)
	for i := range MaxAlertMarks {
		s.marks = append(s.marks, &AlertMark{Key: fmt.Sprintf("m%08d", i), Rank: 1, Until: 50})
	}
	s.alerts = nil
	if out := s.Apply(49, RaiseAlerts{Raises: []Raise{raise("x", 1, 1000)}}); out.Code != NoRoomForAlerts {
		t.Errorf("beyond the marks: %v", out.Code)
	}
	if out := s.Apply(50, RaiseAlerts{Raises: []Raise{raise("x", 1, 1000)}}); out.Code != Applied || len(s.marks) != 1 {
		t.Errorf("when their time is over: %v, %d marks", out.Code, len(s.marks))
	}
}

func TestL9AlertFieldsHaveLimits(t *testing.T) {
	long := func(n int) string { return strings.Repeat("x", n+1) }
	ok := raise("k", 1, 100)
	for name, spoil := range map[string]func(*Raise){
		"no key":    func(r *Raise) { r.Key = "" },
		"long key":  func(r *Raise) { r.Key = long(maxAlertKey) },
		"no type":   func(r *Raise) { r.Type = "" },
		"long type": func(r *Raise) { r.Type = long(maxAlertType) },
		"no body":   func(r *Raise) { r.Body = nil },
		"long body": func(r *Raise) { r.Body = []byte(long(maxAlertBody)) },
	} {
		r := ok
		spoil(&r)
		if out := New().Apply(1, RaiseAlerts{Raises: []Raise{ok, r}}); out.Code != InvalidCommand {
			t.Errorf("%s: %v", name, out.Code)
		}
	}
	many := RaiseAlerts{}
	for i := range MaxRaises + 1 {
		many.Raises = append(many.Raises, raise(fmt.Sprint(i), 1, 100))
	}
	if out := New().Apply(1, many); out.Code != InvalidCommand {
		t.Errorf("too many: %v", out.Code)
	}
	if out := New().Apply(1, NoteDeliveries{Closed: make([]uint64, MaxNotes+1)}); out.Code != InvalidCommand {
		t.Errorf("too many notes: %v", out.Code)
	}
	for _, d := range []Delivery{{State: 1}, {Webhook: long(maxWebhook), State: 1}, {Webhook: "w", State: 4}, {Webhook: "w", State: 1, Fault: long(maxFault)}} {
		if out := New().Apply(1, NoteDeliveries{Notes: []DeliveryNote{{Seq: 1, Delivery: d}}}); out.Code != InvalidCommand {
			t.Errorf("%+v: %v", d, out.Code)
		}
	}
}

// alertTwin is the table of alerts as one would write it: maps, and no limits.
type alertTwin struct {
	now    ledger.Instant
	marks  map[string]AlertMark
	alerts []Alert
}

func (w *alertTwin) apply(now ledger.Instant, c Command) (changed bool) {
	w.now = max(w.now, now)
	switch c := c.(type) {
	case RaiseAlerts:
		for _, r := range c.Raises {
			m, known := w.marks[r.Key]
			known = known && m.Until > w.now
			switch {
			case r.Rank == 0 && known:
				delete(w.marks, r.Key)
			case r.Rank > 0 && r.Until > w.now && (!known || m.Rank < r.Rank):
				w.marks[r.Key] = AlertMark{r.Key, r.Rank, r.Until}
			default:
				continue
			}
			changed = true
			if len(r.Body) > 0 {
				w.alerts = append(w.alerts, Alert{Seq: uint64(len(w.alerts) + 1), Key: r.Key, Rank: r.Rank, Type: r.Type, At: w.now, Body: r.Body, Open: true})
			}
		}
	case NoteDeliveries:
		for _, n := range c.Notes {
			if n.Seq == 0 || n.Seq > uint64(len(w.alerts)) || !w.alerts[n.Seq-1].Open {
				continue
			}
			a := &w.alerts[n.Seq-1]
			byName := map[string]Delivery{}
			for _, d := range a.Deliveries {
				byName[d.Webhook] = d
			}
			if old, ok := byName[n.Webhook]; ok && (old.State != DeliveryPending || old == n.Delivery) {
				continue
			}
			byName[n.Webhook] = n.Delivery
			a.Deliveries = nil
			for _, name := range slices.Sorted(maps.Keys(byName)) {
				a.Deliveries = append(a.Deliveries, byName[name])
			}
			changed = true
		}
		for _, seq := range c.Closed {
			if seq > 0 && seq <= uint64(len(w.alerts)) && w.alerts[seq-1].Open {
				w.alerts[seq-1].Open, changed = false, true
			}
		}
	}
	return changed
}

func drawAlertCommand(t *rapid.T) Command {
	if rapid.Bool().Draw(t, "note") {
		c := NoteDeliveries{}
		for range rapid.IntRange(0, 3).Draw(t, "notes") {
			c.Notes = append(c.Notes, DeliveryNote{Seq: uint64(rapid.IntRange(0, 12).Draw(t, "seq")), Delivery: Delivery{
				Webhook: rapid.SampledFrom([]string{"a", "b", "c"}).Draw(t, "webhook"), State: DeliveryState(rapid.IntRange(1, 3).Draw(t, "state")),
				Attempts: uint32(rapid.IntRange(0, 2).Draw(t, "attempts")), Fault: rapid.SampledFrom([]string{"", "timeout"}).Draw(t, "fault"),
			}})
		}
		for range rapid.IntRange(0, 2).Draw(t, "closed") {
			c.Closed = append(c.Closed, uint64(rapid.IntRange(0, 12).Draw(t, "closed seq")))
		}
		return c
	}
	c := RaiseAlerts{}
	for range rapid.IntRange(0, 4).Draw(t, "raises") {
		r := raise(rapid.SampledFrom([]string{"a", "b", "c", "d"}).Draw(t, "key"), uint32(rapid.IntRange(0, 3).Draw(t, "rank")), ledger.Instant(rapid.IntRange(0, 80).Draw(t, "until")))
		if r.Rank == 0 && rapid.Bool().Draw(t, "silent") {
			r.Body = nil
		}
		c.Raises = append(c.Raises, r)
	}
	return c
}

func TestTwinAgreesOnAlerts(t *testing.T) {
	rapid.Check(t, func(t *rapid.T) {
		s, w := New(), &alertTwin{marks: map[string]AlertMark{}}
		var early *State
		var digest [32]byte
		for i := range rapid.IntRange(1, 40).Draw(t, "commands") {
			c := drawAlertCommand(t)
			back, err := DecodeCommand(AppendCommand(nil, c))
			if err != nil || !reflect.DeepEqual(back, c) {
				t.Fatalf("%+v came back as %+v, %v", c, back, err)
			}
			now := ledger.Instant(rapid.IntRange(0, 60).Draw(t, "now"))
			got, want := s.Apply(now, back).Code, Unchanged
			if w.apply(now, c) {
				want = Applied
			}
			if got != want {
				t.Fatalf("command %d, %+v: %v, the twin says %v", i, c, got, want)
			}
			if early == nil && rapid.Bool().Draw(t, "clone") {
				early, digest = s.Clone(), s.Digest()
			}
		}
		if early != nil && early.Digest() != digest {
			t.Fatal("a clone changed after it was taken")
		}
		back, err := Load(fromRecords(s.Records()))
		if err != nil || back.Digest() != s.Digest() {
			t.Fatalf("loaded: %v", err)
		}
		for _, s := range []*State{s, back} {
			if len(s.Alerts()) != len(w.alerts) {
				t.Fatalf("%d alerts, the twin has %d", len(s.Alerts()), len(w.alerts))
			}
			for i, a := range s.Alerts() {
				if !reflect.DeepEqual(*a, w.alerts[i]) {
					t.Fatalf("alert %+v, the twin has %+v", *a, w.alerts[i])
				}
			}
			for _, key := range []string{"a", "b", "c", "d"} {
				got, ok := s.AlertMark(key)
				want, known := w.marks[key]
				if known = known && want.Until > w.now; ok != known || ok && got != want {
					t.Fatalf("mark %s: %+v, the twin has %+v", key, got, want)
				}
			}
		}
		if bare := s.WithoutAlerts(); len(bare.Alerts()) != 0 || bare.Version() != s.Version() {
			t.Fatal("alerts are left")
		}
	})
}

func TestLoadRefusesAlertsThatAreNone(t *testing.T) {
	var good [][]byte
	for b := range goldenAlertState().Records() {
		good = append(good, bytes.Clone(b))
	}
	counter, marks, alerts := good[1], good[2:4], good[4:]
	if len(alerts) != 2 {
		t.Fatalf("%d records", len(good))
	}
	for name, records := range map[string][][]byte{
		"no counter":         {good[0], alerts[0]},
		"a counter late":     {good[0], marks[0], counter},
		"two counters":       {good[0], counter, counter},
		"marks out of order": {good[0], counter, marks[1], marks[0]},
		"an alert twice":     {good[0], counter, alerts[0], alerts[0]},
		"alerts backwards":   {good[0], counter, alerts[1], alerts[0]},
		"another kind":       {good[0], {codecVersion, recordAlerts, 9}},
		"a cut alert":        {good[0], counter, alerts[0][:len(alerts[0])-1]},
	} {
		if _, err := Load(seq(records...)); !errors.Is(err, ErrMalformed) {
			t.Errorf("%s: %v", name, err)
		}
	}
}
