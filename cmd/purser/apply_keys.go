package main

import (
	"context"
	"encoding/json"
	"fmt"
	"strings"

	"purser/api/admin"
	"purser/internal/desired"
	"purser/node"
)

const keyKind = "keys"

// keySpec is a key in a file.
type keySpec struct {
	Name string `json:"name,omitempty"`
	// SHA256 is that of a secret that exists elsewhere. It makes the key, and counts no
	// more then: nodes show it to nobody, for a short secret could be guessed from it.
	SHA256   string            `json:"sha256,omitempty"`
	Bound    map[string]string `json:"bound,omitempty"`
	Required []string          `json:"required,omitempty"`
	Models   []string          `json:"models,omitempty"`
	Expires  string            `json:"expires,omitempty"`
	CacheOff bool              `json:"cache_off,omitempty"`
	admin.KeyRights
	Suspended bool              `json:"suspended,omitempty"`
	Budgets   []admin.KeyBudget `json:"budgets,omitempty"`
}

func (s *keySpec) newKey(id string) admin.NewKey {
	return admin.NewKey{
		ID: id, Name: s.Name, Hash: s.SHA256, Bound: s.Bound, Required: s.Required, Models: s.Models, Expires: s.Expires, CacheOff: s.CacheOff,
		KeyRights: s.KeyRights, Suspended: s.Suspended, Budgets: s.Budgets,
	}
}

func specOf(k admin.NewKey) keySpec {
	return keySpec{
		Name: k.Name, SHA256: k.Hash, Bound: k.Bound, Required: k.Required, Models: k.Models, Expires: k.Expires, CacheOff: k.CacheOff,
		KeyRights: k.KeyRights, Suspended: k.Suspended, Budgets: k.Budgets,
	}
}

func readSpec(id string, b json.RawMessage) (admin.NewKey, error) {
	var s keySpec
	d := json.NewDecoder(strings.NewReader(string(b)))
	d.DisallowUnknownFields()
	err := d.Decode(&s)
	return s.newKey(id), err
}

// keysOfFile are the keys that a file can have. What is deleted is revoked.
var keysOfFile = desired.Kind{
	Plural: keyKind,
	Normal: func(id string, b json.RawMessage) (json.RawMessage, error) {
		k, err := readSpec(id, b)
		if err != nil {
			return nil, err
		}
		if k, err = node.NormalKey(k); err != nil {
			return nil, err
		}
		return json.Marshal(specOf(k))
	},
	Shown: func(b json.RawMessage) json.RawMessage {
		k, err := readSpec("", b)
		if err != nil {
			return b
		}
		k.Hash = ""
		shown, err := json.Marshal(specOf(k))
		if err != nil {
			return b
		}
		return shown
	},
}

// heldKeys are the keys that the cluster has and that are not revoked.
func heldKeys(ctx context.Context, c *admin.Client, budgets []admin.BudgetDetail) (map[string]desired.Item, error) {
	list, err := c.ListKeys(ctx)
	if err != nil {
		return nil, err
	}
	own := map[string][]admin.BudgetDetail{}
	for _, b := range budgets {
		if keys := b.Match["key"]; len(keys) == 1 && node.BelongsToKey(b.Budget) {
			own[keys[0]] = append(own[keys[0]], b)
		}
	}
	items := map[string]desired.Item{}
	for _, k := range list {
		if k.State == "revoked" {
			continue
		}
		spec, err := json.Marshal(specOf(node.NewKeyOf(k, own[k.ID])))
		if err != nil {
			return nil, err
		}
		items[k.ID] = desired.Item{Version: k.Version, Spec: spec}
	}
	return items, nil
}

// secretsKnown refuses a plan that would make a key without a secret to make it of.
func secretsKnown(steps []desired.Step) error {
	for i := range steps {
		s := &steps[i]
		if s.Kind != keyKind || s.Op != desired.Create {
			continue
		}
		k, err := readSpec(s.ID, s.After)
		if err != nil {
			return err
		}
		if k.Hash == "" {
			return fmt.Errorf("keys %s: it is not there, and without sha256 a file makes none, for its secret would have nowhere to go: `purser key create --id %s NAME` makes one", s.ID, s.ID)
		}
	}
	return nil
}

func carryOutKey(ctx context.Context, c *admin.Client, s *desired.Step) error {
	if s.Op == desired.Delete {
		_, err := c.RevokeKey(ctx, s.ID)
		return err
	}
	k, err := readSpec(s.ID, s.After)
	if err != nil {
		return err
	}
	if s.Op == desired.Create {
		_, err = c.CreateKey(ctx, k)
		return err
	}
	_, err = c.UpdateKey(ctx, s.ID, admin.Version(s.Version), k.Change())
	return err
}
