package googletoken

import (
	"context"
	"crypto/rand"
	"crypto/rsa"
	"crypto/x509"
	"encoding/json"
	"encoding/pem"
	"errors"
	"fmt"
	"log/slog"
	"net/http"
	"net/http/httptest"
	"os"
	"path/filepath"
	"strings"
	"sync/atomic"
	"testing"
	"testing/synctest"
	"time"

	"purser/proxy/upstream"
)

func bearer(t *testing.T, s *Source) string {
	t.Helper()
	h, err := s.Authorize(&upstream.Outgoing{})
	if err != nil {
		return ""
	}
	if len(h) != 1 || h[0].Name != "Authorization" {
		t.Fatalf("%v", h)
	}
	return h[0].Value
}

// TestATokenIsReplacedAheadOfItsEnd: there is a valid one at every moment, and
// requests ask for none.
func TestATokenIsReplacedAheadOfItsEnd(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		var fetched atomic.Int32
		s := New(func(context.Context) (Token, error) {
			return Token{upstream.Secret(fmt.Sprint("t", fetched.Add(1))), time.Now().Add(time.Hour)}, nil
		}, slog.New(slog.DiscardHandler))
		defer s.Close()
		s.Ready(t.Context())
		if bearer(t, s) != "Bearer t1" {
			t.Fatal(bearer(t, s))
		}
		for range 24 * 60 {
			time.Sleep(time.Minute)
			if bearer(t, s) == "" {
				t.Fatal("there was no token")
			}
		}
		if n := fetched.Load(); n != 26 { // at the start, and every 56 minutes of a day
			t.Errorf("%d were fetched", n)
		}
	})
}

// TestWhileNoTokenCanBeHad: the last one serves to its end, then nothing is sent;
// the endpoint is asked again with growing waits, and believed when it answers.
func TestWhileNoTokenCanBeHad(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		var log strings.Builder
		var down atomic.Bool
		var asked atomic.Int32
		s := New(func(context.Context) (Token, error) {
			asked.Add(1)
			if down.Load() {
				return Token{}, errors.New("refused: private_key=SECRET")
			}
			return Token{"good", time.Now().Add(time.Hour)}, nil
		}, slog.New(slog.NewTextHandler(&log, nil)))
		s.Ready(t.Context())
		down.Store(true)
		time.Sleep(time.Hour - spare)
		if bearer(t, s) == "" {
			t.Fatal("a valid token was given up")
		}
		time.Sleep(time.Second)
		if bearer(t, s) != "" {
			t.Fatal("a token was used that may be over when it arrives")
		}
		if n := asked.Load(); n < 8 || n > 30 {
			t.Errorf("asked %d times in four minutes", n)
		}
		down.Store(false)
		time.Sleep(lastRetry)
		if bearer(t, s) == "" {
			t.Error("it did not recover")
		}
		s.Close() // it logs no more
		if strings.Contains(log.String(), "SECRET") || !strings.Contains(log.String(), "could not be reached") {
			t.Error(log.String())
		}
	})
}

func TestTokensThatAreNone(t *testing.T) {
	for name, token := range map[string]Token{
		"empty": {"", time.Now().Add(time.Hour)}, "over": {"t", time.Now().Add(-time.Hour)}, "without an end": {"t", time.Time{}},
	} {
		s := New(func(context.Context) (Token, error) { return token, nil }, slog.New(slog.DiscardHandler))
		s.Ready(t.Context())
		if bearer(t, s) != "" {
			t.Errorf("%s: it was used", name)
		}
		s.Close()
	}
}

// TestAFetchThatHangsEnds: at its limit, and at once when the source closes.
func TestAFetchThatHangsEnds(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		s := New(func(ctx context.Context) (Token, error) { <-ctx.Done(); return Token{}, ctx.Err() }, slog.New(slog.DiscardHandler))
		began := time.Now()
		s.Ready(t.Context())
		if took := time.Since(began); took != fetchTime {
			t.Errorf("it took %v", took)
		}
		time.Sleep(firstRetry)
		began = time.Now()
		s.Close()
		if took := time.Since(began); took != 0 {
			t.Errorf("closing took %v", took)
		}
	})
}

// serviceAccount writes a key file whose tokens come from url.
func serviceAccount(t *testing.T, url string) string {
	t.Helper()
	key, err := rsa.GenerateKey(rand.Reader, 2048)
	if err != nil {
		t.Fatal(err)
	}
	der, err := x509.MarshalPKCS8PrivateKey(key)
	if err != nil {
		t.Fatal(err)
	}
	text, err := json.Marshal(map[string]string{
		"type": "service_account", "client_email": "purser@p.iam.gserviceaccount.com", "private_key_id": "1", "token_uri": url,
		"private_key": string(pem.EncodeToMemory(&pem.Block{Type: "PRIVATE KEY", Bytes: der})),
	})
	if err != nil {
		t.Fatal(err)
	}
	file := filepath.Join(t.TempDir(), "key.json")
	if err := os.WriteFile(file, text, 0o600); err != nil {
		t.Fatal(err)
	}
	return file
}

func TestAServiceAccountsKeyIsExchanged(t *testing.T) {
	var grants atomic.Int32
	refuse := atomic.Bool{}
	google := httptest.NewServer(http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		if err := r.ParseForm(); err != nil || r.Form.Get("grant_type") != "urn:ietf:params:oauth:grant-type:jwt-bearer" || strings.Count(r.Form.Get("assertion"), ".") != 2 {
			t.Error("it was asked in another way")
		}
		w.Header().Set("Content-Type", "application/json")
		if refuse.Load() {
			w.WriteHeader(400)
			fmt.Fprintf(w, `{"error":"invalid_grant","error_description":"bad assertion %s"}`, r.Form.Get("assertion"))
			return
		}
		fmt.Fprintf(w, `{"access_token":"ya29.%d","expires_in":3600,"token_type":"Bearer"}`, grants.Add(1))
	}))
	defer google.Close()
	file := serviceAccount(t, google.URL)
	t.Setenv("GOOGLE_APPLICATION_CREDENTIALS", file)
	named, err := File(file)
	if err != nil {
		t.Fatal(err)
	}
	found, err := Default()
	if err != nil {
		t.Fatal(err)
	}
	for i, fetch := range []Fetch{named, named, found} {
		token, err := fetch(t.Context())
		if err != nil || string(token.Secret) != fmt.Sprintf("ya29.%d", i+1) || time.Until(token.Expires) < 59*time.Minute {
			t.Fatalf("%d: %v, ends in %v", i, err, time.Until(token.Expires))
		}
	}
	refuse.Store(true)
	_, err = named(t.Context())
	if err == nil {
		t.Fatal("a refusal was a token")
	}
	if text := harmless(err).Error(); text != "the token endpoint answered with status 400" {
		t.Error(text)
	}
}

func TestTheMetadataServerIsAskedWhereThereIsNoFile(t *testing.T) {
	server := httptest.NewServer(http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		if r.Header.Get("Metadata-Flavor") != "Google" || r.URL.Path != "/computeMetadata/v1/instance/service-accounts/default/token" {
			w.WriteHeader(404)
			return
		}
		fmt.Fprint(w, `{"access_token":"ya29.m","expires_in":600,"token_type":"Bearer"}`)
	}))
	defer server.Close()
	t.Setenv("GOOGLE_APPLICATION_CREDENTIALS", "")
	t.Setenv("HOME", t.TempDir())
	t.Setenv("GCE_METADATA_HOST", strings.TrimPrefix(server.URL, "http://"))
	fetch, err := Default()
	if err != nil {
		t.Fatal(err)
	}
	token, err := fetch(t.Context())
	if err != nil || string(token.Secret) != "ya29.m" || time.Until(token.Expires) > 10*time.Minute {
		t.Fatal(err, time.Until(token.Expires))
	}
}

func TestFilesThatAreNoCredentials(t *testing.T) {
	for name, text := range map[string]string{"no JSON": "hello", "another type": `{"type":"passport"}`, "none": `{}`} {
		file := filepath.Join(t.TempDir(), "key.json")
		if err := os.WriteFile(file, []byte(text), 0o600); err != nil {
			t.Fatal(err)
		}
		if _, err := File(file); err == nil || !strings.Contains(err.Error(), file) {
			t.Errorf("%s: %v", name, err)
		}
	}
	if _, err := File(filepath.Join(t.TempDir(), "absent.json")); !errors.Is(err, os.ErrNotExist) {
		t.Error(err)
	}
}
