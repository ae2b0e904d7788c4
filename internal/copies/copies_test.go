package copies

import (
	"context"
	"errors"
	"fmt"
	"log/slog"
	"maps"
	"slices"
	"strings"
	"testing"
	"time"

	"github.com/cockroachdb/pebble/v2/vfs"

	"purser/internal/store"
	"purser/ledger"
)

// world is some nodes that push to each other.
type world struct {
	t     *testing.T
	nodes map[string]*Copies
	list  []Node
	away  map[string]bool
	sent  int // pushes with items
	items int
	clock ledger.Instant
}

var errAway = errors.New("no answer")

func newWorld(t *testing.T, ids ...string) *world {
	w := &world{t: t, nodes: map[string]*Copies{}, away: map[string]bool{}, clock: ledger.Hour}
	for _, id := range ids {
		w.add(id, vfs.NewMem())
	}
	return w
}

const (
	own   = 'x'
	shelf = 'y'
)

func keptUnder(origin string) []byte { return append([]byte{shelf, byte(len(origin))}, origin...) }

func (w *world) add(id string, fs vfs.FS) *Copies {
	s, err := store.Open(store.Options{Dir: "d", FS: fs, Fatal: func(err error) { w.t.Error(err) }, Log: slog.New(slog.DiscardHandler)})
	if err != nil {
		w.t.Fatal(err)
	}
	w.t.Cleanup(func() { _ = s.Close() })
	c := New(Config{
		Self: id, Store: s, Now: func() ledger.Instant { return w.clock }, Log: slog.New(slog.DiscardHandler),
		Nodes: func() []Node { return w.list },
		Flush: func(context.Context) error { return nil }, Incarnation: func() uint32 { return 5 },
		Parts: []Part{{Own: []byte{own}, Shelf: keptUnder, Keep: func(origin string, items []Item) error {
			b := s.NewBatch()
			for _, it := range items {
				if err := b.Set(append(keptUnder(origin), it.Key...), it.Value, nil); err != nil {
					return err
				}
			}
			return s.Apply(b, store.Buffered)
		}}},
		Push: func(ctx context.Context, node string, body []byte) ([]byte, error) {
			if w.away[node] || w.away[id] {
				return nil, errAway
			}
			p, err := decodePush(body)
			if err != nil {
				return nil, err
			}
			if len(p.items) > 0 {
				w.sent++
				w.items += len(p.items)
			}
			return w.nodes[node].Receive(ctx, id, body)
		},
	})
	w.nodes[id] = c
	w.list = slices.DeleteFunc(w.list, func(n Node) bool { return n.ID == id })
	w.list = append(w.list, Node{ID: id})
	return c
}

// write makes things on a node, with their notes, or as from before there were any.
func (w *world) write(id string, noted bool, names ...string) {
	w.t.Helper()
	c := w.nodes[id]
	b := c.cfg.Store.NewBatch()
	for _, name := range names {
		key := append([]byte{own}, name...)
		if err := b.Set(key, []byte("value of "+name), nil); err != nil {
			w.t.Fatal(err)
		}
		if noted {
			kv := c.Note(key)
			if err := b.Set(kv.Key, kv.Value, nil); err != nil {
				w.t.Fatal(err)
			}
		}
	}
	if err := c.cfg.Store.Apply(b, store.Synced); err != nil {
		w.t.Fatal(err)
	}
}

// turn has a node send until there is nothing to send; it tries anew what failed.
func (w *world) turn(id string) {
	c := w.nodes[id]
	for range 200 {
		c.sender.own.next, c.sender.lost.next, c.sender.paced, c.sender.lostAt, c.sender.lookAt = time.Time{}, time.Time{}, time.Time{}, time.Time{}, time.Time{}
		if c.round(context.Background()) >= lookEvery && c.sender.own.span == 0 {
			return
		}
	}
}

// copiesAt are the names that a node keeps copies of.
func (w *world) copiesAt(node, origin string) []string {
	w.t.Helper()
	it, err := w.nodes[node].under(keptUnder(origin))
	if err != nil {
		w.t.Fatal(err)
	}
	defer it.Close()
	list := []string{}
	for ok := it.First(); ok; ok = it.Next() {
		name := string(it.Key()[2+len(origin):])
		if string(it.Value()) != "value of "+name {
			w.t.Errorf("%s has %q of %s", node, it.Value(), name)
		}
		list = append(list, name)
	}
	return list
}

func (w *world) want(node, origin string, names ...string) {
	w.t.Helper()
	if got := w.copiesAt(node, origin); !slices.Equal(got, names) {
		w.t.Errorf("%s has of %s: %v, want %v", node, origin, got, names)
	}
}

func (w *world) held(node, origin string) Held {
	w.t.Helper()
	list, err := w.nodes[node].Held()
	if err != nil {
		w.t.Fatal(err)
	}
	for _, h := range list {
		if h.Origin == origin {
			return h
		}
	}
	return Held{}
}

func (w *world) remove(id string) {
	for i := range w.list {
		if w.list[i].ID == id {
			w.list[i].Gone = true
		}
	}
	w.away[id] = true
}

func TestWhatIsWrittenReachesThePeerOnce(t *testing.T) {
	w := newWorld(t, "a", "b")
	w.write("a", false, "old1", "old2")
	w.write("a", true, "new1")
	w.turn("a")
	w.want("b", "a", "new1", "old1", "old2")
	if h := w.held("b", "a"); !h.Complete || h.Sealed {
		t.Errorf("what b knows: %+v", h)
	}
	sent := w.sent
	w.turn("a")
	if w.sent != sent {
		t.Errorf("%d pushes of what was there already", w.sent-sent)
	}
	w.clock += ledger.Second
	w.write("a", true, "new2")
	if lag, n := w.nodes["a"].Lag(); n != 1 || lag != 0 {
		t.Errorf("before it was looked at: %v, %d", lag, n)
	}
	w.turn("a")
	w.want("b", "a", "new1", "new2", "old1", "old2")
	if lag, n := w.nodes["a"].Lag(); n != 0 || lag != 0 || w.sent != sent+1 {
		t.Errorf("afterwards: %v, %d waiting, %d pushes", lag, n, w.sent-sent)
	}
}

func TestAPeerThatIsAwayGetsItLater(t *testing.T) {
	w := newWorld(t, "a", "b")
	w.turn("a")
	w.away["b"] = true
	var names []string
	for i := range 3 * maxItems {
		names = append(names, fmt.Sprintf("n%05d", i))
		w.clock += ledger.Second / 100
		w.write("a", true, names[i])
	}
	w.turn("a")
	w.want("b", "a")
	w.clock += 3 * ledger.Hour
	if lag, n := w.nodes["a"].Lag(); n != int64(len(names)) || lag < 3*ledger.Hour {
		t.Errorf("while it is away: %v, %d", lag, n)
	}
	w.away["b"] = false
	w.turn("a")
	w.want("b", "a", names...)
	if w.items != len(names) {
		t.Errorf("%d were sent for %d", w.items, len(names))
	}
	if lag, n := w.nodes["a"].Lag(); n != 0 || lag != 0 {
		t.Errorf("afterwards: %v, %d", lag, n)
	}
}

func TestNotesOutliveARestart(t *testing.T) {
	w := newWorld(t, "b")
	fs := vfs.NewCrashableMem()
	w.add("a", fs)
	w.turn("a")
	w.away["b"] = true
	w.write("a", true, "one", "two")
	w.turn("a")
	crashed := fs.CrashClone(vfs.CrashCloneCfg{})
	a := w.add("a", crashed)
	if err := a.count(); err != nil {
		t.Fatal(err)
	}
	if _, n := a.Lag(); n != 2 {
		t.Errorf("%d wait after the restart", n)
	}
	w.away["b"] = false
	w.turn("a")
	w.want("b", "a", "one", "two")
	if w.items != 2 {
		t.Errorf("%d were sent for 2", w.items)
	}
}

func TestAPeerThatForgotIsSentEverythingAgain(t *testing.T) {
	w := newWorld(t, "a", "b")
	w.write("a", true, "one", "two")
	w.turn("a")
	b := w.nodes["b"].cfg.Store.NewBatch()
	if err := b.DeleteRange(keptUnder("a"), after(keptUnder("a")), nil); err != nil {
		t.Fatal(err)
	}
	if err := w.nodes["b"].cfg.Store.Apply(b, store.Synced); err != nil {
		t.Fatal(err)
	}
	if err := w.nodes["b"].Forget("a"); err != nil {
		t.Fatal(err)
	}
	if h := w.held("b", "a"); h != (Held{}) {
		t.Errorf("b knows %+v", h)
	}
	w.nodes["a"].sender.greeted = time.Time{} // the next greeting is due
	w.turn("a")
	w.want("b", "a", "one", "two")
	if h := w.held("b", "a"); !h.Complete {
		t.Errorf("b knows %+v", h)
	}
}

func TestANewPeerIsSentEverything(t *testing.T) {
	w := newWorld(t, "a", "b")
	var names []string
	for i := range 2*maxItems + 5 {
		names = append(names, fmt.Sprintf("n%05d", i))
	}
	w.write("a", true, names...)
	w.turn("a")
	w.remove("b")
	w.turn("a") // there is nobody
	w.write("a", true, "z")
	w.turn("a")
	w.add("c", vfs.NewMem())
	w.turn("a")
	w.want("c", "a", append(names, "z")...)
	if h := w.held("c", "a"); !h.Complete {
		t.Errorf("c knows %+v", h)
	}
}

func TestWhatAGoneNodeLeftIsOnTwoDisksAgain(t *testing.T) {
	w := newWorld(t, "a", "b", "c", "d")
	w.write("a", true, "one", "two")
	w.turn("a")
	w.remove("a")
	for range 3 {
		for _, id := range []string{"b", "c", "d"} {
			w.turn(id)
		}
	}
	var has []string
	for _, id := range []string{"b", "c", "d"} {
		if got := w.copiesAt(id, "a"); len(got) > 0 {
			has = append(has, id)
			w.want(id, "a", "one", "two")
			if h := w.held(id, "a"); !h.Complete || h.Sealed {
				t.Errorf("%s knows %+v", id, h)
			}
		}
	}
	if len(has) != 2 {
		t.Errorf("they are on %v", has)
	}
	if _, known, err := w.nodes["b"].GoneSince("a"); !known || err != nil {
		t.Errorf("b has not noted that a is gone: %v", err)
	}
	sent := w.sent
	for _, id := range []string{"b", "c", "d"} {
		w.turn(id)
	}
	if w.sent != sent {
		t.Errorf("%d pushes of what is there", w.sent-sent)
	}
}

func TestANodeThatStopsInOrderSealsItsCopies(t *testing.T) {
	w := newWorld(t, "a", "b")
	a := w.nodes["a"]
	w.turn("a")
	w.write("a", true, "last")
	if err := a.seal(t.Context()); err != nil {
		t.Fatal(err)
	}
	w.want("b", "a", "last")
	if h := w.held("b", "a"); !h.Sealed || h.Incarnation != 5 {
		t.Errorf("b knows %+v", h)
	}
	a.sender.greeted = time.Time{} // as after a start
	w.turn("a")
	if h := w.held("b", "a"); h.Sealed || h.Incarnation != 0 {
		t.Errorf("when it is back, b knows %+v", h)
	}
}

func TestAFullDiskTakesNoCopies(t *testing.T) {
	w := newWorld(t, "a", "b")
	w.turn("a")
	b := w.nodes["b"]
	b.roomAt, b.hasRoom = time.Now().Add(time.Hour), false
	w.write("a", true, "one")
	w.turn("a")
	w.want("b", "a")
	if _, n := w.nodes["a"].Lag(); n != 1 {
		t.Errorf("%d wait", n)
	}
	b.hasRoom = true
	w.turn("a")
	w.want("b", "a", "one")
}

func TestNobodyWritesForANodeThatIsThere(t *testing.T) {
	w := newWorld(t, "a", "b", "c")
	body := appendPush(nil, &push{origin: "a", begin: true, items: []Item{{[]byte("xforged"), nil}}})
	if _, err := w.nodes["b"].Receive(t.Context(), "c", body); err == nil || !strings.Contains(err.Error(), "not gone") {
		t.Errorf("copies of a by c: %v", err)
	}
	w.want("b", "a")
	body = appendPush(nil, &push{origin: "c", begin: true, items: []Item{{[]byte("qforged"), nil}}})
	if _, err := w.nodes["b"].Receive(t.Context(), "c", body); err == nil {
		t.Error("a copy of a kind that there is not was kept")
	}
}

func TestNotesThatAreOvertakenAreFound(t *testing.T) {
	w := newWorld(t, "a", "b")
	a := w.nodes["a"]
	w.turn("a")
	w.write("a", true, "one")
	w.turn("a")
	w.clock -= ledger.Hour // the clock was set back
	w.write("a", true, "two")
	w.turn("a")
	w.want("b", "a", "one")
	a.sender.allAt = time.Time{}
	w.turn("a")
	w.want("b", "a", "one", "two")
}

func TestChoiceIsStableAndPrefersAnotherZone(t *testing.T) {
	var nodes []Node
	for i := range 20 {
		nodes = append(nodes, Node{ID: fmt.Sprint("n", i)})
	}
	moved, load := 0, map[string]int{}
	for i := range 20 {
		origin := fmt.Sprint("n", i)
		was := Choose(origin, nodes)
		load[was]++
		more := append(slices.Clone(nodes), Node{ID: "new"})
		if now := Choose(origin, more); now != was {
			moved++
			if now != "new" {
				t.Errorf("%s moved from %s to %s", origin, was, now)
			}
		}
		slices.Reverse(more)
		if Choose(origin, more) != Choose(origin, append(slices.Clone(nodes), Node{ID: "new"})) {
			t.Error("the order of the list matters")
		}
	}
	if moved > 5 || slices.Max(slices.Collect(maps.Values(load))) > 5 {
		t.Errorf("%d of 20 moved for one node that came; %v", moved, load)
	}
	places := []Node{{ID: "a", Region: "eu", Zone: "1"}, {ID: "b", Region: "eu", Zone: "1"}, {ID: "c", Region: "us", Zone: "2"}, {ID: "d", Region: "eu", Zone: "2"}}
	if got := Rank("a", places); !slices.Equal(got, []string{"d", "c", "b"}) {
		t.Errorf("by place: %v", got)
	}
	places[3].Leaving, places[2].Gone = true, true
	if got := Rank("a", places); !slices.Equal(got, []string{"b", "d"}) {
		t.Errorf("with one that leaves and one that is gone: %v", got)
	}
}

// BenchmarkNote is what a request pays for the copy of its record, beside the bytes in its
// batch.
func BenchmarkNote(b *testing.B) {
	c := &Copies{cfg: Config{Now: func() ledger.Instant { return 1 }}, noted: make(chan struct{}, 1)}
	key := make([]byte, 18)
	b.ReportAllocs()
	for b.Loop() {
		c.Note(key)
	}
}
