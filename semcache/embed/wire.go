package embed

import (
	"encoding/json"
)

// OpenAI gives an embedder that asks an OpenAI-compatible server: POST
// {URL}/embeddings (OpenAI API reference, "Create embeddings").
func OpenAI(o RemoteOptions) (*Remote, error) {
	return newRemote(wire{kind: "openai", path: "/embeddings", ask: askOpenAI, read: readOpenAI}, o)
}

// Ollama gives an embedder that asks an Ollama server: POST {URL}/api/embed (Ollama
// API documentation, "Generate Embeddings").
func Ollama(o RemoteOptions) (*Remote, error) {
	return newRemote(wire{kind: "ollama", path: "/api/embed", ask: askOllama, read: readOllama}, o)
}

func askOpenAI(o *RemoteOptions, texts []string) ([]byte, error) {
	q := struct {
		Model      string   `json:"model"`
		Input      []string `json:"input"`
		Encoding   string   `json:"encoding_format"`
		Dimensions int      `json:"dimensions,omitempty"`
	}{Model: o.Model, Input: texts, Encoding: "float"}
	if o.AskDim {
		q.Dimensions = o.Dim
	}
	return json.Marshal(q)
}

func readOpenAI(body []byte, n int) ([][]float32, int64, error) {
	var a struct {
		Data []struct {
			Index     *int      `json:"index"`
			Embedding []float32 `json:"embedding"`
		} `json:"data"`
		Usage *struct {
			Prompt *int64 `json:"prompt_tokens"`
			Total  *int64 `json:"total_tokens"`
		} `json:"usage"`
	}
	if json.Unmarshal(body, &a) != nil {
		return nil, -1, ErrAnswer
	}
	tokens := int64(-1)
	if a.Usage != nil {
		tokens = told(a.Usage.Total, told(a.Usage.Prompt, -1))
	}
	if len(a.Data) != n {
		return nil, tokens, ErrAnswer
	}
	out := make([][]float32, n)
	for i, d := range a.Data {
		// Servers that number their vectors may give them in any order; those that do
		// not give them in the texts' order.
		at := i
		if d.Index != nil {
			at = *d.Index
		}
		if at < 0 || at >= n || out[at] != nil || len(d.Embedding) == 0 {
			return nil, tokens, ErrAnswer
		}
		out[at] = d.Embedding
	}
	return out, tokens, nil
}

func askOllama(o *RemoteOptions, texts []string) ([]byte, error) {
	q := struct {
		Model      string   `json:"model"`
		Input      []string `json:"input"`
		Dimensions int      `json:"dimensions,omitempty"`
	}{Model: o.Model, Input: texts}
	if o.AskDim {
		q.Dimensions = o.Dim
	}
	return json.Marshal(q)
}

func readOllama(body []byte, n int) ([][]float32, int64, error) {
	var a struct {
		Embeddings [][]float32 `json:"embeddings"`
		Prompt     *int64      `json:"prompt_eval_count"`
	}
	if json.Unmarshal(body, &a) != nil {
		return nil, -1, ErrAnswer
	}
	tokens := told(a.Prompt, -1)
	if len(a.Embeddings) != n {
		return nil, tokens, ErrAnswer
	}
	return a.Embeddings, tokens, nil
}

// told is a count, or other if it is missing or negative.
func told(count *int64, other int64) int64 {
	if count == nil || *count < 0 {
		return other
	}
	return *count
}
