package purse

import (
	"testing"

	"purser/ledger"
)

// TestTightestIsWhatHasTheLeastLeft, of the budgets of money that refuse.
func TestTightestIsWhatHasTheLeastLeft(t *testing.T) {
	wide := ledger.Budget{ID: "wide", Unit: ledger.USD, Window: ledger.Window{Kind: ledger.Total}, Limit: 1_000_000}
	s := newStepped(t, wide, nil)
	all := []ledger.Budget{
		wide,
		{ID: "narrow", Unit: ledger.USD, Window: ledger.Window{Kind: ledger.Total}, Limit: 500_000},
		{ID: "soft", Unit: ledger.USD, Window: ledger.Window{Kind: ledger.Total}, Limit: 10, Soft: true},
		{ID: "tokens", Unit: ledger.Tokens, Window: ledger.Window{Kind: ledger.Total}, Limit: 100},
	}
	for _, b := range all {
		s.ledger.Apply(s.wall, ledger.PutBudget{Budget: b})
	}
	s.version++
	s.SetRules(all, s.version, s.now())

	money := s.money(ledger.Dimensions{})
	if r, ok := money.Tightest(); ok {
		t.Errorf("nothing was said yet: %+v", r)
	}
	h := s.must(money, Claim{USD: 300_000, Tokens: 50})
	r, ok := money.Tightest()
	if want := (Room{Account: ledger.AccountKey{Budget: "narrow"}, Limit: 500_000, Left: 500_000, ResetsAt: ledger.MaxInstant}); !ok || r != want {
		t.Errorf("held: %+v %v", r, ok)
	}
	h.Settle(Claim{USD: 200_000, Tokens: 5}, nil)
	if r, _ := money.Tightest(); r.Left != 300_000 {
		t.Errorf("spent: %+v", r)
	}
	s.run() // the spending is reported, and counted once
	if r, _ := money.Tightest(); r.Left != 300_000 {
		t.Errorf("reported: %+v", r)
	}
	all[1].Limit = 150_000 // below what is spent
	s.ledger.Apply(s.wall, ledger.PutBudget{Budget: all[1]})
	s.version++
	s.SetRules(all, s.version, s.now())
	if r, ok := money.Tightest(); ok {
		t.Errorf("what was known of other limits: %+v", r)
	}
	h = s.must(s.money(ledger.Dimensions{}), Claim{})
	defer h.Release()
	if n := testing.AllocsPerRun(100, func() { money.Tightest() }); n != 0 {
		t.Errorf("%v allocations", n)
	}
}

// TestRateIsOfLimitsWithAShortWindow: a budget of tokens for a month is no rate.
func TestRateIsOfLimitsWithAShortWindow(t *testing.T) {
	all := []ledger.Budget{
		{ID: "minute", Unit: ledger.Tokens, Window: ledger.Window{Kind: ledger.PerMinute}, Limit: 1000},
		{ID: "hour", Unit: ledger.Tokens, Window: ledger.Window{Kind: ledger.PerHour}, Limit: 900},
		{ID: "day", Unit: ledger.Tokens, Window: ledger.Window{Kind: ledger.PerDay}, Limit: 100},
		{ID: "ever", Unit: ledger.Tokens, Window: ledger.Window{Kind: ledger.Total}, Limit: 90},
	}
	s := newStepped(t, all[0], nil)
	for _, b := range all[1:] {
		s.ledger.Apply(s.wall, ledger.PutBudget{Budget: b})
	}
	s.version++
	s.SetRules(all, s.version, s.now())
	money := s.money(ledger.Dimensions{})
	s.must(money, Claim{Tokens: 50}).Settle(Claim{Tokens: 40}, nil)
	r, ok := money.Rate(ledger.Tokens)
	if !ok || r.Account.Budget != "hour" || r.Limit != 900 || r.Left != 860 || r.ResetsAt <= s.wall || r.ResetsAt > s.wall+3600*ledger.Second {
		t.Errorf("%+v %v", r, ok)
	}
	if r, ok := money.Rate(ledger.Requests); ok {
		t.Errorf("of requests: %+v", r)
	}
}
