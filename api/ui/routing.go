package ui

import (
	"encoding/json"
	"net/http"
	"net/url"
	"time"

	"purser/api/admin"
	"purser/proxy"
)

var routeKind = kind{plural: "routes", one: "route",
	about: "A model's name that you make up: which model answers is yours to change, without a change in any application.",
	example: `{
  "strategy": "weighted",
  "sticky": "session",
  "candidates": [
    {"model": "gpt-4o", "weight": 80},
    {"model": "gpt-4o-mini", "weight": 20}
  ]
}`}

// routeSpec is what pages show of a route's spec; the source has all of it.
type routeSpec struct {
	Model      string           `json:"model"` // of an alias
	Upstream   string           `json:"upstream"`
	Strategy   string           `json:"strategy"`
	Sticky     string           `json:"sticky"`
	Baseline   string           `json:"baseline"`
	Learner    string           `json:"learner"`
	RetryOn    []string         `json:"retry_on"`
	Candidates []routeCandidate `json:"candidates"`
}

type routeCandidate struct {
	ID       string   `json:"id"`
	Model    string   `json:"model"`
	Upstream string   `json:"upstream"`
	Weight   int      `json:"weight"`
	Quality  float64  `json:"quality"`
	When     string   `json:"when"`
	MaxInput int64    `json:"max_input_tokens"`
	Lacks    []string `json:"lacks"`

	Share  float64         `json:"-"` // of a weighted route
	Canary bool            `json:"-"` // of the route's learner
	Used   *admin.UsageRow `json:"-"` // as the served model of the route's requests; nil where unknown
}

// Name is the candidate's id within its route.
func (x routeCandidate) Name() string {
	switch {
	case x.ID != "":
		return x.ID
	case x.Upstream != "":
		return x.Model + "@" + x.Upstream
	}
	return x.Model
}

// routeRow is a route in the list.
type routeRow struct {
	routeSpec
	ID, Path string
	Fault    string
}

func rowOfRoute(o *admin.Object) routeRow {
	r := routeRow{ID: o.ID, Path: routeKind.path(o.ID)}
	if err := json.Unmarshal(o.Spec, &r.routeSpec); err != nil {
		r.Fault = err.Error()
	}
	switch {
	case r.Model != "":
		r.Strategy = "alias"
	case r.Strategy == "":
		r.Strategy = "fallback"
	}
	total := 0
	for _, x := range r.Candidates {
		total += x.Weight
	}
	for i := range r.Candidates {
		x := &r.Candidates[i]
		if x.Share = share(int64(x.Weight), int64(total)); total == 0 {
			x.Share = 1 / float64(len(r.Candidates))
		}
	}
	return r
}

type routesView struct {
	Rows     []routeRow
	MayWrite bool
	Bench    *form
	Answer   *proxy.RouteAnswer
}

func routesPage(c *Call) error {
	if c.Q.Has("new") {
		return showNewObject(c, routeKind, nil)
	}
	return showRoutes(c, nil, nil, nil)
}

func showRoutes(c *Call, sent url.Values, answer *proxy.RouteAnswer, wrong *refused) error {
	list, err := c.objects("routes")
	if err != nil {
		return err
	}
	v := routesView{MayWrite: c.CanAll("routes:write"), Answer: answer}
	model := "gpt-4o-mini"
	for i, o := range list {
		v.Rows = append(v.Rows, rowOfRoute(&o))
		if i == 0 {
			model = o.ID
		}
	}
	if v.Bench, err = c.benchForm("/ui/routes#bench", "Ask where it would go", model); err != nil {
		return err
	}
	v.Bench = wrong.into(refill(v.Bench, sent))
	return c.RenderAs(wrong.status(), "routes", "Routes", &v)
}

// askRoutes answers the bench, or makes a route.
func askRoutes(c *Call) error {
	v, err := c.posted()
	if err != nil {
		return err
	}
	if v.Get("do") != "explain" {
		return creating(c, routeKind, v)
	}
	call, err := callFrom(v)
	var answer proxy.RouteAnswer
	if err == nil {
		err = c.Do(http.MethodPost, "/routes/explain", call, &answer)
	}
	if err != nil {
		return again(err, "bench", v, func(r *refused) error { return showRoutes(c, nil, nil, r) })
	}
	return showRoutes(c, v, &answer, nil)
}

// canary is the trial of a candidate, as its router has it.
type canary struct {
	Candidate  string  `json:"candidate"`
	Percent    float64 `json:"percent"`
	Floor      float64 `json:"floor"`
	RolledBack string  `json:"rolled_back"`
	Reason     string  `json:"reason"`
}

type routeView struct {
	routeRow
	Object *object
	Canary *canary
	Router *routerSpec
}

// routerSpec is what pages show of what was learned.
type routerSpec struct {
	Alpha    float64           `json:"alpha"`
	Clusters []json.RawMessage `json:"clusters"`
	Trained  int64             `json:"trained"`
	Canary   *canary           `json:"canary"`
}

// TrainedAt is when it last learned, RFC 3339; "" for never.
func (r *routerSpec) TrainedAt() string {
	if r.Trained == 0 {
		return ""
	}
	return time.Unix(r.Trained, 0).UTC().Format(time.RFC3339)
}

func routePage(c *Call) error { return showRoute(c, nil) }

func showRoute(c *Call, wrong *refused) error {
	o, err := c.object(routeKind, c.R.PathValue("id"), wrong)
	if err != nil {
		return err
	}
	v := routeView{routeRow: rowOfRoute(&o.Object), Object: o}
	if v.Learner != "" {
		var learner admin.Object
		err := c.Get("/routers/"+url.PathEscape(v.Learner), nil, &learner)
		if err == nil {
			v.Router = &routerSpec{}
			err = json.Unmarshal(learner.Spec, v.Router)
		}
		if err != nil && !absent(err) {
			return err
		}
	}
	if v.Router != nil && v.Router.Canary != nil {
		v.Canary = v.Router.Canary
	}
	if err := v.addUsage(c); err != nil {
		return err
	}
	return c.RenderAs(wrong.status(), "route", o.ID, &v)
}

// addUsage says what went to each candidate in the last day.
func (v *routeView) addUsage(c *Call) error {
	var used admin.UsageReport
	err := c.Get("/usage", url.Values{"filter": {"model:" + v.ID}, "group": {"model_served"}, "worth": {"true"}}, &used)
	if err != nil {
		if absent(err) {
			return nil
		}
		return err
	}
	for i := range v.Candidates {
		x := &v.Candidates[i]
		x.Canary = v.Canary != nil && v.Canary.Candidate == x.Name()
		for j := range used.Rows {
			if used.Rows[j].Group["model_served"] == x.Model {
				x.Used = &used.Rows[j]
			}
		}
	}
	return nil
}

func changeRoute(c *Call) error { return changing(c, routeKind, showRoute) }
