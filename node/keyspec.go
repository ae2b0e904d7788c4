package node

import (
	"slices"
	"strings"

	"purser/api/admin"
	"purser/internal/directory"
)

// NormalKey is a key as this node would store it and show it again. Its hash is left
// as it is.
func NormalKey(in admin.NewKey) (admin.NewKey, error) {
	_, hash, _, err := secretFor(in.Hash)
	if err != nil {
		return in, err
	}
	k := directory.Key{ID: directory.KeyID(in.ID), Hash: hash}
	if k.Expires, err = instantOf(in.Expires, 0); err != nil {
		return in, err // one that is over is no fault: it may be there
	}
	change := in.Change()
	if err := changeKey(&k, &change); err != nil {
		return in, err
	}
	if err := k.Validate(); err != nil {
		return in, admin.Invalid(err.Error())
	}
	budgets, err := ownBudgets(k.ID, in.Budgets)
	if err != nil {
		return in, err
	}
	out := NewKeyOf(keyText(&k), nil)
	out.Hash = in.Hash
	for _, b := range budgets {
		if b, err = NormalBudget(b); err != nil {
			return in, err
		}
		out.Budgets = append(out.Budgets, ownBudget(&b))
	}
	sortOwn(out.Budgets)
	return out, nil
}

// NewKeyOf is what would make a key that exists, without its hash: with those of the
// budgets that are its own.
func NewKeyOf(k admin.Key, budgets []admin.BudgetDetail) admin.NewKey {
	out := admin.NewKey{
		ID: k.ID, Name: k.Name, Bound: k.Bound, Required: k.Required, Models: k.Models, Expires: k.Expires, CacheOff: k.CacheOff,
		KeyRights: k.KeyRights, Suspended: k.Suspended,
	}
	for i := range budgets {
		b := &budgets[i].Budget
		if b.ID == ownBudgetID(directory.KeyID(k.ID), b.Unit, b.Window) {
			out.Budgets = append(out.Budgets, ownBudget(b))
		}
	}
	sortOwn(out.Budgets)
	return out
}

func ownBudget(b *admin.Budget) admin.KeyBudget {
	return admin.KeyBudget{Unit: b.Unit, Limit: b.Limit, Window: b.Window, Zone: b.Zone, Soft: b.Soft, Alerts: b.Alerts}
}

func sortOwn(list []admin.KeyBudget) {
	slices.SortFunc(list, func(a, b admin.KeyBudget) int { return strings.Compare(a.Unit+" "+a.Window, b.Unit+" "+b.Window) })
}
