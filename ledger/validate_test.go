package ledger

import (
	"strings"
	"testing"
)

func TestBudgetValidate(t *testing.T) {
	good := func() Budget {
		return Budget{
			ID: "team-7.a_b", Unit: USD, Limit: 5, Window: Window{Kind: PerDay},
			Match: []Condition{{Dim: DimRef{Dim: DimTeam}, Values: []string{"red"}}},
			Each:  []DimRef{{Dim: DimCustomer}, {Dim: DimTag, Tag: "Job"}}, Alerts: []uint8{50, 100},
		}
	}
	b := good()
	if err := b.Validate(); err != nil {
		t.Fatal(err)
	}
	for want, harm := range map[string]func(b *Budget){
		"id":                        func(b *Budget) { b.ID = "" },
		`id "Team"`:                 func(b *Budget) { b.ID = "Team" },
		"id \"aaa":                  func(b *Budget) { b.ID = BudgetID(strings.Repeat("a", MaxBudgetID+1)) },
		"unknown unit 0":            func(b *Budget) { b.Unit = 0 },
		"unknown unit 5":            func(b *Budget) { b.Unit = 5 },
		"limit -1":                  func(b *Budget) { b.Limit = -1 },
		"limit 1152921504606846977": func(b *Budget) { b.Limit = MaxAmount + 1 },
		"slots":                     func(b *Budget) { b.Unit = Slots },
		"unknown window":            func(b *Budget) { b.Window.Kind = 9 },
		"zone name":                 func(b *Budget) { b.Window.Zone.Name = strings.Repeat("z", MaxZoneName+1) },
		"beyond 26 hours":           func(b *Budget) { b.Window.Zone.Base = maxOffset + 1 },
		"not ascending":             func(b *Budget) { b.Window.Zone.Transitions = make([]Transition, 2) },
		"within a second":           func(b *Budget) { b.Window.Zone.Transitions = []Transition{{At: 1}} },
		"zone offset":               func(b *Budget) { b.Window.Zone.Transitions = []Transition{{Offset: -maxOffset - 1}} },
		"more than 512":             func(b *Budget) { b.Window.Zone.Transitions = make([]Transition, MaxTransitions+1) },
		"alert levels":              func(b *Budget) { b.Alerts = []uint8{0} },
		"ascending percentages":     func(b *Budget) { b.Alerts = []uint8{50, 50} },
		"1 to 100":                  func(b *Budget) { b.Alerts = []uint8{101} },
		"16 alert":                  func(b *Budget) { b.Alerts = make([]uint8, MaxAlerts+1) },
		"16 conditions":             func(b *Budget) { b.Match = make([]Condition, MaxConditions+1) },
		"condition: unknown":        func(b *Budget) { b.Match[0].Dim.Dim = 99 },
		"has 0 values":              func(b *Budget) { b.Match[0].Values = nil },
		"is empty":                  func(b *Budget) { b.Match[0].Values[0] = "" },
		"longer than 256":           func(b *Budget) { b.Match[0].Values[0] = strings.Repeat("v", MaxDimValue+1) },
		"8 dimensions":              func(b *Budget) { b.Each = make([]DimRef, MaxEach+1) },
		"customer twice":            func(b *Budget) { b.Each[1] = b.Each[0] },
		"each: unknown":             func(b *Budget) { b.Each[0].Dim = DimTag + 1 },
		"has a tag name":            func(b *Budget) { b.Each[0].Tag = "x" },
		`tag name ""`:               func(b *Budget) { b.Each[1].Tag = "" },
		`tag name "a b"`:            func(b *Budget) { b.Each[1].Tag = "a b" },
	} {
		b := good()
		harm(&b)
		if err := b.Validate(); err == nil || !strings.Contains(err.Error(), want) {
			t.Errorf("want %q in: %v", want, err)
		} else if len(err.Error()) > 500 {
			t.Errorf("an error of %d bytes", len(err.Error()))
		}
	}
	slots := Budget{ID: "s", Unit: Slots, Limit: 1, Window: Window{Kind: Total}}
	if err := slots.Validate(); err != nil {
		t.Error(err)
	}
}

func TestNames(t *testing.T) {
	for d := Dim(0); d < DimTag; d++ {
		r := DimRef{Dim: d}
		if got, err := ParseDimRef(r.String()); err != nil || got != r {
			t.Errorf("%s is %v, %v", r, got, err)
		}
	}
	tag := DimRef{Dim: DimTag, Tag: "Job-1"}
	if got, err := ParseDimRef("tag:Job-1"); err != nil || got != tag || tag.String() != "tag:Job-1" {
		t.Errorf("tag is %v, %v", got, err)
	}
	for _, bad := range []string{"", "Team", "tag", "tag:", "tag:a b", "tag:" + strings.Repeat("x", MaxTagName+1)} {
		if r, err := ParseDimRef(bad); err == nil {
			t.Errorf("%q is %v", bad, r)
		}
	}
	for u := USD; u <= Slots; u++ {
		if got, err := ParseUnit(u.String()); err != nil || got != u {
			t.Errorf("%s is %v, %v", u, got, err)
		}
	}
	for k := Total; k <= PerMonth; k++ {
		if got, err := ParseWindowKind(k.String()); err != nil || got != k {
			t.Errorf("%s is %v, %v", k, got, err)
		}
	}
	if _, err := ParseUnit("euro"); err == nil {
		t.Error("a unit of no name")
	}
	if _, err := ParseWindowKind("year"); err == nil {
		t.Error("a window of no name")
	}
	for want, got := range map[string]string{
		"dim(99)": Dim(99).String(), "tag": DimTag.String(), "unit(0)": Unit(0).String(), "window(9)": WindowKind(9).String(),
		"code(0)": Code(0).String(), "state(9)": AccountState(9).String(), "verdict(0)": Verdict(0).String(),
		"limit-reached": LimitReached.String(), "unbacked": Unbacked.String(), "refused": NeedRefused.String(),
	} {
		if got != want {
			t.Errorf("%q, want %q", got, want)
		}
	}
}
