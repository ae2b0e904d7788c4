package dialect

import "testing"

func TestClientOf(t *testing.T) {
	for _, x := range []struct {
		agent, originator string
		want              Client
	}{
		{"Codex/1", "", Codex}, {"x", "codex_vscode", Codex}, {"OpenAI/JS 7.57", "", AnyClient}, {"", "", AnyClient}, {"my-codex", "", AnyClient},
		{"opencode/1.18.33 ai-sdk/provider-utils/4.0.23", "", Opencode}, {"x", "opencode", AnyClient},
	} {
		if got := ClientOf([]byte(x.agent), []byte(x.originator)); got != x.want {
			t.Errorf("%q %q: %d", x.agent, x.originator, got)
		}
	}
}
