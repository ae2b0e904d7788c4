package admin

import "testing"

func TestPurgeSaysWhatGoesOrAll(t *testing.T) {
	api := newAPI(t, &node{}, nil)
	for body, want := range map[string]int{
		`{}`: 400, `{"all":true,"tenant":"org:a"}`: 400, `{"all":true}`: 200, `{"tenant":"org:a"}`: 200, `{"scope":"00","tenant":"org:a"}`: 200, `{"everything":true}`: 400,
	} {
		if got := send(t, api.Handler(), "POST", "/admin/v1/semcache/purge", body, map[string]string{"Authorization": "Bearer " + token}); got.status != want {
			t.Errorf("%s: %d %s, want %d", body, got.status, got.body.String(), want)
		}
	}
	for body, want := range map[string]int{
		`{}`: 400, `{"call":{"key":"k","path":"/v1/chat/completions","body":{}}}`: 200, `{"call":{"path":"/v1/chat/completions","body":{}}}`: 400, `{"call":{"key":"k","path":"/x"}}`: 400,
	} {
		if got := send(t, api.Handler(), "POST", "/admin/v1/semcache/explain", body, map[string]string{"Authorization": "Bearer " + token}); got.status != want {
			t.Errorf("%s: %d %s, want %d", body, got.status, got.body.String(), want)
		}
	}
}
