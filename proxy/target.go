package proxy

import (
	"net/url"
	"path"
	"slices"
	"strings"

	"purser/proxy/dialect"
)

// Form is how an upstream differs from the API that its wire format was made for.
type Form struct {
	// Deployments maps models, as prices know them, to what the upstream calls them.
	// A client may ask for either name.
	Deployments map[string]string
	// DeploymentPaths puts the deployment into the path, as Azure's dated versions want.
	DeploymentPaths bool
	// APIVersion goes into the query as api-version; "" for none.
	APIVersion string
	// NoStreamOptions says that it refuses stream_options, and reports usage without.
	NoStreamOptions bool
	// ExtraOutput is how many tokens of each answer it may bill beyond the cap, such
	// as reasoning that the cap does not cover.
	ExtraOutput int64
	// CacheMarks are patterns of the upstream's names of models whose prompts it takes
	// marks in, for its prompt cache: Anthropic's cache_control, Bedrock's cachePoint.
	CacheMarks []string
	// CacheKey says that it takes prompt_cache_key.
	CacheKey bool
	// CountTokens lets the provider count a prompt that the local bounds find too large.
	CountTokens bool
}

// serves says whether the upstream takes the model, and under which name prices
// know it.
func (u *Upstream) serves(model string) (string, bool) {
	if to, ok := u.Aliases[model]; ok {
		return to, true
	}
	if _, ok := u.Deployments[model]; !ok {
		for name, deployment := range u.Deployments {
			if deployment == model {
				return name, true
			}
		}
	}
	return model, slices.ContainsFunc(u.Models, func(pattern string) bool {
		ok, err := path.Match(pattern, model)
		return err == nil && ok
	})
}

// calls is the upstream's own name of a model.
func (u *Upstream) calls(model string) string {
	if to, ok := u.Deployments[model]; ok {
		return to
	}
	return model
}

// target is where a call goes below the base URL, made of where its dialect sends
// it, the client's query and the upstream's name of the model.
func (u *Upstream) target(at, query, model string, kind dialect.Endpoint) string {
	if u.DeploymentPaths && deployed(kind) {
		at = "/deployments/" + url.PathEscape(model) + at
	}
	if query != "" {
		at += separator(at) + query
	}
	if u.APIVersion != "" {
		at += separator(at) + "api-version=" + url.QueryEscape(u.APIVersion)
	}
	return at
}

// deployed says whether Azure has such a route for each deployment: those of
// responses name the model in the body alone.
func deployed(kind dialect.Endpoint) bool {
	return kind == dialect.Chat || kind == dialect.Completions || kind == dialect.Embeddings
}

func separator(at string) string {
	if strings.Contains(at, "?") {
		return "&"
	}
	return "?"
}
