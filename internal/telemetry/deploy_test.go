package telemetry

import (
	"encoding/json"
	"fmt"
	"os"
	"path/filepath"
	"regexp"
	"slices"
	"strings"
	"testing"

	"github.com/goccy/go-yaml"

	"purser/internal/record"
)

// ruleFile is a file of Prometheus' rules.
type ruleFile struct {
	Groups []struct {
		Name     string `yaml:"name"`
		Interval string `yaml:"interval"`
		Rules    []struct {
			Record      string            `yaml:"record"`
			Alert       string            `yaml:"alert"`
			Expr        string            `yaml:"expr"`
			For         string            `yaml:"for"`
			Labels      map[string]string `yaml:"labels"`
			Annotations map[string]string `yaml:"annotations"`
		} `yaml:"rules"`
	} `yaml:"groups"`
}

func readRules(t *testing.T, name string) ruleFile {
	t.Helper()
	b, err := os.ReadFile("../../deploy/prometheus/" + name)
	if err != nil {
		t.Fatal(err)
	}
	var f ruleFile
	if err := yaml.UnmarshalWithOptions(b, &f, yaml.Strict()); err != nil {
		t.Fatalf("%s: %v", name, err)
	}
	if len(f.Groups) == 0 {
		t.Fatalf("%s has no groups", name)
	}
	return f
}

// inventory is every metric there is, with the labels that it has.
type inventory map[string][]string

// known takes it from a scrape in which every metric has a series. Those of the
// process and the runtime have labels as well, which nothing here asks.
func known(t *testing.T) inventory {
	t.Helper()
	m := New(zeroGauges())
	r := completed("gpt-4o")
	r.Rulings = []record.Ruling{{Policy: "p", Rule: "r", Effect: record.PolicyWarned}}
	r.Semantic.Verdict = record.SemanticMiss
	m.Observe(r)
	m.Redacted("EMAIL", "mask", 1)
	m.Exchanged(1)
	out := inventory{"up": {"job", "instance"}}
	for line := range strings.SplitSeq(scrape(t, m), "\n") {
		match := regexp.MustCompile(`^(\w+)(?:\{(.*)\})? `).FindStringSubmatch(line)
		if match == nil || strings.HasPrefix(line, "#") {
			continue
		}
		out[match[1]] = append(out[match[1]], "instance", "job")
		for _, l := range regexp.MustCompile(`(\w+)="`).FindAllStringSubmatch(match[2], -1) {
			out[match[1]] = append(out[match[1]], l[1])
		}
	}
	return out
}

// query is what a rule or a panel asks, taken apart.
type query struct {
	selectors []selector
	grouped   []string // labels of by, on and the like
}

type selector struct {
	metric string
	labels []string
}

var (
	quoted   = regexp.MustCompile(`"(?:[^"\\]|\\.)*"`)
	grouping = regexp.MustCompile(`\b(?:by|without|on|ignoring|group_left|group_right)\s*\(([^)]*)\)`)
	metric   = regexp.MustCompile(`([a-zA-Z_:][\w:]*)\s*(\{[^}]*\})?`)
	duration = regexp.MustCompile(`\[[^\]]*\]`)
	label    = regexp.MustCompile(`(\w+)\s*(?:=~|!~|!=|=)`)
	number   = regexp.MustCompile(`\b\d[\d.]*(?:e\d+)?\b`)
)

// words of PromQL that are no metrics: operators, and functions that are used here.
var words = []string{
	"and", "or", "unless", "sum", "max", "min", "topk", "bottomk", "rate", "increase", "histogram_quantile", "predict_linear", "label_replace", "label_values", "vector",
}

// parse is not PromQL's grammar: it finds what is asked for, and checks brackets.
func parse(expr string) (q query, err error) {
	bare := quoted.ReplaceAllString(expr, `""`)
	for _, pair := range []string{"()", "{}", "[]"} {
		if strings.Count(bare, pair[:1]) != strings.Count(bare, pair[1:]) {
			return q, fmt.Errorf("the brackets %s do not match", pair)
		}
	}
	for _, g := range grouping.FindAllStringSubmatch(bare, -1) {
		for l := range strings.SplitSeq(g[1], ",") {
			q.grouped = append(q.grouped, strings.TrimSpace(l))
		}
	}
	bare = duration.ReplaceAllString(grouping.ReplaceAllString(bare, " "), "")
	bare = number.ReplaceAllString(bare, " ")
	for _, m := range metric.FindAllStringSubmatch(bare, -1) {
		if slices.Contains(words, m[1]) {
			continue
		}
		s := selector{metric: m[1]}
		for _, l := range label.FindAllStringSubmatch(m[2], -1) {
			s.labels = append(s.labels, l[1])
		}
		q.selectors = append(q.selectors, s)
	}
	if len(q.selectors) == 0 {
		return q, fmt.Errorf("nothing is asked for")
	}
	return q, nil
}

// check says what an expression asks that is not there.
func (in inventory) check(expr string) error {
	q, err := parse(expr)
	if err != nil {
		return err
	}
	var all []string
	for _, s := range q.selectors {
		labels, ok := in[s.metric]
		if !ok {
			return fmt.Errorf("there is no metric %s", s.metric)
		}
		all = append(all, labels...)
		for _, l := range s.labels {
			if !slices.Contains(labels, l) {
				return fmt.Errorf("%s has no label %s, it has %v", s.metric, l, slices.Compact(slices.Sorted(slices.Values(labels))))
			}
		}
	}
	for _, l := range q.grouped {
		if !slices.Contains(all, l) {
			return fmt.Errorf("nothing that is asked for has the label %s", l)
		}
	}
	return nil
}

// records adds what recording rules make: its labels are those it is grouped by.
func (in inventory) records(t *testing.T) {
	t.Helper()
	for _, g := range readRules(t, "recording-rules.yaml").Groups {
		for _, r := range g.Rules {
			if r.Record == "" || in[r.Record] != nil {
				t.Errorf("%s: %q has no name of its own", g.Name, r.Expr)
			}
			if err := in.check(r.Expr); err != nil {
				t.Errorf("%s: %v", r.Record, err)
				continue
			}
			q, _ := parse(r.Expr)
			in[r.Record] = append(q.grouped, "instance", "job")
		}
	}
}

// TestRulesAskForWhatThereIs: every metric and every label that rules name exists.
func TestRulesAskForWhatThereIs(t *testing.T) {
	in := known(t)
	in.records(t)
	for _, name := range []string{
		"litellm_spend_metric_total", "litellm_total_tokens_metric_total", "litellm_input_tokens_metric_total", "litellm_output_tokens_metric_total", "litellm_requests_metric_total",
		"litellm_proxy_total_requests_metric_total", "litellm_proxy_failed_requests_metric_total",
		"litellm_remaining_team_budget_metric", "litellm_team_max_budget_metric", "litellm_remaining_api_key_budget_metric", "litellm_api_key_max_budget_metric",
	} {
		if in[name] == nil {
			t.Errorf("LiteLLM's name %s is not recorded", name)
		}
	}
	for _, g := range readRules(t, "recording-rules.yaml").Groups {
		for _, r := range g.Rules {
			// A sum of counters over nodes falls when one starts again.
			if q, _ := parse(r.Expr); strings.HasSuffix(r.Record, "_total") && !slices.Contains(q.grouped, "instance") {
				t.Errorf("%s is a counter that is not kept apart by instance", r.Record)
			}
		}
	}
	seen := map[string]bool{}
	for _, g := range readRules(t, "alerts.yaml").Groups {
		for _, r := range g.Rules {
			if r.Alert == "" || seen[r.Alert] || r.Annotations["summary"] == "" || r.Annotations["description"] == "" || !slices.Contains([]string{"critical", "warning", "info"}, r.Labels["severity"]) {
				t.Errorf("%s: %+v", g.Name, r)
			}
			seen[r.Alert] = true
			if err := in.check(r.Expr); err != nil {
				t.Errorf("%s: %v", r.Alert, err)
			}
			for _, l := range regexp.MustCompile(`\$labels\.(\w+)`).FindAllStringSubmatch(fmt.Sprint(r.Annotations), -1) {
				if err := in.labelled(r.Expr, l[1]); err != nil {
					t.Errorf("%s: its text: %v", r.Alert, err)
				}
			}
		}
	}
	if len(seen) < 15 {
		t.Errorf("%d alerts", len(seen))
	}
}

// labelled says whether the outcome of an expression can have a label.
func (in inventory) labelled(expr, name string) error {
	q, err := parse(expr)
	if err != nil {
		return err
	}
	labels := q.grouped
	if len(labels) == 0 {
		for _, s := range q.selectors {
			labels = append(labels, in[s.metric]...)
		}
	}
	if !slices.Contains(labels, name) {
		return fmt.Errorf("there is no label %s", name)
	}
	return nil
}

// TestDashboardsAskForWhatThereIs does the same of every panel, and of the values that
// people choose from.
func TestDashboardsAskForWhatThereIs(t *testing.T) {
	in := known(t)
	in.records(t)
	files, err := filepath.Glob("../../deploy/grafana/*.json")
	if err != nil || len(files) != 3 {
		t.Fatalf("%v %v", files, err)
	}
	for _, file := range files {
		b, err := os.ReadFile(file)
		if err != nil {
			t.Fatal(err)
		}
		var d struct {
			UID, Title string
			Templating struct {
				List []struct{ Name, Type, Definition string }
			}
			Panels []struct {
				ID      int
				Title   string
				GridPos struct{ X, Y, W, H int }
				Targets []struct{ Expr, LegendFormat string }
			}
		}
		if err := json.Unmarshal(b, &d); err != nil {
			t.Fatalf("%s: %v", file, err)
		}
		variables := []string{}
		for _, v := range d.Templating.List {
			variables = append(variables, v.Name)
			if v.Type == "query" {
				if err := in.check(strings.Replace(v.Definition, ", "+v.Name, "", 1)); err != nil {
					t.Errorf("%s: the variable %s: %v", d.Title, v.Name, err)
				}
			}
		}
		ids := map[int]bool{}
		for _, p := range d.Panels {
			if ids[p.ID] || p.Title == "" || len(p.Targets) == 0 || p.GridPos.X+p.GridPos.W > 24 || p.GridPos.W == 0 {
				t.Errorf("%s: %+v", d.Title, p)
			}
			ids[p.ID] = true
			for _, q := range p.Targets {
				// Counters have no series before the first of what they count: what nobody
				// lost would else hide what was saved.
				if strings.Contains(q.Expr, " - sum(") {
					t.Errorf("%s, %s: a difference is nothing where a side has no series: %s", d.Title, p.Title, q.Expr)
				}
				if err := in.check(q.Expr); err != nil {
					t.Errorf("%s, %s: %v", d.Title, p.Title, err)
				}
				for _, l := range regexp.MustCompile(`\{\{(\w+)\}\}`).FindAllStringSubmatch(q.LegendFormat, -1) {
					if err := in.labelled(q.Expr, l[1]); err != nil {
						t.Errorf("%s, %s: its legend: %v", d.Title, p.Title, err)
					}
				}
				for _, v := range regexp.MustCompile(`\$(\w+)`).FindAllStringSubmatch(q.Expr, -1) {
					if !slices.Contains(variables, v[1]) {
						t.Errorf("%s, %s: there is no variable %s", d.Title, p.Title, v[1])
					}
				}
			}
		}
		if d.UID == "" || len(d.Panels) < 8 {
			t.Errorf("%s has %d panels", file, len(d.Panels))
		}
	}
}

// TestWhatIsNotThereIsFound: the checks above are none if these pass.
func TestWhatIsNotThereIsFound(t *testing.T) {
	in := known(t)
	for _, expr := range []string{
		`sum(rate(purser_request_total[5m]))`, `purser_ready{node="a"}`, `sum by (model) (purser_requests_total)`, `sum(purser_ready`, `1 > 0`,
		`purser_ready == 0 and purser_nothing > 0`, `histogram_quantile(0.9, rate(purser_first_byte_seconds_buckets[5m]))`,
	} {
		if in.check(expr) == nil {
			t.Errorf("%s passes", expr)
		}
	}
	if err := in.check(`histogram_quantile(0.9, sum by (upstream, le) (rate(purser_first_byte_seconds_bucket{upstream=~"a|{b}"}[5m]))) > 1e3`); err != nil {
		t.Error(err)
	}
}
