package usage

import (
	"fmt"
	"slices"
	"strconv"
	"time"

	"purser/internal/record"
	"purser/ledger"
)

// Field is one property of a record that records can be grouped or filtered by:
// a dimension, a free tag, or one of the record's own.
type Field struct {
	kind fieldKind
	dim  ledger.DimRef // of kind dimension
}

type fieldKind uint8

const (
	dimension fieldKind = iota
	modelServed
	upstream
	endpoint
	dialect
	outcome
	status
	code
	cache
	tier
	stream
	rate
	basis
	bound
	hour
	day
	promptVersion
	route
	strategy
	semantic
	compression
	step
	parent
	client
	credential
	kind
	errorClass
	minute
	week
	month
	numKinds
)

var fieldNames = [numKinds]string{
	modelServed: "model_served", upstream: "upstream", endpoint: "endpoint", dialect: "dialect",
	outcome: "outcome", status: "status", code: "code", cache: "cache", tier: "tier", stream: "stream",
	rate: "rate", basis: "basis", bound: "bound", hour: "hour", day: "day",
	promptVersion: "prompt_version", route: "route", strategy: "strategy", semantic: "semantic", compression: "compression",
	step: "step", parent: "parent", client: "client", credential: "credential", kind: "kind", errorClass: "error_class",
	minute: "minute", week: "week", month: "month",
}

// DimField is the field of a dimension or free tag.
func DimField(r ledger.DimRef) Field { return Field{dim: r} }

// ParseField finds a field by its name: a dimension ("customer"), a free tag
// ("tag:job"), or one of those that [FieldNames] lists beside them. Those of time are in
// UTC: minute, hour, day, week (of ISO 8601) and month.
func ParseField(name string) (Field, bool) {
	if i := slices.Index(fieldNames[:], name); i > 0 {
		return Field{kind: fieldKind(i)}, true
	}
	r, err := ledger.ParseDimRef(name)
	return Field{dim: r}, err == nil
}

// String is the field's name.
func (f Field) String() string {
	if f.kind == dimension {
		return f.dim.String()
	}
	return fieldNames[f.kind]
}

// of returns the field's value, "" when it is not set.
func (f Field) of(r *record.Record) string {
	switch f.kind {
	case dimension:
		if v := r.Dims.Get(f.dim); v != "" || f.dim.Dim != ledger.DimModel {
			return v
		}
		return r.Model // refused before its dimensions were known
	case modelServed:
		return r.Served
	case upstream:
		return r.Upstream
	case endpoint:
		return r.Endpoint
	case dialect:
		return r.Dialect
	case outcome:
		return r.Outcome.String()
	case status:
		return strconv.Itoa(r.Status)
	case code:
		return r.Code
	case cache:
		return r.Cache.String()
	case tier:
		return r.Tier
	case stream:
		return strconv.FormatBool(r.Stream)
	case rate:
		return r.RateID
	case basis:
		if r.Basis == 0 {
			return "" // ended before there was anything to charge
		}
		return r.Basis.String()
	case bound:
		return r.Bound.String()
	case minute, hour, day, week, month:
		return f.timeText(arrival(r))
	case promptVersion:
		if r.PromptVersion == 0 {
			return ""
		}
		return strconv.FormatInt(r.PromptVersion, 10)
	case route:
		return r.Route.Name
	case strategy:
		return r.Route.Strategy
	case semantic:
		return r.Semantic.Verdict.String()
	case compression:
		return r.Shape.Level
	case step:
		return r.Step
	case parent:
		return r.Parent
	case client:
		return r.Client
	case credential:
		return r.Credential
	case kind:
		return r.Kind.String()
	case errorClass:
		return string(r.Class())
	default:
		panic("usage: a field of no kind")
	}
}

// Attribution says whether the field is a dimension or tag, which everything ought to
// have: what has none is unallocated.
func (f Field) Attribution() bool { return f.kind == dimension }

// timeText is the value of a field of time.
func (f Field) timeText(at ledger.Instant) string {
	t := time.Unix(0, int64(at)).UTC()
	switch f.kind {
	case minute:
		return t.Format("2006-01-02T15:04")
	case hour:
		return t.Format("2006-01-02T15")
	case day:
		return t.Format(time.DateOnly)
	case week:
		year, n := t.ISOWeek()
		return fmt.Sprintf("%d-W%02d", year, n)
	case month:
		return t.Format("2006-01")
	default:
		panic("usage: a field of no time")
	}
}

// arrival is the time that a record's id has: that of its request, or of what its charge
// belongs to.
func arrival(r *record.Record) ledger.Instant {
	id, ok := record.ParseID(r.ID)
	if !ok {
		return r.At
	}
	return id.At()
}

// FieldNames lists the fields by name, but for the free tags.
func FieldNames() []string {
	var names []string
	for d := range ledger.NumDims {
		names = append(names, ledger.Dim(d).String())
	}
	for _, n := range fieldNames {
		if n != "" {
			names = append(names, n)
		}
	}
	return names
}

// Condition holds for records whose field has one of the values; "" is the value
// of a field that is not set.
type Condition struct {
	Field  Field
	Values []string
}

func (c *Condition) holds(r *record.Record) bool {
	return slices.Contains(c.Values, c.Field.of(r))
}
