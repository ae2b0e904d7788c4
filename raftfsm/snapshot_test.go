package raftfsm

import (
	"bytes"
	"encoding/binary"
	"encoding/hex"
	"errors"
	"flag"
	"fmt"
	"io"
	"os"
	"path/filepath"
	"reflect"
	"runtime"
	"slices"
	"strings"
	"testing"

	"github.com/hashicorp/raft"

	"purser/internal/audit"
	"purser/internal/directory"
	"purser/ledger"
)

var update = flag.Bool("update", false, "write testdata of the present version")

// sink is an in-memory raft.SnapshotSink that can fail after some bytes.
type sink struct {
	bytes.Buffer
	room              int // 0: no end
	closed, cancelled bool
}

var errDiskFull = errors.New("disk full")

func (s *sink) Write(b []byte) (int, error) {
	if s.room > 0 && s.Len()+len(b) > s.room {
		return 0, errDiskFull
	}
	return s.Buffer.Write(b)
}

func (s *sink) ID() string    { return "test" }
func (s *sink) Close() error  { s.closed = true; return nil }
func (s *sink) Cancel() error { s.cancelled = true; return nil }

func persist(t *testing.T, f *FSM) []byte {
	t.Helper()
	snap, err := f.Snapshot()
	if err != nil {
		t.Fatal(err)
	}
	defer snap.Release()
	var s sink
	if err := snap.Persist(&s); err != nil {
		t.Fatal(err)
	}
	if !s.closed || s.cancelled {
		t.Fatalf("sink closed %v, cancelled %v", s.closed, s.cancelled)
	}
	return s.Bytes()
}

func reader(b []byte) io.ReadCloser { return io.NopCloser(bytes.NewReader(b)) }

func TestASnapshotIsOfTheMomentItWasTaken(t *testing.T) {
	f := New()
	entries := newWorkload(3).entries(300)
	applyAll(f, entries[:150], 0)
	want := f.Digests()
	snap, err := f.Snapshot()
	if err != nil {
		t.Fatal(err)
	}
	applyAll(f, entries[150:], 150)
	var s sink
	if err := snap.Persist(&s); err != nil {
		t.Fatal(err)
	}
	back := New()
	if err := back.Restore(reader(s.Bytes())); err != nil {
		t.Fatal(err)
	}
	sameDigests(t, back.Digests(), want, "restored")
}

func TestAnySnapshotByteDamagedIsRefused(t *testing.T) {
	f := New()
	applyAll(f, newWorkload(4).entries(40), 0)
	good := persist(t, f)
	target := New()
	applyAll(target, newWorkload(5).entries(40), 0)
	before := target.Digests()
	refused := func(b []byte, what string) {
		t.Helper()
		if err := target.Restore(reader(b)); !errors.Is(err, errSnapshot) {
			t.Fatalf("%s: %v", what, err)
		}
		if target.index != before.Index {
			t.Fatalf("%s: the state was touched", what)
		}
	}
	for i := range good {
		b := bytes.Clone(good)
		b[i] ^= 1 << (i % 8)
		refused(b, fmt.Sprint("bit flip at ", i))
		refused(good[:i], fmt.Sprint("cut to ", i))
	}
	refused(append(bytes.Clone(good), 0), "a byte more")
	sameDigests(t, target.Digests(), before, "after all refusals")
	if err := target.Restore(reader(good)); err != nil {
		t.Fatal(err)
	}
	sameDigests(t, target.Digests(), f.Digests(), "restored at last")
}

// TestFramesAreCheckedAsAWhole: frames that are each in order do not yet make a snapshot.
func TestFramesAreCheckedAsAWhole(t *testing.T) {
	f := New()
	applyAll(f, newWorkload(4).entries(40), 0)
	frames := split(t, persist(t, f))
	other := New()
	applyAll(other, newWorkload(6).entries(40), 0)
	foreign := split(t, persist(t, other))
	last := len(frames) - 1
	edits := map[string][][]byte{
		"header missing":         frames[1:],
		"header twice":           append([][]byte{frames[0]}, frames...),
		"trailer missing":        frames[:last],
		"trailer twice":          append(frames[:last:last], frames[last], frames[last]),
		"trailer of another":     append(frames[:last:last], foreign[len(foreign)-1]),
		"a ledger record less":   append(frames[:2:2], frames[3:]...),
		"first two exchanged":    append([][]byte{frames[1], frames[0]}, frames[2:]...),
		"directory record twice": append(append(frames[:last:last], frames[last-1]), frames[last]),
		"unknown frame":          append(append(frames[:last:last], frame(77, nil)), frames[last]),
		"empty audit trail":      append(append(frames[:last:last], emptyTrail()...), frames[last]),
		"no audit trail":         slices.DeleteFunc(slices.Clone(frames), func(b []byte) bool { return b[0] == frameAudit }),
		"empty ledger record":    append([][]byte{frames[0], frame(frameLedger, nil)}, frames[1:]...),
		"header with a tail":     append([][]byte{frame(frameHeader, []byte{1, 1})}, frames[1:]...),
	}
	for name, list := range edits {
		b := append([]byte(snapshotMagic), bytes.Join(list, nil)...)
		if err := New().Restore(reader(b)); !errors.Is(err, errSnapshot) {
			t.Errorf("%s: %v", name, err)
		}
	}
}

func emptyTrail() (frames [][]byte) {
	for b := range audit.New().Records() {
		frames = append(frames, frame(frameAudit, b))
	}
	return frames
}

// TestASnapshotWithoutAnAuditTrailIsThatOfEarlierBuilds: they read one until there is
// something in it that they do not know.
func TestASnapshotWithoutAnAuditTrailIsThatOfEarlierBuilds(t *testing.T) {
	f := goldenFSM()
	kinds := func() (list []byte) {
		for _, b := range split(t, persist(t, f)) {
			list = append(list, b[0])
		}
		return list
	}
	if got := kinds(); slices.Max(got) != frameTrailer {
		t.Errorf("frames %v", got)
	}
	f.Apply(&raft.Log{Index: 99, Data: newEntry(0, auditedMessage(&audit.Facts{Action: "key.revoke"}, directoryMessage(directory.RevokeKey{ID: putKey.Key.ID})))})
	if got := kinds(); slices.Max(got) != frameAudit {
		t.Errorf("frames with a trail %v", got)
	}
}

// TestATrailerDigestIsCompared: consistent records that are not those that were written.
func TestATrailerDigestIsCompared(t *testing.T) {
	f := New()
	applyAll(f, newWorkload(4).entries(10), 0)
	frames := split(t, persist(t, f))
	other := image{ledger: ledger.New(), directory: f.Directory(), trail: f.Trail()}
	frames[len(frames)-1] = frame(frameTrailer, other.digests(binary.AppendUvarint(nil, uint64(len(frames)-1))))
	err := New().Restore(reader(append([]byte(snapshotMagic), bytes.Join(frames, nil)...)))
	if !errors.Is(err, errSnapshot) || !strings.Contains(err.Error(), "digest") {
		t.Errorf("Restore = %v", err)
	}
}

func frame(kind byte, payload []byte) []byte {
	head := frameHead(kind, len(payload))
	b := append(append([]byte{}, head[:]...), payload...)
	return binary.BigEndian.AppendUint32(b, frameSum(head, payload))
}

func split(t *testing.T, b []byte) (frames [][]byte) {
	t.Helper()
	for b = b[len(snapshotMagic):]; len(b) > 0; {
		n := 9 + int(binary.BigEndian.Uint32(b[1:]))
		frames = append(frames, b[:n:n])
		b = b[n:]
	}
	return frames
}

func TestAFailedWriteCancelsTheSnapshot(t *testing.T) {
	f := New()
	applyAll(f, newWorkload(4).entries(2000), 0)
	size := len(persist(t, f))
	for _, room := range []int{1, size / 2, size - 1} {
		snap, err := f.Snapshot()
		if err != nil {
			t.Fatal(err)
		}
		s := sink{room: room}
		if err := snap.Persist(&s); !errors.Is(err, errDiskFull) || !s.cancelled || s.closed {
			t.Errorf("room for %d of %d bytes: %v, cancelled %v, closed %v", room, size, err, s.cancelled, s.closed)
		}
	}
}

func TestADamagedLengthAllocatesLittle(t *testing.T) {
	b := append([]byte(snapshotMagic), frameHeader, 3, 255, 255, 255) // promises 64 MB
	var before, after runtime.MemStats
	runtime.ReadMemStats(&before)
	if err := New().Restore(reader(b)); !errors.Is(err, errSnapshot) {
		t.Fatal(err)
	}
	runtime.ReadMemStats(&after)
	if grown := after.TotalAlloc - before.TotalAlloc; grown > 4<<20 {
		t.Errorf("%d bytes were allocated", grown)
	}
}

// goldenFSM has something in each room. It goes through the golden entries.
func goldenFSM() *FSM {
	f := New()
	applyAll(f, goldenEntries(), 0)
	return f
}

func goldenEntries() [][]byte {
	total := ledger.AccountKey{Budget: "b"}
	return [][]byte{
		ledgerEntry(1_700_000_000*ledger.Second, putBudget),
		ledgerEntry(1_700_000_001*ledger.Second, ledger.Register{Node: "n1", Store: ledger.StoreID{1, 2, 3}}),
		ledgerEntry(1_700_000_002*ledger.Second, &ledger.Exchange{
			Node: "n1", Incarnation: 1, Seq: 1, Rows: []ledger.Row{{Account: total, Want: 1}},
		}),
		directoryEntry(1_700_000_003*ledger.Second, putKey),
		ledgerEntry(1_700_000_004*ledger.Second, ledger.Tick{}),
	}
}

func golden(t *testing.T, name string, got [][]byte) [][]byte {
	t.Helper()
	path := filepath.Join("testdata", name)
	if *update {
		var out strings.Builder
		for _, b := range got {
			fmt.Fprintln(&out, hex.EncodeToString(b))
		}
		if err := os.WriteFile(path, []byte(out.String()), 0o644); err != nil {
			t.Fatal(err)
		}
	}
	text, err := os.ReadFile(path)
	if err != nil {
		t.Fatal(err)
	}
	var want [][]byte
	for line := range strings.Lines(string(text)) {
		b, err := hex.DecodeString(strings.TrimSpace(line))
		if err != nil {
			t.Fatal(err)
		}
		want = append(want, b)
	}
	if !bytes.Equal(bytes.Join(got, nil), bytes.Join(want, nil)) {
		t.Errorf("%s: the stored form has changed; give it a new version", path)
	}
	return want
}

func TestCompatEntries_v1(t *testing.T) {
	f := New()
	applyAll(f, golden(t, "entries_v1.hex", goldenEntries()), 0)
	sameDigests(t, f.Digests(), goldenFSM().Digests(), "golden entries")
}

func TestCompatSnapshot_v1(t *testing.T) {
	b := golden(t, "snapshot_v1.hex", [][]byte{persist(t, goldenFSM())})
	f := New()
	if err := f.Restore(reader(b[0])); err != nil {
		t.Fatal(err)
	}
	sameDigests(t, f.Digests(), goldenFSM().Digests(), "golden snapshot")
}

func FuzzRestore(f *testing.F) {
	var s sink
	snap, _ := goldenFSM().Snapshot()
	_ = snap.Persist(&s)
	f.Add(s.Bytes())
	f.Add([]byte(snapshotMagic))
	f.Fuzz(func(t *testing.T, b []byte) {
		if err := New().Restore(reader(b)); err != nil && !errors.Is(err, errSnapshot) {
			t.Fatalf("an error of no kind: %v", err)
		}
	})
}

func FuzzDecodeEntry(f *testing.F) {
	for _, b := range goldenEntries() {
		f.Add(b)
	}
	f.Fuzz(func(t *testing.T, b []byte) {
		b = bytes.Clone(b) // the fuzzer owns its input
		if len(b) >= headerSize && b[0] == entryVersion {
			reseal(b) // or the checksum would refuse all that is interesting
		}
		e, err := decodeEntry(b)
		if err != nil {
			if !errors.Is(err, errUnreadable) {
				t.Fatalf("an error of no kind: %v", err)
			}
			return
		}
		var messages []message
		for _, c := range e.commands {
			if c.ledger != nil {
				messages = append(messages, ledgerMessage(c.ledger))
			} else {
				messages = append(messages, directoryMessage(c.directory))
			}
		}
		again, err := decodeEntry(newEntry(e.stamp, messages...))
		if err != nil || again.stamp != e.stamp || !reflect.DeepEqual(again.commands, e.commands) {
			t.Fatalf("%x comes back as %+v, %v", b, again, err)
		}
	})
}

func TestL10ApplyIsTotal(t *testing.T) {
	for _, c := range []ledger.Command{
		ledger.PutBudget{}, ledger.DeleteBudget{}, ledger.Register{}, &ledger.Exchange{}, ledger.Fence{},
		&ledger.Exchange{Node: "n", Needs: []ledger.Need{{Claims: []ledger.Claim{{Row: 7}}}}},
	} {
		if msg := panicOf(func() { applyAll(New(), [][]byte{ledgerEntry(1, c)}, 0) }); msg != "<nil>" {
			t.Errorf("%T: panic %s", c, msg)
		}
	}
	for _, c := range []directory.Command{directory.PutKey{}, directory.RevokeKey{}, directory.ForgetKey{}} {
		if msg := panicOf(func() { applyAll(New(), [][]byte{directoryEntry(1, c)}, 0) }); msg != "<nil>" {
			t.Errorf("%T: panic %s", c, msg)
		}
	}
}
