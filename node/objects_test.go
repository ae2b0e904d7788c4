package node

import (
	"testing"

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
