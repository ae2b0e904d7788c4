// Package desired is the declarative form of what rules a cluster: a file that
// says which objects and budgets there are to be, and the plan of changes that
// makes it so.
//
// A file is YAML: a map for each kind, from ID to what the admin API takes.
//
//	orgs:
//	  acme: {name: Acme}
//	teams:
//	  search: {org: acme}
//	budgets:
//	  search-day: {unit: usd, limit: 50, window: day, match: {team: [search]}}
//
// A kind that is left out is not looked at. A kind that is there, though empty, is
// whole: what the cluster has beyond it is drift, and deleted where the caller asks
// for that.
//
// The package is pure: it neither reads files nor talks to a node.
package desired
