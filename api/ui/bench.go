package ui

import (
	"encoding/json"
	"net/url"
	"strings"

	"purser/api/admin"
)

// benchForm asks for a request that a key would send; nothing is sent.
func (c *Call) benchForm(action, submit, model string) (*form, error) {
	var list struct{ Keys []admin.Key }
	if err := c.Get("/keys", nil, &list); err != nil && !absent(err) {
		return nil, err
	}
	keys := []option{}
	for _, k := range list.Keys {
		if k.State == "active" {
			keys = append(keys, option{k.ID, k.Name + " (" + k.ID + ")"})
		}
	}
	body := `{"model": "` + model + `", "max_tokens": 200,` + "\n" + ` "messages": [{"role": "user", "content": "hello"}]}`
	return &form{ID: "bench", Action: action, Submit: submit, Fields: []field{
		doing("explain"),
		{Name: "key", Label: "Key", Kind: "select", Required: true, Options: keys},
		{Name: "path", Label: "Route", Required: true, Value: "/v1/chat/completions", Suggest: []string{"/v1/chat/completions", "/v1/responses", "/v1/messages", "/v1/embeddings"}},
		{Name: "address", Label: "From address", Hint: "Such as 10.1.2.3"},
		{Name: "body", Label: "Body, as JSON", Kind: "area", Wide: true, Required: true, Value: body},
		{Name: "headers", Label: "Headers", Kind: "area", Wide: true, Hint: "One name: value to a line, such as x-purser-customer: acme"},
	}}, nil
}

// callFrom reads the request.
func callFrom(v url.Values) (call admin.PolicyCall, err error) {
	call = admin.PolicyCall{Key: v.Get("key"), Path: strings.TrimSpace(v.Get("path")), Address: strings.TrimSpace(v.Get("address")), Headers: map[string]string{}}
	if call.Key == "" {
		return call, invalid("key: there is none to ask for; make one first")
	}
	for line := range strings.Lines(v.Get("headers")) {
		if line = strings.TrimSpace(line); line == "" {
			continue
		}
		name, value, ok := strings.Cut(line, ":")
		if !ok {
			return call, invalid("headers: " + inQuotes(line) + " is not name: value")
		}
		call.Headers[strings.TrimSpace(name)] = strings.TrimSpace(value)
	}
	if call.Body = json.RawMessage(v.Get("body")); !json.Valid(call.Body) {
		return call, invalid("body: it is no JSON")
	}
	return call, nil
}
