package access

import "slices"

// Permission is one kind of thing that can be done, written <what>:<verb>. The
// names are data in tokens: none is renamed.
type Permission string

// The permissions.
const (
	UsageRead      Permission = "usage:read"
	BudgetsRead    Permission = "budgets:read"
	BudgetsWrite   Permission = "budgets:write"
	BudgetsRelease Permission = "budgets:release" // give back what a restored backup withheld
	KeysRead       Permission = "keys:read"       // never their secrets
	KeysWrite      Permission = "keys:write"
	TokensRead     Permission = "tokens:read"
	TokensWrite    Permission = "tokens:write"

	OrgsRead      Permission = "orgs:read"
	OrgsWrite     Permission = "orgs:write"
	TeamsRead     Permission = "teams:read"
	TeamsWrite    Permission = "teams:write"
	ProjectsRead  Permission = "projects:read"
	ProjectsWrite Permission = "projects:write"
	MembersRead   Permission = "members:read"
	MembersWrite  Permission = "members:write"
	AgentsRead    Permission = "agents:read"
	AgentsWrite   Permission = "agents:write"

	PoliciesRead     Permission = "policies:read"
	PoliciesWrite    Permission = "policies:write"
	RedactionsRead   Permission = "redactions:read"
	RedactionsWrite  Permission = "redactions:write"
	LoopsRead        Permission = "loops:read" // the breaker of loops
	LoopsWrite       Permission = "loops:write"
	CacheRead        Permission = "cache:read"
	CacheWrite       Permission = "cache:write"      // purge answers
	CredentialsRead  Permission = "credentials:read" // their fingerprints
	CredentialsWrite Permission = "credentials:write"
	RoutesRead       Permission = "routes:read"
	RoutesWrite      Permission = "routes:write"
	RoutersRead      Permission = "routers:read" // what was learned for routes, and outcomes by kind of prompt
	RoutersWrite     Permission = "routers:write"
	LeversRead       Permission = "levers:read"
	LeversWrite      Permission = "levers:write"
	TemplatesRead    Permission = "templates:read" // versions of prompt templates
	TemplatesWrite   Permission = "templates:write"
	PromptsRead      Permission = "prompts:read" // which versions the environments have
	PromptsWrite     Permission = "prompts:write"
	MappingsRead     Permission = "mappings:read" // what reports make of dimensions
	MappingsWrite    Permission = "mappings:write"
	WebhooksRead     Permission = "webhooks:read"
	WebhooksWrite    Permission = "webhooks:write"
	AuditRead        Permission = "audit:read"

	AdjustmentsWrite Permission = "adjustments:write" // amounts that are known later, beside the usage records

	StatusRead   Permission = "status:read"
	MetricsRead  Permission = "metrics:read"
	ClusterRead  Permission = "cluster:read"
	ClusterWrite Permission = "cluster:write" // drain, remove, fence nodes, and make join tokens
	BackupRead   Permission = "backup:read"
)

// owned are the permissions over things that belong to a team, an organisation or
// a member, so that a limited reach makes sense. A grant with a limited reach has
// none of the others.
var owned = []Permission{
	UsageRead, BudgetsRead, BudgetsWrite, KeysRead, KeysWrite, TokensRead, TokensWrite,
	OrgsRead, TeamsRead, ProjectsRead, ProjectsWrite, MembersRead, MembersWrite, AgentsRead, AgentsWrite,
}

// whole are the other permissions: they are about the cluster itself.
var whole = []Permission{
	OrgsWrite, TeamsWrite, BudgetsRelease,
	PoliciesRead, PoliciesWrite, RedactionsRead, RedactionsWrite, LoopsRead, LoopsWrite, CacheRead, CacheWrite, CredentialsRead, CredentialsWrite, RoutesRead, RoutesWrite,
	RoutersRead, RoutersWrite, LeversRead, LeversWrite, TemplatesRead, TemplatesWrite, PromptsRead, PromptsWrite, MappingsRead, MappingsWrite,
	WebhooksRead, WebhooksWrite, AuditRead, AdjustmentsWrite, StatusRead, MetricsRead, ClusterRead, ClusterWrite, BackupRead,
}

// Permissions lists every permission, in order of name.
func Permissions() []Permission {
	list := slices.Concat(owned, whole)
	slices.Sort(list)
	return list
}

// Known says that there is such a permission.
func (p Permission) Known() bool { return slices.Contains(owned, p) || slices.Contains(whole, p) }

// Owned says that it is over things that belong to somebody: it can be had for
// some teams, organisations or members alone.
func (p Permission) Owned() bool { return slices.Contains(owned, p) }
