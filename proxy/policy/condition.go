package policy

import (
	"fmt"
	"net/netip"
	"strings"

	"purser/ledger"
)

// test is one form of a condition. Where the request leaves open which of several
// values counts, such as the region in which the provider processes it, one that fits
// is enough, but with all they have to fit all: an exception, or what allows, must not
// hold by a mere chance.
type test interface {
	ask(r *run, all bool) answer
}

// condition is all its tests, those that cost most at the end. None holds.
type condition []test

func (c condition) ask(r *run, all bool) answer {
	result := yes
	for _, t := range c {
		switch t.ask(r, all) {
		case no:
			return no
		case unknown:
			result = unknown
		}
	}
	return result
}

func answerOf(b bool) answer {
	if b {
		return yes
	}
	return no
}

type addressTest []netip.Prefix

func (t addressTest) ask(r *run, _ bool) answer {
	if !r.in.Address.IsValid() {
		r.say("the client's address is not known")
		return unknown
	}
	a := Plain(r.in.Address)
	p, ok := Within(t, a)
	switch {
	case r.why == nil:
	case ok:
		r.say("address %s is in %s", a, p)
	default:
		r.say("address %s is in none of %d ranges", a, len(t))
	}
	return answerOf(ok)
}

// textTest compares one fact of the request with patterns.
type textTest struct {
	what string
	list []pattern
	fact func(*Input) string
}

func (t *textTest) ask(r *run, _ bool) answer {
	s := t.fact(r.in)
	ok := anyFits(t.list, s)
	if r.why != nil {
		r.say("%s %q %s", t.what, s, fitting(ok, len(t.list)))
	}
	return answerOf(ok)
}

func fitting(ok bool, n int) string {
	if ok {
		return "fits"
	}
	return fmt.Sprintf("fits none of %d patterns", n)
}

func endpointOf(in *Input) string { return in.Endpoint }
func dialectOf(in *Input) string  { return in.Dialect }
func providerOf(in *Input) string { return in.Provider }
func upstreamOf(in *Input) string { return in.Upstream }

type modelTest []pattern

func (t modelTest) ask(r *run, _ bool) answer {
	in := r.in
	ok := anyFits(t, in.Model) || anyFits(t, in.RouteModel) || anyFits(t, in.SentModel)
	if r.why != nil {
		r.say("model %q (%q) %s", in.Model, in.RouteModel, fitting(ok, len(t)))
	}
	return answerOf(ok)
}

type regionTest []pattern

func (t regionTest) ask(r *run, all bool) answer {
	result, n := no, max(len(r.in.Regions), 1)
	fit, open := 0, 0
	for i := range n {
		region := ""
		if i < len(r.in.Regions) {
			region = r.in.Regions[i]
		}
		switch {
		case anyFits(t, region):
			fit++
		case region == "":
			open++
		}
	}
	switch {
	case fit == n || !all && fit > 0:
		result = yes
	case all && fit+open < n: // one does not fit
	case open > 0:
		result = unknown
	}
	if r.why != nil {
		r.say("of regions [%s] %d fit, %d are not known", strings.Join(r.in.Regions, " "), fit, open)
	}
	return result
}

type streamTest bool

func (t streamTest) ask(r *run, _ bool) answer {
	r.say("stream is %v", r.in.Stream)
	return answerOf(r.in.Stream == bool(t))
}

type timeTest []window

func (t timeTest) ask(r *run, _ bool) answer {
	for i := range t {
		if t[i].holds(r.in.At) {
			r.say("the time is in window %d", i)
			return yes
		}
	}
	r.say("the time is in none of %d windows", len(t))
	return no
}

type dimTest struct {
	dim  ledger.DimRef
	list []pattern
}

func (t *dimTest) ask(r *run, _ bool) answer {
	value := r.in.Dims.Get(t.dim)
	ok := value != "" && anyFits(t.list, value)
	if r.why != nil {
		r.say("%s %q %s", t.dim, value, fitting(ok, len(t.list)))
	}
	return answerOf(ok)
}

type missingTest []ledger.DimRef

func (t missingTest) ask(r *run, _ bool) answer {
	for _, d := range t {
		if r.in.Dims.Get(d) == "" {
			if r.why != nil {
				r.say("%s has no value", d)
			}
			return yes
		}
	}
	r.say("no dimension is missing")
	return no
}
