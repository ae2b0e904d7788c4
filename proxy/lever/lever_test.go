package lever

import (
	"encoding/json"
	"strings"
	"testing"

	"purser/ledger"
)

func ruleOf(t *testing.T, name, spec string) *Rule {
	t.Helper()
	var s Spec
	if err := json.Unmarshal([]byte(spec), &s); err != nil {
		t.Fatal(err)
	}
	r, err := s.Rule(name)
	if err != nil {
		t.Fatal(err)
	}
	return r
}

// TestTheFirstThatHasABlockGivesIt: whole, and blocks of several objects go together.
func TestTheFirstThatHasABlockGivesIt(t *testing.T) {
	rules := []*Rule{
		ruleOf(t, "a", `{"match":{"team":["blue"]},"cache":{"mode":"off"}}`),
		ruleOf(t, "b", `{"routes":["smart"],"semantic":{"mode":"serve","error_percent":0.5}}`),
		ruleOf(t, "c", `{"cache":{"ttl":"10m"},"semantic":{"mode":"shadow"},"compression":{"level":"lossless"}}`),
	}
	var blue, none ledger.Dimensions
	blue.Values[ledger.DimTeam] = "blue"
	for name, c := range map[string]struct {
		asked   string
		dims    *ledger.Dimensions
		off     bool
		mode    string
		level   string
		prompts string
	}{
		"team and route": {"smart", &blue, true, SemanticServe, CompressionLossless, PromptCacheCoordinate},
		"team alone":     {"gpt", &blue, true, SemanticShadow, CompressionLossless, PromptCacheCoordinate},
		"route alone":    {"smart", &none, false, SemanticServe, CompressionLossless, PromptCacheCoordinate},
		"neither":        {"gpt", &none, false, SemanticShadow, CompressionLossless, PromptCacheCoordinate},
	} {
		s := Choose(rules, c.asked, c.dims)
		if s.Cache.Off != c.off || s.Semantic.Mode != c.mode || s.Compression.Level != c.level || s.PromptCache.Mode != c.prompts {
			t.Errorf("%s: %+v %+v %+v %+v", name, s.Cache, s.Semantic, s.Compression, s.PromptCache)
		}
	}
	if got := Choose(rules, "smart", &none).Semantic.Error; got != 0.005 {
		t.Errorf("half a percent is %v", got)
	}
}

func TestWithoutObjectsThereAreDefaults(t *testing.T) {
	s := Choose(nil, "gpt", &ledger.Dimensions{})
	if s != Default() || s.Cache.Off || s.Semantic.Mode != SemanticOff || s.Compression.Level != CompressionOff || s.PromptCache.Mode != PromptCacheCoordinate {
		t.Errorf("%+v %+v %+v %+v", s.Cache, s.Semantic, s.Compression, s.PromptCache)
	}
}

// TestWhatIsWrongIsNamed: by block and field.
func TestWhatIsWrongIsNamed(t *testing.T) {
	for spec, want := range map[string]string{
		`{"match":{"nonsense":["a"]}}`:                          "match: ",
		`{"match":{"team":[]}}`:                                 "match: team has 0 values",
		`{"routes":[""]}`:                                       "routes has 1 names",
		`{"cache":{"mode":"maybe"}}`:                            `cache: mode "maybe" is none of [on off]`,
		`{"cache":{"ttl":"10"}}`:                                `cache: ttl "10" is not a duration`,
		`{"cache":{"headers":"no"}}`:                            `cache: headers "no" is none of [told hidden]`,
		`{"cache":{"tag_by":["nonsense"]}}`:                     "cache: tag_by: ",
		`{"cache":{"tag_by":["team","org","run","env","key"]}}`: "cache: tag_by has 5 dimensions",
		`{"semantic":{"error_percent":9}}`:                      "semantic: error_percent is 9, not within 0.1 to 5",
		`{"semantic":{"error_percent":0}}`:                      "semantic: error_percent is 0, not within 0.1 to 5",
		`{"prompt_cache":{"max_lifetime":"24h"}}`:               `prompt_cache: max_lifetime "24h" is not a duration within 5m0s to 1h0m0s`,
		`{"compression":{"level":"zip","min_tokens":-1}}`:       `compression: level "zip" is none of`,
	} {
		var s Spec
		if err := json.Unmarshal([]byte(spec), &s); err != nil {
			t.Fatal(err)
		}
		if err := s.Validate(); err == nil || !strings.Contains(err.Error(), want) {
			t.Errorf("%s: %v, want %q", spec, err, want)
		}
	}
}
