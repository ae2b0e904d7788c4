package redaction

import (
	"flag"
	"fmt"
	"slices"
	"strings"
	"testing"

	"purser/proxy/redaction/labelled"
)

var (
	labelledSeed  = flag.Uint64("labelled.seed", 1, "seed of the labelled texts")
	labelledTexts = flag.Int("labelled.texts", 4000, "how many labelled texts are searched")
)

// score counts of one entity: values, those found whole, and what was found that is
// none.
type score struct{ values, found, wrong int }

func (s score) recall() float64 { return float64(s.found) / float64(max(s.values, 1)) }

func (s score) precision() float64 {
	return float64(s.found) / float64(max(s.found+s.wrong, 1))
}

// bare are entities whose numbers many others look like: they are found only where a
// word nearby says what they are, and one in twelve of the labelled ones has none.
var bare = []string{"ABA_ROUTING", "US_BANK", "US_PASSPORT", "US_NPI", "UK_NHS", "IN_AADHAAR", "AU_TFN", "CA_SIN", "DE_TAX_ID", "DE_ID_CARD", "PL_PESEL"}

// TestLabelledTexts measures recall and precision on texts that another package
// generates, and prints them; -v shows the table of docs/redaction.md.
func TestLabelledTexts(t *testing.T) {
	set, err := Compile([]Spec{{ID: "all"}}, Options{})
	if err != nil {
		t.Fatal(err)
	}
	scores := measure(set.Plan(nil, Input).NewScanner(), labelled.Generate(*labelledSeed, *labelledTexts))
	var total score
	var table strings.Builder
	fmt.Fprintf(&table, "%d texts of seed %d\n| entity | values | recall | precision |\n|---|---|---|---|\n", *labelledTexts, *labelledSeed)
	for _, entity := range append(Entities(), "all") {
		s := scores[entity]
		if entity == "all" {
			s = &total
		}
		if s == nil {
			t.Errorf("no text has a value of %s", entity)
			continue
		}
		fmt.Fprintf(&table, "| %s | %d | %.3f | %.3f |\n", entity, s.values, s.recall(), s.precision())
		if entity == "all" {
			break
		}
		total.values, total.found, total.wrong = total.values+s.values, total.found+s.found, total.wrong+s.wrong
		least, exact := 0.97, 0.93
		if slices.Contains(bare, entity) {
			least, exact = 0.82, 0.88
		}
		if s.values < 40 || s.recall() < least || s.precision() < exact {
			t.Errorf("%s: recall %.3f and precision %.3f of %d, want %.2f and %.2f", entity, s.recall(), s.precision(), s.values, least, exact)
		}
	}
	if total.recall() < 0.95 || total.precision() < 0.98 {
		t.Errorf("recall %.3f and precision %.3f of all", total.recall(), total.precision())
	}
	t.Log(table.String())
}

func measure(sc *Scanner, texts []labelled.Text) map[string]*score {
	scores := map[string]*score{}
	of := func(entity string) *score {
		if scores[entity] == nil {
			scores[entity] = &score{}
		}
		return scores[entity]
	}
	for _, x := range texts {
		found, _ := sc.Scan([]byte(x.Text))
		for _, l := range x.Spans {
			s := of(l.Entity)
			s.values++
			if slices.ContainsFunc(found, func(f Finding) bool { return f.Entity == l.Entity && f.Start <= l.Start && f.End >= l.End }) {
				s.found++
			}
		}
		for _, f := range found {
			if !slices.ContainsFunc(x.Spans, func(l labelled.Span) bool {
				return f.Entity == l.Entity && f.Start < l.End && l.Start < f.End
			}) {
				of(f.Entity).wrong++
			}
		}
	}
	return scores
}
