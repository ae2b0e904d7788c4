package admin

import (
	"fmt"
	"net/http"

	"purser/internal/access"
)

// route is one line of the table that the mux is made of. What it needs is asked
// before its handler runs; there is no other way to be served.
type route struct {
	method, pattern string
	needs           access.Permission // none for those that are for anyone, or anyone known
	serves          served
}

// served is a handler, and whose things it touches. Its zero value serves nothing.
type served struct {
	scope scope
	run   func(http.ResponseWriter, *http.Request, caller)
}

// scope is whose things a route touches.
type scope uint8

// The scopes.
const (
	// wholeScope is the cluster itself: only for who reaches everything.
	wholeScope scope = iota + 1
	// ownScope is what belongs to somebody: the handler keeps to the caller's reach.
	ownScope
	// selfScope is about the caller alone: for anyone known.
	selfScope
	// openScope is for anyone: how one becomes known.
	openScope
)

func whole(h http.HandlerFunc) served {
	return served{wholeScope, func(w http.ResponseWriter, r *http.Request, _ caller) { h(w, r) }}
}

func own(h func(http.ResponseWriter, *http.Request, access.Reach)) served {
	return served{ownScope, func(w http.ResponseWriter, r *http.Request, c caller) { h(w, r, c.reach) }}
}

// ownAs is own for handlers that also look at who it is.
func ownAs(h func(http.ResponseWriter, *http.Request, caller)) served { return served{ownScope, h} }

func self(h func(http.ResponseWriter, *http.Request, caller)) served { return served{selfScope, h} }

func open(h http.HandlerFunc) served {
	return served{openScope, func(w http.ResponseWriter, r *http.Request, _ caller) { h(w, r) }}
}

// routes is every admin route.
func (a *API) routes() []route {
	return append(a.objectRoutes(), []route{
		{"POST", "/admin/v1/keys", access.KeysWrite, own(a.createKey)},
		{"GET", "/admin/v1/keys", access.KeysRead, own(a.listKeys)},
		{"GET", "/admin/v1/keys/{id}", access.KeysRead, own(a.showKey)},
		{"PATCH", "/admin/v1/keys/{id}", access.KeysWrite, ownAs(a.updateKey)},
		{"DELETE", "/admin/v1/keys/{id}", access.KeysWrite, own(a.forgetKey)},
		{"POST", "/admin/v1/keys/{id}/revoke", access.KeysWrite, own(a.revokeKey)},
		{"POST", "/admin/v1/keys/{id}/rotate", access.KeysWrite, own(a.rotateKey)},
		{"PUT", "/admin/v1/budgets/{id}", access.BudgetsWrite, own(a.putBudget)},
		{"GET", "/admin/v1/budgets", access.BudgetsRead, own(a.listBudgets)},
		{"GET", "/admin/v1/budgets/{id}", access.BudgetsRead, own(a.showBudget)},
		{"DELETE", "/admin/v1/budgets/{id}", access.BudgetsWrite, own(a.deleteBudget)},
		{"GET", "/admin/v1/budgets/{id}/raises", access.BudgetsRead, own(a.listRaises)},
		{"PUT", "/admin/v1/budgets/{id}/raises/{raise}", access.BudgetsWrite, own(a.putRaise)},
		{"DELETE", "/admin/v1/budgets/{id}/raises/{raise}", access.BudgetsWrite, own(a.endRaise)},
		{"POST", "/admin/v1/budgets/{id}/trip", access.BudgetsWrite, own(a.tripBudget)},
		{"POST", "/admin/v1/budgets/{id}/reset", access.BudgetsWrite, own(a.resetBreaker)},
		{"GET", "/admin/v1/looptrips", access.LoopsRead, whole(a.listTrips)},
		{"POST", "/admin/v1/loops/{id}/reset", access.LoopsWrite, whole(a.resetLoop)},
		{"POST", "/admin/v1/budgets/{id}/release", access.BudgetsRelease, whole(a.releaseBudget)},
		{"POST", "/admin/v1/policies/explain", access.PoliciesRead, whole(a.explainPolicies)},
		{"POST", "/admin/v1/routes/explain", access.RoutesRead, whole(a.explainRoute)},
		{"GET", "/admin/v1/semcache", access.CacheRead, whole(a.semcacheStats)},
		{"POST", "/admin/v1/semcache/explain", access.CacheRead, whole(a.explainSemcache)},
		{"POST", "/admin/v1/semcache/purge", access.CacheWrite, whole(a.purgeSemcache)},
		{"POST", "/admin/v1/semcache/reset", access.CacheWrite, whole(a.resetSemcache)},
		{"GET", "/admin/v1/routers/{id}/outcomes", access.RoutersRead, whole(a.routerOutcomes)},
		{"GET", "/admin/v1/usage", access.UsageRead, own(a.usage)},
		{"GET", "/admin/v1/usage/records", access.UsageRead, own(a.records)},
		{"GET", "/admin/v1/usage/live", access.UsageRead, own(a.live)},
		{"GET", "/admin/v1/export/{format}", access.UsageRead, own(a.export)},
		{"GET", "/admin/v1/exportstates", access.ExportsRead, whole(a.exportStates)},
		{"GET", "/admin/v1/usage/requests/{id}", access.UsageRead, own(a.request)},
		{"GET", "/admin/v1/usage/runs/{run}", access.UsageRead, own(a.run)},
		{"GET", "/admin/v1/forecasts", access.UsageRead, own(a.forecasts)},
		{"GET", "/admin/v1/statements", access.UsageRead, own(a.statements)},
		{"GET", "/admin/v1/anomalies", access.UsageRead, own(a.listAnomalies)},
		{"GET", "/admin/v1/anomalies/{id}", access.UsageRead, own(a.showAnomaly)},
		{"POST", "/admin/v1/outcomes", access.OutcomesWrite, whole(a.importOutcomes)},
		{"GET", "/admin/v1/outcomes", access.UsageRead, whole(a.listOutcomes)},
		{"PUT", "/admin/v1/revenue", access.RevenueWrite, whole(a.importRevenue)},
		{"GET", "/admin/v1/revenue", access.RevenueRead, whole(a.listRevenue)},
		{"GET", "/admin/v1/economics/units", access.UsageRead, ownAs(a.units)},
		{"GET", "/admin/v1/economics/efficiency", access.UsageRead, own(a.efficiency)},
		{"POST", "/admin/v1/adjustments", access.AdjustmentsWrite, whole(a.postAdjustment)},
		{"GET", "/admin/v1/alerts", access.WebhooksRead, whole(a.listAlerts)},
		{"GET", "/admin/v1/alerts/deliveries", access.WebhooksRead, whole(a.listDeliveries)},
		{"POST", "/admin/v1/alerts/test/{webhook}", access.WebhooksWrite, whole(a.testWebhook)},
		{"GET", "/admin/v1/audit", access.AuditRead, whole(a.auditTrail)},
		{"GET", "/admin/v1/audit/head", access.AuditRead, whole(a.auditHead)},
		{"GET", "/admin/v1/cache", access.CacheRead, whole(a.cacheStats)},
		{"POST", "/admin/v1/cache/purge", access.CacheWrite, whole(a.purgeCache)},
		{"GET", "/admin/v1/credentials", access.CredentialsRead, whole(a.listCredentials)},
		{"GET", "/admin/v1/credentials/{id}", access.CredentialsRead, whole(a.showCredential)},
		{"PUT", "/admin/v1/credentials/{id}", access.CredentialsWrite, whole(a.putCredential)},
		{"DELETE", "/admin/v1/credentials/{id}", access.CredentialsWrite, whole(a.deleteCredential)},
		{"POST", "/admin/v1/credentials/{id}/match", access.CredentialsWrite, whole(a.matchCredential)},
		{"POST", "/admin/v1/credentials/{id}/rotate-data", access.CredentialsWrite, whole(a.rotateData)},
		{"GET", "/admin/v1/vault", access.CredentialsRead, whole(a.vaultStatus)},
		{"POST", "/admin/v1/vault/rotate-master", access.CredentialsWrite, whole(a.rotateMaster)},
		{"GET", "/admin/v1/status", access.StatusRead, whole(a.status)},
		{"GET", "/admin/v1/backup", access.BackupRead, whole(a.backup)},
		{"GET", "/admin/v1/cluster", access.ClusterRead, whole(a.members)},
		{"POST", "/admin/v1/cluster/tokens", access.ClusterWrite, whole(a.newToken)},
		{"POST", "/admin/v1/cluster/nodes/{id}/{change}", access.ClusterWrite, whole(a.changeNode)},
		{"POST", "/admin/v1/tokens", access.TokensWrite, ownAs(a.createAdminToken)},
		{"GET", "/admin/v1/tokens", access.TokensRead, own(a.listAdminTokens)},
		{"POST", "/admin/v1/tokens/{id}/revoke", access.TokensWrite, ownAs(a.revokeAdminToken)},
		{"GET", "/admin/v1/whoami", "", self(a.whoami)},
		{"POST", "/admin/v1/logout", "", self(a.logout)},
		{"GET", "/admin/v1/login", "", open(a.beginLogin)},
		{"GET", callbackPath, "", open(a.finishLogin)},
		{"GET", "/admin/v1/login/client", "", open(a.loginClient)},
	}...)
}

// check panics for a line of the table that would serve without asking.
func (r route) check() {
	asks := r.serves.scope == wholeScope || r.serves.scope == ownScope
	if r.serves.run == nil || r.serves.scope == 0 || asks != r.needs.Known() || !asks && r.needs != "" || r.serves.scope == ownScope && !r.needs.Owned() {
		panic(fmt.Sprintf("admin route %s %s: permission %q does not go with what it serves", r.method, r.pattern, r.needs))
	}
}

// Handler returns the routes under /admin/v1, each behind its permission.
func (a *API) Handler() http.Handler {
	mux := http.NewServeMux()
	for _, r := range a.routes() {
		r.check()
		mux.Handle(r.method+" "+r.pattern, a.guard(r))
	}
	unknown := route{serves: self(func(w http.ResponseWriter, r *http.Request, _ caller) {
		a.fail(w, r, NotFound("no such admin route: "+r.Method+" "+r.URL.Path))
	})}
	mux.Handle("/admin/", a.guard(unknown))
	return mux
}

// Guarded asks for a permission over the whole cluster before next, which is not
// among the admin routes.
func (a *API) Guarded(needs access.Permission, next http.Handler) http.Handler {
	r := route{needs: needs, serves: whole(next.ServeHTTP)}
	r.check()
	return a.guard(r)
}

// guard lets a request to a route's handler if its caller may.
func (a *API) guard(rt route) http.Handler {
	return http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		if rt.serves.scope == openScope {
			rt.serves.run(w, r, caller{})
			return
		}
		c, fault := a.identify(r)
		c.subject = a.reaching(c.subject)
		if fault == nil && rt.needs != "" {
			fault = a.permit(&c, rt)
		}
		if fault != nil {
			a.fail(w, r, fault)
			return
		}
		actor := Actor{Name: c.subject.Name, Address: hostOf(r)}
		rt.serves.run(w, r.WithContext(WithActor(r.Context(), actor)), c)
	})
}

// permit decides whether the caller may use the route, and notes over whose things.
func (a *API) permit(c *caller, rt route) *Fault {
	d := access.Can(c.subject, rt.needs, a.instant())
	switch {
	case !d.Allowed:
		return Forbidden(d.Reason)
	case rt.serves.scope == wholeScope && !d.Reach.All:
		return Forbidden(fmt.Sprintf("%s is about the whole cluster, and %s is limited to a part of it", rt.needs, c.subject.Name))
	}
	c.reach = d.Reach
	return nil
}
