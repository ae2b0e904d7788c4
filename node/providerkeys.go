package node

import (
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"log/slog"
	"slices"
	"strconv"
	"strings"
	"time"

	"purser/api/admin"
	"purser/internal/directory"
	"purser/internal/vault"
)

const (
	// changeTries bounds how often a change is made again that somebody else's has
	// come before.
	changeTries = 8
	// rotateTime is how long one call of RotateMaster goes on before it says what is left.
	rotateTime = 20 * time.Second
)

func credentialRef(id string) directory.Ref {
	return directory.Ref{Kind: directory.ObjectCredential, ID: id}
}

// ListCredentials implements admin.Credentials.
func (c control) ListCredentials(ctx context.Context, how admin.Read) ([]admin.Credential, admin.Age, error) {
	age, err := c.catchUp(ctx, how)
	if err != nil {
		return nil, 0, err
	}
	list := []admin.Credential{}
	for o := range c.n.fsm.Directory().Objects(directory.ObjectCredential) {
		k, err := vault.Decode(o.ID, o.Spec)
		if err != nil {
			c.n.log.Error("a credential is not listed", slog.Any("error", err))
			k = &vault.Credential{ID: o.ID, Description: "cannot be read by this build"}
		}
		list = append(list, c.credentialText(o, k))
	}
	slices.SortFunc(list, func(a, b admin.Credential) int { return strings.Compare(a.ID, b.ID) })
	return list, age, nil
}

func (c control) credentialText(o *directory.Object, k *vault.Credential) admin.Credential {
	out := admin.Credential{
		ID: k.ID, Version: o.Version, Description: k.Description, Provider: k.Provider, Fingerprint: k.Fingerprint, State: "active",
		Master: k.Sealed.Master, Generation: k.Sealed.Generation, Created: timeText(o.Created), Rotated: timeText(k.Rotated), Expires: timeText(k.Expires),
		Match: k.Match, Weight: max(k.Weight, 1), Disabled: k.Disabled,
	}
	switch {
	case k.Disabled:
		out.State = "disabled"
	case k.Expired(now()):
		out.State = "expired"
	case !slices.Contains(c.n.vault.vault.Masters().IDs(), k.Sealed.Master):
		out.State = "sealed"
	}
	return out
}

// PutCredential implements admin.Credentials.
func (c control) PutCredential(ctx context.Context, id string, expect admin.Expect, in admin.NewCredential) (admin.Credential, error) {
	if err := vault.CheckID(id); err != nil {
		return admin.Credential{}, admin.Invalid(err.Error())
	}
	expires, err := instantOf(in.Expires, 0)
	if err != nil {
		return admin.Credential{}, err
	}
	if in.Secret != "" {
		if err := vault.CheckSecret([]byte(in.Secret)); err != nil {
			return admin.Credential{}, admin.Invalid(err.Error())
		}
	}
	return c.changeCredential(ctx, id, expect, func(was *vault.Credential) (*vault.Credential, error) {
		k := &vault.Credential{ID: id, Description: in.Description, Provider: in.Provider, Expires: expires, Match: in.Match, Weight: in.Weight, Disabled: in.Disabled}
		switch {
		case in.Secret != "":
			var sealed vault.Sealed
			if was != nil {
				sealed = was.Sealed
			}
			if err := c.n.vault.vault.Masters().Reload(); err != nil {
				c.n.log.Error("the master keys cannot be read again; those that were read stay in use", slog.Any("error", err))
			}
			var err error
			if k.Sealed, k.Fingerprint, err = c.n.vault.vault.Seal(ctx, k.Binding(), []byte(in.Secret), sealed); err != nil {
				return nil, sealing(err)
			}
			k.Rotated = now()
		case was == nil:
			return nil, admin.Invalid("a new credential needs its secret")
		case was.Provider != k.Provider:
			return nil, admin.Invalid(fmt.Sprintf("the secret is sealed for the provider %q: to change it, send the secret too", was.Provider))
		default:
			k.Sealed, k.Fingerprint, k.Rotated = was.Sealed, was.Fingerprint, was.Rotated
		}
		if err := k.Validate(); err != nil {
			return nil, admin.Invalid(err.Error())
		}
		return k, nil
	})
}

// sealing is the answer when the vault could not do its part. Its errors name keys
// by their ids, and have nothing secret in them.
func sealing(err error) error {
	return &admin.Fault{Status: 503, Code: "vault_unavailable", Message: err.Error()}
}

// changeCredential makes another credential of the one that is there, nil if there
// is none. Where nothing is expected, a change that somebody else's has come before
// is made again.
func (c control) changeCredential(ctx context.Context, id string, expect admin.Expect, change func(*vault.Credential) (*vault.Credential, error)) (admin.Credential, error) {
	if _, err := c.catchUp(ctx, admin.Linearizable); err != nil {
		return admin.Credential{}, err
	}
	for try := 1; ; try++ {
		was, version, err := c.credential(id)
		if err != nil {
			return admin.Credential{}, err
		}
		if expect != nil {
			version = *expect
		}
		k, err := change(was)
		if err != nil {
			return admin.Credential{}, err
		}
		spec, err := json.Marshal(k)
		if err != nil {
			return admin.Credential{}, fmt.Errorf("encoding credential %s: %w", id, err)
		}
		err = c.changeObject(ctx, credentialRef(id), directory.PutObject{Ref: credentialRef(id), Expect: version, Spec: spec}, nil)
		if expect == nil && try < changeTries && conflicts(err) {
			continue
		}
		if err != nil {
			return admin.Credential{}, err
		}
		o, ok := c.n.fsm.Directory().Object(credentialRef(id))
		if !ok {
			return admin.Credential{}, admin.Conflict("the credential was put and has been deleted again")
		}
		if k, err = vault.Decode(id, o.Spec); err != nil {
			return admin.Credential{}, err
		}
		return c.credentialText(o, k), nil
	}
}

func conflicts(err error) bool {
	var f *admin.Fault
	return errors.As(err, &f) && f.Code == "conflict"
}

// credential is what is there of an id, with its version: nil and 0 for nothing.
func (c control) credential(id string) (*vault.Credential, uint64, error) {
	o, ok := c.n.fsm.Directory().Object(credentialRef(id))
	if !ok {
		return nil, 0, nil
	}
	k, err := vault.Decode(id, o.Spec)
	if err != nil {
		return nil, 0, admin.Conflict(err.Error())
	}
	return k, o.Version, nil
}

// existing is what is there of an id, or a fault.
func (c control) existing(ctx context.Context, id string) (*vault.Credential, error) {
	if _, err := c.catchUp(ctx, admin.Linearizable); err != nil {
		return nil, err
	}
	k, _, err := c.credential(id)
	if err == nil && k == nil {
		err = admin.NotFound("no credential " + strconv.Quote(id))
	}
	return k, err
}

// DeleteCredential implements admin.Credentials.
func (c control) DeleteCredential(ctx context.Context, id string, expect admin.Expect) error {
	if _, err := c.catchUp(ctx, admin.Linearizable); err != nil {
		return err
	}
	ref := credentialRef(id)
	if _, ok := c.n.fsm.Directory().Object(ref); !ok {
		return admin.NotFound("no credential " + strconv.Quote(id))
	}
	return c.changeObject(ctx, ref, directory.DeleteObject{Ref: ref, Expect: versionOf(expect)}, nil)
}

// MatchCredential implements admin.Credentials.
func (c control) MatchCredential(ctx context.Context, id, secret string) (bool, error) {
	k, err := c.existing(ctx, id)
	if err != nil {
		return false, err
	}
	ok, err := c.n.vault.vault.Matches(ctx, k.Binding(), k.Sealed, []byte(secret))
	if err != nil {
		return false, sealing(err)
	}
	return ok, nil
}

// RotateData implements admin.Credentials.
func (c control) RotateData(ctx context.Context, id string) (admin.Credential, error) {
	if _, err := c.existing(ctx, id); err != nil {
		return admin.Credential{}, err
	}
	return c.changeCredential(ctx, id, nil, func(was *vault.Credential) (*vault.Credential, error) {
		return reseal(was, func() (s vault.Sealed, err error) { return c.n.vault.vault.Renew(ctx, was.Binding(), was.Sealed) })
	})
}

// reseal is the credential with its secret in another sealed form.
func reseal(was *vault.Credential, seal func() (vault.Sealed, error)) (*vault.Credential, error) {
	if was == nil {
		return nil, admin.NotFound("the credential has been deleted")
	}
	k := *was
	var err error
	if k.Sealed, err = seal(); err != nil {
		return nil, sealing(err)
	}
	return &k, nil
}

// RotateMaster implements admin.Credentials. Each credential is a change of its
// own, so that it can be broken off anywhere and begun again.
func (c control) RotateMaster(ctx context.Context, in admin.RotateMaster) (admin.MasterRotation, error) {
	if _, err := c.catchUp(ctx, admin.Linearizable); err != nil {
		return admin.MasterRotation{}, err
	}
	v := c.n.vault.vault
	if err := v.Masters().Reload(); err != nil {
		return admin.MasterRotation{}, sealing(err)
	}
	master, err := v.Masters().Current()
	if err != nil {
		return admin.MasterRotation{}, sealing(err)
	}
	out := admin.MasterRotation{Master: master.KeyID()}
	how := vault.Outdated
	if in.Again {
		how = vault.Again
	}
	var ids []string
	for o := range c.n.fsm.Directory().Objects(directory.ObjectCredential) {
		if o.ID > in.After {
			ids = append(ids, o.ID)
		}
	}
	slices.Sort(ids)
	until := time.Now().Add(rotateTime)
	for i, id := range ids {
		changed, err := c.rewrap(ctx, id, how)
		switch {
		case ctx.Err() != nil:
			return out, ambiguous(ctx.Err())
		case err != nil:
			out.Failed = append(out.Failed, admin.FailedRewrap{ID: id, Why: err.Error()})
		case changed:
			out.Rewrapped++
		default:
			out.Unchanged++
		}
		if time.Now().After(until) && i+1 < len(ids) {
			out.Next = id
			break
		}
	}
	c.n.log.Info("data keys were wrapped by the current master key", "master", out.Master, "rewrapped", out.Rewrapped, "unchanged", out.Unchanged, "failed", len(out.Failed))
	return out, nil
}

// rewrap wraps one data key anew, if it has to be.
func (c control) rewrap(ctx context.Context, id string, how vault.Rewrapping) (changed bool, err error) {
	for try := 1; ; try++ {
		was, version, err := c.credential(id)
		if err != nil || was == nil { // nil: it was deleted meanwhile
			return false, err
		}
		k := *was
		if k.Sealed, changed, err = c.n.vault.vault.Rewrap(ctx, was.Binding(), was.Sealed, how); err != nil || !changed {
			return false, err
		}
		spec, err := json.Marshal(&k)
		if err != nil {
			return false, fmt.Errorf("encoding credential %s: %w", id, err)
		}
		err = c.changeObject(ctx, credentialRef(id), directory.PutObject{Ref: credentialRef(id), Expect: version, Spec: spec}, nil)
		if err == nil || try == changeTries || !conflicts(err) {
			return err == nil, err
		}
	}
}

// VaultStatus implements admin.Credentials.
func (c control) VaultStatus(ctx context.Context, how admin.Read) (admin.VaultStatus, admin.Age, error) {
	age, err := c.catchUp(ctx, how)
	if err != nil {
		return admin.VaultStatus{}, 0, err
	}
	masters := c.n.vault.vault.Masters()
	if err := masters.Reload(); err != nil {
		c.n.log.Error("the master keys cannot be read again; those that were read stay in use", slog.Any("error", err))
	}
	out := admin.VaultStatus{Node: c.n.cfg.Node.ID, Known: masters.IDs(), Needed: map[string]int{}}
	if len(out.Known) > 0 {
		out.Current = out.Known[0]
	}
	for o := range c.n.fsm.Directory().Objects(directory.ObjectCredential) {
		if k, err := vault.Decode(o.ID, o.Spec); err == nil {
			out.Needed[k.Sealed.Master]++
		}
	}
	return out, age, nil
}
