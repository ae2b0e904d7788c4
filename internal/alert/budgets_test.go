package alert

import (
	"math"
	"math/big"
	"strings"
	"testing"

	"pgregory.net/rapid"

	"purser/internal/directory"
	"purser/ledger"
)

const dollar = ledger.Amount(1_000_000_000)

func dayBudget() *ledger.Budget {
	return &ledger.Budget{ID: "eu", Unit: ledger.USD, Limit: 100 * dollar, Alerts: []uint8{50, 80, 100}, Each: []ledger.DimRef{{Dim: ledger.DimCustomer}}, Window: ledger.Window{Kind: ledger.PerDay}}
}

func dayView(day int, spent ledger.Amount) *ledger.AccountView {
	start := ledger.Instant(day) * ledger.Day
	return &ledger.AccountView{
		Key: ledger.AccountKey{Budget: "eu", Split: "acme", Start: start}, Unit: ledger.USD, Limit: 100 * dollar,
		Spent: spent, Available: 100*dollar - spent, State: ledger.Open, WindowEnd: start + ledger.Day,
	}
}

func kinds(list []Condition) string {
	var out []string
	for _, c := range list {
		out = append(out, c.Type)
	}
	return strings.Join(out, " ")
}

func TestConditionsOfAnAccount(t *testing.T) {
	for name, c := range map[string]struct {
		budget func(*ledger.Budget)
		view   func(*ledger.AccountView)
		want   string
		rank   uint32 // of the first
	}{
		"nothing yet":                      {view: func(v *ledger.AccountView) { v.Spent = 50*dollar - 1 }},
		"exactly the level":                {view: func(v *ledger.AccountView) { v.Spent = 50 * dollar }, want: BudgetLevel, rank: 50},
		"two levels at once are one":       {view: func(v *ledger.AccountView) { v.Spent = 99 * dollar }, want: BudgetLevel, rank: 80},
		"what is out is not spent":         {view: func(v *ledger.AccountView) { v.Outstanding = 99 * dollar }},
		"what is written off is":           {view: func(v *ledger.AccountView) { v.Spent, v.WrittenOff = 20*dollar, 30*dollar }, want: BudgetLevel, rank: 50},
		"all of it":                        {view: func(v *ledger.AccountView) { v.Spent = 100 * dollar }, want: BudgetLevel + " " + BudgetExhausted, rank: 100},
		"more than all of it":              {view: func(v *ledger.AccountView) { v.Spent, v.Overrun = 101*dollar, dollar }, want: BudgetLevel + " " + BudgetExhausted + " " + BudgetOverrun, rank: 100},
		"a soft one":                       {budget: func(b *ledger.Budget) { b.Soft = true }, view: func(v *ledger.AccountView) { v.Spent = 100 * dollar }, want: BudgetLevel + " " + BudgetSoftExceeded, rank: 100},
		"without levels":                   {budget: func(b *ledger.Budget) { b.Alerts = nil }, view: func(v *ledger.AccountView) { v.Spent = 100 * dollar }, want: BudgetExhausted, rank: 1},
		"a limit of requests":              {budget: func(b *ledger.Budget) { b.Unit, b.Alerts = ledger.Requests, nil }, view: func(v *ledger.AccountView) { v.Spent = 100 * dollar }},
		"a limit of requests with a level": {budget: func(b *ledger.Budget) { b.Unit, b.Alerts = ledger.Requests, []uint8{90} }, view: func(v *ledger.AccountView) { v.Spent = 90 * dollar }, want: BudgetLevel, rank: 90},
		"slots":                            {budget: func(b *ledger.Budget) { b.Unit = ledger.Slots }, view: func(v *ledger.AccountView) { v.Spent = 100 * dollar }},
		"a closed budget":                  {budget: func(b *ledger.Budget) { b.Limit = 0 }, view: func(v *ledger.AccountView) { v.Limit = 0 }},
		"a window that is over":            {view: func(v *ledger.AccountView) { v.Spent, v.State = 100*dollar, ledger.Ended }},
	} {
		b, v := dayBudget(), dayView(3, 0)
		if c.budget != nil {
			c.budget(b)
		}
		c.view(v)
		made := NewBudget(b)
		got := made.Account(nil, v, 5)
		if kinds(got) != c.want || len(got) > 0 && got[0].Rank != c.rank {
			t.Errorf("%s: %+v", name, got)
		}
		for _, one := range got {
			if one.Until != v.WindowEnd || one.Data["budget"] != "eu" || one.Data["split"].(map[string]string)["customer"] != "acme" {
				t.Errorf("%s: %+v", name, one)
			}
		}
	}
}

func TestARefusalSaysThatABudgetIsExhaustedWhenLittleIsLeft(t *testing.T) {
	made := NewBudget(dayBudget())
	v := dayView(1, 60*dollar)
	v.Outstanding = 29 * dollar
	if c, ok := made.Refused(v, 5); ok {
		t.Errorf("a large request: %+v", c)
	}
	v.Outstanding = 30 * dollar
	c, ok := made.Refused(v, 5)
	v.Spent = 100 * dollar
	if looked := made.Account(nil, v, 5); !ok || c.Key != looked[1].Key || c.Type != BudgetExhausted {
		t.Errorf("%+v is not what a look finds: %+v", c, looked)
	}
	soft := dayBudget()
	soft.Soft = true
	made = NewBudget(soft)
	if _, ok := made.Refused(v, 5); ok {
		t.Error("a soft budget refuses nothing")
	}
}

// TestALevelIsToldOnceForEachWindowAndLimit drives the conditions through the
// directory, day after day.
func TestALevelIsToldOnceForEachWindowAndLimit(t *testing.T) {
	dir := directory.New()
	made := NewBudget(dayBudget())
	look := func(at ledger.Instant, v *ledger.AccountView) (told []string) {
		raises, err := News(dir, made.Account(nil, v, at))
		if err != nil {
			t.Fatal(err)
		}
		before := len(dir.Alerts())
		dir.Apply(at, directory.RaiseAlerts{Raises: raises})
		for _, a := range dir.Alerts()[before:] {
			told = append(told, a.Type)
		}
		return told
	}
	for day := 1; day <= 3; day++ {
		at := ledger.Instant(day) * ledger.Day
		for i, step := range []struct {
			spent ledger.Amount
			want  string
		}{{10, ""}, {50, BudgetLevel}, {51, ""}, {79, ""}, {85, BudgetLevel}, {85, ""}, {100, BudgetLevel + " " + BudgetExhausted}, {100, ""}} {
			if got := strings.Join(look(at+ledger.Instant(i), dayView(day, step.spent*dollar)), " "); got != step.want {
				t.Errorf("day %d, %d dollars: %q, want %q", day, step.spent, got, step.want)
			}
		}
	}
	raised := dayView(3, 100*dollar)
	raised.Limit = 200 * dollar
	at := 3*ledger.Day + 100
	if got := strings.Join(look(at, raised), " "); got != BudgetLevel {
		t.Errorf("half of a raised limit: %q", got)
	}
	if got := look(at+1, dayView(3, 100*dollar)); got != nil {
		t.Errorf("the old limit again: %q", got)
	}
	overrun := dayView(3, 100*dollar)
	overrun.Overrun = 1
	if got := strings.Join(look(at+2, overrun), " "); got != BudgetOverrun {
		t.Errorf("an overrun: %q", got)
	}
	overrun.Limit, overrun.Overrun = 300*dollar, 5
	if got := look(at+3, overrun); got != nil {
		t.Errorf("an overrun again: %q", got)
	}
	endless := dayView(3, 100*dollar)
	endless.WindowEnd = ledger.MaxInstant
	if c := made.Account(nil, endless, at); c[0].Until != at+366*ledger.Day || c[0].Data["window_end"] != nil {
		t.Errorf("a window without an end: %+v", c[0])
	}
}

func TestLevelsAgainstBigIntegers(t *testing.T) {
	rapid.Check(t, func(t *rapid.T) {
		used := ledger.Amount(rapid.Int64().Draw(t, "used"))
		limit := ledger.Amount(rapid.Int64Range(1, math.MaxInt64).Draw(t, "limit"))
		percent := uint8(rapid.IntRange(1, 100).Draw(t, "percent"))
		if rapid.Bool().Draw(t, "close") {
			x := new(big.Int).Mul(big.NewInt(int64(limit)), big.NewInt(int64(percent)))
			used = ledger.Amount(x.Div(x, big.NewInt(100)).Int64()) + ledger.Amount(rapid.IntRange(-1, 1).Draw(t, "off"))
		}
		a := new(big.Int).Mul(big.NewInt(int64(used)), big.NewInt(100))
		b := new(big.Int).Mul(big.NewInt(int64(limit)), big.NewInt(int64(percent)))
		if want := a.Cmp(b) >= 0; atLeast(used, percent, limit) != want {
			t.Fatalf("%d of %d: not %v", used, limit, want)
		}
	})
}

func TestKeysOfAccountsDiffer(t *testing.T) {
	made := NewBudget(dayBudget())
	seen := map[string]string{}
	for name, change := range map[string]func(*ledger.AccountView){
		"as it is":       func(*ledger.AccountView) {},
		"another split":  func(v *ledger.AccountView) { v.Key.Split = "acme2" },
		"another window": func(v *ledger.AccountView) { v.Key.Start += ledger.Day },
		"another budget": func(v *ledger.AccountView) { v.Key.Budget = "eu/x" },
		"another limit":  func(v *ledger.AccountView) { v.Limit++; v.Spent++ },
	} {
		v := dayView(1, 100*dollar)
		change(v)
		for _, c := range made.Account(nil, v, 1) {
			if other, taken := seen[c.Key]; taken {
				t.Errorf("%s has the key of %s: %s", name, other, c.Key)
			}
			seen[c.Key] = name
			if len(c.Key) > 256 {
				t.Errorf("%s is too long", c.Key)
			}
		}
	}
	if len(seen) != 10 {
		t.Errorf("%d keys", len(seen))
	}
}

func TestAmountsForPeople(t *testing.T) {
	usd, requests := NewBudget(dayBudget()), NewBudget(&ledger.Budget{Unit: ledger.Requests})
	for _, c := range []struct {
		b    *Budget
		a    ledger.Amount
		want string
	}{
		{&usd, 0, "$0"}, {&usd, -5, "$0"}, {&usd, 1, "$0.000000001"}, {&usd, 20_000_000, "$0.02"}, {&usd, dollar, "$1.00"},
		{&usd, 1234*dollar + 567_000_000, "$1234.56"}, {&requests, 7, "7 requests"},
	} {
		if got := c.b.amount(c.a); got != c.want {
			t.Errorf("%d: %s, want %s", c.a, got, c.want)
		}
	}
}

// TestEveryNoticeHasRoom: whatever its names are, the directory takes an event.
func TestEveryNoticeHasRoom(t *testing.T) {
	for name, value := range map[string]string{"long": strings.Repeat("x", 256), "control": strings.Repeat("\x01", 256), "not UTF-8": strings.Repeat("\xff", 256), "wide": strings.Repeat("€", 85)} {
		b := dayBudget()
		b.ID = ledger.BudgetID(strings.Repeat("b", ledger.MaxBudgetID))
		b.Each = nil
		values := make([]string, ledger.MaxEach)
		for i := range values {
			b.Each = append(b.Each, ledger.DimRef{Dim: ledger.DimTag, Tag: strings.Repeat(string(rune('a'+i)), ledger.MaxTagName)})
			values[i] = value
		}
		v := dayView(1, 100*dollar)
		v.Key.Budget, v.Key.Split = b.ID, ledger.MakeSplit(values...)
		made := NewBudget(b)
		raises, err := Raises(made.Account(nil, v, 1))
		if err != nil {
			t.Fatal(err)
		}
		dir := directory.New()
		if out := dir.Apply(1, directory.RaiseAlerts{Raises: raises}); out.Code != directory.Applied {
			t.Errorf("%s: %v, %d bytes", name, out.Code, len(raises[0].Body))
		}
		for _, a := range dir.Alerts() {
			if _, err := Read(a); err != nil {
				t.Errorf("%s: %v", name, err)
			}
		}
	}
}
