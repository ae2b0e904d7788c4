package reconcile

import (
	"encoding/json"
	"fmt"
	"math/big"
	"os"
	"strings"
	"testing"

	"pgregory.net/rapid"

	"purser/ledger"
)

func read(t *testing.T, file string, f func([]byte) (*Report, error)) *Report {
	t.Helper()
	raw, err := os.ReadFile("testdata/" + file)
	if err != nil {
		t.Fatal(err)
	}
	r, err := f(raw)
	if err != nil {
		t.Fatalf("%s: %v", file, err)
	}
	return r
}

func ofCSV(raw []byte) (*Report, error) { return ReadCSV("own", raw) }

// TestReports: three forms of the same costs are the same lines.
func TestReports(t *testing.T) {
	for file, f := range map[string]func([]byte) (*Report, error){"openai.json": ReadOpenAI, "anthropic.json": ReadAnthropic, "costs.csv": ofCSV} {
		r := read(t, file, f)
		if len(r.Lines) != 3 || len(r.Days) != 2 || r.Days[0] != "2026-11-25" {
			t.Errorf("%s: %+v", file, r)
			continue
		}
		for i, want := range []Line{
			{Day: "2026-11-25", Model: "model-a-2026-01-31", Key: "key-1", Amount: 1_234_500_000},
			{Day: "2026-11-25", Model: "model-b", Key: "key-2", Amount: 60_000},
			{Day: "2026-11-26", Model: "", Key: "key-1", Amount: -250_000_000},
		} {
			got := r.Lines[i]
			if got.Item == "" || got.At == "" {
				t.Errorf("%s: %+v", file, got)
			}
			if got.Item, got.At = "", ""; got != want {
				t.Errorf("%s: %+v, want %+v", file, got, want)
			}
		}
		if len(r.Left) != 1 || !strings.Contains(r.Left[0].Why, `"eur"`) {
			t.Errorf("%s: left out %+v", file, r.Left)
		}
	}
}

// TestWhatIsNoReportSaysWhere: an error names the place, and no amount is guessed.
func TestWhatIsNoReportSaysWhere(t *testing.T) {
	bucket := func(results string) string {
		return `{"object":"page","data":[{"start_time":1764028800,"end_time":1764115200,"results":[` + results + `]}]}`
	}
	month := func(results string) string {
		return `{"data":[{"starting_at":"2026-11-01T00:00:00Z","ending_at":"2026-12-01T00:00:00Z","results":[` + results + `]}]}`
	}
	for name, c := range map[string]struct {
		f         func([]byte) (*Report, error)
		raw, want string
	}{
		"nothing":               {ReadOpenAI, "", "empty"},
		"an empty list":         {ReadOpenAI, "[]", "empty"},
		"no JSON":               {ReadOpenAI, "Day,Cost", "page 1, at byte"},
		"another object":        {ReadOpenAI, `{"object":"list","data":[]}`, `"list", not "page"`},
		"usage, not costs":      {ReadOpenAI, `{"error":{"message":"no"}}`, "/v1/organization/costs"},
		"more pages":            {ReadOpenAI, `{"object":"page","data":[],"has_more":true,"next_page":"page_2"}`, "page_2"},
		"an hour":               {ReadOpenAI, `{"object":"page","data":[{"start_time":1764028800,"end_time":1764032400,"results":[]}]}`, "page 1, bucket 1: it is from 2025-11-25T00:00:00Z"},
		"no amount":             {ReadOpenAI, bucket(`{"line_item":"m, input"}`), "page 1, bucket 1, result 1: it has no amount"},
		"an amount of words":    {ReadOpenAI, bucket(`{"amount":{"value":"lots","currency":"usd"}}`), `result 1: the amount "lots" is no decimal number`},
		"an amount of null":     {ReadOpenAI, bucket(`{"amount":{"value":null,"currency":"usd"}}`), `"null" is no decimal number`},
		"too much":              {ReadOpenAI, bucket(`{"amount":{"value":1e19,"currency":"usd"}}`), "too large"},
		"the second page":       {ReadOpenAI, bucket("") + "\n{", "page 2, at byte"},
		"Anthropic's month":     {ReadAnthropic, month(""), "no day in UTC"},
		"Anthropic's of OpenAI": {ReadAnthropic, `{"object":"page"}`, "page 1: it has no data"},
		"Anthropic's time":      {ReadAnthropic, `{"data":[{"starting_at":"yesterday"}]}`, `bucket 1: starting_at "yesterday"`},
		"no column":             {ofCSV, "day,model\n", "column amount is missing"},
		"another column":        {ofCSV, "day,amount,region\n", `no column "region"`},
		"a column twice":        {ofCSV, "day,amount,day\n", "twice"},
		"no lines":              {ofCSV, "day,amount\n", "no lines"},
		"an empty file":         {ofCSV, "", "empty"},
		"no day":                {ofCSV, "day,amount\n2026-11-26,1\n26.11.2026,1\n", `line 3: "26.11.2026"`},
		"a comma for a point":   {ofCSV, "day,amount\n2026-11-26,\"1,5\"\n", `line 2: the amount "1,5"`},
		"a field too many":      {ofCSV, "day,amount\n2026-11-26,1,2\n", "line 2"},
		"an amount with words":  {ofCSV, "day,amount\n2026-11-26,$5\n", `"$5" is no decimal number`},
	} {
		if r, err := c.f([]byte(c.raw)); err == nil || !strings.Contains(err.Error(), c.want) {
			t.Errorf("%s: %v, want %q (%+v)", name, err, c.want, r)
		}
	}
}

func TestAmountsAreExact(t *testing.T) {
	for text, want := range map[string]ledger.Amount{
		"0": 0, "-0.0": 0, "1": 1e9, "0.06": 60_000_000, "6e-05": 60_000, "1.5E3": 1500e9, "0.0000000005": 1, "0.00000000049": 0, "0.9999999995": 1e9, "-0.0000000015": -2, "1000000000": 1_000_000_000e9,
		"000123.450": 123_450_000_000, "9.9e-10": 1, "1e-30": 0,
	} {
		if got, _, err := parseAmount(text, 0); err != nil || got != want {
			t.Errorf("%s: %d %v, want %d", text, got, err, want)
		}
	}
	if got, places, err := parseAmount("123.45", centsBelow); err != nil || got != 1_234_500_000 || places != 4 {
		t.Errorf("cents: %d %d %v", got, places, err)
	}
	for _, bad := range []string{"", ".", "1.", ".5", "+1", "1e", "1e99", "1e-99", "0x1", "1_0", "NaN", "Infinity", "--1", "1 2", "9300000000", "1e20", strings.Repeat("9", 70)} {
		if got, _, err := parseAmount(bad, 0); err == nil {
			t.Errorf("%q is %d", bad, got)
		}
	}
	rapid.Check(t, func(t *rapid.T) {
		n, e := rapid.Int64Range(-9e17, 9e17).Draw(t, "n"), rapid.IntRange(-30, 0).Draw(t, "e")
		text := fmt.Sprintf("%de%d", n, e)
		got, _, err := parseAmount(text, 0)
		exact, _ := new(big.Rat).SetString(text)
		exact.Mul(exact, big.NewRat(1e9, 1))
		if err != nil {
			if limit := new(big.Rat).SetInt64(int64(ledger.MaxAmount)); exact.Abs(exact).Cmp(limit) <= 0 {
				t.Fatalf("%s: %v", text, err)
			}
			return
		}
		off := exact.Sub(exact, new(big.Rat).SetInt64(int64(got)))
		if off.Abs(off).Cmp(big.NewRat(1, 2)) > 0 {
			t.Fatalf("%s is %d, off by %s", text, got, off.FloatString(12))
		}
	})
}

// bill is a report of lines, rounded to so many decimals of a dollar.
func bill(places int, lines ...Line) *Report {
	r := &Report{Provider: "openai", Places: places, Lines: lines, Days: []string{"2026-11-25", "2026-11-26"}}
	return r
}

func TestCompare(t *testing.T) {
	const d1, d2 = "2026-11-25", "2026-11-26"
	for name, c := range map[string]struct {
		report   *Report
		recorded []Recorded
		keys     map[string]string
		want     string // day model key: drift, within, causes
	}{
		"equal": {bill(9, Line{Day: d1, Model: "m", Amount: 5}), []Recorded{{Day: d1, Model: "m", Basis: "reported", Tier: "default", Requests: 1, Cost: 5}},
			nil, "2026-11-25 m : 0 true"},
		"a dated name": {bill(9, Line{Day: d1, Model: "m-2026-01-31", Amount: 5}), []Recorded{{Day: d1, Model: "M", Requests: 1, Cost: 5}},
			nil, "2026-11-25 m : 0 true"},
		"rounded to cents": {bill(2, Line{Day: d1, Model: "m", Amount: 10_000_000}), []Recorded{{Day: d1, Model: "m", Tier: "default", Basis: "reported", Requests: 1, Cost: 12_345_678}},
			nil, "2026-11-25 m : -2345678 true rounding"},
		"a failed call": {bill(9, Line{Day: d1, Model: "m", Amount: 5}), []Recorded{{Day: d1, Model: "m", Basis: "reported", Tier: "default", Requests: 1, Cost: 5}, {Day: d1, Model: "m", Basis: "full_hold", Requests: 1, Cost: 4}},
			nil, "2026-11-25 m : -4 false no_usage prices"},
		"another tier": {bill(9, Line{Day: d1, Model: "m", Amount: 5}), []Recorded{{Day: d1, Model: "m", Basis: "reported", Requests: 1, Cost: 10}},
			nil, "2026-11-25 m : -5 false unknown_tier prices"},
		"outside": {bill(9, Line{Day: d1, Model: "m", Amount: 5}, Line{Day: d1, Model: "n", Amount: 7}), []Recorded{{Day: d1, Model: "m", Requests: 1, Cost: 5}},
			nil, "2026-11-25 m : 0 true; 2026-11-25 n : 7 false outside"},
		"not reported": {bill(9, Line{Day: d1, Model: "m", Amount: 5}), []Recorded{{Day: d1, Model: "m", Requests: 1, Cost: 5}, {Day: d1, Model: "n", Requests: 1, Cost: 3}},
			nil, "2026-11-25 m : 0 true; 2026-11-25 n : -3 false not_reported"},
		"a day is missing": {bill(9, Line{Day: d1, Model: "m", Amount: 5}), []Recorded{{Day: d1, Model: "m", Requests: 1, Cost: 5}, {Day: d2, Model: "m", Requests: 1, Cost: 3}},
			nil, "2026-11-25 m : 0 true; 2026-11-26 m : -3 false missing_day"},
		"a day beyond the report": {bill(9, Line{Day: d1, Model: "m", Amount: 5}), []Recorded{{Day: d1, Model: "m", Requests: 1, Cost: 5}, {Day: "2026-11-27", Model: "m", Requests: 1, Cost: 3}},
			nil, "2026-11-25 m : 0 true"},
		"without models": {bill(9, Line{Day: d1, Amount: 5}), []Recorded{{Day: d1, Model: "m", Requests: 1, Cost: 2}, {Day: d1, Model: "n", Requests: 1, Cost: 3}},
			nil, "2026-11-25  : 0 true"},
		"by key": {bill(9, Line{Day: d1, Model: "m", Key: "key_a", Amount: 5}, Line{Day: d1, Model: "m", Key: "key_b", Amount: 7}), []Recorded{{Day: d1, Model: "m", Key: "openai-1", Requests: 1, Cost: 5}},
			map[string]string{"key_a": "openai-1"}, "2026-11-25 m key_b: 7 false outside; 2026-11-25 m openai-1: 0 true"},
		"presumed": {bill(9, Line{Day: d1, Model: "m", Amount: 5}), []Recorded{{Day: d1, Model: "m", Basis: "reported", Tier: "default", Requests: 1, Cost: 9, Presumed: 4}},
			nil, "2026-11-25 m : -4 false presumed prices"},
	} {
		got := Compare(c.report, c.recorded, Options{Keys: c.keys, Complete: true})
		var text []string
		var billed, recorded ledger.Amount
		for _, row := range got.Rows {
			s := fmt.Sprintf("%s %s %s: %d %v", row.Day, row.Model, row.Key, row.Drift, row.Within)
			for _, cause := range row.Causes {
				s += " " + string(cause.Kind)
				if size := max(row.Drift, -row.Drift); cause.Most > size {
					t.Errorf("%s: %s explains %d of %d", name, cause.Kind, cause.Most, size)
				}
			}
			text = append(text, s)
			billed, recorded = billed+row.Billed, recorded+row.Recorded
		}
		if s := strings.Join(text, "; "); s != c.want {
			t.Errorf("%s: %s, want %s", name, s, c.want)
		}
		if got.Billed != billed || got.Recorded != recorded || got.Drift != billed-recorded {
			t.Errorf("%s: rows do not sum to %+v", name, got)
		}
	}
}

func TestARatioWithoutAWholeIsNull(t *testing.T) {
	c := Compare(bill(9, Line{Day: "2026-11-25", Model: "m", Amount: 0}), []Recorded{{Day: "2026-11-25", Model: "m", Requests: 1, Cost: 3}}, Options{Complete: true})
	b, err := json.Marshal(c)
	if err != nil || !strings.Contains(string(b), `"relative":null`) {
		t.Errorf("%s %v", b, err)
	}
}

// TestAdjustmentsAreIdempotent: once posted, the same report has none; what was posted
// twice has one id; a corrected report has what has changed.
func TestAdjustmentsAreIdempotent(t *testing.T) {
	recorded := []Recorded{{Day: "2026-11-25", Model: "m", Basis: "reported", Requests: 2, Cost: 100}}
	report := bill(9, Line{Day: "2026-11-25", Model: "m", Amount: 130})
	first := Compare(report, recorded, Options{Complete: true}).Adjustments()
	again := Compare(report, recorded, Options{Complete: true}).Adjustments()
	if len(first) != 1 || first[0].Amount != 30 || len(again) != 1 || first[0] != again[0] {
		t.Fatalf("%+v, then %+v", first, again)
	}
	posted := append(recorded, Recorded{Day: first[0].Day, Model: first[0].Model, Cost: first[0].Amount, Adjusted: first[0].Amount})
	if left := Compare(report, posted, Options{Complete: true}).Adjustments(); len(left) != 0 {
		t.Errorf("posted, and still %+v", left)
	}
	// The report is corrected, and that is taken back: each step has a name of its own.
	corrected := Compare(bill(9, Line{Day: "2026-11-25", Model: "m", Amount: 125}), posted, Options{Complete: true}).Adjustments()
	if len(corrected) != 1 || corrected[0].Amount != -5 || corrected[0].ID == first[0].ID {
		t.Errorf("%+v", corrected)
	}
	posted = append(posted, Recorded{Day: corrected[0].Day, Model: corrected[0].Model, Cost: corrected[0].Amount, Adjusted: corrected[0].Amount})
	back := Compare(report, posted, Options{Complete: true}).Adjustments()
	if len(back) != 1 || back[0].Amount != 5 || back[0].ID == first[0].ID {
		t.Errorf("%+v: a name that stands for %d already would be refused", back, first[0].Amount)
	}
}

// TestWhatIsOfNoModelIsAdjustedOnce: what was posted for lines of no model is found again in
// their row, so that a corrected report has what has changed and not the whole once more.
func TestWhatIsOfNoModelIsAdjustedOnce(t *testing.T) {
	const d = "2026-11-25"
	recorded := []Recorded{{Day: d, Model: "m", Basis: "reported", Tier: "default", Requests: 1, Cost: 5}}
	lines := func(search ledger.Amount) *Report {
		return bill(9, Line{Day: d, Model: "m", Amount: 5}, Line{Day: d, Item: "web search", Amount: search}, Line{Day: d, Item: "file\tsearch", Amount: 1000})
	}
	for _, c := range []struct{ search, want ledger.Amount }{{4000, 5000}, {4000, 0}, {6000, 2000}, {4000, -2000}} {
		got := Compare(lines(c.search), recorded, Options{Complete: true})
		list := got.Adjustments()
		if c.want == 0 {
			if len(list) != 0 || got.Drift != 0 {
				t.Errorf("the same report again: %+v, drift %d", list, got.Drift)
			}
			continue
		}
		if len(list) != 1 || list[0].Amount != c.want || list[0].Model != "" || !strings.HasSuffix(list[0].Note, ": web search, file search") {
			t.Fatalf("%d: %+v, want %d", c.search, list, c.want)
		}
		recorded = append(recorded, Recorded{Day: d, Cost: list[0].Amount, Adjusted: list[0].Amount})
	}
}

// TestRecordsAreRoundedUp: a nano-dollar of each record is no drift, in the one direction.
func TestRecordsAreRoundedUp(t *testing.T) {
	row := func(cost ledger.Amount) Row {
		return Compare(bill(17, Line{Day: "2026-11-25", Model: "m", Amount: 1000}), []Recorded{{Day: "2026-11-25", Model: "m", Basis: "reported", Tier: "default", Requests: 10, Retries: 1, Cost: cost}}, Options{Complete: true}).Rows[0]
	}
	if r := row(1009); !r.Within || len(r.Causes) != 1 || r.Causes[0].Kind != Rounding {
		t.Errorf("%+v", r)
	}
	if r := row(1012); r.Within {
		t.Errorf("%+v", r)
	}
	if r := row(991); r.Within || r.Causes[0].Kind != Retries || r.Causes[1].Kind != Prices {
		t.Errorf("%+v", r)
	}
}

// TestWhatIsNotKnownIsNotAdjusted: missing records, days that the report does not
// have, and what rounding may be.
func TestWhatIsNotKnownIsNotAdjusted(t *testing.T) {
	recorded := []Recorded{{Day: "2026-11-25", Model: "m", Requests: 1, Cost: 100}, {Day: "2026-11-26", Model: "m", Requests: 1, Cost: 100}}
	report := bill(9, Line{Day: "2026-11-25", Model: "m", Amount: 130})
	if got := Compare(report, recorded, Options{}).Adjustments(); got != nil {
		t.Errorf("records are missing, and still %+v", got)
	}
	if got := Compare(report, recorded, Options{Complete: true}).Adjustments(); len(got) != 1 || got[0].Day != "2026-11-25" {
		t.Errorf("%+v", got)
	}
	rounded := bill(2, Line{Day: "2026-11-25", Model: "m", Amount: 0})
	if got := Compare(rounded, recorded, Options{Complete: true}).Adjustments(); len(got) != 0 {
		t.Errorf("%+v", got)
	}
}

// FuzzRead: no bytes make a reader panic, or give lines without a day.
func FuzzRead(f *testing.F) {
	for _, file := range []string{"openai.json", "anthropic.json", "costs.csv"} {
		raw, err := os.ReadFile("testdata/" + file)
		if err != nil {
			f.Fatal(err)
		}
		f.Add(raw)
	}
	f.Fuzz(func(t *testing.T, raw []byte) {
		for _, read := range []func([]byte) (*Report, error){ReadOpenAI, ReadAnthropic, ofCSV} {
			r, err := read(raw)
			if err != nil {
				continue
			}
			for _, l := range r.Lines {
				if len(l.Day) != 10 || l.At == "" {
					t.Fatalf("%+v", l)
				}
			}
			Compare(r, nil, Options{Complete: true}).Adjustments()
		}
	})
}
