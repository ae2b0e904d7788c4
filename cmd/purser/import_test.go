package main

import (
	"encoding/json"
	"fmt"
	"net/http"
	"net/http/httptest"
	"strings"
	"testing"

	"purser/internal/litellm"
)

// proxyOf answers like a LiteLLM proxy with so many keys.
func proxyOf(t *testing.T, keys, said int) string {
	t.Helper()
	s := httptest.NewServer(http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		if r.Header.Get("Authorization") != "Bearer sk-master-of-the-test" {
			http.Error(w, "the key sk-wrong is wrong", http.StatusUnauthorized)
			return
		}
		var page int
		_, _ = fmt.Sscan(r.URL.Query().Get("page"), &page)
		var out any
		switch r.URL.Path {
		case "/key/list":
			rows := []any{}
			for i := (page - 1) * pageRows; i < min(page*pageRows, keys); i++ {
				rows = append(rows, map[string]any{"token": fmt.Sprintf("%016x%048x", i+1, 7), "key_name": fmt.Sprint("k", i), "user_id": "ann"})
			}
			out = map[string]any{"keys": rows, "total_count": said, "current_page": page, "total_pages": (keys + pageRows - 1) / pageRows}
		case "/team/list":
			out = []any{map[string]any{"team_id": "search"}}
		case "/user/list":
			out = map[string]any{"users": []any{map[string]any{"user_id": "ann"}}, "total": 1, "page": page, "page_size": pageRows, "total_pages": 1}
		}
		_ = json.NewEncoder(w).Encode(out)
	}))
	t.Cleanup(s.Close)
	return s.URL
}

func TestAProxyIsReadPageByPage(t *testing.T) {
	for _, n := range []int{0, 1, pageRows, pageRows + 1, 2*pageRows + 7} {
		got, err := askLiteLLM(t.Context(), proxyOf(t, n, n)+"/", "sk-master-of-the-test")
		if err != nil {
			t.Fatalf("%d keys: %v", n, err)
		}
		var rows []struct {
			Name string `json:"key_name"`
		}
		if err := json.Unmarshal(got.keys, &rows); err != nil || len(rows) != n || n > 0 && rows[n-1].Name != fmt.Sprint("k", n-1) {
			t.Errorf("%d keys are read as %d, %v", n, len(rows), err)
		}
		if !strings.Contains(string(got.teams), "search") || !strings.Contains(string(got.users), "ann") {
			t.Errorf("teams %s, users %s", got.teams, got.users)
		}
	}
}

func TestAProxyThatDoesNotGiveAllIsRefused(t *testing.T) {
	for says, ask := range map[string]func() (string, string){
		"gave 5 of 6 keys":   func() (string, string) { return proxyOf(t, 5, 6), "sk-master-of-the-test" },
		"401 Unauthorized":   func() (string, string) { return proxyOf(t, 1, 1), "sk-wrong" },
		"variable is empty":  func() (string, string) { return proxyOf(t, 1, 1), "" },
		"connection refused": func() (string, string) { return "http://127.0.0.1:1", "sk-x" },
	} {
		url, key := ask()
		_, err := askLiteLLM(t.Context(), url, key)
		if err == nil || !strings.Contains(err.Error(), says) || strings.Contains(err.Error(), "sk-") {
			t.Errorf("%v, want %q and no key", err, says)
		}
	}
}

func TestWhatCannotBeCarriedOverIsNamed(t *testing.T) {
	p := &litellm.People{Teams: []litellm.Team{{ID: "a", Name: "two\nlines"}}}
	if _, _, err := translated(nil, p, t.TempDir()); err == nil || !strings.Contains(err.Error(), "teams a cannot be carried over") {
		t.Errorf("%v", err)
	}
	c, err := litellm.ReadConfig([]byte("model_list: [{model_name: free, litellm_params: {model: openai/free, input_cost_per_token: 0, output_cost_per_token: 0}}]"))
	if err != nil {
		t.Fatal(err)
	}
	files, report, err := translated(c, nil, t.TempDir())
	if err != nil || !strings.Contains(report, "model_list: free: its price is left out, or a part of it: priced at zero") {
		t.Errorf("%v, %s", err, report)
	}
	for _, f := range files {
		if f.name == pricesFile {
			t.Errorf("a price of nothing is written: %s", f.text)
		}
	}
}
