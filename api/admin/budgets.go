package admin

import (
	"context"
	"net/http"
	"net/url"
	"strconv"

	"purser/internal/access"
)

// Budgets are the rules of the ledger and their accounts.
type Budgets interface {
	PutBudget(context.Context, Budget, Expect) (Budget, error)
	DeleteBudget(ctx context.Context, id string) error
	// ReleaseBudget gives back what a restore withheld of a budget.
	ReleaseBudget(ctx context.Context, id string) error
	ShowBudgets(ctx context.Context, id string, how Read) ([]BudgetDetail, Age, error) // every budget for ""
}

// Raises are the raises of limits that are in force.
type Raises interface {
	// PutRaise begins a raise, or replaces the one of its id.
	PutRaise(ctx context.Context, budget string, in Raise) (Raise, error)
	EndRaise(ctx context.Context, budget, id string) error
}

// Breakers are the circuit breakers of budgets.
type Breakers interface {
	TripBudget(ctx context.Context, budget string, in BreakerChange) (Breaker, error)
	ResetBreaker(ctx context.Context, budget string, in BreakerChange) (Breaker, error)
}

func (a *API) putBudget(w http.ResponseWriter, r *http.Request, reach access.Reach) {
	expect, fault := expectOf(r)
	if fault != nil {
		a.fail(w, r, fault)
		return
	}
	var in Budget
	if !a.read(w, r, &in) {
		return
	}
	id := r.PathValue("id")
	if in.ID != "" && in.ID != id {
		a.fail(w, r, Invalid("the body names budget "+strconv.Quote(in.ID)+", the path "+strconv.Quote(id)))
		return
	}
	if in.ID = id; expect == nil && in.Version != 0 {
		expect = Version(in.Version)
	}
	seen, err := a.mayPut(r.Context(), reach, &in)
	if err == nil {
		expect, err = agreed(expect, seen)
	}
	if err != nil {
		a.fail(w, r, err)
		return
	}
	out, err := a.Budgets.PutBudget(r.Context(), in, expect)
	if err == nil {
		w.Header().Set("ETag", etag(out.Version))
	}
	a.reply(w, r, http.StatusOK, out, err)
}

func (a *API) listBudgets(w http.ResponseWriter, r *http.Request, reach access.Reach) {
	how, fault := readOf(r)
	if fault != nil {
		a.fail(w, r, fault)
		return
	}
	list, age, err := a.Budgets.ShowBudgets(r.Context(), "", how)
	age.tell(w)
	list = a.shown(list, reach)
	a.reply(w, r, http.StatusOK, map[string]any{"budgets": list}, err)
}

func (a *API) showBudget(w http.ResponseWriter, r *http.Request, reach access.Reach) {
	b := a.shownBudget(w, r, reach)
	if b == nil {
		return
	}
	w.Header().Set("ETag", etag(b.Version))
	a.reply(w, r, http.StatusOK, b, nil)
}

// shownBudget is the budget that a path names, as far as the reach goes; nil where it
// has told the client why there is none.
func (a *API) shownBudget(w http.ResponseWriter, r *http.Request, reach access.Reach) *BudgetDetail {
	id := r.PathValue("id")
	how, fault := readOf(r)
	if fault != nil {
		a.fail(w, r, fault)
		return nil
	}
	list, age, err := a.Budgets.ShowBudgets(r.Context(), id, how)
	age.tell(w)
	list = a.shown(list, reach)
	if err == nil && len(list) == 0 {
		err = NotFound("no budget " + strconv.Quote(id))
	}
	if err != nil {
		a.fail(w, r, err)
		return nil
	}
	return &list[0]
}

func (a *API) deleteBudget(w http.ResponseWriter, r *http.Request, reach access.Reach) {
	if err := a.mayChange(r.Context(), reach, r.PathValue("id")); err != nil {
		a.fail(w, r, err)
		return
	}
	if err := a.Budgets.DeleteBudget(r.Context(), r.PathValue("id")); err != nil {
		a.fail(w, r, err)
		return
	}
	w.WriteHeader(http.StatusNoContent)
}

func (a *API) releaseBudget(w http.ResponseWriter, r *http.Request) {
	if err := a.Budgets.ReleaseBudget(r.Context(), r.PathValue("id")); err != nil {
		a.fail(w, r, err)
		return
	}
	w.WriteHeader(http.StatusNoContent)
}

func (a *API) listRaises(w http.ResponseWriter, r *http.Request, reach access.Reach) {
	b := a.shownBudget(w, r, reach)
	if b == nil {
		return
	}
	raises := b.Raises
	if raises == nil {
		raises = []Raise{}
	}
	a.reply(w, r, http.StatusOK, map[string]any{"raises": raises}, nil)
}

func (a *API) putRaise(w http.ResponseWriter, r *http.Request, reach access.Reach) {
	var in Raise
	if !a.read(w, r, &in) {
		return
	}
	id := r.PathValue("raise")
	if in.ID != "" && in.ID != id {
		a.fail(w, r, Invalid("the body names raise "+strconv.Quote(in.ID)+", the path "+strconv.Quote(id)))
		return
	}
	in.ID = id
	if err := a.mayChange(r.Context(), reach, r.PathValue("id")); err != nil {
		a.fail(w, r, err)
		return
	}
	out, err := a.Raises.PutRaise(r.Context(), r.PathValue("id"), in)
	a.reply(w, r, http.StatusOK, out, err)
}

func (a *API) endRaise(w http.ResponseWriter, r *http.Request, reach access.Reach) {
	if err := a.mayChange(r.Context(), reach, r.PathValue("id")); err != nil {
		a.fail(w, r, err)
		return
	}
	if err := a.Raises.EndRaise(r.Context(), r.PathValue("id"), r.PathValue("raise")); err != nil {
		a.fail(w, r, err)
		return
	}
	w.WriteHeader(http.StatusNoContent)
}

func (a *API) tripBudget(w http.ResponseWriter, r *http.Request, reach access.Reach) {
	var in BreakerChange
	if !a.read(w, r, &in) {
		return
	}
	if in.Close {
		a.fail(w, r, Invalid("close is of a reset"))
		return
	}
	if err := a.mayChange(r.Context(), reach, r.PathValue("id")); err != nil {
		a.fail(w, r, err)
		return
	}
	out, err := a.Breakers.TripBudget(r.Context(), r.PathValue("id"), in)
	a.reply(w, r, http.StatusOK, out, err)
}

func (a *API) resetBreaker(w http.ResponseWriter, r *http.Request, reach access.Reach) {
	var in BreakerChange
	if !a.read(w, r, &in) {
		return
	}
	if in.For != "" || in.Reason != "" {
		a.fail(w, r, Invalid("for and reason are of opening a breaker"))
		return
	}
	if err := a.mayChange(r.Context(), reach, r.PathValue("id")); err != nil {
		a.fail(w, r, err)
		return
	}
	out, err := a.Breakers.ResetBreaker(r.Context(), r.PathValue("id"), in)
	a.reply(w, r, http.StatusOK, out, err)
}

// PutBudgetIf is [Client.PutBudget] for a budget as it is expected: of a version, or
// not there.
func (c *Client) PutBudgetIf(ctx context.Context, b Budget, expect Expect) (out Budget, err error) {
	err = c.callIf(ctx, http.MethodPut, "/budgets/"+url.PathEscape(b.ID), expect, b, &out)
	return out, err
}

// PutRaise begins a raise, or replaces the one of its id.
func (c *Client) PutRaise(ctx context.Context, budget string, in Raise) (out Raise, err error) {
	err = c.call(ctx, http.MethodPut, "/budgets/"+url.PathEscape(budget)+"/raises/"+url.PathEscape(in.ID), in, &out)
	return out, err
}

// ListRaises lists the raises of a budget that are in force.
func (c *Client) ListRaises(ctx context.Context, budget string) ([]Raise, error) {
	var out struct{ Raises []Raise }
	err := c.call(ctx, http.MethodGet, "/budgets/"+url.PathEscape(budget)+"/raises"+c.how(), nil, &out)
	return out.Raises, err
}

// EndRaise ends a raise before its time.
func (c *Client) EndRaise(ctx context.Context, budget, id string) error {
	return c.call(ctx, http.MethodDelete, "/budgets/"+url.PathEscape(budget)+"/raises/"+url.PathEscape(id), nil, nil)
}

// TripBudget opens the breaker of a budget, or of one of its accounts.
func (c *Client) TripBudget(ctx context.Context, budget string, in BreakerChange) (out Breaker, err error) {
	err = c.call(ctx, http.MethodPost, "/budgets/"+url.PathEscape(budget)+"/trip", in, &out)
	return out, err
}

// ResetBreaker resets it.
func (c *Client) ResetBreaker(ctx context.Context, budget string, in BreakerChange) (out Breaker, err error) {
	err = c.call(ctx, http.MethodPost, "/budgets/"+url.PathEscape(budget)+"/reset", in, &out)
	return out, err
}
