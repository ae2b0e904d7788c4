package policy

import (
	"errors"
	"fmt"
)

// Expression is a condition by itself: of something that goes by the facts of a
// request and is no rule. It is immutable.
type Expression struct{ e *expression }

// NewExpression checks a text as it does a rule's.
func NewExpression(text string) (*Expression, error) {
	c, err := newCompiler()
	if err != nil {
		return nil, err
	}
	if text == "" || len(text) > MaxExpression {
		return nil, fmt.Errorf("has %d bytes, not 1 to %d", len(text), MaxExpression)
	}
	e, err := newExpression(c.env, text)
	if err != nil {
		return nil, err
	}
	return &Expression{e}, nil
}

// ReadsSampling says whether it goes by the temperature or top_p.
func (x *Expression) ReadsSampling() bool { return x.e.sampling }

// errUnknown is the answer of an expression to facts that are not known, or by which
// it costs too much.
var errUnknown = errors.New("it cannot be decided for this request")

// Holds says whether it holds for the request, by the cheapest bound of tokens and
// cost. An error means that this could not be decided.
func (x *Expression) Holds(in *Input) (bool, error) {
	in.run.begin(in)
	switch x.e.ask(&in.run, false) {
	case yes:
		return true, nil
	case no:
		return false, nil
	}
	return false, errUnknown
}
