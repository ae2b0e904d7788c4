package semcache

import (
	"fmt"
	"slices"
	"testing"
	"time"

	"purser/internal/store"

	"github.com/cockroachdb/pebble/v2/vfs"
	"pgregory.net/rapid"
)

// labelled is an entry that purges tell from others.
type labelled struct {
	tenant, model, tag, request string
}

func (l labelled) key() Key {
	return MakeKey(Scope{Tenant: l.tenant, Route: "r", Model: l.model}, []byte(l.request+l.tag))
}

func (l labelled) entry(w *world) *Entry {
	e := answer(fmt.Sprint(l), w.now())
	e.Asked, e.Model = l.model, l.model+"-2026"
	if l.tag != "" {
		e.Tags = []string{"all", l.tag}
	}
	return e
}

func everyLabelled() (list []labelled) {
	for _, tenant := range []string{"a", "b"} {
		for _, model := range []string{"m", "n"} {
			for _, tag := range []string{"", "x", "y"} {
				for _, request := range []string{"1", "2"} {
					list = append(list, labelled{tenant, model, tag, request})
				}
			}
		}
	}
	return list
}

func TestPurgesAreForWhatTheySay(t *testing.T) {
	some := labelled{"a", "m", "x", "1"}
	for name, c := range map[string]struct {
		purge Selection
		is    func(labelled) bool
	}{
		"all":             {Selection{}, func(labelled) bool { return true }},
		"tenant":          {Selection{Tenant: "a"}, func(l labelled) bool { return l.tenant == "a" }},
		"model as asked":  {Selection{Model: "n"}, func(l labelled) bool { return l.model == "n" }},
		"model as named":  {Selection{Model: "n-2026"}, func(l labelled) bool { return l.model == "n" }},
		"tag":             {Selection{Tag: "x"}, func(l labelled) bool { return l.tag == "x" }},
		"tag of a tenant": {Selection{Tenant: "b", Tag: "all"}, func(l labelled) bool { return l.tenant == "b" && l.tag != "" }},
		"key":             {Selection{Key: some.key()}, func(l labelled) bool { return l == some }},
		"nobody":          {Selection{Tenant: "c"}, func(labelled) bool { return false }},
	} {
		fs := vfs.NewMem()
		w := openWorld(t, fs, DefaultConfig())
		kept, late := everyLabelled(), map[labelled]*Entry{}
		for _, l := range kept {
			w.fill(t, l.key(), l.entry(w))
			late[l] = l.entry(w) // of a request that began before the purge
			late[l].Epoch = w.cache.Epoch()
		}
		struck := 0
		w.pass(time.Second)
		_, n, err := w.cache.Purge(c.purge)
		if err != nil {
			t.Fatal(err)
		}
		check := func(when string) {
			t.Helper()
			for _, l := range kept {
				if _, hit := w.get(l.key()); hit == c.is(l) {
					t.Errorf("%s, %s: %v is there: %v", name, when, l, hit)
				}
			}
		}
		check("from memory")
		w.forget()
		check("from disk")
		for _, l := range kept {
			if c.is(l) {
				struck++
				if w.cache.Fill(l.key(), late[l]) != nil {
					t.Errorf("%s: an answer that came in late is kept", name)
				}
			}
		}
		check("after late answers")
		if left := w.keys(t, store.PrefixCache); n != struck || left != len(kept)-struck {
			t.Errorf("%s: %d purged, %d left of %d, want %d purged", name, n, left, len(kept), struck)
		}
		w.close(t)
		w = openWorld(t, fs, DefaultConfig())
		for _, l := range kept {
			if late[l].Expires = 0; c.is(l) && w.cache.Fill(l.key(), late[l]) != nil {
				t.Errorf("%s: an answer of before the purge is kept after a restart", name)
			}
			w.fill(t, l.key(), l.entry(w))
			if _, hit := w.get(l.key()); !hit {
				t.Errorf("%s: what was asked for after the purge is not kept", name)
			}
		}
		w.close(t)
	}
}

// A purge that another node tells of does what it does there.
func TestPurgesAreObeyed(t *testing.T) {
	here, there := inMemory(t, DefaultConfig()), inMemory(t, DefaultConfig())
	here.pass(-time.Hour) // its clock is behind
	for _, l := range everyLabelled() {
		here.fill(t, l.key(), l.entry(here))
	}
	m, _, err := there.cache.Purge(Selection{Tag: "x"})
	if err != nil {
		t.Fatal(err)
	}
	for range 2 {
		if _, err := here.cache.Obey([]Mark{m}); err != nil {
			t.Fatal(err)
		}
	}
	for _, l := range everyLabelled() {
		if _, hit := here.get(l.key()); hit == (l.tag == "x") {
			t.Errorf("%v is there: %v", l, hit)
		}
	}
	if here.cache.Epoch() != m.Epoch || len(here.cache.Marks()) != 1 {
		t.Errorf("%v, %v", here.cache.Epoch(), here.cache.Marks())
	}
	// The next purge here is after the one that it heard of, whatever its clock says.
	if next, _, err := here.cache.Purge(Selection{}); err != nil || next.Epoch <= m.Epoch {
		t.Errorf("%v, %v", next, err)
	}
}

// However purges meet, in whatever order and however many, nobody gives what one of
// them was for, and all come to the same list.
func TestPurgesConverge(t *testing.T) {
	rapid.Check(t, func(t *rapid.T) {
		selection := rapid.Custom(func(t *rapid.T) Mark {
			pick := rapid.SampledFrom([]string{"", "a", "b"})
			return Selection{Tenant: pick.Draw(t, "tenant"), Model: pick.Draw(t, "model"), Tag: pick.Draw(t, "tag")}.
				mark(Epoch(rapid.IntRange(1, 500).Draw(t, "epoch")))
		})
		list := rapid.SliceOfN(selection, 1, 2*MaxMarks).Draw(t, "purges")
		one, two := joinMarks(nil, list), joinMarks(nil, rapid.Permutation(list).Draw(t, "order"))
		if len(one) > MaxMarks || !slices.Equal(one, two) {
			t.Fatalf("%d and %d purges", len(one), len(two))
		}
		m := newMarks(one)
		for _, l := range everyLabelled() {
			k, e := l.key(), &Entry{Asked: l.model, Tags: []string{l.tag}, Epoch: Epoch(rapid.IntRange(0, 500).Draw(t, "began"))}
			labels := labelsOf(e)
			for _, p := range list {
				if p.strikes(&k, e.Epoch, labels) && !m.strike(&k, e.Epoch, func() []label { return labels }) {
					t.Fatalf("%v of epoch %d outlives a purge of epoch %d", l, e.Epoch, p.Epoch)
				}
			}
		}
		for _, p := range one {
			b, _ := p.AppendBinary(nil)
			var back Mark
			if err := back.UnmarshalBinary(b); err != nil || back != p {
				t.Fatalf("%v, %v", back, err)
			}
		}
	})
}

func TestPurgeThatCannotBeReadIsOfEverything(t *testing.T) {
	fs := vfs.NewMem()
	w := openWorld(t, fs, DefaultConfig())
	k := keyOf("q")
	w.fill(t, k, answer("a", start))
	b := w.store.NewBatch()
	if err := b.Set([]byte{store.PrefixPurge, 9}, nil, nil); err != nil {
		t.Fatal(err)
	}
	if err := w.store.Apply(b, store.Synced); err != nil {
		t.Fatal(err)
	}
	w.close(t)
	w = openWorld(t, fs, DefaultConfig())
	if _, hit := w.get(k); hit {
		t.Error("what a purge that cannot be read may have been for is given")
	}
	w.fill(t, k, answer("b", start))
	w.close(t)
	w = openWorld(t, fs, DefaultConfig())
	defer w.close(t)
	if _, hit := w.get(k); !hit {
		t.Error("it strikes again at the next start")
	}
}
