package proxy

import (
	"fmt"
	"net/netip"
	"testing"

	"purser/proxy/dialect"
)

// told is a Denials that keeps what it is told.
type told []Denial

func (d *told) Denied(in Denial) { *d = append(*d, in) }

// TestDenialsOfPoliciesAreTold, with the rule and who asked; what budgets refuse, and
// what is no policy's doing, is not.
func TestDenialsOfPoliciesAreTold(t *testing.T) {
	w := newWorld(t, answerJSON, nil)
	var got told
	w.gateway.seams.Denials = &got
	key := &Principal{ID: "key_1"}
	w.keys[sha("pk_good")] = keyed{key, KeyActive}
	ask := func() int {
		a, _ := w.serve(&Request{
			Method: "POST", Path: "/v1/chat/completions", Body: []byte(question), Remote: netip.MustParseAddrPort("192.0.2.7:4711"),
			Header: headerList{"Authorization", "Bearer pk_good"},
		})
		return a.Status
	}
	if s := ask(); s != 200 || len(got) != 0 {
		t.Fatalf("status %d, told %v", s, got)
	}
	w.purse.free = 0
	if s := ask(); s != 402 || len(got) != 0 {
		t.Errorf("a refusal for money: status %d, told %v", s, got)
	}
	key.Models = Allow{{"gpt-4.1"}}
	want := Denial{Policy: "key", Rule: "models", Code: "model_not_allowed", Key: key.ID, Address: netip.MustParseAddr("192.0.2.7")}
	if s := ask(); s != 403 || len(got) != 1 || got[0] != want {
		t.Errorf("a model that the key may not ask for: status %d, told %+v", s, got)
	}
	// A stage that refuses by a policy names it.
	x := w.gateway.begin(&Request{Header: headerList(nil), Remote: netip.MustParseAddrPort("192.0.2.7:4711")})
	x.refusedBy = ruledBy{"office-hours", "night"}
	x.tellDenial(dialect.NewError(dialect.CodeInvalidValue, "", "no"), want.Address)
	x.recycle()
	if fmt.Sprint(got[1:]) != fmt.Sprint([]Denial{{Policy: "office-hours", Rule: "night", Code: "invalid_value", Address: want.Address}}) {
		t.Errorf("told %+v", got[1:])
	}
	if x = w.gateway.begin(&Request{Header: headerList(nil)}); x.refusedBy != (ruledBy{}) {
		t.Error("an exchange that is used again has the policy of the one before")
	}
	x.recycle()
}
