package e2e

import (
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"os"

	"purser/e2e/compat"
)

// What every client asks, in Go as in the other languages: the simulated provider
// calls the tools that a question names.
const (
	question      = "What is a purser?"
	askOneTool    = "Please look_up the word."
	askTwoTools   = "Please look_up the word and weigh it."
	askPicture    = "What is this?"
	pictureTokens = 500 // at least, at every provider
	unpriced      = "none-such"
)

// word is the answer of the scenario "structured", and its schema.
type word struct {
	Word  string `json:"word"`
	Grams *int   `json:"grams"`
}

var (
	gramsSchema = schema("word", "string", "grams", "integer")
	lookUp      = schema("word", "string")
	weigh       = schema("grams", "integer")
)

// schema is that of an object with these properties, all required.
func schema(pairs ...string) map[string]any {
	properties, required := map[string]any{}, []string{}
	for i := 0; i+1 < len(pairs); i += 2 {
		properties[pairs[i]] = map[string]any{"type": pairs[i+1]}
		required = append(required, pairs[i])
	}
	return map[string]any{"type": "object", "properties": properties, "required": required, "additionalProperties": false}
}

// goClient has what a client in Go does for each scenario.
type goClient map[compat.Scenario]func(ctx context.Context, x task) error

var goDrivers = map[string]driver{
	"go-openai-chat":      openAIChat.drive,
	"go-openai-responses": openAIResponses.drive,
	"go-anthropic":        anthropicMessages.drive,
	"go-google":           googleGenerate.drive,
}

// drive sets the environment, from which the clients take where and who.
func (g goClient) drive(ctx context.Context, x task) error {
	for name, value := range x.knobs {
		if err := os.Setenv(name, value); err != nil {
			return err
		}
		defer os.Unsetenv(name)
	}
	return g[x.scenario](ctx, x)
}

// isWord checks the text of a structured answer.
func isWord(text string) error {
	var w word
	if err := json.Unmarshal([]byte(text), &w); err != nil || w.Word == "" || w.Grams == nil {
		return fmt.Errorf("the answer %q is not of the schema: %v", text, err)
	}
	return nil
}

// called is a tool that the model called.
type called struct {
	id, name, arguments string
}

// areCalls checks which tools were called, and that their arguments fit.
func areCalls(got []called, names ...string) error {
	if len(got) != len(names) {
		return fmt.Errorf("%d tools are called, not %d: %+v", len(got), len(names), got)
	}
	for i, c := range got {
		var in word
		if err := json.Unmarshal([]byte(c.arguments), &in); err != nil {
			return fmt.Errorf("arguments of %s: %w", c.name, err)
		}
		if c.name != names[i] || c.id == "" || in.Word == "" && in.Grams == nil {
			return fmt.Errorf("tool %d is called as %+v", i, c)
		}
	}
	return nil
}

// toolsOf are the tools that a scenario is to see called.
func toolsOf(s compat.Scenario) (text string, names []string) {
	if s == compat.Parallel {
		return askTwoTools, []string{"look_up", "weigh"}
	}
	return askOneTool, []string{"look_up"}
}

// want is an error unless ok.
func want(ok bool, format string, args ...any) error {
	if ok {
		return nil
	}
	return fmt.Errorf(format, args...)
}

// refusedAs finds an E in err and checks it.
func refusedAs[E error](err error, what string, ok func(E) bool) error {
	var e E
	if !errors.As(err, &e) {
		return fmt.Errorf("%s came as %T: %v", what, err, err)
	}
	return want(ok(e), "%s came as %v", what, err)
}
