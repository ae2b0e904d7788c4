// Command purser runs a gateway node and administers it.
package main

import (
	"context"
	"errors"
	"fmt"
	"os"
	"os/signal"
	"runtime/debug"
	"syscall"
	_ "time/tzdata" // windows follow time zones, also where the machine has no database

	"github.com/alecthomas/kong"

	"purser/api/admin"
)

// cli is every command. Flags of the admin commands are in [remote].
type cli struct {
	Serve       serveCmd       `cmd:"" help:"Run a node."`
	Join        joinCmd        `cmd:"" help:"Join a cluster with a token, and run the node; the same command starts it again."`
	Cluster     clusterCmd     `cmd:"" help:"The cluster: init, token, status, members, transfer-leader."`
	Node        nodeCmd        `cmd:"" help:"A node of the cluster: drain, resume, remove, fence."`
	Config      configCmd      `cmd:"" help:"Check a configuration file."`
	Key         keyCmd         `cmd:"" help:"Virtual keys: create, list, show, update, rotate, revoke, forget, child."`
	Token       tokenCmd       `cmd:"" help:"Admin tokens: create, list, revoke."`
	Login       loginCmd       `cmd:"" help:"Log in with your identity provider, for the commands that follow."`
	Logout      logoutCmd      `cmd:"" help:"Forget the login of this machine."`
	Whoami      whoamiCmd      `cmd:"" help:"Who the node says you are, and what you may do."`
	Budget      budgetCmd      `cmd:"" help:"Budgets: set, list, show, delete, raise, raises, trip, reset, release."`
	Cache       cacheCmd       `cmd:"" help:"Response caches: stats, purge."`
	Loop        loopCmd        `cmd:"" help:"Show runs and sessions that go round in circles, and reset them."`
	Get         getCmd         `cmd:"" help:"Show orgs, teams, projects, members, agents, routes and other objects."`
	Put         putCmd         `cmd:"" help:"Make an object, or give it another spec."`
	Delete      deleteCmd      `cmd:"" help:"Delete an object that nothing refers to."`
	Apply       applyCmd       `cmd:"" help:"Make the cluster as a file says: plan, show the differences, change."`
	Export      exportCmd      `cmd:"" help:"Write what rules the cluster as a file for apply."`
	Import      importCmd      `cmd:"" help:"Take over from another gateway: litellm."`
	Policy      policyCmd      `cmd:"" help:"Policies: check, test, explain."`
	Route       routeCmd       `cmd:"" help:"Routes: explain, simulate."`
	Semcache    semcacheCmd    `cmd:"" help:"The semantic cache: stats, explain, reset, purge, eval."`
	Redact      redactCmd      `cmd:"" help:"Redactions: try one on a text, list what can be found."`
	Prompt      promptCmd      `cmd:"" help:"Prompt templates: push, list, show, diff, promote, roll-back, render, compare."`
	Compress    compressCmd    `cmd:"" help:"Compress the body of a request from standard input: what each pass takes out, in tokens, and the body that is left."`
	Price       priceCmd       `cmd:"" help:"Prices: show, diff, import, check."`
	Alerts      alertsCmd      `cmd:"" help:"What operators are told: list, deliveries, test."`
	Usage       usageCmd       `cmd:"" help:"What was used, by any dimension; one request; an agent's run; adjust what is known later."`
	Top         topCmd         `cmd:"" help:"Who spends right now, on a terminal that keeps itself up to date."`
	Tail        tailCmd        `cmd:"" help:"Requests of the whole cluster as they end, one line each."`
	Savings     savingsCmd     `cmd:"" help:"What each lever saved, by any dimension and time."`
	Replay      replayCmd      `cmd:"" help:"What recorded or traced traffic would have cost, been refused and saved under other settings."`
	Credential  credentialCmd  `cmd:"" help:"Providers' keys that the cluster keeps sealed: put, list, show, rotate, check, delete."`
	Vault       vaultCmd       `cmd:"" help:"Master and data keys of sealed credentials: new-key, status, rotate-master, rotate-data."`
	Status      statusCmd      `cmd:"" help:"How the node is."`
	Audit       auditCmd       `cmd:"" help:"The audit trail: tail, verify, export."`
	Backup      backupCmd      `cmd:"" help:"Write the ledger and the directory to a file, with checksums."`
	Restore     restoreCmd     `cmd:"" help:"Begin a cluster with a backup, after the old one is lost."`
	Demo        demoCmd        `cmd:"" help:"Drive agents against a cap on three nodes, kill nodes midway, and compare with the provider's bill."`
	Simprovider simproviderCmd `cmd:"" help:"Run the simulated provider, which writes its own bill."`
	Version     versionCmd     `cmd:"" help:"Print the version."`
}

func main() {
	ctx, stop := signal.NotifyContext(context.Background(), syscall.SIGINT, syscall.SIGTERM)
	defer stop()
	var c cli
	parser := kong.Must(&c,
		kong.Name("purser"),
		kong.Description("Purser is an AI FinOps gateway: it stands before LLM providers, meters every token and never lets a hard cap be exceeded."),
		kong.ShortUsageOnError(),
		kong.Vars{"kinds": kindHelp},
		kong.BindTo(ctx, (*context.Context)(nil)))
	k, err := parser.Parse(os.Args[1:])
	parser.FatalIfErrorf(err)
	if err := k.Run(); errors.Is(err, errDrift) {
		os.Exit(2)
	} else if err != nil {
		fmt.Fprintln(os.Stderr, "purser: "+explain(err))
		os.Exit(1)
	}
}

// explain adds the next step to an error of the admin API.
func explain(err error) string {
	var f *admin.Fault
	if errors.As(err, &f) && f.Code == "unauthorized" {
		return f.Message + " (the token is --token or PURSER_ADMIN_TOKEN: an admin token, or the admin.token of the node's configuration; people run `purser login`)"
	}
	return err.Error()
}

type versionCmd struct{}

// Run prints the version.
func (versionCmd) Run() error {
	fmt.Println("purser " + version())
	return nil
}

func version() string {
	if info, ok := debug.ReadBuildInfo(); ok && info.Main.Version != "" {
		return info.Main.Version
	}
	return "(devel)"
}
