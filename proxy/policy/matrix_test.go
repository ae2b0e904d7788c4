package policy_test

import (
	"flag"
	"fmt"
	"maps"
	"math/rand/v2"
	"slices"
	"strings"
	"testing"
	"time"

	"github.com/goccy/go-yaml"

	"purser/ledger"
	"purser/proxy/policy"
	"purser/proxy/policy/suite"
)

var matrixSeed = flag.Uint64("matrix-seed", 0, "seed of the policy matrix; 0 takes the time")

const (
	matrixSets     = 300 // of policies
	matrixRequests = 8   // for each
)

// TestMatrix: sets of policies and requests are drawn, and what the compiled set
// decides is what the naive evaluator does, to every ruling and parameter; every
// denial names its rule, the explanation is of the same decision, and without the
// policies in shadow the same happens.
func TestMatrix(t *testing.T) {
	seed := *matrixSeed
	if seed == 0 {
		seed = uint64(time.Now().UnixNano())
	}
	t.Logf("seed %d; again: go test ./proxy/policy -run '^TestMatrix$' -args -matrix-seed %d", seed, seed)
	g := &gen{rand.New(rand.NewPCG(seed, 0))}
	seen := map[string]int{}
	for range matrixSets {
		policies := g.policies()
		written := encode(t, map[string]any{"policies": policies})
		doc, err := suite.Parse(written)
		if err != nil {
			t.Fatalf("seed %d: %v\n%s", seed, err, written)
		}
		set, err := policy.Compile(doc.Policies)
		if err != nil {
			t.Fatalf("seed %d: %v\n%s", seed, err, written)
		}
		enforced, err := policy.Compile(slices.DeleteFunc(slices.Clone(doc.Policies), func(s policy.Spec) bool { return s.Mode == policy.Shadow }))
		if err != nil {
			t.Fatal(err)
		}
		for range matrixRequests {
			request, steps := g.request(), g.steps()
			asked := encode(t, request)
			want := (&naive{request: decoded(t, asked), steps: steps, params: paramsOf(request), cels: celMeanings}).decide(object(decoded(t, written)["policies"]))
			got, explained := compiledVerdict(t, set, asked, steps)
			for _, v := range []verdict{got, explained} {
				if v.denied != want.denied || !slices.Equal(v.did, want.did) || !maps.Equal(v.lowered, want.lowered) {
					t.Fatalf("seed %d:\ncompiled %+v\nnaive    %+v\nsteps %v\nrequest:\n%s\npolicies:\n%s", seed, v, want, steps, asked, written)
				}
			}
			if alone, _ := compiledVerdict(t, enforced, asked, steps); alone.denied != got.denied || !maps.Equal(alone.lowered, got.lowered) {
				t.Fatalf("seed %d: shadows change what happens: %+v, without them %+v\nrequest:\n%s\npolicies:\n%s", seed, got, alone, asked, written)
			}
			seen["cases"]++
			if want.denied != "" {
				seen["denied"]++
				if !strings.Contains(want.denied, "/") || got.denied == "/" {
					t.Fatalf("seed %d: a denial without its rule: %+v", seed, got)
				}
			}
			for _, d := range want.did {
				name, effect, _ := strings.Cut(d, " ")
				if name[0] == '~' {
					effect = "shadow " + effect
				}
				seen[effect]++
			}
		}
	}
	t.Log(seen)
	for _, what := range []string{"cases", "denied", "undecided", "warned", "rewrote", "shadow denied", "shadow undecided", "shadow warned", "shadow rewrote"} {
		if seen[what] < 20 {
			t.Errorf("seed %d: %s was seen %d times: the matrix shows too little", seed, what, seen[what])
		}
	}
	if allowed := seen["cases"] - seen["denied"]; allowed < 500 || seen["denied"] < 500 {
		t.Errorf("seed %d: %d allowed and %d denied", seed, allowed, seen["denied"])
	}
}

func compiledVerdict(t *testing.T, set *policy.Set, asked []byte, steps []step) (decided, explained verdict) {
	t.Helper()
	f, err := suite.ParseFacts(asked)
	if err != nil {
		t.Fatalf("%v\n%s", err, asked)
	}
	in, err := f.Input()
	if err != nil {
		t.Fatal(err)
	}
	in.Bounds = bounder(steps)
	d := set.Decide(in)
	decided = verdictOf(&d)
	d, why := set.Explain(in)
	explained = verdictOf(&d)
	if d.Denied != nil && !slices.ContainsFunc(why, func(s policy.Step) bool { return s.Policy == d.Denied.Policy && s.Rule == d.Denied.Rule && s.Why != "" }) {
		t.Fatalf("the explanation %+v has not %s/%s", why, d.Denied.Policy, d.Denied.Rule)
	}
	return decided, explained
}

func verdictOf(d *policy.Decision) (v verdict) {
	if d.Denied != nil {
		v.denied = d.Denied.Policy + "/" + d.Denied.Rule
	}
	for _, r := range d.Rulings {
		shadow := ""
		if r.Shadow {
			shadow = "~"
		}
		v.did = append(v.did, shadow+r.Policy+"/"+r.Rule+" "+r.Effect.String())
	}
	p := d.Params
	v.lowered = map[string]float64{"max_output_tokens": float64(p.MaxOutput), "n": float64(p.N)}
	if p.Temperature != policy.Unset {
		v.lowered["temperature"] = p.Temperature
	}
	if p.TopP != policy.Unset {
		v.lowered["top_p"] = p.TopP
	}
	return v
}

// bounder is the steps for the compiled set.
type bounder []step

func (b bounder) Steps() int { return len(b) }

func (b bounder) Bound(i int, p policy.Params) (policy.Bound, bool) {
	if b[i].input < 0 {
		return policy.Bound{}, false
	}
	in := int64(b[i].input)
	return policy.Bound{Input: in, Cost: ledger.Amount(in*inPrice + p.MaxOutput*p.N*outPrice)}, true
}

func paramsOf(request map[string]any) map[string]float64 {
	p := map[string]float64{"max_output_tokens": float(request["max_output_tokens"]), "n": float(request["n"])}
	for _, name := range []string{"temperature", "top_p"} {
		if v, ok := request[name]; ok {
			p[name] = float(v)
		}
	}
	return p
}

func encode(t *testing.T, v any) []byte {
	t.Helper()
	b, err := yaml.Marshal(v)
	if err != nil {
		t.Fatal(err)
	}
	return b
}

func decoded(t *testing.T, b []byte) map[string]any {
	t.Helper()
	var m map[string]any
	if err := yaml.Unmarshal(b, &m); err != nil {
		t.Fatal(err)
	}
	return m
}

// celMeanings are expressions, and what they mean.
var celMeanings = map[string]func(*naive) (bool, error){
	`request.model.startsWith("gpt-")`: func(n *naive) (bool, error) {
		return strings.HasPrefix(text(n.request["model"]), "gpt-"), nil
	},
	`model in ["gpt-4o", "claude-haiku-4-5"]`: func(n *naive) (bool, error) {
		m := text(n.request["model"])
		return m == "gpt-4o" || m == "claude-haiku-4-5", nil
	},
	`dims.team == "search" && !request.stream`: func(n *naive) (bool, error) {
		return n.dim("team") == "search" && n.request["stream"] != true, nil
	},
	`request.max_output_tokens * request.n > 2000`: func(n *naive) (bool, error) {
		return n.params["max_output_tokens"]*n.params["n"] > 2000, nil
	},
	`request.temperature > 0.8`: func(n *naive) (bool, error) { return n.params["temperature"] > 0.8, nil },
	`tags["stage"] == "prod"`: func(n *naive) (bool, error) {
		if n.dim("tag:stage") == "" {
			return false, fmt.Errorf("no such tag")
		}
		return n.dim("tag:stage") == "prod", nil
	},
	`"stage" in tags && tags["stage"] == "prod"`: func(n *naive) (bool, error) { return n.dim("tag:stage") == "prod", nil },
	`cidr("10.0.0.0/8").containsIP(ip(source.address))`: func(n *naive) (bool, error) {
		return n.address([]any{"10.0.0.0/8"})
	},
	`cost.nano_usd > 3000000`: func(n *naive) (bool, error) {
		_, cost, err := n.bound()
		return cost > 3_000_000, err
	},
	`cost.usd < 0.002 && tokens.input_max < 900`: func(n *naive) (bool, error) {
		input, cost, err := n.bound()
		return cost < 2_000_000 && input < 900, err
	},
	`request.time.getHours("Europe/Berlin") >= 12`: func(n *naive) (bool, error) {
		return !n.within(map[string]any{"from": "00:00", "to": "12:00", "zone": "Europe/Berlin"}), nil
	},
	`route.regions.exists(r, r.startsWith("eu"))`: func(n *naive) (bool, error) {
		for _, r := range list(object(n.request["route"])["regions"]) {
			if strings.HasPrefix(r.(string), "eu") {
				return true, nil
			}
		}
		return false, nil
	},
	`provider != "openai" || key.name.matches("^ci-[0-9]+$")`: func(n *naive) (bool, error) {
		name := text(object(n.request["key"])["name"])
		return text(object(n.request["route"])["provider"]) != "openai" || name == "ci-7" || name == "ci-12", nil
	},
	`request.tools > 2 || request.input_bytes > 5000`: func(n *naive) (bool, error) {
		return float(n.request["tools"]) > 2 || float(n.request["input_bytes"]) > 5000, nil
	},
}
