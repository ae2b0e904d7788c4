package e2e

import (
	"bytes"
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"os"
	"os/exec"
	"path/filepath"
	"strings"
	"syscall"
	"testing"

	"purser/e2e/compat"
)

// turn is one run of an agent: what it is told, and where it may work.
type turn struct {
	knobs      map[string]string
	model, key string // others than those that work
	prompt     string
	picture    string
	schema     bool // the answer is to be a word
	dir        string
	free       bool // it may use any tool: what its model asks for is known
}

// agent is a command line that works on a task by itself and prints what it does
// as lines of JSON.
type agent struct {
	home      string
	installed string   // where its package is
	tools     []string // two of it that take any arguments and do no harm
	// command makes its configuration in the turn's folder, and gives what to run,
	// with which environment and input.
	command func(a *agent, x turn) (args, env []string, in string, err error)
	// read notes what a line says.
	read     func(e event, s *said)
	noSchema string // why it has no structured answers, or ""
}

// said is what an agent printed of its turn.
type said struct {
	text   string // the answer, or the last part of it
	word   string // the structured answer
	err    string
	tokens int64 // of the prompts
	raw    []byte
}

// event is a line of an agent's output.
type event map[string]any

// get walks into an event; nil when there is nothing.
func (e event) get(path ...string) any {
	var at any = map[string]any(e)
	for _, name := range path {
		m, ok := at.(map[string]any)
		if !ok {
			return nil
		}
		at = m[name]
	}
	return at
}

func (e event) text(path ...string) string {
	s, _ := e.get(path...).(string)
	return s
}

func (e event) number(path ...string) int64 {
	n, _ := e.get(path...).(float64)
	return int64(n)
}

// newAgent is an agent with a home of its own.
func newAgent(t *testing.T, id, dir string) *agent {
	t.Helper()
	a := map[string]*agent{"codex": &codex, "claude-code": &claudeCode, "opencode": &opencode}[id]
	opened := *a
	opened.home, opened.installed = t.TempDir(), filepath.Join(dir, "node_modules")
	return &opened
}

// drive runs the turns of a scenario.
func (a *agent) drive(ctx context.Context, x task) error {
	dir, err := os.MkdirTemp(a.home, "work-")
	if err != nil {
		return err
	}
	ask := turn{knobs: x.knobs, prompt: "Say hello.", dir: dir}
	switch x.scenario {
	case compat.Chat, compat.Stream:
		s, err := a.run(ctx, ask, nil)
		return errors.Join(err, want(s.err == "" && s.text != "", "the turn: %.600s", s.raw))
	case compat.Tools, compat.Parallel:
		return a.useTools(ctx, x, ask)
	case compat.Structured:
		if a.noSchema != "" {
			return absent(a.noSchema)
		}
		ask.prompt, ask.schema = question, true
		s, err := a.run(ctx, ask, nil)
		return errors.Join(err, want(s.err == "", "the turn: %.600s", s.raw), isWord(s.word))
	case compat.Image:
		return a.seePicture(ctx, x, ask)
	case compat.Others:
		return absent("an agent asks for nothing else")
	case compat.Errors:
		for _, wrong := range []struct{ model, key, says string }{{model: unpriced, says: "there is no price for"}, {key: "pk_none", says: "401"}} {
			ask.model, ask.key = wrong.model, wrong.key
			s, err := a.run(ctx, ask, nil)
			if err := errors.Join(err, want(strings.Contains(s.err, wrong.says), "the error %q has no %q: %.600s", s.err, wrong.says, s.raw)); err != nil {
				return err
			}
		}
		return nil
	case compat.Cancel:
		ask.prompt = "Tell a long story."
		_, err := a.run(ctx, ask, x.flowing)
		return err
	case compat.Denial:
		s, err := a.run(ctx, ask, nil)
		return errors.Join(err, want(strings.Contains(s.err, "budget") || strings.Contains(s.err, "usage limit"), "the refusal came as %q: %.600s", s.err, s.raw))
	}
	return fmt.Errorf("no scenario %q", x.scenario)
}

// useTools has the model call the agent's own tools, and counts the results that
// the agent sends back.
func (a *agent) useTools(ctx context.Context, x task, ask turn) error {
	names := a.tools[:1]
	if x.scenario == compat.Parallel {
		names = a.tools
	}
	ask.prompt = "Use the tool " + strings.Join(names, " and the tool ")
	s, err := a.run(ctx, ask, nil)
	if err := errors.Join(err, want(s.err == "" && s.text != "", "the turn: %.600s", s.raw)); err != nil {
		return err
	}
	n, err := toolResults(x.lastBody())
	return errors.Join(err, want(n == len(names), "%d results were sent, not %d: %.600s", n, len(names), s.raw))
}

// seePicture asks with a picture and without: the difference is what it cost.
func (a *agent) seePicture(ctx context.Context, x task, ask turn) error {
	plain, err := a.run(ctx, ask, nil)
	if err != nil {
		return err
	}
	ask.picture = x.picture
	s, err := a.run(ctx, ask, nil)
	const least = 200 // tokens, of the smallest formula of these models
	return errors.Join(err, want(s.err == "" && s.text != "" && s.tokens >= plain.tokens+least, "%d tokens without a picture, %d with it: %.600s", plain.tokens, s.tokens, s.raw))
}

// run lets the agent have its turn. When interrupt is there and returns, the agent
// is told to stop, as by a person at the terminal.
func (a *agent) run(ctx context.Context, x turn, interrupt func(context.Context) error) (said, error) {
	args, env, in, err := a.command(a, x)
	if err != nil {
		return said{}, err
	}
	cmd := exec.CommandContext(ctx, args[0], args[1:]...)
	cmd.Dir, cmd.Env, cmd.Stdin = x.dir, append(env, "PATH="+os.Getenv("PATH"), "HOME="+a.home), strings.NewReader(in)
	var out, noise bytes.Buffer
	cmd.Stdout, cmd.Stderr = &out, &noise
	// What it starts is in its group, and must not outlive it.
	cmd.SysProcAttr = &syscall.SysProcAttr{Setpgid: true}
	cmd.Cancel = func() error { return syscall.Kill(-cmd.Process.Pid, syscall.SIGKILL) }
	if err := cmd.Start(); err != nil {
		return said{}, err
	}
	if interrupt != nil {
		if err := interrupt(ctx); err != nil {
			return said{}, errors.Join(err, cmd.Cancel(), cmd.Wait())
		}
		if err := syscall.Kill(-cmd.Process.Pid, syscall.SIGINT); err != nil {
			return said{}, err
		}
	}
	_ = cmd.Wait() // a failed turn is a status, too; what was said of it is in the output
	if err := ctx.Err(); err != nil {
		return said{}, fmt.Errorf("the agent did not end: %w; it printed %.600s", err, out.Bytes())
	}
	s := said{raw: append(out.Bytes(), noise.Bytes()...)}
	for line := range bytes.Lines(out.Bytes()) {
		var e event
		if json.Unmarshal(line, &e) == nil {
			a.read(e, &s)
		}
	}
	return s, nil
}

// toolResults counts the results of tools in a request of any dialect.
func toolResults(body []byte) (n int, err error) {
	var request struct {
		Input    []struct{ Type string }
		Messages []struct {
			Role    string
			Content json.RawMessage
		}
	}
	if err := json.Unmarshal(body, &request); err != nil {
		return 0, fmt.Errorf("the last request: %w", err)
	}
	for _, item := range request.Input {
		if item.Type == "function_call_output" || item.Type == "custom_tool_call_output" {
			n++
		}
	}
	for _, m := range request.Messages {
		var blocks []struct{ Type string }
		if m.Role == "tool" {
			n++
		} else if json.Unmarshal(m.Content, &blocks) == nil {
			for _, b := range blocks {
				if b.Type == "tool_result" {
					n++
				}
			}
		}
	}
	return n, nil
}
