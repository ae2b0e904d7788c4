package node

import (
	"encoding/json"
	"errors"
	"testing"

	"purser/api/admin"
	"purser/internal/access"
	"purser/internal/governance"
)

// TestEveryKindOfObjectHasPermissions: a node that has a kind without them does not start.
func TestEveryKindOfObjectHasPermissions(t *testing.T) {
	for _, k := range governance.Kinds {
		for _, of := range []string{":read", ":write"} {
			if p := access.Permission(k.Plural + of); !p.Known() {
				t.Errorf("there is no permission %s", p)
			}
		}
	}
}

// TestATemplateThatIsGoneIsNotChanged: a change of one that was deleted makes none anew.
func TestATemplateThatIsGoneIsNotChanged(t *testing.T) {
	n, _ := loneNode(t)
	_, err := control{n}.PutObject(t.Context(), "templates", "support@1", admin.Version(7), json.RawMessage(`{"system":"You help."}`))
	if fault := (*admin.Fault)(nil); !errors.As(err, &fault) || fault.Code != "conflict" {
		t.Errorf("%v", err)
	}
}
