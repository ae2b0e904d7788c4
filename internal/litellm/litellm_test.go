package litellm

import (
	"crypto/sha256"
	"encoding/hex"
	"fmt"
	"slices"
	"strings"
	"testing"
)

const configFile = `
model_list:
  - model_name: gpt-4o
    litellm_params: {model: openai/gpt-4o, api_key: os.environ/OPENAI_API_KEY, rpm: 60}
  - model_name: cheap
    litellm_params: {model: gpt-4o-mini, api_key: os.environ/OPENAI_API_KEY}
  - model_name: cheap
    litellm_params: {model: azure/mini-deployment, api_base: https://x.openai.azure.com/, api_key: os.environ/AZURE_KEY, api_version: 2024-10-21}
  - model_name: mini
    litellm_params: {model: azure/mini-deployment, api_base: https://x.openai.azure.com/, api_key: os.environ/AZURE_KEY, api_version: 2024-10-21}
    model_info: {base_model: azure/gpt-4o-mini}
  - model_name: sonnet
    litellm_params: {model: anthropic/claude-sonnet-4-5, api_key: sk-ant-secret-1}
  - model_name: opus
    litellm_params: {model: claude-opus-4-5, api_key: sk-ant-secret-2}
  - model_name: local
    litellm_params: {model: openai/llama, api_base: http://vllm:8000/v1, api_key: none}
    model_info: {input_cost_per_token: 0.000001}
  - model_name: "bedrock/*"
    litellm_params: {model: "bedrock/*"}
  - model_name: or
    litellm_params: {model: openrouter/openai/gpt-4o-mini, api_key: os.environ/OPENROUTER_API_KEY}
litellm_settings: {max_budget: 100, budget_duration: 30d, drop_params: true, cache: true}
router_settings: {num_retries: 2, routing_strategy: simple-shuffle, model_group_alias: {gpt-4: gpt-4o, hidden: {model: cheap, hidden: true}}}
general_settings: {master_key: sk-1234, database_url: os.environ/DATABASE_URL}
`

func TestAConfigurationBecomesOneOfANode(t *testing.T) {
	c, err := ReadConfig([]byte(configFile))
	if err != nil {
		t.Fatal(err)
	}
	const node = `admin:
  token: ${PURSER_ADMIN_TOKEN}
upstreams:
- name: openai
  provider: openai
  base_url: https://api.openai.com/v1
  key: ${OPENAI_API_KEY}
  models:
  - gpt-4o
  - gpt-4o-mini
  aliases:
    cheap: gpt-4o-mini
- name: azure
  provider: azure
  base_url: https://x.openai.azure.com/openai
  key: ${AZURE_KEY}
  deployment_paths: true
  api_version: "2024-10-21"
  models:
  - gpt-4o-mini
  - mini-deployment
  aliases:
    mini: gpt-4o-mini
  deployments:
    gpt-4o-mini: mini-deployment
- name: anthropic
  provider: anthropic
  base_url: https://api.anthropic.com/v1
  key: ${ANTHROPIC_API_KEY}
  models:
  - claude-sonnet-4-5
  aliases:
    sonnet: claude-sonnet-4-5
- name: anthropic-2
  provider: anthropic
  base_url: https://api.anthropic.com/v1
  key: ${ANTHROPIC_API_KEY_2}
  models:
  - claude-opus-4-5
  aliases:
    opus: claude-opus-4-5
- name: openai-2
  provider: openai
  api: openai-chat
  base_url: http://vllm:8000/v1
  key: ${OPENAI_API_KEY_2}
  models:
  - llama
  aliases:
    local: llama
- name: openrouter
  provider: openrouter
  api: openai-chat
  base_url: https://openrouter.ai/api/v1
  key: ${OPENROUTER_API_KEY}
  models:
  - openai/gpt-4o-mini
  aliases:
    or: openai/gpt-4o-mini
cache:
  enabled: true
requests:
  attempts: 3
`
	if string(c.Node) != node {
		t.Errorf("the node's configuration is\n%s\nwant\n%s", c.Node, node)
	}
	if fmt.Sprint(c.Routes) != "map[gpt-4:gpt-4o hidden:cheap]" {
		t.Errorf("routes %v", c.Routes)
	}
	if fmt.Sprint(c.Spread) != "map[cheap:[{gpt-4o-mini openai 0} {mini-deployment azure 0}]]" {
		t.Errorf("spread %v", c.Spread)
	}
	if len(c.Limits) != 1 || fmt.Sprint(c.Limits[0]) != "{litellm.usd map[] [] usd 100 month false []}" {
		t.Errorf("limits %v", c.Limits)
	}
	notes := strings.Join(c.Report.Notes, "\n")
	for _, says := range []string{
		"gpt-4o: litellm_params.rpm is not carried over", "sonnet: litellm_params.api_key stands in the file",
		"opus: litellm_params.api_key stands in the file: put it into the environment as ANTHROPIC_API_KEY_2",
		`the provider of "bedrock/*"`, "litellm_settings.drop_params", "router_settings.routing_strategy", "general_settings.database_url", "master_key becomes the admin token, which has 16", `"30d" becomes the window "month"`,
	} {
		if !strings.Contains(notes, says) {
			t.Errorf("the report does not say %q:\n%s", says, notes)
		}
	}
	for _, secret := range []string{"sk-ant-secret", "sk-1234"} {
		if strings.Contains(string(c.Node)+notes+fmt.Sprint(c.Report.Set), secret) {
			t.Errorf("%s is written", secret)
		}
	}
	if want := []string{"OPENAI_API_KEY", "AZURE_KEY", "ANTHROPIC_API_KEY", "ANTHROPIC_API_KEY_2", "OPENAI_API_KEY_2", "OPENROUTER_API_KEY", "PURSER_ADMIN_TOKEN"}; fmt.Sprint(c.Report.Set) != fmt.Sprint(want) {
		t.Errorf("variables %v, want %v", c.Report.Set, want)
	}
}

func TestConfigurationsThatSayNothingAreRefused(t *testing.T) {
	for says, text := range map[string]string{
		"no model_list":                 "litellm_settings: {}",
		"sequence is expected":          "model_list: 3",
		"no entry of model_list can be": "model_list: [{model_name: x, litellm_params: {model: unknown/x}}]",
	} {
		if _, err := ReadConfig([]byte(text)); err == nil || !strings.Contains(err.Error(), says) {
			t.Errorf("%q: %v, want %q", text, err, says)
		}
	}
}

func hashOf(secret string) string {
	h := sha256.Sum256([]byte(secret))
	return hex.EncodeToString(h[:])
}

func TestKeysTeamsAndUsersBecomeTheirsHere(t *testing.T) {
	keys := `{"keys":[
	 {"token":"` + hashOf("sk-a") + `","key_name":"sk-...aaaa","key_alias":"search ci","team_id":"Team 1","user_id":"ann@x","models":["gpt-4o","other"],"expires":"2027-01-31T10:00:00Z","max_budget":12.5,"soft_budget":10.1,"budget_duration":"1d","rpm_limit":60,"tpm_limit":10000,"max_parallel_requests":4,"spend":1.25,"aliases":{"a":"b"},"model_max_budget":{}},
	 {"token":"` + hashOf("sk-b") + `","key_name":"sk-...bbbb","models":["all-team-models"],"team_id":"Team 1","max_budget":null,"spend":0.0},
	 {"token":"` + hashOf("sk-c") + `","key_name":"sk-...cccc","models":[],"expires":null,"soft_budget":5,"budget_duration":"45d"},
	 {"token":"` + hashOf("sk-d") + `","key_name":"sk-...dddd","blocked":true,"user_id":"bob"},
	 {"token":"` + hashOf("sk-f") + `","key_name":"sk-...ffff","team_id":"litellm-dashboard"},
	 {"token":"` + hashOf("sk-e") + `","key_name":"sk-...eeee","team_id":"Team 1","models":["other"]}],"total_count":5,"total_pages":1}`
	teams := `[{"team_id":"Team 1","team_alias":"Search","models":["gpt-4o","cheap"],"max_budget":100,"budget_duration":"1mo","blocked":false,"spend":3}]`
	users := `{"users":[{"user_id":"ann@x","user_email":"ann@x.example","teams":["Team 1","gone"],"max_budget":1e2},{"user_id":"bob","teams":["Team 1"],"models":["cheap","group"]}]}`
	p, err := ReadPeople([]byte(keys), []byte(teams), []byte(users))
	if err != nil {
		t.Fatal(err)
	}
	var got []string
	for _, k := range p.Keys {
		got = append(got, fmt.Sprintf("%s %s %v %v %q %v", k.Hash[:8], k.Name, k.Bound, k.Models, k.Expires, k.Blocked))
	}
	want := []string{
		hashOf("sk-a")[:8] + ` search ci map[member:ann@x team:Team-1] [gpt-4o] "2027-01-31T10:00:00Z" false`,
		hashOf("sk-b")[:8] + ` sk-...bbbb map[team:Team-1] [gpt-4o cheap] "" false`,
		hashOf("sk-c")[:8] + ` sk-...cccc map[] [] "" false`,
		hashOf("sk-d")[:8] + ` sk-...dddd map[member:bob] [] "" true`,
	}
	if !slices.Equal(got, want) {
		t.Errorf("keys\n%s\nwant\n%s", strings.Join(got, "\n"), strings.Join(want, "\n"))
	}
	got = nil
	limits := p.Limits
	for _, k := range p.Keys {
		limits = append(limits, k.Limits...)
	}
	for _, l := range limits {
		got = append(got, fmt.Sprintf("%s %v %s %s %s %v", l.ID, l.Match, l.Unit, l.Limit, l.Window, l.Soft)+fmt.Sprint(l.Alerts))
	}
	a, c := "litellm-"+hashOf("sk-a")[:16], "litellm-"+hashOf("sk-c")[:16]
	want = []string{
		`team.team-1.usd map[team:[Team-1]] usd 100 month false[]`,
		`member.ann-x.usd map[member:[ann@x]] usd 100 total false[]`,
		`key.` + a + `.usd map[key:[` + a + `]] usd 12.5 day false[80]`,
		`key.` + a + `.rpm map[key:[` + a + `]] requests 60 minute false[]`,
		`key.` + a + `.tpm map[key:[` + a + `]] tokens 10000 minute false[]`,
		`key.` + a + `.parallel map[key:[` + a + `]] slots 4 total false[]`,
		`key.` + c + `.soft map[key:[` + c + `]] usd 5 total true[]`,
	}
	if !slices.Equal(got, want) {
		t.Errorf("limits\n%s\nwant\n%s", strings.Join(got, "\n"), strings.Join(want, "\n"))
	}
	notes := strings.Join(p.Report.Notes, "\n")
	for _, says := range []string{"search ci: has spent 1.25", "sk-...dddd: is blocked, and so is suspended", "sk-...eeee: may use no model", "is of team gone", "search ci: its aliases", "sk-...ffff: is of a session", "user bob: the models hold for", "key sk-...dddd: its requests count to team Team-1 too", `"45d" becomes the window "total"`} {
		if !strings.Contains(notes, says) {
			t.Errorf("the report does not say %q:\n%s", says, notes)
		}
	}
}

func TestListsThatAreNotWholeAreRefused(t *testing.T) {
	for says, c := range map[string][3]string{
		"return_full_object":    {`{"keys":["abc"]}`, "", ""},
		"no SHA-256":            {`{"keys":[{"token":"sk-plain","key_name":"x"}]}`, "", ""},
		"one of 3 pages":        {`{"keys":[],"total_pages":3}`, "", ""},
		`object with "teams"`:   {"", `{"data":[]}`, ""},
		"teams: one has no":     {"", `[{}]`, ""},
		"would have the id":     {"", `[{"team_id":"a b"},{"team_id":"a-b"}]`, ""},
		"is no time":            {`[{"token":"` + hashOf("x") + `","expires":"tomorrow"}]`, "", ""},
		"users: one has no":     {"", "", `{"users":[{}]}`},
		"unexpected end of JSO": {"", "", `{"users":`},
	} {
		if _, err := ReadPeople([]byte(c[0]), []byte(c[1]), []byte(c[2])); err == nil || !strings.Contains(err.Error(), says) {
			t.Errorf("%v: %v, want %q", c, err, says)
		}
	}
}

func TestALimitIsNeverWiderThanItWas(t *testing.T) {
	seconds := map[string]int64{"minute": 60, "hour": 3600, "day": 86400, "week": 7 * 86400, "month": 31 * 86400}
	for n := int64(1); n < 200; n++ {
		for unit, s := range map[string]int64{"s": 1, "m": 60, "h": 3600, "d": 86400, "w": 7 * 86400, "mo": 31 * 86400} {
			w, exact := Window(fmt.Sprint(n, unit))
			if w != "total" && seconds[w] < n*s {
				t.Errorf("%d%s becomes a %s: the limit would come back sooner", n, unit, w)
			}
			if exact && seconds[w] != n*s {
				t.Errorf("%d%s is said to be a %s", n, unit, w)
			}
		}
	}
	for _, odd := range []string{"d", "-1d", "1x", "0d", "1.5d", "1 d", "99999999999d"} {
		if w, exact := Window(odd); w != "total" || exact {
			t.Errorf("%q becomes %q, %v", odd, w, exact)
		}
	}
}
