package access

import "slices"

// Role is a fixed set of permissions. The names are data in tokens and in the
// configuration: none is renamed.
type Role string

// The roles.
const (
	Owner     Role = "owner"      // everything
	Admin     Role = "admin"      // all but the cluster's nodes and its backup
	Finance   Role = "finance"    // reads usage, budgets, and what they are named after; tells outcomes and revenue
	TeamAdmin Role = "team_admin" // runs some teams, or all teams of an organisation
	Member    Role = "member"     // reads their own keys, budgets and usage
)

// Roles lists the roles, from the most to the least.
func Roles() []Role { return []Role{Owner, Admin, Finance, TeamAdmin, Member} }

// matrix is what each role may do. A permission that is not listed is refused.
var matrix = map[Role][]Permission{
	Owner: slices.Concat(owned, whole),
	Admin: slices.Concat(owned, without(whole, ClusterWrite, BackupRead)),
	Finance: {
		UsageRead, BudgetsRead, KeysRead, OrgsRead, TeamsRead, ProjectsRead, MembersRead, AgentsRead, MappingsRead, ExportsRead,
		OutcomesWrite, RevenueRead, RevenueWrite,
	},
	TeamAdmin: {
		UsageRead, BudgetsRead, BudgetsWrite, KeysRead, KeysWrite, TokensRead, TokensWrite,
		OrgsRead, TeamsRead, ProjectsRead, MembersRead, MembersWrite, AgentsRead, AgentsWrite,
	},
	Member: {UsageRead, BudgetsRead, KeysRead, MembersRead},
}

func without(list []Permission, out ...Permission) []Permission {
	return slices.DeleteFunc(slices.Clone(list), func(p Permission) bool { return slices.Contains(out, p) })
}

// Known says that there is such a role.
func (r Role) Known() bool { return slices.Contains(Roles(), r) }

// Has says that the role has the permission, whatever its reach.
func (r Role) Has(p Permission) bool { return slices.Contains(matrix[r], p) }
