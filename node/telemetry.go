package node

import (
	"time"

	"purser/internal/children"
	"purser/internal/telemetry"
	"purser/internal/telemetry/otlp"
	"purser/ledger"
)

// TelemetryConfig is where spans and metrics of requests are sent, in OpenTelemetry's
// protocol. Without an endpoint and a preset nothing is.
type TelemetryConfig struct {
	Endpoint     string            `yaml:"endpoint"`          // base URL of the receiver; default that of the preset, else none
	Preset       string            `yaml:"preset"`            // langfuse, langsmith or braintrust; default none
	Protocol     string            `yaml:"protocol"`          // http (protobuf, default) or grpc
	Headers      map[string]string `yaml:"headers,omitempty"` // sent with each export
	Key          string            `yaml:"key"`               // of a preset: its API key, of langfuse public:secret; better ${NAME}
	Project      string            `yaml:"project"`           // of langsmith and braintrust
	CAFile       string            `yaml:"ca_file"`           // PEM file of authorities to believe; default the system's
	PlainHeaders bool              `yaml:"plain_headers"`     // headers may go over http to another machine; default false
	Sampling     float64           `yaml:"sampling"`          // share of the traces that get spans, where the caller has not decided; default 1, 0 to 1
	Conventions  string            `yaml:"conventions"`       // names of attributes and metrics: established, latest or both; default what OTEL_SEMCONV_STABILITY_OPT_IN says, else both
	Metrics      bool              `yaml:"metrics"`           // sent as well, but with presets; default true
	Interval     time.Duration     `yaml:"interval"`          // between two exports of metrics, default 1m, 1s to 1h
	Timeout      time.Duration     `yaml:"timeout"`           // of one export, default 10s, 100ms to 1m
	Queue        int               `yaml:"queue"`             // requests whose spans are still to be made, default 4096, 1 to 1048576
}

func defaultTelemetry() TelemetryConfig {
	d := otlp.Default()
	return TelemetryConfig{Protocol: d.Protocol, Sampling: d.Sampling, Metrics: d.Metrics, Interval: d.Interval, Timeout: d.Timeout, Queue: d.Queue}
}

func (c *TelemetryConfig) sink() otlp.Config {
	return otlp.Config{
		Preset: c.Preset, Endpoint: c.Endpoint, Protocol: c.Protocol, Headers: c.Headers, Key: c.Key, Project: c.Project, CAFile: c.CAFile, PlainHeaders: c.PlainHeaders,
		Sampling: c.Sampling, Conventions: c.Conventions, Metrics: c.Metrics, Interval: c.Interval, Timeout: c.Timeout, Queue: c.Queue,
	}
}

func (n *Node) openTelemetry() error {
	cfg := n.cfg.Telemetry.sink()
	if !cfg.On() {
		return nil
	}
	who := otlp.Identity{Node: n.cfg.Node.ID, Version: n.version, Upstreams: map[string]string{}}
	for _, u := range n.cfg.Upstreams {
		who.Upstreams[u.Name] = u.BaseURL
	}
	var err error
	n.telemetry, err = otlp.Open(cfg, who, n.log)
	return err
}

// closeTelemetry sends what is left. No request is under way any more.
func (n *Node) closeTelemetry() error {
	if n.telemetry == nil {
		return nil
	}
	return n.telemetry.Close()
}

// sentTelemetry is what became of it, for the node's own metrics.
func (n *Node) sentTelemetry() (telemetry.Sent, bool) {
	if n.telemetry == nil {
		return telemetry.Sent{}, false
	}
	s := n.telemetry.Stats()
	return telemetry.Sent{
		Queued: float64(s.Queued), Told: float64(s.Told), Dropped: float64(s.Dropped), SpansSent: float64(s.SpansSent), SpansFailed: float64(s.SpansFailed),
		TracesSent: float64(s.TracesSent), TracesFailed: float64(s.TracesFailed), MetricsSent: float64(s.MetricsSent), MetricsFailed: float64(s.MetricsFailed),
	}, true
}

const (
	// maxShownAccounts bounds the accounts that metrics show, and maxShownOf those of one
	// budget, so that one with many leaves room for others.
	maxShownAccounts = 1000
	maxShownOf       = 200
	// maxLookedAt bounds the accounts and budgets that one scrape looks at.
	maxLookedAt = 20_000
)

// budgetAmounts are the accounts of budgets of money in their present windows that are
// split by what operators name: what clients name at will makes a series for each name. A
// key that is bound to no team lets its client name one, too, so there is a bound. all says that
// they are all of these. On a gateway, which has no accounts, there are none.
func (n *Node) budgetAmounts() (list []telemetry.BudgetAmount, all bool) {
	if n.follower != nil {
		return nil, true
	}
	state, at, looked := n.fsm.Ledger(), now(), 0
	all = true
	for b := range state.Budgets() {
		if looked++; looked > maxLookedAt || len(list) == maxShownAccounts {
			return list, false
		}
		if b.Unit != ledger.USD || !shownSplit(b) {
			continue
		}
		before := len(list)
		for v := range state.Accounts(b.ID) {
			if looked++; looked > maxLookedAt || len(list) == maxShownAccounts || len(list)-before == maxShownOf {
				all = false
				break
			}
			if v.State == ledger.Open && v.Key.Start <= at && at < v.WindowEnd {
				list = append(list, budgetAmount(b, &v))
			}
		}
		if len(list) == before && len(b.Each) == 0 && all {
			list = append(list, budgetAmount(b, &ledger.AccountView{Limit: b.Limit})) // nothing is spent yet
		}
	}
	return list, all
}

// shownDims are the dimensions whose values operators name, and keys are bound to.
var shownDims = map[ledger.Dim]bool{ledger.DimOrg: true, ledger.DimTeam: true, ledger.DimProject: true, ledger.DimMember: true, ledger.DimKey: true}

func shownSplit(b *ledger.Budget) bool {
	for _, r := range b.Each {
		if !shownDims[r.Dim] {
			return false
		}
	}
	return !children.IsSlice(b.ID)
}

func budgetAmount(b *ledger.Budget, v *ledger.AccountView) telemetry.BudgetAmount {
	of := map[ledger.Dim]string{}
	for _, c := range b.Match {
		if len(c.Values) == 1 {
			of[c.Dim.Dim] = c.Values[0]
		}
	}
	for i, value := range v.Key.Split.Values() {
		if i < len(b.Each) {
			of[b.Each[i].Dim] = value
		}
	}
	dollars := func(a ledger.Amount) float64 { return float64(a) / float64(ledger.NanoPerUSD) }
	return telemetry.BudgetAmount{
		Budget: string(b.ID), Window: b.Window.Kind.String(),
		Org: of[ledger.DimOrg], Team: of[ledger.DimTeam], Project: of[ledger.DimProject], Member: of[ledger.DimMember], Key: of[ledger.DimKey],
		Limit: dollars(v.Limit), Spent: dollars(v.Spent + v.WrittenOff), Outstanding: dollars(v.Outstanding), Presumed: dollars(v.Presumed + v.WrittenOff),
	}
}
