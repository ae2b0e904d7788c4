package record

import (
	"bytes"
	"encoding/hex"
	"errors"
	"flag"
	"os"
	"reflect"
	"strings"
	"testing"
	"unicode/utf8"

	"purser/ledger"

	"pgregory.net/rapid"
)

var update = flag.Bool("update", false, "write the golden bytes of forms that have none yet")

func TestDecodeReversesAppend(t *testing.T) {
	var d Decoder
	var got Record // reused: what one record leaves behind must not reach the next
	rapid.Check(t, func(t *rapid.T) {
		want := records().Draw(t, "record")
		b := Append([]byte("before"), want)
		if !bytes.HasPrefix(b, []byte("before")) {
			t.Fatal("Append changed what was there")
		}
		if err := d.Decode(&got, b[len("before"):]); err != nil {
			t.Fatal(err)
		}
		if !same(&got, want) {
			t.Fatalf("decoded\n %+v\nwant\n %+v", got, *want)
		}
	})
}

// same compares records; an empty slice is the same as none.
func same(a, b *Record) bool {
	return reflect.DeepEqual(settled(*a), settled(*b))
}

func settled(r Record) Record {
	if len(r.Dims.Tags) == 0 {
		r.Dims.Tags = nil
	}
	if len(r.Savings) == 0 {
		r.Savings = nil
	}
	if len(r.Charges) == 0 {
		r.Charges = nil
	}
	if len(r.Rulings) == 0 {
		r.Rulings = nil
	}
	if len(r.Route.Considered) == 0 {
		r.Route.Considered = nil
	}
	return r
}

// TestCompatVersion1: what was written before there were contracts cost its list price.
func TestCompatVersion1(t *testing.T) {
	old := full()
	old.List, old.Priced = old.Cost, old.Cost
	for name, want := range map[string]*Record{"full": baselined(old), "empty": {}} {
		if got, err := Decode(golden(t, "testdata/record_v1_"+name+".hex")); err != nil || !same(got, want) {
			t.Errorf("%s: released bytes decode to\n %+v, %v, not\n %+v", name, got, err, *want)
		}
	}
}

// TestCompatVersion2: what was written before there were policies has no rulings.
func TestCompatVersion2(t *testing.T) {
	for name, want := range map[string]*Record{"full": baselined(fullContracted()), "empty": {}} {
		if got, err := Decode(golden(t, "testdata/record_v2_"+name+".hex")); err != nil || !same(got, want) {
			t.Errorf("%s: released bytes decode to\n %+v, %v, not\n %+v", name, got, err, *want)
		}
	}
}

func TestCompatVersion3(t *testing.T) {
	for name, want := range map[string]*Record{"full": baselined(fullRuled()), "empty": {}} {
		if got, err := Decode(golden(t, "testdata/record_v3_"+name+".hex")); err != nil || !same(got, want) {
			t.Errorf("%s: released bytes decode to\n %+v, %v, not\n %+v", name, got, err, *want)
		}
	}
}

// baselined has the baseline that records without one are read with.
func baselined(r *Record) *Record {
	r.Baseline = r.Cost
	for _, s := range r.Savings {
		r.Baseline += s.Amount
	}
	return r
}

func TestCompatVersion4(t *testing.T) {
	for name, want := range map[string]*Record{"full": fullLevered(), "empty": {}} {
		if got, err := Decode(golden(t, "testdata/record_v4_"+name+".hex")); err != nil || !same(got, want) {
			t.Errorf("%s: released bytes decode to\n %+v, %v, not\n %+v", name, got, err, *want)
		}
	}
}

func TestCompatVersion5(t *testing.T) {
	for name, want := range map[string]*Record{"full": fullKnown(), "empty": {}} {
		t.Run(name, func(t *testing.T) {
			file := "testdata/record_v5_" + name + ".hex"
			if _, err := os.Stat(file); *update && errors.Is(err, os.ErrNotExist) {
				if err := os.WriteFile(file, wrap(hex.EncodeToString(Append(nil, want))), 0o644); err != nil {
					t.Fatal(err)
				}
			}
			released := golden(t, file)
			got, err := Decode(released)
			if err != nil {
				t.Fatal(err)
			}
			if !same(got, want) {
				t.Errorf("released bytes decode to\n %+v\nnot\n %+v", *got, *want)
			}
			if b := Append(nil, want); !bytes.Equal(b, released) {
				t.Errorf("the form changed without a new version:\n%x\n%x", b, released)
			}
		})
	}
}

func golden(t *testing.T, file string) []byte {
	t.Helper()
	text, err := os.ReadFile(file)
	if err != nil {
		t.Fatal(err)
	}
	b, err := hex.DecodeString(strings.Join(strings.Fields(string(text)), ""))
	if err != nil {
		t.Fatal(err)
	}
	return b
}

func wrap(s string) []byte {
	var b bytes.Buffer
	for len(s) > 96 {
		b.WriteString(s[:96] + "\n")
		s = s[96:]
	}
	b.WriteString(s + "\n")
	return b.Bytes()
}

func TestEveryTruncationIsRefused(t *testing.T) {
	b := Append(nil, full())
	for n := range b {
		if _, err := Decode(b[:n]); !errors.Is(err, ErrMalformed) {
			t.Fatalf("the first %d of %d bytes: %v", n, len(b), err)
		}
	}
	if _, err := Decode(append(b, 0)); !errors.Is(err, ErrMalformed) {
		t.Errorf("a byte too many: %v", err)
	}
}

func TestUnknownVersionIsRefused(t *testing.T) {
	b := Append(nil, full())
	b[0] = version + 1
	if _, err := Decode(b); !errors.Is(err, ErrVersion) {
		t.Errorf("got %v", err)
	}
}

func TestLongTextIsCutAtACharacter(t *testing.T) {
	r := &Record{UpstreamID: strings.Repeat("é", MaxText), Model: strings.Repeat("x", MaxText)}
	got, err := Decode(Append(nil, r))
	if err != nil {
		t.Fatal(err)
	}
	if n := len(got.UpstreamID); n > MaxText || n < MaxText-utf8.UTFMax || !utf8.ValidString(got.UpstreamID) {
		t.Errorf("cut to %d bytes, valid: %v", n, utf8.ValidString(got.UpstreamID))
	}
	if got.Model != r.Model {
		t.Error("a text of the longest length was cut")
	}
	odd := &Record{Model: strings.Repeat("\x80", 2*MaxText)} // no character begins anywhere
	if got, err = Decode(Append(nil, odd)); err != nil || len(got.Model) < MaxText-utf8.UTFMax {
		t.Errorf("got %d bytes, %v", len(got.Model), err)
	}
}

func TestTooManyChargesPanic(t *testing.T) {
	defer func() {
		if recover() == nil {
			t.Error("no panic")
		}
	}()
	Append(nil, &Record{Charges: make([]Charge, maxCharges+1)})
}

func TestDecoderRemembersALimitedNumberOfTexts(t *testing.T) {
	var d Decoder
	var r Record
	for i := range 3 * maxKnown {
		b := Append(nil, &Record{Model: hex.EncodeToString([]byte{byte(i), byte(i >> 8)})})
		if err := d.Decode(&r, b); err != nil {
			t.Fatal(err)
		}
	}
	if len(d.known) > maxKnown {
		t.Errorf("%d texts", len(d.known))
	}
}

func TestAccountFormsAreUniqueAndPrefixFree(t *testing.T) {
	account := rapid.Custom(func(t *rapid.T) ledger.AccountKey {
		s := rapid.SampledFrom([]string{"", "a", "aa", "\x01", "\x01a", "b|c", "0"})
		return ledger.AccountKey{Budget: ledger.BudgetID(s.Draw(t, "budget")), Split: ledger.Split(s.Draw(t, "split")), Start: ledger.Instant(rapid.Int64Range(-70, 70).Draw(t, "start"))}
	})
	rapid.Check(t, func(t *rapid.T) {
		a, b := account.Draw(t, "a"), account.Draw(t, "b")
		fa, fb := AppendAccount(nil, a), AppendAccount(nil, b)
		if (a == b) != bytes.HasPrefix(fa, fb) {
			t.Fatalf("%v is %x, %v is %x", a, fa, b, fb)
		}
		got, rest, err := DecodeAccount(append(fa, "rest"...))
		if err != nil || got != a || string(rest) != "rest" {
			t.Fatalf("%v decodes to %v, %q, %v", a, got, rest, err)
		}
	})
}

func FuzzDecode(f *testing.F) {
	f.Add(Append(nil, full()))
	f.Add(Append(nil, &Record{}))
	first := Append(nil, &Record{})
	first[0] = version1
	f.Add(append(first[:len(first)-7], 0, 0)) // version 1 lacks the two amounts before the first two counts, and all after those
	f.Add([]byte{version, idText, 0xff, 0xff, 0xff, 0xff, 0xff, 0xff, 0xff, 0xff, 0xff, 0x01})
	f.Fuzz(func(t *testing.T, b []byte) {
		r, err := Decode(b)
		if err != nil {
			return
		}
		if len(r.Charges) > maxCharges || len(r.Savings) > maxSavings || len(r.Dims.Tags) > ledger.MaxTags || len(r.Rulings) > MaxRulings || len(r.Route.Considered) > MaxConsidered {
			t.Fatal("more than a record can have")
		}
		again, err := Decode(Append(nil, r))
		if err != nil || !same(again, r) {
			t.Fatalf("what was decoded does not survive another round: %v", err)
		}
	})
}

func FuzzDecodeAccount(f *testing.F) {
	f.Add(AppendAccount(nil, full().Charges[0].Account))
	f.Fuzz(func(t *testing.T, b []byte) {
		k, _, err := DecodeAccount(b)
		if err != nil {
			return
		}
		if again, _, err := DecodeAccount(AppendAccount(nil, k)); err != nil || again != k {
			t.Fatalf("%v, %v", again, err)
		}
	})
}

func BenchmarkAppend(b *testing.B) {
	r, buf := full(), []byte(nil)
	b.ReportAllocs()
	for b.Loop() {
		buf = Append(buf[:0], r)
	}
	b.ReportMetric(float64(len(buf)), "bytes/record")
}

func BenchmarkDecode(b *testing.B) {
	buf := Append(nil, full())
	var d Decoder
	var r Record
	b.ReportAllocs()
	for b.Loop() {
		if err := d.Decode(&r, buf); err != nil {
			b.Fatal(err)
		}
	}
}
