package gossip

import (
	"bytes"
	"encoding/hex"
	"errors"
	"strings"
	"testing"

	"github.com/hashicorp/memberlist"
	"pgregory.net/rapid"
)

func full() record {
	return record{
		Meta:    Meta{Incarnation: 7, Region: "eu-central-1", Zone: "b", Address: "10.0.0.1:7071", Version: "v1.2.3"},
		cluster: "prod/0011223344556677", leaving: true,
	}
}

func TestMetaSurvivesTheWire(t *testing.T) {
	rapid.Check(t, func(t *rapid.T) {
		text := rapid.StringOfN(rapid.RuneFrom([]rune("aZ0.:-/é ")), 0, 40, 60)
		want := record{
			Meta:    Meta{rapid.Uint32().Draw(t, "incarnation"), text.Draw(t, "region"), text.Draw(t, "zone"), text.Draw(t, "address"), text.Draw(t, "version")},
			cluster: text.Draw(t, "cluster"), leaving: rapid.Bool().Draw(t, "leaving"),
		}
		b, err := want.encode()
		if err != nil {
			t.Fatal(err)
		}
		if got, err := decodeRecord(b); err != nil || *got != want {
			t.Fatalf("decoded %+v, %v, want %+v", got, err, want)
		}
	})
}

// TestCompatMeta pins the form: nodes of two builds read each other's.
func TestCompatMeta(t *testing.T) {
	const golden = "01010000000700" + "15" + "70726f642f30303131323233333434353536363737" + // prod/0011223344556677
		"000c" + "65752d63656e7472616c2d31" + "0001" + "62" + "000d" + "31302e302e302e313a37303731" + "0006" + "76312e322e33"
	r := full()
	b, err := r.encode()
	if err != nil || hex.EncodeToString(b) != golden {
		t.Errorf("%x, %v", b, err)
	}
}

func TestMetaIsBounded(t *testing.T) {
	r := full()
	r.Address = strings.Repeat("x", memberlist.MetaMaxSize)
	if _, err := r.encode(); err == nil {
		t.Error("encoded more than the library takes")
	}
	r = full()
	r.Zone = "a\x1b[2J"
	if _, err := r.encode(); err == nil {
		t.Error("encoded a control character")
	}
}

func TestDecodeRefuses(t *testing.T) {
	r := full()
	good, err := r.encode()
	if err != nil {
		t.Fatal(err)
	}
	change := func(at int, to byte) []byte {
		b := bytes.Clone(good)
		b[at] = to
		return b
	}
	for name, b := range map[string][]byte{
		"nothing": nil, "a version alone": good[:1], "cut": good[:len(good)-1], "more": append(bytes.Clone(good), 0),
		"unknown flags": change(1, 2), "a length beyond the end": change(metaFixed, 1), "a control character": change(len(good)-1, 7),
		"text that is no UTF-8": change(len(good)-1, 0xff), "too much": make([]byte, memberlist.MetaMaxSize+1),
	} {
		if r, err := decodeRecord(b); err == nil {
			t.Errorf("%s: %+v", name, r)
		}
	}
	if _, err := decodeRecord(change(0, 2)); !errors.Is(err, errVersion) {
		t.Errorf("a later version: %v", err)
	}
}

// FuzzDecodeRecord: what is accepted is what encode makes.
func FuzzDecodeRecord(f *testing.F) {
	r := full()
	good, err := r.encode()
	if err != nil {
		f.Fatal(err)
	}
	f.Add(good)
	f.Add([]byte{1})
	f.Fuzz(func(t *testing.T, b []byte) {
		r, err := decodeRecord(b)
		if err != nil {
			return
		}
		if again, err := r.encode(); err != nil || !bytes.Equal(again, b) {
			t.Fatalf("%x came back as %x, %v", b, again, err)
		}
	})
}
