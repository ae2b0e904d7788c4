package node

import (
	"cmp"
	"context"
	"encoding/hex"
	"errors"
	"fmt"
	"net/http"
	"slices"
	"strings"
	"time"

	"purser/api/admin"
	"purser/internal/children"
	"purser/internal/directory"
	"purser/ledger"
)

// usualOverlap is how long a secret counts after a rotation that does not say.
const usualOverlap = 24 * time.Hour

// CreateKey implements admin.Keys. The key's own budgets come first: without them
// it would spend unbound.
func (c control) CreateKey(ctx context.Context, in admin.NewKey) (admin.CreatedKey, error) {
	k := directory.Key{ID: directory.KeyID(cmp.Or(in.ID, newKeyID()))}
	change := in.Change()
	if err := changeKey(&k, &change); err != nil {
		return admin.CreatedKey{}, err
	}
	secret, hash, public, err := secretFor(in.Hash)
	if err != nil {
		return admin.CreatedKey{}, err
	}
	if k.Hash = hash; k.Can(directory.ScopeMint) {
		k.Public = public
	}
	if err := k.Validate(); err != nil {
		return admin.CreatedKey{}, admin.Invalid(err.Error())
	}
	// A key without what came with rights is made as it always was, which members of
	// earlier builds can read.
	cmd := directory.Command(directory.WriteKey{Key: k})
	if in.ID == "" && in.Hash == "" && k.Plain() {
		cmd = directory.PutKey{Key: k}
	}
	if in.ID != "" || in.Hash != "" {
		if err := c.free(ctx, &k); err != nil {
			return admin.CreatedKey{}, err
		}
	}
	budgets, err := ownBudgets(k.ID, in.Budgets)
	if err != nil {
		return admin.CreatedKey{}, err
	}
	made, err := c.makeBudgets(ctx, budgets)
	if err == nil {
		err = c.changeKeys(ctx, cmd)
	}
	if err != nil {
		if !open(err) {
			err = errors.Join(err, c.dropThese(ctx, made))
		}
		return admin.CreatedKey{}, err
	}
	created, ok := c.n.fsm.Directory().Key(k.ID)
	if !ok {
		return admin.CreatedKey{}, admin.Undecided("the key was made and has gone again; try again")
	}
	return admin.CreatedKey{Key: keyText(created), Secret: secret}, nil
}

// free refuses a key whose id or secret is another's by now, before anything is made
// for it.
func (c control) free(ctx context.Context, k *directory.Key) error {
	ctx, cancel := context.WithTimeout(ctx, readWait)
	defer cancel()
	if err := c.seen(ctx); err != nil {
		return err
	}
	dir := c.n.fsm.Directory()
	if other, taken := dir.Key(k.ID); taken {
		return admin.Conflict(fmt.Sprintf("there is a key %s, which is %s; change it, or revoke and forget it first", k.ID, keyText(other).State))
	}
	if _, taken := dir.Find(k.Hash); taken {
		return admin.Conflict("there is a key of this secret")
	}
	return nil
}

// open says whether an error leaves open if a change happened.
func open(err error) bool {
	var f *admin.Fault
	return errors.As(err, &f) && f.Status == http.StatusServiceUnavailable
}

// secretFor is another secret, or the hash of one that exists elsewhere.
func secretFor(existing string) (secret string, hash, public [32]byte, err error) {
	if existing == "" {
		secret, hash, public = newSecret()
		return secret, hash, public, nil
	}
	b, err := hex.DecodeString(existing)
	if err != nil || len(b) != len(hash) {
		return "", hash, public, admin.Invalid("hash is not the SHA-256 of a secret in hexadecimal")
	}
	return "", [32]byte(b), public, nil
}

// changeKey carries a change into k.
func changeKey(k *directory.Key, in *admin.KeyChange) error {
	if in.Bound != nil {
		bound, err := dimensions(*in.Bound)
		if err != nil {
			return err
		}
		slices.SortFunc(bound.Tags, func(a, b ledger.Tag) int { return strings.Compare(a.Name, b.Name) })
		k.Bound = bound
	}
	if in.Required != nil {
		k.Required = nil
		for _, name := range *in.Required {
			ref, err := ledger.ParseDimRef(name)
			if err != nil {
				return admin.Invalid("required: " + err.Error())
			}
			k.Required = append(k.Required, ref)
		}
	}
	if in.Expires != nil {
		expires, err := instantOf(*in.Expires, 0)
		if err != nil {
			return err
		}
		if expires != 0 && expires <= now() && expires != k.Expires {
			return admin.Invalid("expires is in the past")
		}
		k.Expires = expires
	}
	if in.Owner != nil {
		owner, err := directory.ParseOwner(*in.Owner)
		if err != nil {
			return admin.Invalid(err.Error())
		}
		k.Owner = owner
	}
	if in.Scopes != nil {
		k.Scopes = 0
		for _, name := range *in.Scopes {
			s, err := directory.ParseScope(name)
			if err != nil {
				return admin.Invalid(err.Error())
			}
			k.Scopes |= s
		}
	}
	if in.MaxChildren != nil {
		if *in.MaxChildren < 0 || *in.MaxChildren > directory.MaxChildren {
			return admin.Invalid(fmt.Sprintf("max_children is not 0 to %d", directory.MaxChildren))
		}
		k.MaxChildren = uint16(*in.MaxChildren)
	}
	for _, p := range []struct {
		what   string
		of, to *[]string
	}{
		{"models", &k.AllowModels, in.Models}, {"endpoints", &k.AllowEndpoints, in.Endpoints},
		{"providers", &k.AllowProviders, in.Providers}, {"upstreams", &k.AllowUpstreams, in.Upstreams},
	} {
		if p.to == nil {
			continue
		}
		for _, pattern := range *p.to {
			if strings.ContainsAny(pattern, "?[]{}\\") || p.what == "endpoints" && !strings.HasPrefix(pattern, "/") && !strings.HasPrefix(pattern, "*") {
				return admin.Invalid(fmt.Sprintf("%s: %q is no pattern: '*' stands for any characters, and a route begins with '/'", p.what, pattern))
			}
		}
		*p.of = slices.Clone(*p.to)
	}
	take(&k.Name, in.Name)
	take(&k.Description, in.Description)
	take(&k.CacheOff, in.CacheOff)
	take(&k.Suspended, in.Suspended)
	return nil
}

func take[T any](of, to *T) {
	if to != nil {
		*of = *to
	}
}

// UpdateKey implements admin.KeyLife.
func (c control) UpdateKey(ctx context.Context, id string, expect admin.Expect, in admin.KeyChange) (admin.Key, error) {
	was, err := c.key(ctx, id)
	if err != nil {
		return admin.Key{}, err
	}
	if expect != nil && *expect != was.Version {
		return admin.Key{}, staleKey(was)
	}
	k := *was // its slices are replaced, not written
	if err := changeKey(&k, &in); err != nil {
		return admin.Key{}, err
	}
	if err := k.Validate(); err != nil {
		return admin.Key{}, admin.Invalid(err.Error())
	}
	var budgets []admin.Budget
	if in.Budgets != nil {
		if budgets, err = ownBudgets(k.ID, *in.Budgets); err != nil {
			return admin.Key{}, err
		}
		if err := c.putBudgets(ctx, budgets); err != nil {
			return admin.Key{}, err
		}
	}
	if err := c.changeKeys(ctx, directory.WriteKey{Expect: was.Version, Key: k}); err != nil {
		return admin.Key{}, err
	}
	if in.Budgets != nil {
		if _, err := c.dropBudgets(ctx, k.ID, budgets); err != nil {
			return admin.Key{}, err
		}
	}
	made, err := c.key(ctx, id)
	if err != nil {
		return admin.Key{}, err
	}
	return keyText(made), nil
}

func staleKey(k *directory.Key) error {
	return admin.Conflict(fmt.Sprintf("key %s is at version %d: somebody changed it; read it again", k.ID, k.Version))
}

// key is a key as it is in everything acknowledged by now.
func (c control) key(ctx context.Context, id string) (*directory.Key, error) {
	ctx, cancel := context.WithTimeout(ctx, readWait)
	defer cancel()
	if err := c.seen(ctx); err != nil {
		return nil, err
	}
	k, ok := c.n.fsm.Directory().Key(directory.KeyID(id))
	if !ok {
		return nil, admin.NotFound(fmt.Sprintf("no key %q", id))
	}
	return k, nil
}

// RotateKey implements admin.KeyLife.
func (c control) RotateKey(ctx context.Context, id string, in admin.Rotation) (admin.CreatedKey, error) {
	was, err := c.key(ctx, id)
	if err != nil {
		return admin.CreatedKey{}, err
	}
	overlap := usualOverlap
	if in.EndOverlap {
		overlap = 0
	}
	if in.Overlap != "" {
		if overlap, err = time.ParseDuration(in.Overlap); err != nil || overlap < 0 || ledger.Instant(overlap) > directory.MaxOverlap {
			return admin.CreatedKey{}, admin.Invalid(fmt.Sprintf("overlap %q is not a time like 24h, at most %v", in.Overlap, time.Duration(directory.MaxOverlap)))
		}
	}
	cmd := directory.RotateKey{ID: was.ID, Hash: was.Hash, Public: was.Public}
	// Ledger time, by which the directory judges it, may be a moment behind this clock.
	if overlap > 0 {
		cmd.OldUntil = min(now()+ledger.Instant(overlap), c.n.fsm.Now()+directory.MaxOverlap)
	}
	var secret string
	if in.EndOverlap {
		if in.Hash != "" {
			return admin.CreatedKey{}, admin.Invalid("end_overlap makes no other secret, and takes no hash")
		}
	} else if secret, cmd.Hash, cmd.Public, err = secretFor(in.Hash); err != nil {
		return admin.CreatedKey{}, err
	}
	if !was.Can(directory.ScopeMint) {
		cmd.Public = [32]byte{}
	}
	if err := c.changeKeys(ctx, cmd); err != nil {
		return admin.CreatedKey{}, err
	}
	made, err := c.key(ctx, id)
	if err != nil {
		return admin.CreatedKey{}, err
	}
	return admin.CreatedKey{Key: keyText(made), Secret: secret}, nil
}

// RevokeKey implements admin.Keys.
func (c control) RevokeKey(ctx context.Context, id string) (admin.Key, error) {
	if err := c.changeKeys(ctx, directory.RevokeKey{ID: directory.KeyID(id)}); err != nil {
		return admin.Key{}, err
	}
	k, ok := c.n.fsm.Directory().Key(directory.KeyID(id))
	if !ok {
		return admin.Key{}, admin.NotFound(fmt.Sprintf("no key %q", id))
	}
	return keyText(k), nil
}

// ForgetKey implements admin.KeyLife. The budgets go last: they bind nobody then. If
// they could not be deleted, the same call does it.
func (c control) ForgetKey(ctx context.Context, id string) error {
	err := c.changeKeys(ctx, directory.ForgetKey{ID: directory.KeyID(id)})
	var f *admin.Fault
	missing := errors.As(err, &f) && f.Status == http.StatusNotFound
	if err != nil && !missing {
		return err
	}
	dropped, failed := c.dropBudgets(ctx, directory.KeyID(id), nil)
	if failed != nil || missing && dropped == 0 {
		return errors.Join(failed, err)
	}
	return nil
}

// ListKeys implements admin.Keys.
func (c control) ListKeys(_ context.Context, hash string) ([]admin.Key, error) {
	list, dir := []admin.Key{}, c.n.fsm.Directory()
	if hash != "" {
		_, sum, _, err := secretFor(hash)
		if k, ok := dir.Find(sum); ok && err == nil {
			list = append(list, keyText(k))
		}
		return list, err
	}
	for k := range dir.Keys() {
		list = append(list, keyText(k))
	}
	slices.SortFunc(list, func(a, b admin.Key) int { return strings.Compare(a.Created+a.ID, b.Created+b.ID) })
	return list, nil
}

// ShowKey implements admin.KeyLife.
func (c control) ShowKey(ctx context.Context, id string, how admin.Read) (admin.KeyDetail, admin.Age, error) {
	age, err := c.catchUp(ctx, how)
	if err != nil {
		return admin.KeyDetail{}, 0, err
	}
	k, ok := c.n.fsm.Directory().Key(directory.KeyID(id))
	if !ok {
		return admin.KeyDetail{}, 0, admin.NotFound(fmt.Sprintf("no key %q", id))
	}
	out := admin.KeyDetail{Key: keyText(k), Budgets: []admin.BudgetDetail{}, Children: []admin.ChildKey{}}
	state := c.n.fsm.Ledger()
	for _, id := range c.ownBudgetsOf(k.ID) {
		if b, ok := state.Budget(id); ok {
			d := admin.BudgetDetail{Budget: ruleText(b), Accounts: []admin.Account{}}
			for v := range state.Accounts(id) {
				d.Accounts = append(d.Accounts, accountText(b, v))
			}
			out.Budgets = append(out.Budgets, d)
		}
	}
	for _, ch := range c.n.fsm.Directory().Children(k.ID) {
		if ch.Expires <= now() {
			continue
		}
		s := children.Slice{Child: ch.ID, Generation: ch.Generation, Limit: ch.Slice, Expires: ch.Expires}
		spent, _ := state.Account(s.Account())
		out.Children = append(out.Children, admin.ChildKey{
			ID: children.Name(ch.ID), Generation: int(ch.Generation), Slice: int64(ch.Slice), Spent: int64(spent.Spent), Expires: timeText(ch.Expires),
		})
	}
	return out, age, nil
}

func keyText(k *directory.Key) admin.Key {
	out := admin.Key{
		ID: string(k.ID), Name: k.Name, Bound: dimensionMap(&k.Bound), Models: k.AllowModels, CacheOff: k.CacheOff, Suspended: k.Suspended,
		Created: timeText(k.Created), Expires: timeText(k.Expires), Revoked: timeText(k.Revoked), State: "expired",
		KeyRights: admin.KeyRights{
			Description: k.Description, Owner: k.Owner.String(), Scopes: k.Scopes.Names(), Endpoints: k.AllowEndpoints,
			Providers: k.AllowProviders, Upstreams: k.AllowUpstreams, MaxChildren: int(k.MaxChildren),
		},
		LastUsed: timeText(k.LastUsed), MayMint: k.Can(directory.ScopeMint) && k.Public != [32]byte{}, Version: k.Version,
	}
	if k.OldUntil > now() {
		out.OldUntil = timeText(k.OldUntil)
	}
	switch k.Status(now()) {
	case directory.Active:
		out.State = "active"
	case directory.Revoked:
		out.State = "revoked"
	case directory.Suspended:
		out.State = "suspended"
	}
	for _, r := range k.Required {
		out.Required = append(out.Required, r.String())
	}
	return out
}
