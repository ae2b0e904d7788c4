package ui

import "slices"

// route is one page or one change, and who serves it.
type route struct {
	pattern string // of http.ServeMux
	serve   func(*Call) error
}

// routes is every page but login and live values.
func (u *UI) routes() []route {
	return slices.Concat(readRoutes, controlRoutes)
}

// readRoutes are the pages that show what was used.
var readRoutes = []route{
	{"GET /ui/{$}", overview},
	{"GET /ui/latest", latestPart},
	{"GET /ui/explorer", explorer},
	{"GET /ui/requests", requests},
	{"GET /ui/requests/{id}", oneRequest},
	{"GET /ui/anomalies", anomaliesPage},
	{"GET /ui/anomalies/{id}", anomalyPage},
	{"GET /ui/requests/{id}/verdict", verdictPart},
	{"GET /ui/runs/{run}", run},
	{"GET /ui/economics", economics},
	{"GET /ui/score", scorePart},
	{"GET /ui/units", unitsPart},
	{"GET /ui/statements", statementsPage},
	{"GET /ui/statement", statement},
	{"GET /ui/download/{path...}", download},
}

// place is one line of the navigation.
type place struct {
	Path, Name, Icon string
	needs            string // a permission; readers without it do not see the line
	whole            bool   // over the whole cluster
}

// places are the navigation, in its order.
var places = []place{
	{"/ui/", "Overview", "gauge", "usage:read", false},
	{"/ui/explorer", "Explorer", "search", "usage:read", false},
	{"/ui/anomalies", "Anomalies", "warn", "usage:read", false},
	{"/ui/economics", "Economics", "scale", "usage:read", false},
	{"/ui/budgets", "Budgets", "wallet", "budgets:read", false},
	{"/ui/keys", "Keys", "key", "keys:read", false},
	{"/ui/policies", "Policies", "shield", "policies:read", true},
	{"/ui/routes", "Routes", "route", "routes:read", true},
	{"/ui/prompts", "Prompts", "text", "prompts:read", true},
	{"/ui/cluster", "Cluster", "nodes", "cluster:read", true},
	{"/ui/webhooks", "Alerts", "bell", "webhooks:read", true},
	{"/ui/audit", "Audit", "list", "audit:read", true},
}
