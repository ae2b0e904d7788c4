package compat

// Kind is how a client is installed and run.
type Kind string

// The kinds of client.
const (
	Go         Kind = "Go"
	JavaScript Kind = "JavaScript"
	Python     Kind = "Python"
	Agent      Kind = "agent"
)

// Knob is a setting by which a client is told where to go, or who it is. A run
// sets these two and nothing else.
type Knob struct {
	Name string // of the environment variable, or of the client's configuration
	Path string // that follows the node's address in it
}

// Client is one way of asking the gateway: a package and the route it takes.
type Client struct {
	ID       string // names its driver and its test
	Kind     Kind
	Packages []string // as the lock file names them; the first is the client
	Route    string   // of the gateway
	URL, Key Knob
	How      string // what is run, where the package does not say it
}

// Clients are all of them, in the table's order.
var Clients = []Client{
	{ID: "go-openai-chat", Kind: Go, Packages: []string{"github.com/openai/openai-go/v3"}, Route: chatRoute, URL: openAIURL, Key: openAIKey},
	{ID: "go-openai-responses", Kind: Go, Packages: []string{"github.com/openai/openai-go/v3"}, Route: responsesRoute, URL: openAIURL, Key: openAIKey},
	{ID: "go-anthropic", Kind: Go, Packages: []string{"github.com/anthropics/anthropic-sdk-go"}, Route: messagesRoute, URL: anthropicURL, Key: anthropicKey},
	{ID: "go-google", Kind: Go, Packages: []string{"google.golang.org/genai"}, Route: geminiRoute, URL: geminiURL, Key: geminiKey},

	{ID: "js-openai-chat", Kind: JavaScript, Packages: []string{"openai"}, Route: chatRoute, URL: openAIURL, Key: openAIKey},
	{ID: "js-openai-responses", Kind: JavaScript, Packages: []string{"openai"}, Route: responsesRoute, URL: openAIURL, Key: openAIKey},
	{ID: "js-anthropic", Kind: JavaScript, Packages: []string{"@anthropic-ai/sdk"}, Route: messagesRoute, URL: anthropicURL, Key: anthropicKey},
	{ID: "js-google", Kind: JavaScript, Packages: []string{"@google/genai"}, Route: geminiRoute, URL: geminiURL, Key: geminiKey},
	{ID: "js-ai-openai", Kind: JavaScript, Packages: []string{"ai", "@ai-sdk/openai"}, Route: responsesRoute, URL: openAIURL, Key: openAIKey},
	{ID: "js-ai-anthropic", Kind: JavaScript, Packages: []string{"ai", "@ai-sdk/anthropic"}, Route: messagesRoute, URL: Knob{"ANTHROPIC_BASE_URL", "/v1"}, Key: anthropicKey},
	{ID: "js-ai-google", Kind: JavaScript, Packages: []string{"ai", "@ai-sdk/google"}, Route: geminiRoute, URL: Knob{"baseURL", "/v1beta"}, Key: Knob{Name: "GOOGLE_GENERATIVE_AI_API_KEY"}},
	{ID: "js-langchain-openai", Kind: JavaScript, Packages: []string{"@langchain/openai"}, Route: chatRoute, URL: openAIURL, Key: openAIKey},
	{ID: "js-langchain-anthropic", Kind: JavaScript, Packages: []string{"@langchain/anthropic"}, Route: messagesRoute, URL: anthropicURL, Key: anthropicKey},

	{ID: "py-openai-chat", Kind: Python, Packages: []string{"openai"}, Route: chatRoute, URL: openAIURL, Key: openAIKey},
	{ID: "py-openai-responses", Kind: Python, Packages: []string{"openai"}, Route: responsesRoute, URL: openAIURL, Key: openAIKey},
	{ID: "py-anthropic", Kind: Python, Packages: []string{"anthropic"}, Route: messagesRoute, URL: anthropicURL, Key: anthropicKey},
	{ID: "py-google", Kind: Python, Packages: []string{"google-genai"}, Route: geminiRoute, URL: geminiURL, Key: geminiKey},
	{ID: "py-langchain-openai", Kind: Python, Packages: []string{"langchain-openai"}, Route: chatRoute, URL: openAIURL, Key: openAIKey},
	{ID: "py-langchain-anthropic", Kind: Python, Packages: []string{"langchain-anthropic"}, Route: messagesRoute, URL: anthropicURL, Key: anthropicKey},
	{ID: "py-langchain-google", Kind: Python, Packages: []string{"langchain-google-genai"}, Route: geminiRoute, URL: Knob{Name: "base_url"}, Key: geminiKey},

	{ID: "codex", Kind: Agent, Packages: []string{"@openai/codex"}, Route: responsesRoute, How: "`codex exec`",
		URL: Knob{"model_providers.NAME.base_url", "/v1"}, Key: Knob{Name: "model_providers.NAME.env_key"}},
	{ID: "claude-code", Kind: Agent, Packages: []string{"@anthropic-ai/claude-code"}, Route: messagesRoute, How: "`claude -p`",
		URL: anthropicURL, Key: Knob{Name: "ANTHROPIC_AUTH_TOKEN"}},
	{ID: "opencode", Kind: Agent, Packages: []string{"opencode-linux-x64"}, Route: chatRoute, How: "`opencode run`",
		URL: Knob{"provider.NAME.options.baseURL", "/v1"}, Key: Knob{Name: "provider.NAME.options.apiKey"}},
}

const (
	chatRoute      = "/v1/chat/completions"
	responsesRoute = "/v1/responses"
	messagesRoute  = "/v1/messages"
	geminiRoute    = "/v1beta/models"
)

var (
	openAIURL    = Knob{"OPENAI_BASE_URL", "/v1"}
	openAIKey    = Knob{Name: "OPENAI_API_KEY"}
	anthropicURL = Knob{Name: "ANTHROPIC_BASE_URL"}
	anthropicKey = Knob{Name: "ANTHROPIC_API_KEY"}
	geminiURL    = Knob{Name: "GOOGLE_GEMINI_BASE_URL"}
	geminiKey    = Knob{Name: "GEMINI_API_KEY"}
)
