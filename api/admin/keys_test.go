package admin

import (
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"net/http"
	"testing"
)

func (n *node) ShowKey(_ context.Context, id string, how Read) (KeyDetail, Age, error) {
	n.read = how
	return KeyDetail{Key: Key{ID: id, Version: 7}}, 0, n.err
}

func (n *node) UpdateKey(_ context.Context, id string, expect Expect, change KeyChange) (Key, error) {
	b, _ := json.Marshal(change)
	want := "any"
	if expect != nil {
		want = fmt.Sprint(*expect)
	}
	n.changed = append(n.changed, "update "+id+" "+want+" "+string(b))
	return Key{ID: id, Version: 8}, n.err
}

func (n *node) RotateKey(_ context.Context, id string, how Rotation) (CreatedKey, error) {
	n.changed = append(n.changed, fmt.Sprint("rotate ", id, " ", how))
	return CreatedKey{Key: Key{ID: id}, Secret: "pk_other"}, n.err
}

func (n *node) ForgetKey(_ context.Context, id string) error {
	n.changed = append(n.changed, "forget "+id)
	return n.err
}

func TestClientAndAPIAgreeOnALifeOfAKey(t *testing.T) {
	n, url := serve(t)
	c, ctx := &Client{URL: url, Token: token}, context.Background()
	if k, err := c.ShowKey(ctx, "key_1"); err != nil || k.ID != "key_1" || k.Version != 7 {
		t.Errorf("shown %+v, %v", k, err)
	}
	models, none := []string{"gpt-*"}, ""
	if k, err := c.UpdateKey(ctx, "key_1", Version(7), KeyChange{Models: &models, Expires: &none}); err != nil || k.Version != 8 {
		t.Errorf("updated %+v, %v", k, err)
	}
	if _, err := c.UpdateKey(ctx, "key_1", nil, KeyChange{}); err != nil {
		t.Error(err)
	}
	if k, err := c.RotateKey(ctx, "key_1", Rotation{Overlap: "1h"}); err != nil || k.Secret != "pk_other" {
		t.Errorf("rotated %+v, %v", k, err)
	}
	if err := c.ForgetKey(ctx, "key_1"); err != nil {
		t.Error(err)
	}
	want := fmt.Sprint([]string{`update key_1 7 {"models":["gpt-*"],"expires":""}`, `update key_1 any {}`, "rotate key_1 {1h  false}", "forget key_1"})
	if fmt.Sprint(n.changed) != want {
		t.Errorf("asked %v, want %v", n.changed, want)
	}
	n.err = Conflict("no")
	var f *Fault
	if err := c.ForgetKey(ctx, "key_1"); !errors.As(err, &f) || f.Status != http.StatusConflict {
		t.Errorf("a conflict comes as %v", err)
	}
}
