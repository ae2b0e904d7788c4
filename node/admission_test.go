package node

import (
	"errors"
	"testing"

	"purser/internal/purse"
	"purser/ledger"
	"purser/proxy/dialect"
)

// TestNoRequestOfASliceGoesWithoutItsAccount: a node that does not go by the rule of
// a slice refuses the child, whatever else let it through.
func TestNoRequestOfASliceGoesWithoutItsAccount(t *testing.T) {
	a := newAdmission(&purse.Purse{}, &currency{}, nil, newBreakers(new(heardEvents)), nil) // without any rule
	d := &ledger.Dimensions{Tags: []ledger.Tag{{Name: "purser.child.1", Value: "c"}, {Name: "purser.slice.1", Value: "5.20000"}}}
	_, err := a.Chain(d)
	var u undecided
	if !errors.As(err, &u) || u.DialectCode() != dialect.CodeUndecided {
		t.Errorf("admitted, or refused with %v", err)
	}
	d.Tags = d.Tags[:1]
	if _, err := a.Chain(d); err != nil {
		t.Errorf("a child without a slice: %v", err)
	}
}
