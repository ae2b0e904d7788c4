package e2e

import (
	"context"
	"crypto/sha256"
	"errors"
	"fmt"
	"net/http"
	"strings"
	"testing"

	"purser/api/admin"
)

// TestLifeOfAKey is told in order, over the admin API and by requests.
func TestLifeOfAKey(t *testing.T) {
	r := newRig(t, rigOptions{})
	ctx := context.Background()
	const own, foreign = "cached and asked", "sk-of-another-gateway-0123456789"
	k := r.key(admin.NewKey{Name: "service", CacheOff: true, Models: []string{"gpt-4o*"},
		KeyRights: admin.KeyRights{Owner: "team:search", Endpoints: []string{"/v1/chat/*"}, Description: own},
		Budgets:   []admin.KeyBudget{{Limit: "2", Window: "day"}, {Unit: "requests", Limit: "100", Window: "minute"}}})
	wants := func(what, secret string, want int) {
		t.Helper()
		if s := r.askAt(r.url, secret, what); s != want {
			t.Errorf("%s: status %d, want %d", what, s, want)
		}
	}
	conflict := func(what string, err error) {
		t.Helper()
		var f *admin.Fault
		if !errors.As(err, &f) || f.Status != http.StatusConflict {
			t.Errorf("%s: %v", what, err)
		}
	}
	wants("as made", k.Secret, 200)
	shown, err := r.admin.ShowKey(ctx, k.ID)
	if err != nil || len(shown.Budgets) != 2 || shown.Owner != "team:search" || shown.State != "active" || shown.Description != own {
		t.Fatalf("shown %+v, %v", shown, err)
	}
	if status, body, _ := r.post("/v1/responses", k.Secret, `{"model":"gpt-4o-mini","input":"x"}`); status != 403 || !strings.Contains(body, "endpoint_not_allowed") {
		t.Errorf("another route: %d %s", status, body)
	}

	models, budgets := []string{"gpt-5*"}, []admin.KeyBudget{{Limit: "3", Window: "day"}}
	changed, err := r.admin.UpdateKey(ctx, k.ID, admin.Version(shown.Version), admin.KeyChange{Models: &models, Budgets: &budgets})
	if err != nil || changed.Version <= shown.Version || changed.Name != "service" {
		t.Fatalf("changed %+v, %v", changed, err)
	}
	_, err = r.admin.UpdateKey(ctx, k.ID, admin.Version(shown.Version), admin.KeyChange{Models: &[]string{}})
	conflict("a change from an old version", err)
	wants("narrowed", k.Secret, 403)
	if _, err := r.admin.UpdateKey(ctx, k.ID, nil, admin.KeyChange{Models: &[]string{}}); err != nil {
		t.Fatal(err)
	}
	wants("widened", k.Secret, 200)
	if shown, err := r.admin.ShowKey(ctx, k.ID); err != nil || len(shown.Budgets) != 1 || shown.Budgets[0].Limit != "3" {
		t.Errorf("its budgets are %+v, %v", shown.Budgets, err)
	}

	second, err := r.admin.RotateKey(ctx, k.ID, admin.Rotation{Overlap: "1h"})
	if err != nil || second.OldUntil == "" || second.Secret == k.Secret {
		t.Fatalf("rotated %+v, %v", second, err)
	}
	wants("the secret before", k.Secret, 200)
	wants("the other one", second.Secret, 200)
	if _, err := r.admin.RotateKey(ctx, k.ID, admin.Rotation{EndOverlap: true}); err != nil {
		t.Fatal(err)
	}
	wants("the secret before, after its overlap", k.Secret, 401)
	brought, err := r.admin.RotateKey(ctx, k.ID, admin.Rotation{Overlap: "0s", Hash: fmt.Sprintf("%x", sha256.Sum256([]byte(foreign)))})
	if err != nil || brought.Secret != "" {
		t.Fatalf("brought %+v, %v", brought, err)
	}
	wants("a secret from elsewhere", foreign, 200)
	wants("without an overlap", second.Secret, 401)

	conflict("an active key is forgotten", r.admin.ForgetKey(ctx, k.ID))
	if _, err := r.admin.RevokeKey(ctx, k.ID); err != nil {
		t.Fatal(err)
	}
	wants("revoked", foreign, 401)
	_, err = r.admin.RotateKey(ctx, k.ID, admin.Rotation{})
	conflict("a revoked key is rotated", err)
	if err := r.admin.ForgetKey(ctx, k.ID); err != nil {
		t.Fatal(err)
	}
	list, err := r.admin.ListBudgets(ctx)
	if err != nil || len(list) != 0 {
		t.Errorf("budgets that are left: %+v, %v", list, err)
	}
	var f *admin.Fault
	if err := r.admin.ForgetKey(ctx, k.ID); !errors.As(err, &f) || f.Status != http.StatusNotFound {
		t.Errorf("forgotten twice: %v", err)
	}
	for name, bad := range map[string]admin.NewKey{
		"a tag of the gateway's":  {Name: "x", Bound: map[string]string{"tag:purser.slice.1": "1"}},
		"an unknown scope":        {Name: "x", KeyRights: admin.KeyRights{Scopes: []string{"all"}}},
		"an owner of no kind":     {Name: "x", KeyRights: admin.KeyRights{Owner: "acme"}},
		"two budgets of one kind": {Name: "x", Budgets: []admin.KeyBudget{{Limit: "1"}, {Limit: "2"}}},
		"a hash that is none":     {Name: "x", Hash: "abc"},
	} {
		if _, err := r.admin.CreateKey(ctx, bad); !errors.As(err, &f) || f.Status != http.StatusBadRequest {
			t.Errorf("%s: %v", name, err)
		}
	}
	if _, err := r.admin.PutBudget(ctx, usd("purser.slice.1.50000000.20783", "100")); !errors.As(err, &f) || f.Status != http.StatusBadRequest {
		t.Errorf("a rule of slices was changed: %v", err)
	}
}
