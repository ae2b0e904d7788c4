package ledger

import (
	"errors"
	"fmt"
)

// ValidBudgetID reports whether s may name a budget.
func ValidBudgetID(s BudgetID) bool {
	if s == "" || len(s) > MaxBudgetID {
		return false
	}
	for i := range len(s) {
		if !plain(s[i]) {
			return false
		}
	}
	return true
}

// Validate reports everything that is wrong with the rule.
func (b *Budget) Validate() error {
	var errs []error
	fail := func(format string, args ...any) { errs = append(errs, fmt.Errorf(format, args...)) }
	if !ValidBudgetID(b.ID) {
		fail("id %q is not 1 to %d characters of a-z, 0-9, '.', '_', '-'", clip(string(b.ID)), MaxBudgetID)
	}
	if b.Unit < USD || b.Unit > Slots {
		fail("unknown unit %d", b.Unit)
	}
	if b.Limit < 0 || b.Limit > MaxAmount {
		fail("limit %d is not within 0 to %d", b.Limit, MaxAmount)
	}
	if b.Unit == Slots && b.Window.Kind != Total {
		fail("slots are counted at any moment: the window must be total")
	}
	errs = append(errs, b.validateMatch(), b.validateEach(), b.Window.validate())
	if len(b.Alerts) > MaxAlerts {
		fail("more than %d alert levels", MaxAlerts)
	}
	for i, a := range b.Alerts {
		if a < 1 || a > 100 || i > 0 && a <= b.Alerts[i-1] {
			fail("alert levels are not ascending percentages from 1 to 100")
			break
		}
	}
	errs = append(errs, b.Breaker.validate())
	if err := errors.Join(errs...); err != nil {
		return fmt.Errorf("budget %q: %w", clip(string(b.ID)), err)
	}
	return nil
}

func (b *Budget) validateMatch() error {
	if len(b.Match) > MaxConditions {
		return fmt.Errorf("more than %d conditions", MaxConditions)
	}
	for i := range b.Match {
		c := &b.Match[i]
		if err := c.Dim.validate(); err != nil {
			return fmt.Errorf("condition: %w", err)
		}
		if len(c.Values) == 0 || len(c.Values) > MaxConditionValues {
			return fmt.Errorf("condition on %s has %d values, not 1 to %d", c.Dim, len(c.Values), MaxConditionValues)
		}
		for _, v := range c.Values {
			if v == "" || len(v) > MaxDimValue {
				return fmt.Errorf("condition on %s has a value that is empty or longer than %d bytes", c.Dim, MaxDimValue)
			}
		}
	}
	return nil
}

func (b *Budget) validateEach() error {
	if len(b.Each) > MaxEach {
		return fmt.Errorf("splits by more than %d dimensions", MaxEach)
	}
	for i, r := range b.Each {
		if err := r.validate(); err != nil {
			return fmt.Errorf("each: %w", err)
		}
		for _, other := range b.Each[:i] {
			if other == r {
				return fmt.Errorf("splits by %s twice", r)
			}
		}
	}
	return nil
}

func (r DimRef) validate() error {
	switch {
	case r.Dim > DimTag:
		return fmt.Errorf("unknown dimension %d", r.Dim)
	case r.Dim != DimTag && r.Tag != "":
		return fmt.Errorf("dimension %s has a tag name", r.Dim)
	case r.Dim == DimTag && !ValidTagName(r.Tag):
		return fmt.Errorf("tag name %q is not 1 to %d characters of a-z, A-Z, 0-9, '.', '_', '-'", clip(r.Tag), MaxTagName)
	}
	return nil
}

// ValidTagName reports whether a free tag may have this name.
func ValidTagName(s string) bool {
	if s == "" || len(s) > MaxTagName {
		return false
	}
	for i := range len(s) {
		if c := s[i]; !plain(c) && (c < 'A' || c > 'Z') {
			return false
		}
	}
	return true
}

func plain(c byte) bool {
	return c >= 'a' && c <= 'z' || c >= '0' && c <= '9' || c == '.' || c == '_' || c == '-'
}

// clip keeps an error about an oversized string short.
func clip(s string) string {
	const most = 80
	if len(s) > most {
		return s[:most] + "..."
	}
	return s
}
