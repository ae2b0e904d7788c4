package node

import (
	"strings"
	"testing"

	"purser/api/admin"
	"purser/internal/directory"
)

func TestAKeyTakesPatternsWithStarsAlone(t *testing.T) {
	for _, model := range []string{"gpt-5?", "[ab]", "{a,b}", `a\b`} {
		if err := changeKey(&directory.Key{}, &admin.KeyChange{Models: &[]string{"gpt-5-mini", model}}); err == nil || !strings.Contains(err.Error(), "models") {
			t.Errorf("a key for %q: %v", model, err)
		}
	}
	if err := changeKey(&directory.Key{}, &admin.KeyChange{Endpoints: &[]string{"v1/chat"}}); err == nil {
		t.Error("a route without its slash was taken")
	}
	k := directory.Key{AllowUpstreams: []string{"old"}}
	if err := changeKey(&k, &admin.KeyChange{Models: &[]string{"gpt-*"}, Endpoints: &[]string{"/v1/chat/*", "*"}}); err != nil || k.AllowModels[0] != "gpt-*" || k.AllowUpstreams[0] != "old" {
		t.Errorf("%+v, %v", k, err)
	}
}
