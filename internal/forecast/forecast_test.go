package forecast

import (
	"testing"

	"pgregory.net/rapid"

	"purser/ledger"
)

var team = Series{Budget: "team"}

// follow looks at an account every 5 s that is spent at a steady rate.
func follow(t *Tracker, s Series, from, to ledger.Instant, spent, aSecond ledger.Amount) ledger.Amount {
	for now := from; now <= to; now += 5 * ledger.Second {
		t.Look(s, 0, spent, now)
		spent += 5 * aSecond
	}
	return spent
}

func TestASteadyRateIsFound(t *testing.T) {
	x := New()
	follow(x, team, 0, ledger.Hour, 0, 7)
	e, ok := x.Estimate(team, ledger.Hour)
	if !ok || e.PerHour < 25_199 || e.PerHour > 25_201 {
		t.Errorf("%+v, %v, want 25200 an hour", e, ok)
	}
	if e.Samples != 721 || e.Since != 0 || e.At != ledger.Hour {
		t.Errorf("it says it goes by %+v", e)
	}
	if times, ok := x.Surge(team, 1); !ok || times < 0.99 || times > 1.01 {
		t.Errorf("a steady rate is %v times itself, %v", times, ok)
	}
}

// TestAShortHistoryIsNotDiluted: what is known for half a minute is the rate of that
// half minute, not a tenth of it.
func TestAShortHistoryIsNotDiluted(t *testing.T) {
	x := New()
	follow(x, team, 0, 30*ledger.Second, 0, 100)
	if e, ok := x.Estimate(team, 31*ledger.Second); !ok || e.PerHour < 359_999 || e.PerHour > 360_001 {
		t.Errorf("%+v, %v", e, ok)
	}
}

func TestWithoutABasisThereIsNoEstimate(t *testing.T) {
	for name, look := range map[string]func(*Tracker) ledger.Instant{
		"never looked":     func(*Tracker) ledger.Instant { return 0 },
		"two looks":        func(x *Tracker) ledger.Instant { follow(x, team, 0, 5*ledger.Second, 0, 1); return 6 * ledger.Second },
		"too short a span": func(x *Tracker) ledger.Instant { follow(x, team, 0, 25*ledger.Second, 0, 1); return 26 * ledger.Second },
		"too old":          func(x *Tracker) ledger.Instant { follow(x, team, 0, ledger.Hour, 0, 1); return 2 * ledger.Hour },
		"another split": func(x *Tracker) ledger.Instant {
			follow(x, Series{"team", "a"}, 0, ledger.Hour, 0, 1)
			return ledger.Hour
		},
	} {
		x := New()
		if e, ok := x.Estimate(team, look(x)); ok {
			t.Errorf("%s: %+v", name, e)
		}
	}
}

func TestASurgeIsMeasuredAgainstWhatWasBefore(t *testing.T) {
	for name, c := range map[string]struct {
		history ledger.Instant
		usual   ledger.Amount
		least   ledger.Amount
		surge   bool
	}{
		"fifty times the rate of an hour": {ledger.Hour, 10, 1000, true},
		"of a quarter of an hour":         {15 * ledger.Minute, 10, 1000, false},
		"of a rest":                       {ledger.Hour, 0, 1, false},
		"of next to nothing":              {ledger.Hour, 10, 1_000_000, false},
	} {
		x := New()
		spent := follow(x, team, 0, c.history, 0, c.usual)
		follow(x, team, c.history+5*ledger.Second, c.history+ledger.Minute, spent, 500)
		times, ok := x.Surge(team, c.least)
		if ok != c.surge || ok && (times < 15 || times > 50) {
			t.Errorf("%s: a surge of %v, %v", name, times, ok)
		}
	}
}

// TestTheWindowMayEnd: a new window begins at zero, and that is not negative
// spending; a late look at the old one changes nothing.
func TestTheWindowMayEnd(t *testing.T) {
	x := New()
	follow(x, team, 0, 55*ledger.Second, 0, 10)
	x.Look(team, ledger.Minute, 0, ledger.Minute)
	x.Look(team, ledger.Minute, 50, ledger.Minute+5*ledger.Second)
	x.Look(team, 0, 9999, ledger.Minute+6*ledger.Second)
	e, ok := x.Estimate(team, ledger.Minute+10*ledger.Second)
	if !ok || e.PerHour < 30_000 || e.PerHour > 36_001 {
		t.Errorf("%+v, %v", e, ok)
	}
}

func TestSeriesAreBoundedAndForgotten(t *testing.T) {
	x := New()
	for i := range MaxSeries + 10 {
		x.Look(Series{"b", ledger.Split(rune(i + 1000))}, 0, 0, 0)
	}
	if x.Len() > MaxSeries {
		t.Errorf("%d series", x.Len())
	}
	x.Look(Series{"b", ledger.Split(rune(1000))}, 0, 0, 3*ledger.Hour)
	if x.Forget(3 * ledger.Hour); x.Len() != 1 {
		t.Errorf("%d series after three hours", x.Len())
	}
}

func TestWhenAnAccountIsExhausted(t *testing.T) {
	const h = ledger.Hour
	all := func(amount ledger.Amount, until ledger.Instant) ledger.Raise {
		return ledger.Raise{All: true, Amount: amount, Until: until}
	}
	for name, c := range map[string]struct {
		view    ledger.AccountView
		raises  []ledger.Raise
		perHour ledger.Amount
		at      ledger.Instant // 0: not in this window
	}{
		"in two hours":           {view: ledger.AccountView{Limit: 100, Spent: 60}, perHour: 20, at: 12 * h},
		"held is not gone":       {view: ledger.AccountView{Limit: 100, Spent: 60, Outstanding: 40}, perHour: 20, at: 12 * h},
		"written off is":         {view: ledger.AccountView{Limit: 100, Spent: 50, WrittenOff: 30}, perHour: 20, at: 11 * h},
		"not in this window":     {view: ledger.AccountView{Limit: 1000, Spent: 60}, perHour: 20},
		"nothing is spent":       {view: ledger.AccountView{Limit: 100}, perHour: 0},
		"it is already":          {view: ledger.AccountView{Limit: 100, Spent: 100}, perHour: 0, at: 10 * h},
		"before a raise ends":    {view: ledger.AccountView{Limit: 100, Spent: 60}, raises: []ledger.Raise{all(50, 13*h)}, perHour: 20, at: 12 * h},
		"when a raise ends":      {view: ledger.AccountView{Limit: 100, Spent: 60}, raises: []ledger.Raise{all(30, 11*h)}, perHour: 20, at: 11 * h},
		"after a raise ended":    {view: ledger.AccountView{Limit: 140, Spent: 60}, raises: []ledger.Raise{all(40, 11*h)}, perHour: 20, at: 12 * h},
		"a raise of another":     {view: ledger.AccountView{Limit: 100, Spent: 60}, raises: []ledger.Raise{{Split: "x", Amount: 40, Until: 11 * h}}, perHour: 20, at: 12 * h},
		"no overflow in decades": {view: ledger.AccountView{Limit: ledger.MaxAmount}, perHour: 1},
	} {
		c.view.WindowEnd = 24 * h
		if at, ok := Exhausts(c.view, c.raises, c.perHour, 10*h); ok != (c.at > 0) || ok && at != c.at {
			t.Errorf("%s: at %d h, %v, want %d h", name, at/h, ok, c.at/h)
		}
	}
}

// TestAnyLooksGiveSaneRates: whatever is looked at and when, rates are neither
// negative nor beyond what was spent in a second.
func TestAnyLooksGiveSaneRates(t *testing.T) {
	rapid.Check(t, func(t *rapid.T) {
		x := New()
		var now, start ledger.Instant
		for range rapid.IntRange(0, 50).Draw(t, "looks") {
			now += ledger.Instant(rapid.Int64Range(-int64(ledger.Second), int64(ledger.Hour)).Draw(t, "pass"))
			if rapid.IntRange(0, 5).Draw(t, "roll") == 0 {
				start = now
			}
			x.Look(team, start, ledger.Amount(rapid.Int64Range(0, int64(ledger.MaxAmount)).Draw(t, "spent")), now)
			if e, ok := x.Estimate(team, now); ok && (e.PerHour < 0 || e.PerHour > ledger.MaxAmount) {
				t.Fatalf("%+v", e)
			}
			if times, ok := x.Surge(team, 1); ok && !(times >= 0) {
				t.Fatalf("a surge of %v", times)
			}
		}
	})
}
