package policy

import (
	"encoding/json"
	"errors"
	"fmt"
	"maps"
	"net/netip"
	"slices"
	"strings"
	"time"

	"purser/internal/record"
	"purser/ledger"
)

// Facts are a request in text, as tests of policies and questions of operators have
// them. What is left out is not set; a time has to be given.
type Facts struct {
	Endpoint string `json:"endpoint,omitempty"` // default /v1/chat/completions
	Dialect  string `json:"dialect,omitempty"`  // default openai
	Stream   bool   `json:"stream,omitempty"`
	Model    string `json:"model,omitempty"`
	Time     string `json:"time,omitempty"` // RFC 3339
	Address  string `json:"address,omitempty"`

	MaxOutput   int64    `json:"max_output_tokens,omitempty"`
	N           int64    `json:"n,omitempty"` // default 1
	Temperature *float64 `json:"temperature,omitempty"`
	TopP        *float64 `json:"top_p,omitempty"`
	Tools       int      `json:"tools,omitempty"`
	Messages    int      `json:"messages,omitempty"`
	Images      int      `json:"images,omitempty"`
	Files       int      `json:"files,omitempty"`
	InputBytes  int64    `json:"input_bytes,omitempty"`
	ServiceTier string   `json:"service_tier,omitempty"`

	Key   KeyFacts          `json:"key,omitzero"`
	Dims  map[string]string `json:"dims,omitempty"` // free tags as "tag:<name>"
	Route RouteFacts        `json:"route,omitzero"`

	InputTokens *int64      `json:"input_tokens,omitempty"` // with the cost: their upper bounds
	CostUSD     json.Number `json:"cost_usd,omitempty"`
}

// KeyFacts are the virtual key.
type KeyFacts struct {
	ID   string `json:"id,omitempty"`
	Name string `json:"name,omitempty"`
}

// RouteFacts are where the call goes.
type RouteFacts struct {
	Provider string   `json:"provider,omitempty"`
	Upstream string   `json:"upstream,omitempty"`
	Model    string   `json:"model,omitempty"` // default that asked for
	Regions  []string `json:"regions,omitempty"`
}

// Input reads the facts.
func (f *Facts) Input() (*Input, error) {
	var errs []error
	in := &Input{
		Endpoint: orElse(f.Endpoint, "/v1/chat/completions"), Dialect: orElse(f.Dialect, "openai"), Stream: f.Stream, Model: f.Model,
		Params: Params{MaxOutput: f.MaxOutput, N: max(f.N, 1), Temperature: Unset, TopP: Unset},
		Tools:  f.Tools, Messages: f.Messages, Images: f.Images, Files: f.Files, InputBytes: f.InputBytes, ServiceTier: f.ServiceTier,
		KeyID: f.Key.ID, KeyName: f.Key.Name, Dims: &ledger.Dimensions{},
		Provider: f.Route.Provider, Upstream: f.Route.Upstream, RouteModel: orElse(f.Route.Model, f.Model), Regions: f.Route.Regions,
	}
	in.SentModel = in.RouteModel
	if f.Temperature != nil {
		in.Params.Temperature = *f.Temperature
	}
	if f.TopP != nil {
		in.Params.TopP = *f.TopP
	}
	t, err := time.Parse(time.RFC3339, f.Time)
	if err != nil {
		errs = append(errs, fmt.Errorf("time: %q is not a time like 2026-01-31T08:00:00Z", Clip(f.Time)))
	}
	in.At = ledger.Instant(t.UnixNano())
	if f.Address != "" {
		if in.Address, err = netip.ParseAddr(f.Address); err != nil {
			errs = append(errs, fmt.Errorf("address: %q is none", Clip(f.Address)))
		}
	}
	errs = append(errs, f.dims(in.Dims), f.bounds(in))
	return in, errors.Join(errs...)
}

func orElse(s, usual string) string {
	if s == "" {
		return usual
	}
	return s
}

// dims fills the dimensions; those that are facts of the request follow from it.
func (f *Facts) dims(d *ledger.Dimensions) error {
	d.Values[ledger.DimKey], d.Values[ledger.DimModel], d.Values[ledger.DimProvider] = f.Key.ID, f.Model, f.Route.Provider
	for _, name := range slices.Sorted(maps.Keys(f.Dims)) {
		ref, err := ledger.ParseDimRef(name)
		switch {
		case err != nil:
			return fmt.Errorf("dims: %w", err)
		case len(f.Dims[name]) > ledger.MaxDimValue:
			return fmt.Errorf("dims: the value of %s is longer than %d bytes", name, ledger.MaxDimValue)
		case ref.Dim == ledger.DimTag:
			d.Tags = append(d.Tags, ledger.Tag{Name: ref.Tag, Value: f.Dims[name]})
		default:
			d.Values[ref.Dim] = f.Dims[name]
		}
	}
	if len(d.Tags) > ledger.MaxTags {
		return fmt.Errorf("dims: there are %d tags, more than %d", len(d.Tags), ledger.MaxTags)
	}
	return nil
}

func (f *Facts) bounds(in *Input) error {
	if f.InputTokens == nil && f.CostUSD == "" {
		return nil
	}
	if f.InputTokens == nil || f.CostUSD == "" {
		return errors.New("input_tokens and cost_usd go together")
	}
	b := Fixed{Input: *f.InputTokens}
	if strings.Trim(string(f.CostUSD), "0.") != "" {
		var err error
		if b.Cost, err = parseDollars(string(f.CostUSD)); err != nil {
			return fmt.Errorf("cost_usd: %w", err)
		}
	}
	in.Bounds = b
	return nil
}

// Answer is a decision in text.
type Answer struct {
	Decision string   `json:"decision"` // allow or deny
	Policy   string   `json:"policy,omitempty"`
	Rule     string   `json:"rule,omitempty"`
	Message  string   `json:"message,omitempty"`
	Rewrites []string `json:"rewrites,omitempty"` // such as "n=1"
	Warnings []string `json:"warnings,omitempty"` // "<policy>/<rule>"
	Shadow   []string `json:"shadow,omitempty"`   // "<policy>/<rule> <what it would have done>"
	Steps    []Step   `json:"steps,omitempty"`
}

// NewAnswer tells the decision on in.
func NewAnswer(in *Input, d *Decision) Answer {
	a := Answer{Decision: string(Allow)}
	if d.Denied != nil {
		a.Decision, a.Policy, a.Rule, a.Message = string(Deny), d.Denied.Policy, d.Denied.Rule, d.Denied.Message
	} else {
		a.Rewrites = d.Params.Differences(in.Params)
	}
	for _, r := range d.Rulings {
		name := r.Policy + "/" + r.Rule
		switch {
		case r.Shadow:
			a.Shadow = append(a.Shadow, name+" "+r.Effect.String())
		case r.Effect == record.PolicyWarned:
			a.Warnings = append(a.Warnings, name)
		}
	}
	return a
}
