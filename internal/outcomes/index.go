package outcomes

import (
	"cmp"
	"encoding/binary"
	"encoding/hex"
	"errors"
	"fmt"
	"slices"

	"purser/internal/economics"
	"purser/internal/record"
	"purser/ledger"
)

// MaxGathered is how many reports one question takes into account: they are in memory,
// about 500 bytes each, until it is answered.
const MaxGathered = 500_000

// maxShapes bounds the sets of dimensions that outcomes are joined by; each is looked up
// for every record.
const maxShapes = 32

// ErrTooMany is a question about more outcomes than are taken into account at once.
var ErrTooMany = fmt.Errorf("there are more than %d outcomes of that time", MaxGathered)

// Gathered is the reports of a question, from all nodes, each id once.
type Gathered struct {
	From, To  ledger.Instant // requests that are asked about
	Name      string         // of the outcomes that are asked about; "": of any
	ID        string         // the same
	reports   map[Mark]Report
	conflicts map[Mark]bool
}

// NewGathered gathers the outcomes of requests within [from, to).
func NewGathered(from, to ledger.Instant, name string) *Gathered {
	return &Gathered{From: from, To: to, Name: name, reports: map[Mark]Report{}, conflicts: map[Mark]bool{}}
}

// Concerns says whether a report can be of what is asked about.
func (g *Gathered) Concerns(r *Report) bool {
	if g.Name != "" && r.Name != g.Name || g.ID != "" && r.ID != g.ID {
		return false
	}
	switch r.Join.Kind {
	case OfRequest:
		id, _ := record.ParseID(r.Join.Name)
		return id.At() >= g.From && id.At() < g.To
	case OfWhere:
		return r.Join.From < g.To && r.Join.To > g.From
	}
	return r.Until() > g.From
}

// Add takes a report of some node into account. Of several of one id that differ the one
// that was taken first counts, whatever their order here.
func (g *Gathered) Add(r Report) error {
	if !g.Concerns(&r) {
		return nil
	}
	m := r.Mark()
	kept, found := g.reports[m]
	if !found && len(g.reports) == MaxGathered {
		return ErrTooMany
	}
	if found {
		if kept.Differs(&r) != "" {
			g.conflicts[m] = true
		}
		if kept.before(&r) <= 0 {
			return nil
		}
	}
	g.reports[m] = r
	return nil
}

// Reports lists what was gathered, the oldest first. The quality of a request that another
// report brought along is not there twice.
func (g *Gathered) Reports() []Report {
	list := make([]Report, 0, len(g.reports))
	brought := map[Outcome]bool{}
	for _, r := range g.reports {
		if o, ok := r.Brings(); ok && r.Source != ByQuality {
			brought[o] = true
		}
	}
	for _, r := range g.reports {
		if o, _ := r.Brings(); r.Source != ByQuality || !brought[o] {
			list = append(list, r)
		}
	}
	slices.SortFunc(list, func(a, b Report) int {
		return cmp.Or(cmp.Compare(a.At, b.At), cmp.Compare(a.ID, b.ID), cmp.Compare(a.Speaker(), b.Speaker()))
	})
	return list
}

// Conflicts is how many ids nodes have different reports of: each was given to two nodes
// of which one could not ask the other.
func (g *Gathered) Conflicts() int { return len(g.conflicts) }

// Target is a set of requests that outcomes are of: those of one join, and one reporter.
type Target struct {
	Reports  int64
	Evidence economics.Evidence // of all of them
	Wide     bool               // joined by dimensions
}

// Index finds what was reported of a request. It does not change, and is safe for
// concurrent use.
type Index struct {
	Targets []Target
	names   map[string][]int32 // by the kind of a join, a speaker and a name

	kinds    [OfWhere]bool   // that there are, but for OfWhere
	speakers [ofKey + 1]bool // that there are
	shapes   []shape
}

// shape is a set of dimensions, and what is joined by their values.
type shape struct {
	dims []ledger.DimRef
	at   map[string][]window // by a speaker and the values, in the order of from
}

type window struct {
	from, to ledger.Instant
	latest   ledger.Instant // to of this window and those before it
	target   int32
}

// ErrOverflow is a sum that 64 bits do not hold.
var ErrOverflow = errors.New("the outcomes of one run, session or customer add up to more than can be counted")

// Index is what was gathered, to be looked up.
func (g *Gathered) Index() (*Index, error) {
	x := &Index{names: map[string][]int32{}}
	at := map[string]int32{} // targets by join and reporter
	for _, r := range g.Reports() {
		name, shaped := r.Join.Name, -1
		if r.Join.Kind == OfWhere {
			var err error
			if shaped, err = x.shape(r.Join.Where); err != nil {
				return nil, err
			}
			name = string(appendValues(nil, r.Join.Where))
		}
		whole := fmt.Sprintf("%d %d %d %d %q %q %s", r.Join.Kind, shaped, r.Join.From, r.Join.To, r.Key, r.Org, name)
		i, found := at[whole]
		if !found {
			i = int32(len(x.Targets))
			at[whole] = i
			x.Targets = append(x.Targets, Target{Wide: shaped >= 0})
			x.enter(&r, shaped, name, i)
		}
		t := &x.Targets[i]
		t.Reports++
		t.Evidence.Add(r.Evidence())
		if v := t.Evidence.Value; v > ledger.MaxAmount || v < -ledger.MaxAmount || t.Evidence.Quality > int64(ledger.MaxAmount) {
			return nil, ErrOverflow
		}
	}
	for _, s := range x.shapes {
		for _, list := range s.at {
			slices.SortFunc(list, func(a, b window) int { return cmp.Or(cmp.Compare(a.from, b.from), cmp.Compare(a.target, b.target)) })
			for i := range list {
				list[i].latest = list[i].to
				if i > 0 {
					list[i].latest = max(list[i].to, list[i-1].latest)
				}
			}
		}
	}
	return x, nil
}

// enter has a target found by whom its reporter speaks of: once for the organisation, once
// for the key, or for everyone.
func (x *Index) enter(r *Report, shaped int, name string, i int32) {
	var speakers []speaker
	if r.Org != "" {
		speakers = append(speakers, speaker{ofOrg, r.Org})
	}
	if r.Key != "" {
		speakers = append(speakers, speaker{ofKey, r.Key})
	}
	if len(speakers) == 0 {
		speakers = []speaker{{kind: ofAll}}
	}
	for _, s := range speakers {
		x.speakers[s.kind] = true
		under := string(append(s.append(nil), name...))
		if shaped >= 0 {
			x.shapes[shaped].at[under] = append(x.shapes[shaped].at[under], window{from: r.Join.From, to: r.Join.To, target: i})
			continue
		}
		x.kinds[r.Join.Kind] = true
		under = string(byte(r.Join.Kind)) + under
		x.names[under] = append(x.names[under], i)
	}
}

// speaker is one way in which a reporter may speak of a request.
type speaker struct {
	kind speaks
	name string
}

type speaks uint8

const (
	ofAll speaks = iota
	ofOrg
	ofKey
)

func (s speaker) append(b []byte) []byte { return appendText(append(b, byte(s.kind)), s.name) }

// shape finds the set of dimensions of a join, or makes it.
func (x *Index) shape(where []Match) (int, error) {
	dims := make([]ledger.DimRef, len(where))
	for i, m := range where {
		dims[i] = m.Dim
	}
	for i := range x.shapes {
		if slices.Equal(x.shapes[i].dims, dims) {
			return i, nil
		}
	}
	if len(x.shapes) == maxShapes {
		return 0, fmt.Errorf("outcomes of that time are joined by more than %d sets of dimensions; name one outcome", maxShapes)
	}
	x.shapes = append(x.shapes, shape{dims: dims, at: map[string][]window{}})
	return len(x.shapes) - 1, nil
}

func appendValues(b []byte, where []Match) []byte {
	for _, m := range where {
		b = appendText(b, m.Value)
	}
	return b
}

// Of appends the targets that a record is part of to list, each once: those of its request,
// run, session, trace and dimensions whose reporters may speak of it. A correction is part
// of what its request is.
func (x *Index) Of(r *record.Record, list []int32) []int32 {
	begin := len(list)
	request := r.ID
	if r.Kind == record.KindCorrection {
		request = r.Corrects
	}
	trace := ""
	if x.kinds[OfTrace] && r.Trace != [16]byte{} {
		trace = hex.EncodeToString(r.Trace[:])
	}
	names := [OfWhere]string{OfRequest: request, OfRun: r.Dims.Values[ledger.DimRun], OfSession: r.Dims.Values[ledger.DimSession], OfTrace: trace}
	var scratch [640]byte // a dimension's value and a speaker, and more
	for _, s := range [...]speaker{{kind: ofAll}, {ofOrg, r.Dims.Values[ledger.DimOrg]}, {ofKey, r.Dims.Values[ledger.DimKey]}} {
		if !x.speakers[s.kind] || s.kind != ofAll && s.name == "" {
			continue
		}
		for kind, name := range names {
			if name != "" && x.kinds[kind] {
				for _, i := range x.names[string(append(s.append(append(scratch[:0], byte(kind))), name...))] {
					list = once(list, begin, i)
				}
			}
		}
		for i := range x.shapes {
			list = x.shapes[i].of(r, s.append(scratch[:0]), list, begin)
		}
	}
	return list
}

// once appends a target that is not in the list from begin on.
func once(list []int32, begin int, i int32) []int32 {
	if slices.Contains(list[begin:], i) {
		return list
	}
	return append(list, i)
}

func (s *shape) of(r *record.Record, under []byte, list []int32, begin int) []int32 {
	for _, d := range s.dims {
		v := r.Dims.Get(d)
		if v == "" {
			return list
		}
		under = append(binary.AppendUvarint(under, uint64(len(v))), v...)
	}
	windows := s.at[string(under)]
	at := r.At
	if id, ok := record.ParseID(r.ID); ok && r.Kind != record.KindRequest {
		at = id.At() // what is known later belongs to its period
	}
	n, _ := slices.BinarySearchFunc(windows, at, func(w window, at ledger.Instant) int {
		if w.from <= at {
			return -1
		}
		return 1
	})
	for n--; n >= 0 && windows[n].latest > at; n-- {
		if windows[n].to > at {
			list = once(list, begin, windows[n].target)
		}
	}
	return list
}

// Evidence is what is known of one request. It is not to be added up over requests: an
// outcome of a run is known of each request of it.
func (x *Index) Evidence(r *record.Record) (e economics.Evidence) {
	var scratch [16]int32
	for _, i := range x.Of(r, scratch[:0]) {
		if t := &x.Targets[i]; t.Wide {
			e.Wide += t.Evidence.Outcomes
		} else {
			e.Add(t.Evidence)
		}
	}
	return e
}
