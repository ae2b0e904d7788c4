package litellm

import (
	"cmp"
	"errors"
	"fmt"
	"maps"
	"regexp"
	"slices"
	"strconv"
	"strings"

	"github.com/goccy/go-yaml"
)

// Report is what a person has to know of a translation.
type Report struct {
	Notes []string // what is not carried over, or otherwise than it was
	Set   []string // environment variables that the node needs
}

func (r *Report) note(format string, args ...any) {
	r.Notes = append(r.Notes, fmt.Sprintf(format, args...))
}

func (r *Report) variable(name string) string {
	if !slices.Contains(r.Set, name) {
		r.Set = append(r.Set, name)
	}
	return "${" + name + "}"
}

// file is LiteLLM's configuration.
type file struct {
	Models   []model        `yaml:"model_list"`
	Settings map[string]any `yaml:"litellm_settings"`
	Router   map[string]any `yaml:"router_settings"`
	General  map[string]any `yaml:"general_settings"`
	Env      map[string]any `yaml:"environment_variables"`
}

type model struct {
	Name   string         `yaml:"model_name"`
	Params map[string]any `yaml:"litellm_params"`
	Info   map[string]any `yaml:"model_info"`
}

// upstream is one block of a node's upstreams.
type upstream struct {
	name, provider, api, base, key string
	extra                          yaml.MapSlice
	models                         map[string]bool   // as the upstream names them
	aliases                        map[string]string // what clients ask for, to these
	deployments                    map[string]string // models, to what Azure calls them
}

// Config is what becomes of a configuration file.
type Config struct {
	Node   []byte            // the node's configuration, YAML
	Routes map[string]string // names that clients ask for, to those of models
	// Spread are the entries of names that model_list has more than once, the first
	// among them.
	Spread map[string][]Deployment
	Limits []Limit  // of the whole proxy
	Names  []string // of model_list, that are carried over
	Prices []Price  // that the file gives
	Report Report
}

// Price is what the file says of a model's price, with the fields of LiteLLM's
// catalogue.
type Price struct {
	Place        string // for a report
	Provider, ID string // as the node names them
	Key          string // as LiteLLM's catalogue does
	Fields       map[string]any
}

// ReadConfig translates LiteLLM's configuration file.
func ReadConfig(b []byte) (*Config, error) {
	var f file
	if err := yaml.Unmarshal(b, &f); err != nil {
		return nil, fmt.Errorf("LiteLLM's configuration: %w", err)
	}
	if len(f.Models) == 0 {
		return nil, errors.New("LiteLLM's configuration has no model_list")
	}
	out := &Config{Routes: map[string]string{}, Spread: map[string][]Deployment{}}
	t := &translator{Config: out, Report: &out.Report, named: map[string]bool{}, literals: map[string]string{}, placed: map[string]Deployment{}}
	t.name(f.Models)
	for i := range f.Models {
		t.add(&f.Models[i])
	}
	if len(t.ups) == 0 {
		return nil, fmt.Errorf("no entry of model_list can be carried over:\n  %s", strings.Join(out.Report.Notes, "\n  "))
	}
	doc := yaml.MapSlice{
		{Key: "admin", Value: yaml.MapSlice{{Key: "token", Value: t.adminToken(f.General)}}},
		{Key: "upstreams", Value: t.blocks()},
	}
	doc = append(doc, out.settings(&f)...)
	var err error
	if out.Node, err = yaml.Marshal(doc); err != nil {
		return nil, fmt.Errorf("writing the node's configuration: %w", err)
	}
	return out, nil
}

func (t *translator) adminToken(general map[string]any) string {
	for _, name := range slices.Sorted(maps.Keys(general)) {
		if name != "master_key" {
			t.note("general_settings.%s is not carried over", name)
		}
	}
	key := ""
	if v, ok := general["master_key"]; ok {
		key = fmt.Sprint(v)
		t.note("general_settings.master_key becomes the admin token, which has 16 characters at least; as a key for models it is not taken: give its users virtual keys")
	}
	return t.secret(key, "PURSER_ADMIN_TOKEN", "general_settings.master_key")
}

// provider is how LiteLLM's providers are asked.
type provider struct {
	name, api, base, variable string
	extra                     yaml.MapSlice
}

var providers = map[string]provider{
	"openai":       {name: "openai", base: "https://api.openai.com/v1", variable: "OPENAI_API_KEY"},
	"anthropic":    {name: "anthropic", base: "https://api.anthropic.com/v1", variable: "ANTHROPIC_API_KEY"},
	"gemini":       {name: "google", base: "https://generativelanguage.googleapis.com/v1beta", variable: "GEMINI_API_KEY"},
	"openrouter":   {name: "openrouter", api: "openai-chat", base: "https://openrouter.ai/api/v1", variable: "OPENROUTER_API_KEY"},
	"groq":         {name: "groq", api: "openai-chat", base: "https://api.groq.com/openai/v1", variable: "GROQ_API_KEY"},
	"together_ai":  {name: "together", api: "openai-chat", base: "https://api.together.xyz/v1", variable: "TOGETHERAI_API_KEY"},
	"fireworks_ai": {name: "fireworks", api: "openai-chat", base: "https://api.fireworks.ai/inference/v1", variable: "FIREWORKS_AI_API_KEY"},
	"deepseek":     {name: "deepseek", api: "openai-chat", base: "https://api.deepseek.com/v1", variable: "DEEPSEEK_API_KEY"},
	"mistral":      {name: "mistral", api: "openai-chat", base: "https://api.mistral.ai/v1", variable: "MISTRAL_API_KEY"},
	"xai":          {name: "x-ai", api: "openai-chat", base: "https://api.x.ai/v1", variable: "XAI_API_KEY"},
	"azure":        {name: "azure", variable: "AZURE_API_KEY", extra: yaml.MapSlice{{Key: "deployment_paths", Value: true}}},
	"hosted_vllm":  {name: "vllm", api: "openai-chat", variable: "HOSTED_VLLM_API_KEY"},
	"ollama":       {name: "ollama", api: "openai-chat"},
	"ollama_chat":  {name: "ollama", api: "openai-chat"},
}

// translator carries what is shared by the entries of one file.
type translator struct {
	*Config
	*Report
	ups      []*upstream
	named    map[string]bool       // the variables that the file names, or that LiteLLM reads by itself
	literals map[string]string     // secrets that stand in the file, to variables; it goes nowhere
	placed   map[string]Deployment // the first entry of each name
}

// name takes down the variables that entries name: a secret that stands in the file
// must not become one of them.
func (t *translator) name(models []model) {
	for i := range models {
		m := &models[i]
		of, _, _ := strings.Cut(m.text("model"), "/")
		if _, known := providers[of]; !known {
			of = guessed(m.text("model"))
		}
		if key := m.text("api_key"); key == "" {
			t.named[providers[of].variable] = true
		} else if name, ok := strings.CutPrefix(key, "os.environ/"); ok {
			t.named[name] = true
		}
	}
}

// secret is how a node's configuration names a secret: by a variable.
func (t *translator) secret(value, usual, place string) string {
	if name, ok := strings.CutPrefix(value, "os.environ/"); ok && variableName.MatchString(name) {
		return t.variable(name)
	}
	if value == "" {
		return t.variable(usual)
	}
	name, known := t.literals[value]
	if !known {
		name = usual
		for n := 2; t.named[name] || slices.Contains(slices.Collect(maps.Values(t.literals)), name); n++ {
			name = usual + "_" + strconv.Itoa(n)
		}
		t.literals[value] = name
		t.note("%s stands in the file: put it into the environment as %s", place, name)
	}
	return t.variable(name)
}

var variableName = regexp.MustCompile(`^[A-Za-z_][A-Za-z0-9_]*$`)

// add adds an entry of model_list to the upstream it belongs to.
func (t *translator) add(m *model) {
	place := "model_list: " + m.Name
	full := m.text("model")
	of, id, found := strings.Cut(full, "/")
	if _, known := providers[of]; !found || !known && !strings.Contains(full, "/") {
		of, id = guessed(full), full
	}
	p, known := providers[of]
	switch {
	case m.Name == "" || full == "":
		t.note("%s: no model_name or no litellm_params.model; left out", place)
		return
	case !known:
		t.note("%s: the provider of %q is not known here; add an upstream for it by hand (docs/providers.md)", place, full)
		return
	case strings.Contains(m.Name+full, "*"):
		t.note("%s: a name with * is not carried over; list the models in the upstream's models", place)
		return
	}
	base := m.text("api_base")
	if name, ok := strings.CutPrefix(base, "os.environ/"); ok {
		base = t.variable(name)
	}
	switch {
	case base == "" && p.base == "":
		t.note("%s: %s needs an api_base; left out", place, of)
		return
	case of == "azure":
		base = strings.TrimRight(base, "/") + "/openai"
	case p.name == "openai" && base != "" && strings.TrimRight(base, "/") != p.base:
		p.api = "openai-chat" // something compatible, which may not have the Responses API
	}
	for _, name := range slices.Sorted(maps.Keys(m.Params)) {
		if !carried[name] && !strings.Contains(name, "cost") {
			t.note("%s: litellm_params.%s is not carried over", place, name)
		}
	}
	u := &upstream{provider: p.name, api: p.api, base: cmp.Or(base, p.base), extra: slices.Clone(p.extra), models: map[string]bool{}, aliases: map[string]string{}, deployments: map[string]string{}}
	if p.variable != "" {
		u.key = t.secret(m.text("api_key"), p.variable, place+": litellm_params.api_key")
	}
	if v := m.text("api_version"); v != "" {
		u.extra = append(u.extra, yaml.MapItem{Key: "api_version", Value: v})
	}
	deployment := ""
	if of == "azure" {
		deployment = id
		if base, ok := m.Info["base_model"].(string); ok {
			id = base[strings.LastIndex(base, "/")+1:]
		} else {
			t.note("%s: of which model %s is a deployment is not said (model_info.base_model): it has no price until the upstream's deployments say so", place, id)
		}
	}
	_, again := t.placed[m.Name]
	if !t.place(u, m.Name, id, deployment, m.weight()) {
		return
	}
	if !again {
		t.Names = append(t.Names, m.Name)
	}
	t.price(m, place, of, p.name, id)
}

// price takes down what an entry says of its model's price.
func (t *translator) price(m *model, place, of, provider, id string) {
	fields := map[string]any{}
	for _, from := range []map[string]any{m.Info, m.Params} { // the latter counts
		for name, v := range from {
			if v != nil && (strings.Contains(name, "cost") || name == "max_input_tokens" || name == "max_output_tokens" || name == "mode") {
				fields[name] = v
			}
		}
	}
	if !slices.ContainsFunc(slices.Collect(maps.Keys(fields)), func(name string) bool { return strings.Contains(name, "cost") }) {
		return
	}
	if fields["mode"] == nil {
		fields["mode"] = "chat"
	}
	fields["litellm_provider"] = of
	for _, other := range t.Prices {
		if other.Provider == provider && other.ID == id {
			t.note("%s: the price of %s was given by an entry before; left out", place, id)
			return
		}
	}
	t.Prices = append(t.Prices, Price{Place: place, Provider: provider, ID: id, Key: of + "/" + id, Fields: fields})
}

// carried are the parameters that are looked at.
var carried = map[string]bool{"model": true, "api_key": true, "api_base": true, "api_version": true, "weight": true}

func (m *model) text(name string) string {
	if v, ok := m.Params[name]; ok && v != nil {
		return fmt.Sprint(v)
	}
	return ""
}

// weight is the share of an entry among those of its name, as LiteLLM's simple-shuffle
// takes it; 0 where the entry does not say.
func (m *model) weight() int {
	n, err := strconv.Atoi(m.text("weight"))
	if err != nil || n < 0 || n > maxWeight {
		return 0
	}
	return n
}

// maxWeight is the most that a route takes.
const maxWeight = 1_000_000

// guessed is the provider of a model that is named without one.
func guessed(name string) string {
	switch {
	case strings.HasPrefix(name, "claude-"):
		return "anthropic"
	case strings.HasPrefix(name, "gemini-"):
		return "gemini"
	case strings.HasPrefix(name, "gpt-"), strings.HasPrefix(name, "text-embedding-"), len(name) > 1 && name[0] == 'o' && '0' <= name[1] && name[1] <= '9':
		return "openai"
	}
	return ""
}

// Deployment is one of several entries of a name.
type Deployment struct {
	Model, Upstream string
	Weight          int
}

// place adds a name to the upstream of the same endpoint and key, or makes one. Requests
// for a name that is there already are spread over both; false, if that cannot be.
func (t *translator) place(u *upstream, name, id, deployment string, weight int) bool {
	first, taken := t.placed[name]
	at := t.join(u)
	if was, ok := at.deployments[id]; ok && was != cmp.Or(deployment, id) {
		t.note("model_list: %s is there more than once as deployments of one endpoint, of which one is carried over; give the other an upstream of its own", name)
		return false
	}
	at.models[id] = true
	if deployment != "" && deployment != id {
		at.deployments[id] = deployment
	}
	d := Deployment{id, at.name, weight}
	if !taken {
		t.placed[name] = d
		if name != id {
			at.aliases[name] = id
		}
		return true
	}
	list := t.Spread[name]
	if list == nil {
		list = []Deployment{first}
	}
	for _, other := range list {
		if other.Model == d.Model && other.Upstream == d.Upstream {
			t.note("model_list: %s is there more than once with the same endpoint, key and model; one is carried over", name)
			return false
		}
	}
	t.Spread[name] = append(list, d)
	return true
}

// join gives the upstream of the same endpoint and key, which it makes if there is none.
func (t *translator) join(u *upstream) *upstream {
	i := slices.IndexFunc(t.ups, func(o *upstream) bool {
		return o.provider == u.provider && o.api == u.api && o.base == u.base && o.key == u.key && fmt.Sprint(o.extra) == fmt.Sprint(u.extra)
	})
	if i < 0 {
		u.name = u.provider
		for n := 2; slices.ContainsFunc(t.ups, func(o *upstream) bool { return o.name == u.name }); n++ {
			u.name = u.provider + "-" + strconv.Itoa(n)
		}
		t.ups, i = append(t.ups, u), len(t.ups)
	}
	return t.ups[i]
}

// blocks are the upstreams of a node's configuration. What clients ask for are the
// names of model_list alone.
func (t *translator) blocks() []yaml.MapSlice {
	var out []yaml.MapSlice
	for _, u := range t.ups {
		b := yaml.MapSlice{{Key: "name", Value: u.name}, {Key: "provider", Value: u.provider}}
		if u.api != "" {
			b = append(b, yaml.MapItem{Key: "api", Value: u.api})
		}
		b = append(b, yaml.MapItem{Key: "base_url", Value: u.base})
		if u.key != "" {
			b = append(b, yaml.MapItem{Key: "key", Value: u.key})
		}
		b = append(b, u.extra...)
		b = append(b, yaml.MapItem{Key: "models", Value: slices.Sorted(maps.Keys(u.models))})
		if len(u.aliases) > 0 {
			b = append(b, yaml.MapItem{Key: "aliases", Value: ordered(u.aliases)})
		}
		if len(u.deployments) > 0 {
			b = append(b, yaml.MapItem{Key: "deployments", Value: ordered(u.deployments)})
		}
		out = append(out, b)
	}
	return out
}

func ordered(m map[string]string) yaml.MapSlice {
	var out yaml.MapSlice
	for _, name := range slices.Sorted(maps.Keys(m)) {
		out = append(out, yaml.MapItem{Key: name, Value: m[name]})
	}
	return out
}
