package raftfsm

import (
	"bytes"
	"crypto/sha256"
	"encoding/binary"
	"fmt"
	"io"
	"math/rand"
	"strings"
	"testing"

	"github.com/hashicorp/raft"

	"purser/internal/audit"
	"purser/internal/directory"
	"purser/ledger"
)

func ledgerEntry(stamp ledger.Instant, c ledger.Command) []byte {
	return newEntry(stamp, ledgerMessage(c))
}

func directoryEntry(stamp ledger.Instant, c directory.Command) []byte {
	return newEntry(stamp, directoryMessage(c))
}

// reseal gives an entry that was changed the checksum that fits.
func reseal(b []byte) []byte {
	binary.BigEndian.PutUint32(b[crcOffset:], entrySum(b))
	return b
}

func applyAll(f *FSM, entries [][]byte, from int) {
	for i, b := range entries {
		f.Apply(&raft.Log{Index: uint64(from + i + 1), Data: b})
	}
}

func sameDigests(t *testing.T, got, want Digests, what string) {
	t.Helper()
	if got != want {
		t.Fatalf("%s: digests at entries %d and %d differ", what, got.Index, want.Index)
	}
}

func TestWorkloadIsWorthIt(t *testing.T) {
	f := New()
	codes := map[string]int{}
	for i, b := range newWorkload(1).entries(2000) {
		switch out := f.Apply(&raft.Log{Index: uint64(i + 1), Data: b}).([]any)[0].(type) {
		case ledger.Outcome:
			codes[fmt.Sprint("ledger ", out.Code)]++
			if out.Answer != nil {
				for _, r := range out.Answer.Rows {
					if r.Granted > 0 {
						codes["granted"]++
					}
				}
			}
		case directory.Outcome:
			codes[fmt.Sprint("directory ", out.Code)]++
		case audit.Outcome:
			codes[fmt.Sprint("audit ", out.Code)]++
		}
	}
	for _, code := range []string{"ledger applied", "ledger repeated", "directory applied", "directory key revoked", "granted", "audit 1", "audit 2"} {
		if codes[code] < 10 {
			t.Errorf("%q happened %d times in 2000 entries: %v", code, codes[code], codes)
		}
	}
}

// TestL8SameLogSameDigest: whatever the points at which a node is restarted
// from a snapshot, and whoever reads meanwhile.
func TestL8SameLogSameDigest(t *testing.T) {
	for seed := range int64(20) {
		entries := newWorkload(seed).entries(400)
		plain := New()
		applyAll(plain, entries, 0)

		r := rand.New(rand.NewSource(seed))
		f, at := New(), 0
		for at < len(entries) {
			n := min(1+r.Intn(150), len(entries)-at)
			applyAll(f, entries[at:at+n], at)
			at += n
			_, _ = f.Ledger(), f.Directory()
			if r.Intn(2) == 0 {
				f = throughSnapshot(t, f)
			}
		}
		sameDigests(t, f.Digests(), plain.Digests(), fmt.Sprint("seed ", seed))
		if state, index := f.LedgerAt(); index != f.Digests().Index || state.Digest() != f.Digests().Ledger {
			t.Errorf("seed %d: the ledger is said to be that of entry %d, %d has been applied", seed, index, f.Digests().Index)
		}
		if err := f.Ledger().Check(); err != nil {
			t.Fatalf("seed %d: %v", seed, err)
		}
	}
}

func throughSnapshot(t *testing.T, f *FSM) *FSM {
	t.Helper()
	b := persist(t, f)
	back := New()
	if err := back.Restore(io.NopCloser(bytes.NewReader(b))); err != nil {
		t.Fatal(err)
	}
	sameDigests(t, back.Digests(), f.Digests(), "through a snapshot")
	if back.Now() != f.Now() {
		t.Fatalf("now %d after a snapshot, %d before", back.Now(), f.Now())
	}
	return back
}

// TestL10UnreadableEntryStopsTheNode: it panics, says what to do, and has changed nothing.
func TestL10UnreadableEntryStopsTheNode(t *testing.T) {
	good := ledgerEntry(5, ledger.Tick{})
	spoil := func(at int, to byte) []byte {
		b := bytes.Clone(good)
		b[at] = to
		return b
	}
	resealed := func(at int, to byte) []byte { return reseal(spoil(at, to)) }
	cases := map[string]struct {
		entry []byte
		says  string
	}{
		"empty":               {nil, "0 bytes"},
		"short":               {good[:headerSize-1], "14 bytes"},
		"later version":       {spoil(0, 2), "version 2, this build knows 1"},
		"bit flip in stamp":   {spoil(5, 1), "the log is damaged"},
		"bit flip in command": {spoil(headerSize, 99), "the log is damaged"},
		"other shard":         {resealed(1, 7), "shard 7"},
		"unknown room":        {resealed(2, 9), "room 9"},
		"unknown kind":        {resealed(headerSize, 99), "unknown kind 99"},
		"later command":       {resealed(headerSize+1, 2), ""},
		"unknown in directory": {newEntry(1, message{RoomDirectory, []byte{1, 99}}),
			"unknown version or kind"},
		"empty batch":         {newEntry(1, message{room: roomBatch}), "nothing there"},
		"batch cut short":     {newEntry(1, message{roomBatch, []byte{1, 200, 1, 1}}), "length is wrong"},
		"batch in a batch":    {newEntry(1, message{roomBatch, nil}, message{roomBatch, nil}), "room 3"},
		"audited, no command": {newEntry(1, message{RoomAudited, audit.AppendFacts(nil, &audit.Facts{})}), "no command"},
		"audited batch":       {newEntry(1, auditedMessage(&audit.Facts{}, message{roomBatch, []byte{1, 1, 1}})), "audited: room 3"},
		"audited twice":       {newEntry(1, auditedMessage(&audit.Facts{}, auditedMessage(&audit.Facts{}, ledgerMessage(ledger.Tick{})))), "audited: room 4"},
		"audited, unknown":    {newEntry(1, auditedMessage(&audit.Facts{}, message{RoomLedger, []byte{99, 1}})), "unknown kind 99"},
		"later facts":         {newEntry(1, message{RoomAudited, []byte{2}}), "audit facts of version 2"},
		"later audit command": {newEntry(1, message{RoomAudit, []byte{1, 2}}), "kind 2"},
		"batch, then a bad":   {newEntry(1, ledgerMessage(ledger.Tick{}), message{RoomLedger, []byte{1, 99}}), ""},
	}
	for name, c := range cases {
		f := New()
		before := f.Digests()
		msg := panicOf(func() { f.Apply(&raft.Log{Index: 1, Term: 3, Data: c.entry}) })
		if !strings.Contains(msg, "entry 1 of term 3") || !strings.Contains(msg, c.says) || !strings.Contains(msg, "upgrade this node") {
			t.Errorf("%s: %q", name, msg)
		}
		sameDigests(t, f.Digests(), before, name)
	}
}

func panicOf(f func()) (msg string) {
	defer func() { msg = fmt.Sprint(recover()) }()
	f()
	return ""
}

func TestAnEntryIsNotAppliedTwice(t *testing.T) {
	f := New()
	applyAll(f, newWorkload(1).entries(3), 0)
	msg := panicOf(func() { f.Apply(&raft.Log{Index: 3, Data: ledgerEntry(1, ledger.Tick{})}) })
	if !strings.Contains(msg, "applied twice") {
		t.Errorf("panic %q", msg)
	}
	f = throughSnapshot(t, f)
	if msg := panicOf(func() { f.Apply(&raft.Log{Index: 2, Data: ledgerEntry(1, ledger.Tick{})}) }); !strings.Contains(msg, "applied twice") {
		t.Errorf("after a snapshot: panic %q", msg)
	}
}

func TestViewsDoNotChange(t *testing.T) {
	f := New()
	entries := newWorkload(2).entries(300)
	applyAll(f, entries[:150], 0)
	l, d := f.Ledger(), f.Directory()
	if f.Ledger() != l {
		t.Error("two reads of the same state made two views")
	}
	ld, dd := l.Digest(), d.Digest()
	applyAll(f, entries[150:], 150)
	if l.Digest() != ld || d.Digest() != dd {
		t.Error("a view changed after it was taken")
	}
	if f.Ledger() == l || f.Ledger().Digest() == ld || f.Directory().Digest() == dd {
		t.Error("a new view shows the old state")
	}
}

func TestNowIsTheLatestStampOfEitherRoom(t *testing.T) {
	f := New()
	f.Apply(&raft.Log{Index: 1, Data: ledgerEntry(50, ledger.Tick{})})
	f.Apply(&raft.Log{Index: 2, Data: directoryEntry(80, directory.RevokeKey{ID: "a"})})
	f.Apply(&raft.Log{Index: 3, Data: ledgerEntry(60, ledger.Tick{})})
	if f.Now() != 80 || f.Ledger().Now() != 60 {
		t.Errorf("now %d, the ledger's %d", f.Now(), f.Ledger().Now())
	}
}

func TestSnapshotTakesConstantTime(t *testing.T) {
	small, large := New(), New()
	for i := range 20_000 {
		id := directory.KeyID(fmt.Sprint("k", i))
		k := directory.Key{ID: id, Hash: sha256.Sum256([]byte(id))}
		large.Apply(&raft.Log{Index: uint64(i + 1), Data: directoryEntry(1, directory.PutKey{Key: k})})
	}
	cost := func(f *FSM) float64 {
		return testing.AllocsPerRun(10, func() {
			s, err := f.Snapshot()
			if err != nil {
				t.Fatal(err)
			}
			s.Release()
		})
	}
	if a, b := cost(small), cost(large); a != b {
		t.Errorf("a snapshot of nothing allocates %v times, one of 20,000 keys %v times", a, b)
	}
}

func BenchmarkApply(b *testing.B) {
	entries := newWorkload(1).entries(20_000)
	b.ReportAllocs()
	for b.Loop() {
		f := New()
		applyAll(f, entries, 0)
	}
	b.ReportMetric(float64(b.Elapsed().Nanoseconds())/float64(b.N)/float64(len(entries)), "ns/entry")
}
