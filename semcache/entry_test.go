package semcache

import (
	"bytes"
	"encoding/hex"
	"errors"
	"flag"
	"os"
	"strings"
	"testing"

	"purser/ledger"
	"purser/proxy/price"

	"pgregory.net/rapid"
)

var update = flag.Bool("update", false, "write the golden bytes if there are none")

func TestDecodeReversesAppend(t *testing.T) {
	rapid.Check(t, func(t *rapid.T) {
		e := &Entry{
			Created: ledger.Instant(rapid.Int64().Draw(t, "created")), Expires: ledger.Instant(rapid.Int64().Draw(t, "expires")),
			Status: rapid.IntRange(0, 999).Draw(t, "status"), ContentType: rapid.String().Draw(t, "type"),
			Body: rapid.SliceOf(rapid.Byte()).Draw(t, "body"), Model: rapid.String().Draw(t, "model"),
			Cost: ledger.Amount(rapid.Int64().Draw(t, "cost")),
		}
		for m := range e.Usage {
			if rapid.Bool().Draw(t, "metered") {
				e.Usage[m] = rapid.Int64().Draw(t, "tokens")
			}
		}
		k := keyOf(rapid.String().Draw(t, "request"))
		got, err := decodeEntry(&k, appendEntry([]byte("x"), &k, e)[1:])
		if err != nil || !equal(got, e) {
			t.Fatalf("%+v, want %+v: %v", got, e, err)
		}
		other := keyOf("another")
		if _, err := decodeEntry(&other, appendEntry(nil, &k, e)); !errors.Is(err, errDamaged) {
			t.Fatal("an entry was accepted under another key")
		}
	})
}

func TestCompatVersion1(t *testing.T) {
	k := keyOf("golden")
	e := &Entry{Created: start, Expires: start + ledger.Hour, Status: 200, ContentType: "application/json", Body: []byte(`{"id":"x"}`), Model: "gpt-5", Cost: 77}
	for m := range e.Usage {
		e.Usage[m] = int64(m) * 3
	}
	const file = "testdata/entry_v1.hex"
	if _, err := os.Stat(file); *update && errors.Is(err, os.ErrNotExist) {
		if err := errors.Join(os.MkdirAll("testdata", 0o755), os.WriteFile(file, []byte(hex.EncodeToString(appendEntry(nil, &k, e))+"\n"), 0o644)); err != nil {
			t.Fatal(err)
		}
	}
	text, err := os.ReadFile(file)
	if err != nil {
		t.Fatal(err)
	}
	golden, err := hex.DecodeString(strings.TrimSpace(string(text)))
	if err != nil {
		t.Fatal(err)
	}
	got, err := decodeEntry(&k, golden)
	if err != nil || !equal(got, e) {
		t.Errorf("released bytes decode to %+v: %v", got, err)
	}
	if !bytes.Equal(appendEntry(nil, &k, e), golden) {
		t.Error("the form changed without a new version")
	}
}

func TestEveryDamagedByteIsNoticed(t *testing.T) {
	k := keyOf("x")
	b := appendEntry(nil, &k, answer("the body", start))
	for i := range b {
		for bit := range 8 {
			c := bytes.Clone(b)
			c[i] ^= 1 << bit
			if _, err := decodeEntry(&k, c); err == nil {
				t.Fatalf("bit %d of byte %d", bit, i)
			}
		}
		if _, err := decodeEntry(&k, b[:i]); err == nil {
			t.Fatalf("the first %d bytes", i)
		}
	}
}

func FuzzDecodeEntry(f *testing.F) {
	k := keyOf("x")
	good := appendEntry(nil, &k, answer("body", start))
	f.Add(good[entryHeader:])
	f.Add([]byte{})
	f.Fuzz(func(t *testing.T, payload []byte) {
		// With a good checksum, so that what is behind it is reached.
		b := append([]byte{entryVersion, 0, 0, 0, 0}, payload...)
		sum := checksum(&k, payload)
		b[1], b[2], b[3], b[4] = byte(sum>>24), byte(sum>>16), byte(sum>>8), byte(sum)
		e, err := decodeEntry(&k, b)
		if err != nil {
			return
		}
		again, err := decodeEntry(&k, appendEntry(nil, &k, e))
		if err != nil || !equal(again, e) {
			t.Fatalf("%+v, %v", again, err)
		}
	})
}

func FuzzDecodePlaceInfo(f *testing.F) {
	f.Add(appendPlaceInfo(nil, placeInfo{1, 2, 3}))
	f.Fuzz(func(t *testing.T, b []byte) {
		p, ok := decodePlaceInfo(b)
		if !ok {
			return
		}
		if again, ok := decodePlaceInfo(appendPlaceInfo(nil, p)); !ok || again != p {
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
	k := keyOf("x")
	b := appendEntry(nil, &k, &Entry{})
	// The set of meters comes after five single bytes.
	b = append(b[:entryHeader+5], 0xff, 0xff, 0xff, 0xff, 0x0f)
	sum := checksum(&k, b[entryHeader:])
	b[1], b[2], b[3], b[4] = byte(sum>>24), byte(sum>>16), byte(sum>>8), byte(sum)
	if _, err := decodeEntry(&k, b); !errors.Is(err, errDamaged) || price.NumMeters >= 32 {
		t.Errorf("got %v", err)
	}
}
