package semantic

import (
	"bytes"
	"encoding/hex"
	"errors"
	"flag"
	"fmt"
	"io/fs"
	"math/rand/v2"
	"os"
	"reflect"
	"strings"
	"testing"
	"time"

	"purser/internal/store"
	"purser/semcache/decide"

	"github.com/cockroachdb/pebble/v2/vfs"
	"pgregory.net/rapid"
)

var update = flag.Bool("update", false, "write the golden bytes of forms that have none yet")

func entries() *rapid.Generator[*entry] {
	return rapid.Custom(func(t *rapid.T) *entry {
		e := &entry{
			created: start, expires: start + 1, scale: float32(rapid.Float64Range(1e-6, 1).Draw(t, "scale")), text: rapid.StringN(1, 50, -1).Draw(t, "text"),
			row: rapid.SliceOfN(rapid.Int8(), 1, 64).Draw(t, "row"),
		}
		copy(e.answer[:], rapid.SliceOfN(rapid.Byte(), 32, 32).Draw(t, "answer"))
		copy(e.space[:], "space 01")
		return e
	})
}

func TestEntryDecodesToWhatItWas(t *testing.T) {
	rapid.Check(t, func(t *rapid.T) {
		e, seal := entries().Draw(t, "entry"), []Sealer{nil, testSeal{3}}[rapid.IntRange(0, 1).Draw(t, "sealed")]
		b := e.encode(seal, []byte("bound"))
		got, err := decodeEntry(b, seal, []byte("bound"))
		if err != nil || !reflect.DeepEqual(got, e) {
			t.Fatalf("%+v, %v", got, err)
		}
		if seal != nil && bytes.Contains(b, []byte(e.text)) && len(e.text) > 3 {
			t.Fatal("the question is stored as it is")
		}
		if _, err := decodeEntry(b, seal, []byte("other")); !errors.Is(err, errDamaged) {
			t.Fatalf("in another's place: %v", err)
		}
	})
}

func TestEveryDamagedByteOfAnEntryIsNoticed(t *testing.T) {
	e := &entry{created: 1, expires: 2, scale: 0.5, row: []int8{1, -2}, text: "what?"}
	b := e.encode(nil, nil)
	for i := range b {
		for _, x := range []byte{1, 0x80, 0xff} {
			bad := bytes.Clone(b)
			bad[i] ^= x
			if _, err := decodeEntry(bad, nil, nil); !errors.Is(err, errDamaged) {
				t.Fatalf("byte %d: %v", i, err)
			}
		}
		if _, err := decodeEntry(b[:i], nil, nil); !errors.Is(err, errDamaged) {
			t.Fatalf("%d bytes: %v", i, err)
		}
	}
}

func FuzzDecode(f *testing.F) {
	e := &entry{created: 1, expires: 2, scale: 0.5, row: []int8{1, -2}, text: "what?"}
	f.Add(e.encode(nil, nil))
	f.Add((&control{route: "r", delta: 0.01, unsure: 3}).encode())
	f.Fuzz(func(t *testing.T, b []byte) {
		if e, err := decodeEntry(b, nil, nil); err == nil {
			if again, err := decodeEntry(e.encode(nil, nil), nil, nil); err != nil || !reflect.DeepEqual(again, e) {
				t.Fatalf("%+v, %v", again, err)
			}
		}
		if k, ok := decodeControl(b); ok {
			if again, ok := decodeControl(k.encode()); !ok || again != k {
				t.Fatalf("%+v, want %+v", again, k)
			}
		}
	})
}

// TestCompatVersion1: what a build has stored, every later one reads.
func TestCompatVersion1(t *testing.T) {
	e := &entry{created: start, expires: start + 3_600_000_000_000, scale: 0.0625, row: []int8{0, 127, -127, 5}, text: "How do I sort a list?"}
	for i := range e.answer {
		e.answer[i] = byte(i)
	}
	e.space = spaceOf("words:1")
	k := control{route: "openai", delta: 0.01, unsure: 500}
	var seen decide.Tally
	seen[3] = decide.Marks{Good: 500, Bad: 7}
	k.Measured = decide.Remember(decide.Controller{Level: -1, Floor: 2, Bad: 2, All: 301, Off: true}, seen, k.delta)
	k.measure()
	for name, form := range map[string]struct {
		bytes []byte
		check func([]byte) error
	}{
		"entry": {e.encode(nil, []byte("bound")), func(b []byte) error {
			got, err := decodeEntry(b, nil, []byte("bound"))
			if err == nil && !reflect.DeepEqual(got, e) {
				err = fmt.Errorf("%+v", got)
			}
			return err
		}},
		"control": {k.encode(), func(b []byte) error {
			if got, ok := decodeControl(b); !ok || got != k {
				return fmt.Errorf("%+v", got)
			}
			return nil
		}},
	} {
		file := "testdata/" + name + "_v1.hex"
		if _, err := os.Stat(file); *update && errors.Is(err, fs.ErrNotExist) {
			if err := os.WriteFile(file, []byte(hex.EncodeToString(form.bytes)+"\n"), 0o644); err != nil {
				t.Fatal(err)
			}
		}
		text, err := os.ReadFile(file)
		if err != nil {
			t.Fatal(err)
		}
		released, err := hex.DecodeString(strings.TrimSpace(string(text)))
		if err != nil {
			t.Fatal(err)
		}
		if err := form.check(released); err != nil {
			t.Errorf("%s: %v", name, err)
		}
		if !bytes.Equal(released, form.bytes) {
			t.Errorf("%s: the form changed without a new version", name)
		}
	}
}

// reopen closes the tier and its store, and opens them again.
func (w *world) reopen() {
	w.t.Helper()
	w.close()
	w.open()
}

func TestRebuiltFromTheStore(t *testing.T) {
	w := newWorld(t, func(w *world) { w.with.Seal = testSeal{3} })
	key := w.teach(question(original), "blue")
	f := w.ask(question(original))
	w.tier.known(f.Visit.tenant).learn(&f.Visit.scope, &f.Entry, func(h decide.History) decide.History { return h.Observe(decide.Prepare("one"), decide.Agrees) })
	st, _ := w.tier.known(f.Visit.tenant).learn(&f.Visit.scope, &f.Entry, func(h decide.History) decide.History { return h.Observe(decide.Prepare("nine"), decide.Disagrees) })
	w.tier.writeHistory(f.Visit.tenant, &f.Visit.scope, &f.Entry, st.Append(nil))
	w.reopen()
	if g := w.expect(question(original), Serve, reasonNormal); g.Answer != key {
		t.Errorf("found %+v", g)
	}
	g := w.expect(question(paraphrase), Miss, reasonLow) // it was wrong once
	if h := g.at.history; h.Good != 1 || h.Bad != 1 || !h.Rejects(decide.Prepare("nine")) {
		t.Errorf("history %+v", h)
	}
	w.pass(2 * time.Hour)
	w.reopen()
	if w.rowsOnDisk() != 0 || w.tier.rows.Load() != 0 {
		t.Error("what has expired is still there")
	}
}

// TestCrashLosesEntriesAndNothingElse: after a crash every entry that is there is one
// that was made, and the tier goes on.
func TestCrashLosesEntriesAndNothingElse(t *testing.T) {
	mem := vfs.NewCrashableMem()
	w := newWorld(t, func(w *world) { w.fs = mem })
	keys := map[[32]byte]bool{}
	ask := func(i int) *Question { return question(fmt.Sprintf("crash question alpha%d bravo%d", i, i)) }
	for i := range 50 {
		keys[w.teach(ask(i), "an answer")] = true
		if i == 30 { // the first half reaches the disk
			b := w.store.NewBatch()
			set(b, []byte("zz"), nil)
			if err := w.store.Apply(b, store.Synced); err != nil {
				t.Fatal(err)
			}
		}
	}
	const seed = 6 // of what the crash takes: a failure repeats
	crashed := mem.CrashClone(vfs.CrashCloneCfg{UnsyncedDataPercent: 50, RNG: rand.New(rand.NewPCG(seed, seed))})
	w.close()
	w.fs = crashed
	w.open()
	found := 0
	for i := range 50 {
		f := w.ask(ask(i))
		switch {
		case f.Verdict == Serve && !keys[f.Answer]:
			t.Fatalf("%d: an answer that was never given", i)
		case f.Verdict == Serve:
			found++
		case i <= 30:
			t.Errorf("%d was synced and is gone: %q", i, f.Reason)
		}
	}
	if found < 31 || w.tier.rows.Load() != int64(w.rowsOnDisk()) {
		t.Errorf("%d found, %d rows, %d on disk", found, w.tier.rows.Load(), w.rowsOnDisk())
	}
	w.teach(ask(99), "an answer")
	w.expect(ask(99), Serve, reasonNormal)
}

func TestDamagedEntryIsAMiss(t *testing.T) {
	w := newWorld(t, nil)
	w.teach(question(original), "blue")
	f := w.ask(question(original))
	w.tier.texts.remove(textKey{f.Visit.scope, f.Entry})
	w.damage()
	w.expect(question(paraphrase), Miss, reasonUnread)
	w.reopen()
	if w.rowsOnDisk() != 0 {
		t.Error("the damaged entry is still there")
	}
	w.expect(question(paraphrase), Miss, reasonEmpty)
}

// damage changes the last byte of every stored entry.
func (w *world) damage() {
	w.t.Helper()
	b := w.store.NewBatch()
	if err := w.tier.each(roomEntry, func(key, value []byte) {
		v := bytes.Clone(value)
		v[len(v)-1] ^= 1
		set(b, bytes.Clone(key), v)
	}); err != nil {
		w.t.Fatal(err)
	}
	if err := w.store.Apply(b, store.Synced); err != nil {
		w.t.Fatal(err)
	}
}

func TestSealedEntriesAreOfNoUseWithoutTheirKey(t *testing.T) {
	w := newWorld(t, func(w *world) { w.with.Seal = testSeal{3} })
	w.teach(question(original), "blue")
	w.with.Seal = testSeal{4}
	w.reopen()
	w.expect(question(original), Miss, reasonEmpty)
	if n := w.counted(countDamaged); n != 1 {
		t.Errorf("%d damaged", n)
	}
}

// TestAnotherEmbedderIsToldOfAndStartsAnew: vectors of two embedders are never
// compared, and what that costs is counted.
func TestAnotherEmbedderIsToldOfAndStartsAnew(t *testing.T) {
	for _, next := range []*words{{id: "words:2", dim: 64}, {id: "words:3", dim: 32}} {
		w := newWorld(t, nil)
		w.teach(question(original), "blue")
		w.with.Embedder, w.embedder = next, next
		w.reopen()
		w.expect(question(original), Miss, reasonEmpty)
		w.expect(question(paraphrase), Miss, reasonEmpty)
		if n := w.counted(countOtherSpace); n != 1 || w.rowsOnDisk() != 0 {
			t.Errorf("%s: %d counted, %d rows on disk", next.id, n, w.rowsOnDisk())
		}
	}
}
