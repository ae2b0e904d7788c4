package directory

import (
	"bytes"
	"reflect"
	"slices"
	"testing"

	"purser/ledger"
)

// goldenSuspended are commands about a key that is suspended.
func goldenSuspended() []Command {
	k := Key{ID: "idle", Hash: Hash{4}, Name: "idle", Suspended: true}
	return []Command{WriteKey{Key: k}, WriteKey{Expect: AnyVersion, Key: Key{ID: "idle", Hash: Hash{4}, Name: "other", Suspended: true}}}
}

func TestCompatSuspended_v1(t *testing.T) {
	var commands, records [][]byte
	s := New()
	for i, c := range goldenSuspended() {
		commands = append(commands, AppendCommand(nil, c))
		if out := s.Apply(ledger.Instant(i+1)*500, c); out.Code != Applied {
			t.Fatalf("%T: %v", c, out.Code)
		}
	}
	for i, b := range golden(t, "suspended_v1.hex", commands) {
		if c, err := DecodeCommand(b); err != nil || !reflect.DeepEqual(c, goldenSuspended()[i]) {
			t.Errorf("command %d decodes to %+v, %v", i, c, err)
		}
		if b[1] != byte(KindWriteSuspended) {
			t.Errorf("command %d is of kind %d: an earlier build would take the key for an active one", i, b[1])
		}
	}
	for b := range s.Records() {
		records = append(records, bytes.Clone(b))
	}
	back, err := Load(fromRecords(slices.Values(golden(t, "suspended_records_v1.hex", records))))
	if err != nil || back.Digest() != s.Digest() {
		t.Fatalf("the records load to another state: %v", err)
	}
	if k, ok := back.Key("idle"); !ok || k.Status(0) != Suspended {
		t.Errorf("loaded %+v", k)
	}
}

func TestASuspendedKeyIsRefusedUntilItIsResumed(t *testing.T) {
	s := New()
	k := testKey("a")
	k.Scopes, k.Public, k.Expires, k.Suspended = ScopeMint|ScopeInference, [32]byte{7}, 1000, true
	apply(t, s, 1, WriteKey{Key: k}, Applied)
	status := func(at ledger.Instant, want Status) {
		t.Helper()
		got, _ := s.Key(k.ID)
		if is := got.StatusOf(k.Hash, at); is != want {
			t.Errorf("the secret's status is %v, want %v", is, want)
		}
		if is := got.StatusOfPublic(k.Public, at); is != want {
			t.Errorf("the status of its children's proof is %v, want %v", is, want)
		}
	}
	status(5, Suspended)
	apply(t, s, 6, AdmitChildren{Parent: k.ID, Children: []Child{child(1, 900)}}, KeySuspended)
	apply(t, s, 7, ForgetKey{ID: k.ID}, KeyActive)
	plain := k
	plain.Name = "by an earlier form"
	apply(t, s, 8, PutKey{Key: plain}, Applied)
	status(9, Suspended)
	apply(t, s, 10, RotateKey{ID: k.ID, Hash: Hash{8}, Public: [32]byte{8}, OldUntil: 900}, Applied)
	status(11, Suspended)
	resumed, _ := s.Key(k.ID)
	again := *resumed
	again.Suspended = false
	apply(t, s, 12, WriteKey{Expect: resumed.Version, Key: again}, Applied)
	status(13, Active)
	status(1000, Replaced)
	apply(t, s, 14, AdmitChildren{Parent: k.ID, Children: []Child{child(1, 900)}}, Applied)
	again.Suspended = true
	apply(t, s, 15, WriteKey{Expect: AnyVersion, Key: again}, Applied)
	apply(t, s, 1001, ForgetKey{ID: k.ID}, Applied) // it has expired
}
