package node

import (
	"cmp"
	"errors"
	"fmt"
	"net/url"
	"path"
	"slices"
	"strings"
	"time"

	"purser/proxy"
)

// NewUpstream is an OpenAI-compatible upstream for every model, with defaults.
func NewUpstream(name, baseURL, key string) UpstreamConfig {
	u := UpstreamConfig{Name: name, BaseURL: baseURL, Key: key}
	u.setDefaults()
	return u
}

func (u *UpstreamConfig) setDefaults() {
	if u.Provider == "" {
		u.Provider = cmp.Or(u.API, "openai")
		switch u.API {
		case "gemini":
			u.Provider = "google"
		case "converse":
			u.Provider = "aws"
		case chatAPI:
			u.Provider = "openai"
		}
	}
	seller, _, _ := strings.Cut(u.Provider, ":") // without the region
	if u.API == "" {
		u.API = "openai"
		switch seller {
		case "anthropic":
			u.API = "anthropic"
		case "google":
			u.API = "gemini"
		}
	}
	if u.Name == "" {
		u.Name = u.Provider
	}
	if len(u.Models) == 0 {
		for model := range u.Deployments {
			u.Models = append(u.Models, literal(model))
		}
		slices.Sort(u.Models)
		if len(u.Models) == 0 {
			u.Models = []string{"*"}
		}
	}
	if len(u.Deployments) == 0 {
		u.Deployments = nil // as it comes back from a node that was joined
	}
	if u.Auth == "" {
		u.Auth = u.usualAuth()
	}
	if u.CapField == "" {
		u.CapField = "max_tokens"
		if seller == "openai" || seller == "azure" {
			u.CapField = "max_completion_tokens"
		}
	}
	if u.CacheMarks == nil {
		u.CacheMarks = usualMarks(u.API, seller)
	}
	if u.CacheKey == nil {
		takes := seller == "openai"
		u.CacheKey = &takes
	}
	if u.Protocol == "" {
		u.Protocol = "http1"
	}
	if u.Cost == "" {
		u.Cost = costCatalogue
		if seller == "openrouter" && u.canReport() {
			u.Cost = costReported
		}
	}
	if u.Hold == "" {
		u.Hold = holdModes[proxy.HoldWhole]
	}
	if u.SlicedModels == nil {
		u.SlicedModels = []string{} // as it is read again where it was written down
	}
	u.SliceTokens, u.AheadTokens = cmp.Or(u.SliceTokens, 1024), cmp.Or(u.AheadTokens, 1024)
	for field, value := range map[*time.Duration]time.Duration{&u.Connect: 5 * time.Second, &u.FirstByte: 5 * time.Minute, &u.Idle: 2 * time.Minute} {
		if *field == 0 {
			*field = value
		}
	}
	if u.MaxConns == 0 {
		u.MaxConns = 1024
	}
}

// usualMarks are the models that are known to take marks in their prompts: those of
// Anthropic at Anthropic, Google and Amazon. Others that speak its API may refuse them.
func usualMarks(api, seller string) []string {
	switch {
	case api == "anthropic" && (seller == "anthropic" || seller == "google"):
		return []string{"*"}
	case api == "converse" && seller == "aws":
		return []string{"*anthropic.claude-*"}
	}
	return []string{}
}

// chatAPI is OpenAI's API without its Responses, as most compatible providers have it.
const chatAPI = "openai-chat"

// speaks is the format that the upstream speaks.
func (u *UpstreamConfig) speaks() (w proxy.Wire, chatOnly, ok bool) {
	if u.API == chatAPI {
		return proxy.OpenAI, true, true
	}
	w, ok = proxy.ParseWire(u.API)
	return w, false, ok
}

// The values of an upstream's cost.
const (
	costCatalogue = "catalogue"
	costReported  = "reported"
)

// canReport says whether the format of the upstream's answers has a place for a cost.
func (u *UpstreamConfig) canReport() bool {
	w, _, ok := u.speaks()
	return ok && w == proxy.OpenAI
}

// holdModes are the names of the modes.
var holdModes = []string{proxy.HoldWhole: "whole", proxy.HoldOffered: "offered", proxy.HoldSliced: "sliced"}

func (u *UpstreamConfig) slicing() proxy.Slicing {
	return proxy.Slicing{
		Hold: proxy.HoldMode(max(0, slices.Index(holdModes, u.Hold))), Models: u.SlicedModels, Slice: u.SliceTokens, Ahead: u.AheadTokens,
	}
}

// maxSlice is beyond the largest answer of any model.
const maxSlice = 1 << 20

func (u *UpstreamConfig) validateHold() error {
	var errs []error
	if !slices.Contains(holdModes, u.Hold) {
		errs = append(errs, fmt.Errorf("hold %q is not whole, offered or sliced", u.Hold))
	}
	if (u.Hold != holdModes[proxy.HoldWhole]) != (len(u.SlicedModels) > 0) {
		errs = append(errs, errors.New("sliced_models says which models show all the output that they bill: it goes with hold offered or sliced, and they with it"))
	}
	if w, _, ok := u.speaks(); ok && w == proxy.Converse && len(u.SlicedModels) > 0 {
		errs = append(errs, errors.New("hold: Bedrock bills a stream to its end whoever closes it, so it is held whole"))
	}
	for _, m := range u.SlicedModels {
		if _, err := path.Match(m, ""); err != nil {
			errs = append(errs, fmt.Errorf("sliced_models: %q is not a pattern", m))
		}
	}
	for name, n := range map[string]int64{"slice_tokens": u.SliceTokens, "ahead_tokens": u.AheadTokens} {
		if n < 1 || n > maxSlice {
			errs = append(errs, fmt.Errorf("%s: %d is not within 1 to %d", name, n, maxSlice))
		}
	}
	return errors.Join(errs...)
}

func (u *UpstreamConfig) validate() error {
	errs := []error{u.validateHold()}
	switch {
	case u.Cost != costCatalogue && u.Cost != costReported:
		errs = append(errs, fmt.Errorf("cost %q is not catalogue or reported", u.Cost))
	case u.Cost == costReported && !u.canReport():
		errs = append(errs, fmt.Errorf("cost: answers of the api %q report none; only those of openai's can", u.API))
	}
	if p, err := url.Parse(u.BaseURL); err != nil || p.Scheme != "http" && p.Scheme != "https" || p.Hostname() == "" || p.User != nil || p.RawQuery != "" || p.ForceQuery || p.Fragment != "" {
		// And is not repeated: a user or a query is where somebody has put a key.
		errs = append(errs, errors.New("base_url is not an http or https URL such as https://api.openai.com/v1, without user, query and fragment; a key goes into key"))
	}
	if strings.ContainsAny(u.Key, "\r\n\x00") {
		errs = append(errs, errors.New("key has a line break in it"))
	}
	errs = append(errs, u.validateAuth(), u.validateKeys(), u.validateForm())
	for _, m := range u.Models {
		if _, err := path.Match(m, ""); err != nil {
			errs = append(errs, fmt.Errorf("models: %q is not a pattern", m))
		}
	}
	if u.Connect < 0 || u.FirstByte < 0 || u.Idle < 0 || u.MaxConns < 0 {
		errs = append(errs, errors.New("timeouts and max_connections cannot be negative"))
	}
	if u.CapField != "max_completion_tokens" && u.CapField != "max_tokens" {
		errs = append(errs, fmt.Errorf("cap_field %q is not max_completion_tokens or max_tokens", u.CapField))
	}
	if _, _, ok := u.speaks(); !ok {
		errs = append(errs, fmt.Errorf("api %q is not openai, openai-chat, anthropic, gemini or converse", u.API))
	}
	if u.Protocol != "http1" && u.Protocol != "http2" {
		errs = append(errs, fmt.Errorf("protocol %q is not http1 or http2", u.Protocol))
	}
	return errors.Join(errs...)
}
