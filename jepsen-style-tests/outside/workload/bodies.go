package workload

import (
	"encoding/json"
	"fmt"
)

const (
	chatPath     = "/v1/chat/completions"
	messagesPath = "/v1/messages"

	chatModel   = "gpt-4.1-nano"
	claudeModel = "claude-haiku-4-5"

	// usual is about what a request of these workloads costs: a hundred tokens of
	// prompt and forty of answer at the prices of gpt-4.1-nano, in nano-dollars.
	usual = 25_000
)

// Question is what a request asks.
type Question struct {
	ID     string // of the operation
	Model  string // "" is that of most
	Text   string
	Cap    int // of output tokens
	Stream bool
}

type message struct {
	Role    string `json:"role"`
	Content string `json:"content"`
}

// Chat is a question as the body of a request to OpenAI's chat.
func (q Question) Chat() []byte {
	body := struct {
		Model    string    `json:"model"`
		User     string    `json:"user"`
		Cap      int       `json:"max_completion_tokens"`
		Stream   bool      `json:"stream,omitempty"`
		Messages []message `json:"messages"`
	}{q.Model, q.ID, q.Cap, q.Stream, []message{{"user", q.Text}}}
	if body.Model == "" {
		body.Model = chatModel
	}
	return encoded(body)
}

// Messages is a question as the body of a request to Anthropic's Messages.
func (q Question) Messages() []byte {
	var body struct {
		Model    string            `json:"model"`
		Metadata map[string]string `json:"metadata"`
		Cap      int               `json:"max_tokens"`
		Stream   bool              `json:"stream,omitempty"`
		Messages []message         `json:"messages"`
	}
	body.Model, body.Metadata, body.Cap, body.Stream = claudeModel, map[string]string{"user_id": q.ID}, q.Cap, q.Stream
	body.Messages = []message{{"user", q.Text}}
	return encoded(body)
}

func encoded(body any) []byte {
	b, err := json.Marshal(body)
	if err != nil {
		panic(fmt.Sprintf("workload: a question that is no JSON: %v", err))
	}
	return b
}
