package record

import (
	"bytes"
	"encoding/json"
	"os"
	"strings"
	"testing"
)

func TestJSONFormIsStable(t *testing.T) {
	b, err := json.MarshalIndent(fullLevered(), "", "  ")
	if err != nil {
		t.Fatal(err)
	}
	b = append(b, '\n')
	const file = "testdata/record.json"
	if *update {
		if err := os.WriteFile(file, b, 0o644); err != nil {
			t.Fatal(err)
		}
	}
	want, err := os.ReadFile(file)
	if err != nil {
		t.Fatal(err)
	}
	if !bytes.Equal(b, want) {
		t.Errorf("the JSON form changed (-update writes it anew):\n%s", b)
	}
}

func TestJSONLeavesOutWhatIsNotSet(t *testing.T) {
	b, err := json.Marshal(&Record{ID: NewID(0), Outcome: Denied})
	if err != nil {
		t.Fatal(err)
	}
	for _, absent := range []string{"usage", "charges", "savings", "policies", "upstream", "code", "route", "semantic", "shape", "prompt_version"} {
		if strings.Contains(string(b), `"`+absent) {
			t.Errorf("%s in %s", absent, b)
		}
	}
	if !strings.Contains(string(b), `"cost_nanousd":0`) {
		t.Errorf("no cost in %s", b)
	}
}

func TestNamesAreUniqueAndParseBack(t *testing.T) {
	for o := Completed; o <= MaxOutcome; o++ {
		if got, ok := ParseOutcome(o.String()); !ok || got != o {
			t.Errorf("%v", o)
		}
	}
	for l := LeverExactCache; l <= MaxLever; l++ {
		if got, ok := ParseLever(l.String()); !ok || got != l {
			t.Errorf("%v", l)
		}
	}
	for c := CacheBypass; c <= CacheStale; c++ {
		if got, ok := ParseCacheState(c.String()); !ok || got != c {
			t.Errorf("%v", c)
		}
	}
	for b := Reported; b <= ReportedCost; b++ {
		if got, ok := ParseBasis(b.String()); !ok || got != b {
			t.Errorf("%v", b)
		}
	}
	for b := BoundNone; b <= BoundCounted; b++ {
		if got, ok := ParseBound(b.String()); !ok || got != b {
			t.Errorf("%v", b)
		}
	}
}

func TestUnknownValuesPrintTheirNumber(t *testing.T) {
	for got, want := range map[string]string{
		Outcome(0).String(): "outcome(0)", Outcome(200).String(): "outcome(200)", Lever(9).String(): "lever(9)",
		Basis(0).String(): "basis(0)", Bound(77).String(): "bound(77)", CacheState(99).String(): "cache(99)", Verdict(99).String(): "verdict(99)",
	} {
		if got != want {
			t.Errorf("%q, want %q", got, want)
		}
	}
	if _, ok := ParseOutcome(""); ok {
		t.Error("the empty name is an outcome")
	}
}
