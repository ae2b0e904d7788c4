package trace

import (
	"encoding/hex"
	"slices"
	"testing"

	"pgregory.net/rapid"

	"purser/internal/record"
	"purser/ledger"
)

const request = "req_00000000000000000000000001"

type of struct{ org, run, session, agent, step, parent string }

func (o of) record(id string) *record.Record {
	r := &record.Record{ID: id, Step: o.step, Parent: o.parent}
	for d, v := range map[ledger.Dim]string{ledger.DimOrg: o.org, ledger.DimRun: o.run, ledger.DimSession: o.session, ledger.DimAgent: o.agent} {
		r.Dims.Values[d] = v
	}
	return r
}

// names are the scopes above a request, from the root, with what each is part of.
func names(p *Place) string {
	of, out := map[[8]byte]string{{}: "-"}, ""
	for _, s := range p.Scopes() {
		name := [...]string{"run", "session", "agent", "step", "named"}[s.Kind] + ":" + s.Name
		out += of[s.Over] + ">" + name + " "
		of[s.Span] = name
	}
	return out + of[p.Parent] + ">request"
}

func TestScopesOfARun(t *testing.T) {
	for name, c := range map[string]struct {
		of   of
		want string
	}{
		"alone":                       {of{}, "->request"},
		"an agent alone":              {of{agent: "a"}, "->request"},
		"a run":                       {of{run: "r"}, "->run:r run:r>request"},
		"a run before a session":      {of{run: "r", session: "s"}, "->run:r run:r>request"},
		"a session":                   {of{session: "s"}, "->session:s session:s>request"},
		"agent and step":              {of{run: "r", agent: "a", step: "s"}, "->run:r run:r>agent:a agent:a>step:s step:s>request"},
		"a step of another":           {of{run: "r", agent: "a", step: "s", parent: "p"}, "->run:r run:r>named:p named:p>step:s step:s>request"},
		"a step of the agent itself":  {of{run: "r", agent: "a", step: "s", parent: "a"}, "->run:r run:r>agent:a agent:a>step:s step:s>request"},
		"an agent of another":         {of{session: "s", agent: "sub", parent: "main"}, "->session:s session:s>named:main named:main>agent:sub agent:sub>request"},
		"a request of another":        {of{run: "r", parent: "p"}, "->run:r run:r>named:p named:p>request"},
		"a step that is its parent":   {of{run: "r", step: "s", parent: "s"}, "->run:r run:r>named:s named:s>request"},
		"agent and step of one name":  {of{run: "r", agent: "a", step: "a"}, "->run:r run:r>agent:a agent:a>request"},
		"the request is its own":      {of{run: "r", parent: request}, "->run:r run:r>request"},
		"an agent that is its parent": {of{run: "r", agent: "a", parent: "a"}, "->run:r run:r>named:a named:a>request"},
	} {
		p := Of(c.of.record(request))
		if got := names(&p); got != c.want {
			t.Errorf("%s: %s, want %s", name, got, c.want)
		}
	}
}

func TestAParentCanBeARequest(t *testing.T) {
	other := "req_00000000000000000000000002"
	p := Of(of{run: "r", parent: other}.record(request))
	if p.Parent != RequestSpan(other) || len(p.Scopes()) != 1 {
		t.Errorf("%+v", p)
	}
	p = Of(of{run: "r", step: "s", parent: other}.record(request))
	if s := p.Scopes(); len(s) != 2 || s[1].Over != RequestSpan(other) || p.Parent != s[1].Span {
		t.Errorf("%+v", p)
	}
}

func TestTheCallersContextComesFirst(t *testing.T) {
	r := of{run: "r", step: "s", parent: "p"}.record(request)
	r.Trace, r.Caller = [16]byte{1}, [8]byte{2}
	p := Of(r)
	if p.Trace != r.Trace || p.Parent != r.Caller || p.Root != RootCaller || len(p.Scopes()) != 0 {
		t.Errorf("%+v", p)
	}
}

// TestTracesAreApart: runs of one name in two orgs, and a run and a session of one
// name, share nothing; the same run has one trace wherever it is asked.
func TestTracesAreApart(t *testing.T) {
	a, b := Of(of{org: "o", run: "r"}.record("req_1")), Of(of{org: "o", run: "r"}.record("req_2"))
	if a.Trace != b.Trace || a.Parent != b.Parent || a.Span == b.Span {
		t.Errorf("one run, two traces: %+v %+v", a, b)
	}
	for name, o := range map[string]of{"another org": {org: "p", run: "r"}, "a session": {org: "o", session: "r"}, "shifted": {org: "or", run: ""}, "no org": {run: "or"}} {
		if c := Of(o.record("req_1")); c.Trace == a.Trace {
			t.Errorf("%s is in the same trace", name)
		}
	}
}

// TestCompatIDs: nodes of two builds make one tree of a run only as long as ids do not
// change.
func TestCompatIDs(t *testing.T) {
	p := Of(of{org: "acme", run: "run-1", agent: "bot", step: "plan"}.record(request))
	alone := Of(of{}.record(request))
	call := CallSpan(request, 2)
	var got []string
	got = append(got, hex.EncodeToString(p.Trace[:]), hex.EncodeToString(p.Span[:]))
	for _, s := range p.Scopes() {
		got = append(got, hex.EncodeToString(s.Span[:]))
	}
	got = append(got, hex.EncodeToString(alone.Trace[:]), hex.EncodeToString(call[:]))
	want := []string{"146abe3a09b69138c3e94cade8eec4ab", "00cff31305d5986a", "aa1a1fd8d5a7a483", "aa9c3893893980ab", "10e808a39d408fbd", "00000000000000000000000000000001", "bed2eae231e11397"}
	if !slices.Equal(got, want) {
		t.Fatalf("ids have changed: %q", got)
	}
}

// TestEveryPlaceIsATree: whatever a client names, each scope is part of one before it,
// and the request of the last or of a request.
func TestEveryPlaceIsATree(t *testing.T) {
	name := rapid.SampledFrom([]string{"", "a", "b", request, "req_00000000000000000000000002"})
	rapid.Check(t, func(t *rapid.T) {
		o := of{org: name.Draw(t, "org"), run: name.Draw(t, "run"), session: name.Draw(t, "session"), agent: name.Draw(t, "agent"), step: name.Draw(t, "step"), parent: name.Draw(t, "parent")}
		p := Of(o.record(request))
		known := map[[8]byte]bool{}
		for i, s := range p.Scopes() {
			if known[s.Span] || s.Span == p.Span || (i == 0) != (s.Over == [8]byte{}) || i > 0 && !known[s.Over] && s.Over != RequestSpan(o.parent) {
				t.Fatalf("%d of %s", i, names(&p))
			}
			known[s.Span] = true
		}
		if p.Trace == [16]byte{} || p.Parent == p.Span || (p.Root == RootRequest) != (p.Parent == [8]byte{}) {
			t.Fatalf("%+v", p)
		}
	})
}

func TestSampler(t *testing.T) {
	tenth, n := NewSampler(0.1), 0
	for i := range 10_000 {
		p := Of(of{run: record.NewID(ledger.Instant(i))}.record(request))
		if tenth.Samples(&Context{}, p.Trace) {
			n++
		}
		if !NewSampler(1).Samples(&Context{}, p.Trace) || NewSampler(0).Samples(&Context{}, p.Trace) {
			t.Fatal("all and none")
		}
	}
	if n < 850 || n > 1150 {
		t.Errorf("%d of 10,000, want about 1,000", n)
	}
	on, off := Parse([]string{good}, nil), Parse([]string{good[:53] + "00"}, nil)
	if !NewSampler(0).Samples(&on, on.Trace) || NewSampler(1).Samples(&off, off.Trace) {
		t.Error("the caller decides for its trace")
	}
}
