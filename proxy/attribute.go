package proxy

import (
	"net/url"
	"slices"
	"strings"
	"unicode/utf8"

	"purser/ledger"
	"purser/proxy/dialect"
)

// Headers that steer the gateway. Every other x-purser- header names a
// dimension or a tag; none of them goes upstream.
const (
	headerPrefix    = "x-purser-"
	headerTagPrefix = "x-purser-tag-"
	headerKey       = "x-purser-key"     // the virtual key, where a header of the dialect has the provider's
	headerCache     = "x-purser-cache"   // see askCache
	headerID        = "x-purser-request" // answers only
	headerUsageCost = "x-purser-usage-cost"
	headerStep      = "x-purser-step"   // of the agent's run
	headerParent    = "x-purser-parent" // the request, step or agent that it was made for
)

// attribute fills the dimensions: what the key binds, then what the headers
// say, then baggage where that is on. A bound value cannot be overridden.
func (x *exchange) attribute() *dialect.Error {
	d := &x.rec.Dims
	id := d.Values[ledger.DimKey]
	d.Values = x.key.Bound.Values
	d.Values[ledger.DimKey] = id
	d.Tags = append(d.Tags[:0], x.key.Bound.Tags...)
	x.store = !x.key.CacheOff

	var fault *dialect.Error
	x.req.Header.Each(func(name, value []byte) {
		if fault == nil && len(name) > len(headerPrefix) && strings.EqualFold(string(name[:len(headerPrefix)]), headerPrefix) {
			fault = x.attributeHeader(strings.ToLower(string(name)), string(value))
		}
	})
	if fault != nil {
		return fault
	}
	x.cacheControl(string(x.req.Header.Peek("Cache-Control")))
	if x.g.cfg.Baggage {
		x.attributeBaggage(string(x.req.Header.Peek("baggage")))
	}
	x.attributeHints()
	x.attributeClient()
	if e := x.attributeTemplate(); e != nil {
		return e
	}
	slices.SortFunc(d.Tags, func(a, b ledger.Tag) int { return strings.Compare(a.Name, b.Name) })
	if err := x.rules.Complete(d); err != nil {
		return dialect.NewError(dialect.CodeInvalidDim, "", "%s", err.Error())
	}
	if e := x.mayUseTemplate(); e != nil {
		return e
	}
	for _, r := range x.key.Required {
		if d.Get(r) == "" {
			return dialect.NewError(dialect.CodeMissingDim, "", "this key requires the dimension %s: send the header %s", r, headerOf(r))
		}
	}
	if !x.key.Models.Allows(x.call.Model) {
		return dialect.NewError(dialect.CodeModelNotAllowed, "model", "this key may not use the model %q", x.call.Model)
	}
	return nil
}

func (x *exchange) attributeHeader(name, value string) *dialect.Error {
	if name == headerCache {
		return x.askCache(value)
	}
	if name == headerCacheTags {
		return x.tagAnswer(value)
	}
	if name == headerKey || name == headerTemplate {
		return nil
	}
	if name == headerStep || name == headerParent {
		return x.attributeStep(name, value)
	}
	if name == headerUsageCost {
		return x.askCost(value)
	}
	if name == headerHold {
		_, e := asksHold(value)
		return e
	}
	ref, ok := dimOfHeader(name)
	if !ok {
		return dialect.NewError(dialect.CodeInvalidDim, "", "the header %s names no dimension; there are %s, and %s<name>", name, settableNames, headerTagPrefix)
	}
	if e := checkDim(ref, value, name); e != nil {
		return e
	}
	if Reserved(ref) {
		return dialect.NewError(dialect.CodeInvalidDim, "", "tags whose names begin with %s are set by the gateway alone", reservedTags)
	}
	if value == "" {
		return nil
	}
	d := &x.rec.Dims
	if was := d.Get(ref); was != "" && was != value {
		if x.key.Bound.Get(ref) != "" {
			return dialect.NewError(dialect.CodeBoundDim, "", "this key is bound to another value of %s", ref)
		}
		return dialect.NewError(dialect.CodeInvalidDim, "", "the header %s is there twice with two values", name)
	}
	if !setDim(d, ref, value) {
		return dialect.NewError(dialect.CodeInvalidDim, "", "a request may carry %d tags, with those of its key", ledger.MaxTags)
	}
	return nil
}

// reservedTags begins the names of tags that say which child key a request is of.
const reservedTags = "purser."

// Reserved says whether a dimension is one that only the gateway sets.
func Reserved(r ledger.DimRef) bool {
	return r.Dim == ledger.DimTag && strings.HasPrefix(r.Tag, reservedTags)
}

// attributeStep notes where in the run of an agent the request is.
func (x *exchange) attributeStep(name, value string) *dialect.Error {
	if e := checkDim(ledger.DimRef{}, value, name); e != nil {
		return e
	}
	if name == headerStep {
		x.rec.Step = value
	} else {
		x.rec.Parent = value
	}
	return nil
}

// maxClient bounds what is kept of a client's name for itself.
const maxClient = 64

// attributeClient notes which program asks: the first word of its User-Agent, which names
// it and its version.
func (x *exchange) attributeClient() {
	name, _, _ := strings.Cut(string(x.req.Header.Peek("User-Agent")), " ")
	if len(name) <= maxClient && checkDim(ledger.DimRef{}, name, "User-Agent") == nil {
		x.rec.Client = name
	}
}

// askCost reads whether the answer's usage is to have the cost in it.
func (x *exchange) askCost(value string) *dialect.Error {
	switch strings.ToLower(value) {
	case "true":
		x.costInUsage = true
		return nil
	case "false", "":
		return nil
	}
	return dialect.NewError(dialect.CodeInvalidValue, "", "the header %s takes true or false", headerUsageCost)
}

func checkDim(ref ledger.DimRef, value, name string) *dialect.Error {
	if len(ref.Tag) > ledger.MaxTagName {
		return dialect.NewError(dialect.CodeInvalidDim, "", "a tag's name may have %d bytes", ledger.MaxTagName)
	}
	if len(value) > ledger.MaxDimValue {
		return dialect.NewError(dialect.CodeInvalidDim, "", "the value of %s is longer than %d bytes", name, ledger.MaxDimValue)
	}
	if !isText(ref.Tag) {
		return dialect.NewError(dialect.CodeInvalidDim, "", "a tag's name has control characters or is not UTF-8")
	}
	if !isText(value) {
		return dialect.NewError(dialect.CodeInvalidDim, "", "the value of %s has control characters or is not UTF-8", name)
	}
	return nil
}

// isText says whether s can be shown and written wherever records go: spans, exports, pages.
func isText(s string) bool {
	return utf8.ValidString(s) && !strings.ContainsFunc(s, func(r rune) bool { return r < 0x20 || r == 0x7f })
}

// attributeBaggage takes what nothing better has said. What it cannot read it
// ignores: baggage is a hint that other services pass along.
func (x *exchange) attributeBaggage(header string) {
	const prefix = "purser."
	for member := range strings.SplitSeq(header, ",") {
		member, _, _ = strings.Cut(member, ";")
		name, value, ok := strings.Cut(strings.TrimSpace(member), "=")
		if !ok || !strings.HasPrefix(name, prefix) {
			continue
		}
		value, err := url.PathUnescape(strings.TrimSpace(value))
		ref, known := dimOfHeader(headerPrefix + strings.Replace(name[len(prefix):], "tag.", "tag-", 1))
		if err != nil || !known || value == "" || checkDim(ref, value, name) != nil || Reserved(ref) || x.rec.Dims.Get(ref) != "" {
			continue
		}
		_ = setDim(&x.rec.Dims, ref, value) // a tag too many is ignored like the rest
	}
}

// hints are headers by which agents name their sessions. They are labels that the
// client asserts: they fill what nothing better has said.
var hints = [...]struct {
	header string
	dim    ledger.Dim
}{
	{"x-claude-code-session-id", ledger.DimSession},
	{"x-claude-code-agent-id", ledger.DimAgent},
}

func (x *exchange) attributeHints() {
	for _, h := range hints {
		ref := ledger.DimRef{Dim: h.dim}
		if value := string(x.req.Header.Peek(h.header)); value != "" && x.rec.Dims.Get(ref) == "" && checkDim(ref, value, h.header) == nil {
			x.rec.Dims.Values[h.dim] = value
		}
	}
	const parent = "x-claude-code-parent-agent-id"
	if value := string(x.req.Header.Peek(parent)); x.rec.Parent == "" && checkDim(ledger.DimRef{}, value, parent) == nil {
		x.rec.Parent = value
	}
}

// setDim sets a value that is not set, or is the same. It is false when there is
// no room for another tag.
func setDim(d *ledger.Dimensions, ref ledger.DimRef, value string) bool {
	if ref.Dim != ledger.DimTag {
		d.Values[ref.Dim] = value
		return true
	}
	for _, t := range d.Tags {
		if t.Name == ref.Tag {
			return true
		}
	}
	if len(d.Tags) == ledger.MaxTags {
		return false
	}
	d.Tags = append(d.Tags, ledger.Tag{Name: ref.Tag, Value: value})
	return true
}

// settable are the dimensions a request may set. The key, the model and the
// provider are facts of the request itself.
var settable = map[string]ledger.Dim{
	"org": ledger.DimOrg, "team": ledger.DimTeam, "project": ledger.DimProject, "member": ledger.DimMember,
	"customer": ledger.DimCustomer, "feature": ledger.DimFeature, "agent": ledger.DimAgent, "run": ledger.DimRun,
	"session": ledger.DimSession, "prompt": ledger.DimPrompt, "env": ledger.DimEnv,
}

const settableNames = "org, team, project, member, customer, feature, agent, run, session, prompt, env"

// dimOfHeader reads a lower-case header name.
func dimOfHeader(name string) (ledger.DimRef, bool) {
	if tag, ok := strings.CutPrefix(name, headerTagPrefix); ok {
		return ledger.DimRef{Dim: ledger.DimTag, Tag: tag}, tag != ""
	}
	dim, ok := settable[strings.TrimPrefix(name, headerPrefix)]
	return ledger.DimRef{Dim: dim}, ok
}

func headerOf(r ledger.DimRef) string {
	if r.Dim == ledger.DimTag {
		return headerTagPrefix + r.Tag
	}
	return headerPrefix + r.String()
}
