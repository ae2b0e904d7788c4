package node

import (
	"strings"
	"testing"

	"purser/api/admin"
)

// TestAKeyTakesNoPatternOfModels: it would let the key ask for no model at all.
func TestAKeyTakesNoPatternOfModels(t *testing.T) {
	_, err := control{}.CreateKey(t.Context(), admin.NewKey{Name: "k", Models: []string{"gpt-4o", "gpt-4o-*"}})
	if err == nil || !strings.Contains(err.Error(), `"gpt-4o-*" is no model's name`) {
		t.Errorf("made with %v", err)
	}
}
