package semcache

import (
	"bytes"
	"encoding/binary"
	"encoding/hex"
	"errors"
	"flag"
	"os"
	"path/filepath"
	"reflect"
	"strings"
	"testing"
	"time"

	"purser/ledger"
	"purser/proxy/price"

	"pgregory.net/rapid"
)

var update = flag.Bool("update", false, "write the golden bytes if there are none")

var anyEntry = rapid.Custom(func(t *rapid.T) *Entry {
	e := &Entry{
		Created: ledger.Instant(rapid.Int64().Draw(t, "created")), Expires: ledger.Instant(rapid.Int64().Draw(t, "expires")),
		Stale: time.Duration(rapid.Int64Range(0, int64(MaxTTL)).Draw(t, "stale")), Epoch: Epoch(rapid.Int64().Draw(t, "epoch")),
		Tags:   rapid.SliceOfN(rapid.String(), -1, MaxTags).Draw(t, "tags"),
		Status: rapid.IntRange(0, 999).Draw(t, "status"), ContentType: rapid.String().Draw(t, "type"),
		Body: rapid.SliceOf(rapid.Byte()).Draw(t, "body"), Asked: rapid.String().Draw(t, "asked"), Model: rapid.String().Draw(t, "model"),
		Cost: ledger.Amount(rapid.Int64().Draw(t, "cost")),
	}
	for m := range e.Usage {
		if rapid.Bool().Draw(t, "metered") {
			e.Usage[m] = rapid.Int64().Draw(t, "tokens")
		}
	}
	return e
})

func TestDecodeReversesAppend(t *testing.T) {
	rapid.Check(t, func(t *rapid.T) {
		e := anyEntry.Draw(t, "entry")
		k, other := keyOf(rapid.String().Draw(t, "request")), keyOf("another")
		stored := appendEntry([]byte("x"), &k, e, testSealer)[1:]
		got, err := decodeEntry(&k, stored, testSealer)
		if err != nil || !equal(got, e) || createdIn(stored) != e.Created {
			t.Fatalf("%+v, want %+v: %v", got, e, err)
		}
		if _, err := decodeEntry(&other, stored, testSealer); !errors.Is(err, errDamaged) {
			t.Fatal("an entry was accepted under another key")
		}
		wire := AppendWire([]byte("x"), k, e)[1:]
		if got, err := DecodeWire(k, wire); (err == nil) != e.complete() || err == nil && !equal(got, e) {
			t.Fatalf("from another node %+v, want %+v: %v", got, e, err)
		}
		if _, err := DecodeWire(other, wire); err == nil {
			t.Fatal("another node's entry was accepted under another key")
		}
	})
}

func golden(t *testing.T, file string, made []byte) []byte {
	t.Helper()
	file = filepath.Join("testdata", file)
	if _, err := os.Stat(file); *update && errors.Is(err, os.ErrNotExist) {
		if err := os.WriteFile(file, []byte(hex.EncodeToString(made)+"\n"), 0o644); err != nil {
			t.Fatal(err)
		}
	}
	text, err := os.ReadFile(file)
	if err != nil {
		t.Fatal(err)
	}
	b, err := hex.DecodeString(strings.TrimSpace(string(text)))
	if err != nil {
		t.Fatal(err)
	}
	return b
}

func goldenEntry() *Entry {
	e := &Entry{Created: start, Expires: start + ledger.Hour, Status: 200, ContentType: "application/json", Body: []byte(`{"id":"x"}`), Model: "gpt-5", Cost: 77}
	for m := range e.Usage {
		e.Usage[m] = int64(m) * 3
	}
	return e
}

// What earlier builds have written in clear is read, but not written any more.
func TestCompatVersion1(t *testing.T) {
	k, e := keyOf("golden"), goldenEntry()
	b := golden(t, "entry_v1.hex", nil)
	got, err := decodeEntry(&k, b, testSealer)
	if err != nil || !equal(got, e) || createdIn(b) != e.Created {
		t.Errorf("released bytes decode to %+v: %v", got, err)
	}
	if p, ok := decodePlaceInfo(golden(t, "place_v1.hex", nil)); !ok || p.created != start || p.expires != start+ledger.Hour || p.size != 300 || p.epoch != 0 || p.labels != nil {
		t.Errorf("a released place decodes to %+v, %v", p, ok)
	}
}

func TestCompatVersion2(t *testing.T) {
	k, e := keyOf("golden"), goldenEntry()
	e.Asked, e.Tags, e.Stale, e.Epoch = "gpt", []string{"a", "b"}, time.Minute, 5
	got, err := decodeEntry(&k, golden(t, "entry_v2.hex", appendEntry(nil, &k, e, testSealer)), testSealer)
	if err != nil || !equal(got, e) {
		t.Errorf("released bytes decode to %+v: %v", got, err)
	}
	for file, made := range map[string][]byte{"payload_v2.hex": appendPayload(nil, e), "place_v2.hex": appendPlaceInfo(nil, infoOf(e)), "wire_v1.hex": AppendWire(nil, k, e)} {
		if !bytes.Equal(made, golden(t, file, made)) {
			t.Errorf("%s: the form changed without a new version", file)
		}
	}
	m := Selection{Tenant: "acme", Model: "gpt", Tag: "a", Key: k}.mark(7)
	made, _ := m.AppendBinary(nil)
	if !bytes.Equal(made, golden(t, "purge_v1.hex", made)) {
		t.Error("the form of purges changed without a new version")
	}
}

func TestEveryDamagedByteIsNoticed(t *testing.T) {
	k := keyOf("x")
	for name, form := range map[string]struct {
		bytes []byte
		read  func([]byte) error
	}{
		"stored":  {appendEntry(nil, &k, answer("the body", start), testSealer), func(b []byte) error { _, err := decodeEntry(&k, b, testSealer); return err }},
		"clear":   {golden(t, "entry_v1.hex", nil), func(b []byte) error { g := keyOf("golden"); _, err := decodeEntry(&g, b, testSealer); return err }},
		"on wire": {AppendWire(nil, k, answer("the body", start)), func(b []byte) error { _, err := DecodeWire(k, b); return err }},
	} {
		if err := form.read(form.bytes); err != nil {
			t.Fatalf("%s: %v", name, err)
		}
		for i := range form.bytes {
			for bit := range 8 {
				c := bytes.Clone(form.bytes)
				c[i] ^= 1 << bit
				if form.read(c) == nil {
					t.Fatalf("%s: bit %d of byte %d", name, bit, i)
				}
			}
			if form.read(form.bytes[:i]) == nil {
				t.Fatalf("%s: the first %d bytes", name, i)
			}
		}
	}
}

func FuzzDecodePayload(f *testing.F) {
	f.Add(appendPayload(nil, answer("body", start)))
	f.Add([]byte{})
	f.Fuzz(func(t *testing.T, payload []byte) {
		e, err := decodePayload(payload)
		if err != nil {
			return
		}
		again, err := decodePayload(appendPayload(nil, e))
		if err != nil || !equal(again, e) {
			t.Fatalf("%+v, %v", again, err)
		}
	})
}

func FuzzDecodePlaceInfo(f *testing.F) {
	f.Add(appendPlaceInfo(nil, placeInfo{1, 2, 3, 4, []label{5, 6}}))
	f.Fuzz(func(t *testing.T, b []byte) {
		p, ok := decodePlaceInfo(b)
		if !ok {
			return
		}
		if again, ok := decodePlaceInfo(appendPlaceInfo(nil, p)); !ok || !reflect.DeepEqual(again, p) {
			t.Fatal(again)
		}
	})
}

func TestPlacesAreInTheOrderOfTime(t *testing.T) {
	rapid.Check(t, func(t *rapid.T) {
		a := place{ledger.Instant(rapid.Int64Min(0).Draw(t, "a")), keyOf("a")}
		b := place{ledger.Instant(rapid.Int64Min(0).Draw(t, "b")), keyOf("b")}
		ka, kb := appendPlaceKey(nil, a), appendPlaceKey(nil, b)
		if a.placed < b.placed != (bytes.Compare(ka, kb) < 0) && a.placed != b.placed {
			t.Fatalf("%v, %v", a, b)
		}
		if p, ok := parsePlaceKey(ka); !ok || p != a {
			t.Fatalf("%v parses to %v", a, p)
		}
	})
	if _, ok := parsePlaceKey([]byte("d")); ok {
		t.Error("a short key is a place")
	}
}

func TestUnknownMetersAreDamage(t *testing.T) {
	for set, bad := range map[uint64]bool{1<<price.NumMeters - 1: false, 1 << price.NumMeters: true} {
		in := input{b: append(binary.AppendUvarint(nil, set), make([]byte, price.NumMeters)...)}
		var u price.Usage
		if in.usage(&u); in.bad != bad {
			t.Errorf("%b: %v", set, in.bad)
		}
	}
}
