package e2e

import (
	"cmp"
	"encoding/base64"
	"encoding/json"
	"fmt"
	"os"
	"path/filepath"
	"runtime"
	"strings"

	"purser/e2e/compat"
)

// arch is the machine's, as npm's packages name it.
var arch = map[string]string{"amd64": "x64"}

// platform is the end of the name of a package with a program for this machine.
func platform() string { return runtime.GOOS + "-" + cmp.Or(arch[runtime.GOARCH], runtime.GOARCH) }

// knobsOf are the settings of an agent's turn: where, and a key.
func knobsOf(id string, x turn) (url, key string) {
	for i := range compat.Clients {
		if c := &compat.Clients[i]; c.ID == id {
			return x.knobs[c.URL.Name], cmp.Or(x.key, x.knobs[c.Key.Name])
		}
	}
	panic("no client " + id)
}

func schemaFile(x turn) (string, error) {
	path := filepath.Join(x.dir, "schema.json")
	text, err := json.Marshal(gramsSchema)
	if err != nil {
		return "", err
	}
	return path, os.WriteFile(path, text, 0o600)
}

// codex is OpenAI's agent, with the node as a provider of the user's own.
var codex = agent{
	tools: []string{"exec_command", "get_goal"},
	command: func(a *agent, x turn) (args, env []string, in string, err error) {
		url, key := knobsOf("codex", x)
		config := fmt.Sprintf("model = \"gpt-5\"\nmodel_provider = \"purser\"\n[model_providers.purser]\nname = \"purser\"\nbase_url = %q\nenv_key = \"PURSER_KEY\"\nwire_api = \"responses\"\n", url)
		if err := os.WriteFile(filepath.Join(a.home, "config.toml"), []byte(config), 0o600); err != nil {
			return nil, nil, "", err
		}
		args = []string{filepath.Join(a.installed, ".bin", "codex"), "exec", "--skip-git-repo-check", "--json", "--model", cmp.Or(x.model, "gpt-5")}
		if x.schema {
			path, err := schemaFile(x)
			if err != nil {
				return nil, nil, "", err
			}
			args = append(args, "--output-schema", path)
		}
		if x.picture != "" {
			args = append(args, "--image", x.picture)
		}
		if x.free {
			args = append(args, "--dangerously-bypass-approvals-and-sandbox")
		}
		return append(args, "--", x.prompt), []string{"CODEX_HOME=" + a.home, "PURSER_KEY=" + key}, "", nil
	},
	read: func(e event, s *said) {
		switch {
		case e.text("type") == "item.completed" && e.text("item", "type") == "agent_message":
			s.text = e.text("item", "text")
			s.word = s.text
		case e.text("type") == "turn.completed":
			s.tokens = e.number("usage", "input_tokens")
		case e.text("type") == "turn.failed":
			s.err = e.text("error", "message")
		}
	},
}

// claudeCode is Anthropic's agent, by its native program.
var claudeCode = agent{
	tools: []string{"Read", "ToolSearch"},
	command: func(a *agent, x turn) (args, env []string, in string, err error) {
		url, key := knobsOf("claude-code", x)
		args = []string{filepath.Join(a.installed, "@anthropic-ai", "claude-code-"+platform(), "claude"), "--print", "--output-format", "stream-json", "--verbose", "--model", cmp.Or(x.model, "claude-haiku-4-5")}
		if x.schema {
			text, err := json.Marshal(gramsSchema)
			if err != nil {
				return nil, nil, "", err
			}
			args = append(args, "--json-schema", string(text))
		}
		if x.free {
			args = append(args, "--allowedTools", "Bash,Read")
		}
		in = x.prompt
		if x.picture != "" {
			args = append(args, "--input-format", "stream-json")
			if in, err = claudePicture(x); err != nil {
				return nil, nil, "", err
			}
		}
		// The rest is for the run of a test: nothing is asked of anybody else.
		return args, []string{"ANTHROPIC_BASE_URL=" + url, "ANTHROPIC_AUTH_TOKEN=" + key,
			"CLAUDE_CODE_DISABLE_NONESSENTIAL_TRAFFIC=1", "DISABLE_TELEMETRY=1", "DISABLE_ERROR_REPORTING=1", "DISABLE_AUTOUPDATER=1"}, in, nil
	},
	read: func(e event, s *said) {
		if e.text("type") != "result" {
			return
		}
		s.text = e.text("result")
		if failed, _ := e.get("is_error").(bool); failed {
			s.err = s.text
		}
		if word, err := json.Marshal(e.get("structured_output")); err == nil {
			s.word = string(word)
		}
		for _, part := range []string{"input_tokens", "cache_creation_input_tokens", "cache_read_input_tokens"} {
			s.tokens += e.number("usage", part)
		}
	},
}

// claudePicture is a prompt with a picture, as Claude Code reads it from its input.
func claudePicture(x turn) (string, error) {
	b, err := os.ReadFile(x.picture)
	if err != nil {
		return "", err
	}
	line, err := json.Marshal(map[string]any{"type": "user", "message": map[string]any{"role": "user", "content": []any{
		map[string]any{"type": "image", "source": map[string]any{"type": "base64", "media_type": "image/png", "data": base64.StdEncoding.EncodeToString(b)}},
		map[string]any{"type": "text", "text": x.prompt},
	}}})
	return string(line) + "\n", err
}

// opencode asks any provider through Vercel's AI SDK.
var opencode = agent{
	tools:    []string{"glob", "grep"},
	noSchema: "`opencode run` takes no schema",
	command: func(a *agent, x turn) (args, env []string, in string, err error) {
		url, key := knobsOf("opencode", x)
		model := cmp.Or(x.model, "gpt-4o-mini")
		sees := map[string]any{"attachment": true, "modalities": map[string]any{"input": []string{"text", "image"}, "output": []string{"text"}}}
		config, err := json.Marshal(map[string]any{"autoupdate": false, "share": "disabled", "provider": map[string]any{"purser": map[string]any{
			"npm": "@ai-sdk/openai-compatible", "options": map[string]any{"baseURL": url, "apiKey": key}, "models": map[string]any{model: sees},
		}}})
		if err != nil {
			return nil, nil, "", err
		}
		if err := os.WriteFile(filepath.Join(x.dir, "opencode.json"), config, 0o600); err != nil {
			return nil, nil, "", err
		}
		// With a title it does not ask the model for one.
		args = []string{filepath.Join(a.installed, "opencode-"+platform(), "bin", "opencode"), "run", "--format", "json", "--title", "hello",
			"--model", "purser/" + model, x.prompt}
		if x.picture != "" {
			args = append(args, "--file", x.picture)
		}
		return args, []string{"OPENCODE_DISABLE_MODELS_FETCH=1", "OPENCODE_DISABLE_AUTOUPDATE=1"}, "", nil
	},
	read: func(e event, s *said) {
		switch e.text("type") {
		case "text":
			s.text = e.text("part", "text")
		case "step_finish":
			s.tokens += e.number("part", "tokens", "input") + e.number("part", "tokens", "cache", "read")
		case "error":
			s.err = strings.TrimSpace(e.text("error", "data", "message") + " " + fmt.Sprint(e.get("error", "data", "statusCode")))
		}
	},
}
