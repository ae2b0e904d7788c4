package telemetry

import (
	"strings"

	"github.com/prometheus/client_golang/prometheus"
)

// BudgetAmount is an account of a budget of money in its present window, as the ledger
// has it. Amounts are dollars.
type BudgetAmount struct {
	Budget, Window                      string
	Org, Team, Project, Member, Key     string // that it is of alone; "" for all
	Limit, Spent, Outstanding, Presumed float64
}

// budgetLabels are named by operators, and there are as many series as accounts are
// given: their number is bounded by who gives them.
var budgetLabels = []string{"budget", "window", "org", "team", "project", "member", "key"}

var (
	descBudgetLimit       = prometheus.NewDesc("purser_budget_limit_usd", "Limit of an account in its present window, raises included.", budgetLabels, nil)
	descBudgetSpent       = prometheus.NewDesc("purser_budget_spent_usd", "Of that: spent, presumed to be spent, or written off.", budgetLabels, nil)
	descBudgetOutstanding = prometheus.NewDesc("purser_budget_outstanding_usd", "Of that: granted to nodes, and neither spent nor returned.", budgetLabels, nil)
	descBudgetPresumed    = prometheus.NewDesc("purser_budget_presumed_usd", "Of what is spent: what a lost node may have spent, or was written off.", budgetLabels, nil)
	descBudgetsCut        = prometheus.NewDesc("purser_budget_accounts_cut", "1 when there are more accounts than the metrics of budgets show.", nil, nil)
)

// budgets collects the accounts that a node knows of; all says that there are no more.
type budgets func() (list []BudgetAmount, all bool)

// Describe implements prometheus.Collector.
func (budgets) Describe(ch chan<- *prometheus.Desc) {
	for _, d := range []*prometheus.Desc{descBudgetLimit, descBudgetSpent, descBudgetOutstanding, descBudgetPresumed, descBudgetsCut} {
		ch <- d
	}
}

// Collect implements prometheus.Collector.
func (b budgets) Collect(ch chan<- prometheus.Metric) {
	list, all := b()
	cut := 1.0
	if all {
		cut = 0
	}
	ch <- prometheus.MustNewConstMetric(descBudgetsCut, prometheus.GaugeValue, cut)
	for i := range list {
		a := &list[i]
		labels := []string{a.Budget, a.Window, a.Org, a.Team, a.Project, a.Member, a.Key}
		for j, v := range labels {
			labels[j] = strings.ToValidUTF8(v, "\ufffd") // of others the library panics
		}
		for _, v := range [...]struct {
			desc *prometheus.Desc
			usd  float64
		}{{descBudgetLimit, a.Limit}, {descBudgetSpent, a.Spent}, {descBudgetOutstanding, a.Outstanding}, {descBudgetPresumed, a.Presumed}} {
			ch <- prometheus.MustNewConstMetric(v.desc, prometheus.GaugeValue, v.usd, labels...)
		}
	}
}
