package main

import (
	"context"
	"fmt"
	"text/tabwriter"

	"purser/api/admin"
)

type tokenCmd struct {
	Create tokenCreateCmd `cmd:"" help:"Make an admin token; its secret is shown this once."`
	List   tokenListCmd   `cmd:"" help:"List the admin tokens."`
	Revoke tokenRevokeCmd `cmd:"" help:"End an admin token for good."`
}

type tokenCreateCmd struct {
	remote
	Name    string   `arg:"" help:"What the token is for."`
	Role    string   `help:"owner, admin, finance, team_admin or member." required:"" enum:"owner,admin,finance,team_admin,member"`
	Team    []string `help:"Limit it to these teams."`
	Org     []string `help:"Limit it to these organisations, with their teams."`
	Member  string   `help:"Of role member: whose keys and usage it reads."`
	Scope   []string `help:"Permissions, such as usage:read (default all that the role has)."`
	Expires string   `help:"When it ends, RFC 3339."`
}

// Run makes the token.
func (c *tokenCreateCmd) Run(ctx context.Context) error {
	t, err := c.client().CreateAdminToken(ctx, admin.NewAdminToken{Name: c.Name, Role: c.Role, Teams: c.Team, Orgs: c.Org, Member: c.Member, Scopes: c.Scope, Expires: c.Expires})
	if err != nil {
		return err
	}
	return c.print(t, func(w *tabwriter.Writer) {
		fmt.Fprintf(w, "id\t%s\nname\t%s\nrole\t%s\nsecret\t%s\n", t.ID, t.Name, t.Role, t.Secret)
		fmt.Fprintln(w, "\nThe secret is not stored and cannot be shown again.")
	})
}

type tokenListCmd struct{ remote }

// Run lists the tokens.
func (c *tokenListCmd) Run(ctx context.Context) error {
	list, err := c.client().ListAdminTokens(ctx)
	if err != nil {
		return err
	}
	return c.print(list, func(w *tabwriter.Writer) {
		fmt.Fprintln(w, "ID\tNAME\tSTATE\tROLE\tTEAMS\tORGS\tMEMBER\tSCOPES\tBY\tCREATED\tEXPIRES")
		for _, t := range list {
			fmt.Fprintf(w, "%s\t%s\t%s\t%s\t%s\t%s\t%s\t%s\t%s\t%s\t%s\n", t.ID, t.Name, t.State, t.Role, orDash(t.Teams), orDash(t.Orgs), dash(t.Member), orAll(t.Scopes), t.By, t.Created, dash(t.Expires))
		}
	})
}

type tokenRevokeCmd struct {
	remote
	ID string `arg:"" help:"The token's id."`
}

// Run ends the token.
func (c *tokenRevokeCmd) Run(ctx context.Context) error {
	t, err := c.client().RevokeAdminToken(ctx, c.ID)
	if err != nil {
		return err
	}
	return c.print(t, func(w *tabwriter.Writer) { fmt.Fprintf(w, "%s\t%s\trevoked %s\n", t.ID, t.Name, t.Revoked) })
}

type whoamiCmd struct{ remote }

// Run says who the caller is.
func (c *whoamiCmd) Run(ctx context.Context) error {
	me, err := c.client().Whoami(ctx)
	if err != nil {
		return err
	}
	return c.print(me, func(w *tabwriter.Writer) {
		fmt.Fprintf(w, "name\t%s\nroles\t%s\nexpires\t%s\n\nPERMISSION\tOVER\n", me.Name, orDash(me.Roles), dash(me.Expires))
		for _, p := range sortedKeys(me.Permissions) {
			fmt.Fprintf(w, "%s\t%s\n", p, over(me.Permissions[p]))
		}
	})
}

// over is whose things a permission is over.
func over(r admin.WhoamiReach) string {
	if r.All {
		return "everything"
	}
	var parts []string
	for _, of := range []struct {
		name string
		list []string
	}{{"team", r.Teams}, {"org", r.Orgs}, {"member", r.Members}} {
		for _, v := range of.list {
			parts = append(parts, of.name+" "+v)
		}
	}
	return orDash(parts)
}
