package native

import (
	"context"
	"net/http"
	"net/http/cookiejar"
	"net/url"
	"os"
	"path/filepath"
	"strings"
	"testing"
	"time"

	"purser/internal/access"
	"purser/internal/login"
	"purser/internal/login/logintest"
)

var eve = logintest.User{ID: "eve-17", Email: "eve@example.com", Verified: true, Groups: []string{"search"}}

func start(t *testing.T) (*logintest.Provider, access.LoginClient) {
	t.Helper()
	idp := logintest.Start(t, "http://127.0.0.1:7070"+login.CallbackPath, eve)
	return idp, access.LoginClient{Issuer: idp.URL, ClientID: logintest.CLIClient, Scopes: []string{"openid", "email", "profile"}}
}

// browser opens a page, as a person's browser does, and gives what it then shows.
func browser(t *testing.T, page string) string {
	t.Helper()
	jar, err := cookiejar.New(nil)
	if err != nil {
		t.Error(err)
		return ""
	}
	res, err := (&http.Client{Jar: jar}).Get(page)
	if err != nil {
		t.Error(err)
		return ""
	}
	defer res.Body.Close()
	b := make([]byte, 1<<10)
	n, _ := res.Body.Read(b)
	return string(b[:n])
}

func TestALoginOnAPersonsMachine(t *testing.T) {
	idp, client := start(t)
	shown := make(chan string, 1)
	kept, err := Login(t.Context(), client, 0, func(page string) {
		go func() { shown <- browser(t, page) }()
	})
	if err != nil {
		t.Fatal(err)
	}
	if text := <-shown; !strings.Contains(text, "close this page") {
		t.Errorf("the browser shows %q", text)
	}
	if kept.IDToken == "" || kept.Refresh == "" || !kept.Expires.After(time.Now()) {
		t.Fatalf("kept %+v", kept)
	}
	cfg := login.Default()
	cfg.Issuer, cfg.ClientID, cfg.CLIClientID, cfg.RedirectURL = idp.URL, logintest.Client, logintest.CLIClient, "http://127.0.0.1:7070"+login.CallbackPath
	cfg.Mapping = access.Mapping{Rules: []access.Rule{{Group: "search", Role: access.Finance}}}
	node, err := login.New(cfg, "secret", time.Now)
	if err != nil {
		t.Fatal(err)
	}
	if s, err := node.Verify(t.Context(), kept.IDToken); err != nil || s.Name != "person:eve-17" {
		t.Errorf("the node sees %+v, %v", s, err)
	}

	file := filepath.Join(t.TempDir(), "below", "login.json")
	if err := Change(file, func(all map[string]Kept) { all["http://node"] = kept }); err != nil {
		t.Fatal(err)
	}
	if info, err := os.Stat(file); err != nil || info.Mode().Perm() != 0o600 {
		t.Errorf("the file is %v, %v", info.Mode(), err)
	}
	token := func(at time.Time) (string, error) { return Token(t.Context(), file, "http://node", at) }
	if got, err := token(time.Now()); err != nil || got != kept.IDToken {
		t.Errorf("the token in its time: %v", err)
	}
	idp.Rotate(t)
	next, err := token(kept.Expires)
	if err != nil || next == kept.IDToken {
		t.Fatalf("the token after its time: %v", err)
	}
	if again, err := token(time.Now()); err != nil || again != next {
		t.Errorf("the refreshed token was not kept: %v", err)
	}
	if got, err := Token(t.Context(), file, "http://other", time.Now()); got != "" || err != nil {
		t.Errorf("another node gets %q, %v", got, err)
	}
	if err := Change(file, func(all map[string]Kept) {
		k := all["http://node"]
		k.Refresh = "revoked"
		all["http://node"] = k
	}); err != nil {
		t.Fatal(err)
	}
	if _, err := token(kept.Expires.Add(24 * time.Hour)); err == nil || !strings.Contains(err.Error(), "purser login") {
		t.Errorf("a refresh that is refused: %v", err)
	}
}

func TestAnAnswerToAnotherLoginIsRefused(t *testing.T) {
	_, client := start(t)
	_, err := Login(t.Context(), client, 0, func(page string) {
		go func() {
			u, err := url.Parse(page)
			if err != nil {
				t.Error(err)
				return
			}
			back := u.Query().Get("redirect_uri")
			if text := browser(t, back+"?code=x&state=forged"); !strings.Contains(text, "not the login") {
				t.Errorf("a forged answer gets %q", text)
			}
			browser(t, back+"?error=access_denied&state="+u.Query().Get("state"))
		}()
	})
	if err == nil || !strings.Contains(err.Error(), "access_denied") {
		t.Errorf("ended with %v", err)
	}
}

func TestALoginThatNobodyFinishes(t *testing.T) {
	idp, client := start(t)
	ctx, cancel := context.WithCancel(t.Context())
	if _, err := Login(ctx, client, 0, func(string) { cancel() }); err == nil || !strings.Contains(err.Error(), "nobody came back") {
		t.Errorf("ended with %v", err)
	}
	idp.Stop()
	if _, err := Login(t.Context(), client, 0, func(string) {}); err == nil || !strings.Contains(err.Error(), "asking the identity provider") {
		t.Errorf("without the provider: %v", err)
	}
}

func TestAFileThatOthersMayReadIsNotUsed(t *testing.T) {
	file := filepath.Join(t.TempDir(), "login.json")
	if err := os.WriteFile(file, []byte(`{"n":{"id_token":"secret"}}`), 0o600); err != nil {
		t.Fatal(err)
	}
	if all, err := Read(file); err != nil || all["n"].IDToken != "secret" {
		t.Errorf("read %+v, %v", all, err)
	}
	if err := os.Chmod(file, 0o640); err != nil {
		t.Fatal(err)
	}
	if _, err := Read(file); err == nil || !strings.Contains(err.Error(), "chmod 600") {
		t.Errorf("%v", err)
	}
	if err := Change(file, func(map[string]Kept) {}); err == nil {
		t.Error("it was changed")
	}
	if err := os.WriteFile(file, []byte(`{`), 0o600); err != nil {
		t.Fatal(err)
	}
	if err := os.Chmod(file, 0o600); err != nil {
		t.Fatal(err)
	}
	if _, err := Read(file); err == nil || !strings.Contains(err.Error(), "damaged") {
		t.Errorf("%v", err)
	}
	if all, err := Read(filepath.Join(t.TempDir(), "none")); err != nil || len(all) != 0 {
		t.Errorf("no file: %+v, %v", all, err)
	}
}
