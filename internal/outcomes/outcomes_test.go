package outcomes

import (
	"context"
	"encoding/hex"
	"errors"
	"flag"
	"log/slog"
	"os"
	"path/filepath"
	"strings"
	"sync"
	"sync/atomic"
	"testing"

	"purser/internal/record"
	"purser/internal/store"
	"purser/ledger"

	"github.com/cockroachdb/pebble/v2/vfs"
)

var update = flag.Bool("update", false, "write golden files that are missing")

func open(t *testing.T) *Store {
	t.Helper()
	s, err := store.Open(store.Options{Dir: "data", FS: vfs.NewMem(), Log: slog.New(slog.DiscardHandler), Fatal: func(err error) { t.Error(err) }})
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() {
		if err := s.Close(); err != nil {
			t.Error(err)
		}
	})
	return Open(s, nil)
}

func idAt(at ledger.Instant) record.ID {
	id, _ := record.ParseID(record.NewID(at))
	return id
}

// TestTheFirstReportStays, of many at once too.
func TestTheFirstReportStays(t *testing.T) {
	s, id := open(t), idAt(5)
	var firsts atomic.Int64
	var wait sync.WaitGroup
	kept := make([]Outcome, 20)
	for i := range kept {
		wait.Go(func() {
			var first bool
			var err error
			if kept[i], first, err = s.Put(Outcome{id, ledger.Instant(i), int64(i) * 1000}); err != nil {
				t.Error(err)
			}
			if first {
				firsts.Add(1)
			}
		})
	}
	wait.Wait()
	for _, k := range kept {
		if k != kept[0] {
			t.Errorf("%+v and %+v were kept", k, kept[0])
		}
	}
	if firsts.Load() != 1 {
		t.Errorf("%d were the first", firsts.Load())
	}
	if _, _, err := s.Put(Outcome{idAt(6), 1, Whole + 1}); err == nil {
		t.Error("more than everything is taken")
	}
}

// TestOutcomesComeInTheOrderOfRequests, and from the instant that was asked for on.
func TestOutcomesComeInTheOrderOfRequests(t *testing.T) {
	s := open(t)
	for _, at := range []ledger.Instant{30, 10, 20, 40} {
		if _, _, err := s.Put(Outcome{idAt(at), 100, int64(at)}); err != nil {
			t.Fatal(err)
		}
	}
	var got []int64
	for o, err := range s.Since(context.Background(), 20) {
		if err != nil {
			t.Fatal(err)
		}
		if got = append(got, o.Quality); o.Quality == 30 {
			break
		}
	}
	if len(got) != 2 || got[0] != 20 || got[1] != 30 {
		t.Errorf("%v", got)
	}
	if err := s.DropBefore(30); err != nil {
		t.Fatal(err)
	}
	got = nil
	for o, err := range s.Since(context.Background(), 0) {
		if err != nil {
			t.Fatal(err)
		}
		got = append(got, o.Quality)
	}
	if len(got) != 2 || got[0] != 30 || got[1] != 40 {
		t.Errorf("%v stay of those from 30 on", got)
	}
}

// TestCompatOutcomeV1: bytes that were written once are read for good.
func TestCompatOutcomeV1(t *testing.T) {
	want := Outcome{Request: record.FirstID(1_789_999_999_123_456_789), At: 1_790_000_000_000_000_001, Quality: 875_000}
	want.Request[15] = 7
	path := filepath.Join("testdata", "outcome_v1.hex")
	line := hex.EncodeToString(Open(nil, nil).key(want.Request)) + " " + hex.EncodeToString(want.appendValue(nil))
	if _, err := os.Stat(path); errors.Is(err, os.ErrNotExist) && *update {
		if err := os.WriteFile(path, []byte(line+"\n"), 0o644); err != nil {
			t.Fatal(err)
		}
	}
	golden, err := os.ReadFile(path)
	if err != nil {
		t.Fatal(err)
	}
	k, v, _ := strings.Cut(strings.TrimSpace(string(golden)), " ")
	kb, err1 := hex.DecodeString(k)
	vb, err2 := hex.DecodeString(v)
	if err1 != nil || err2 != nil {
		t.Fatal(err1, err2)
	}
	if got, err := decode(kb[1:], vb); err != nil || got != want {
		t.Errorf("%+v %v", got, err)
	}
	if line != strings.TrimSpace(string(golden)) {
		t.Error("it is written otherwise: that takes another version")
	}
}

// FuzzDecode: no bytes are more than refused, and what is read is written alike.
func FuzzDecode(f *testing.F) {
	id := idAt(7)
	o := Outcome{id, 9, 10}
	f.Add(o.appendValue(nil))
	f.Add([]byte{2, 0, 0})
	f.Fuzz(func(t *testing.T, value []byte) {
		o, err := decode(id[:], value)
		if err != nil {
			return
		}
		if again, err := decode(id[:], o.appendValue(nil)); err != nil || again != o {
			t.Errorf("%+v %+v %v", o, again, err)
		}
	})
}
