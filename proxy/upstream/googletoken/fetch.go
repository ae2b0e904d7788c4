package googletoken

import (
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"io/fs"
	"net/http"
	"os"
	"path/filepath"
	"time"

	"cloud.google.com/go/compute/metadata"
	"golang.org/x/oauth2"
	"golang.org/x/oauth2/google"

	"purser/proxy/upstream"
)

// scope is what Vertex AI asks for; what a token may do there is decided by the
// roles of whom it stands for.
const scope = "https://www.googleapis.com/auth/cloud-platform"

// maxFile bounds a credentials file. Real ones have some 2 KiB.
const maxFile = 64 << 10

// File exchanges the credentials of a file: of a service account, of a user, or
// the configuration of a workload identity. It is read once, and must be one.
func File(name string) (Fetch, error) {
	raw, err := os.ReadFile(name)
	if err != nil {
		return nil, fmt.Errorf("reading the credentials of Google: %w", err)
	}
	var head struct {
		Type google.CredentialsType `json:"type"`
	}
	if len(raw) > maxFile || json.Unmarshal(raw, &head) != nil {
		return nil, fmt.Errorf("%s is not a credentials file of Google", name)
	}
	exchange := func(ctx context.Context) (*google.Credentials, error) {
		ctx = context.WithValue(ctx, oauth2.HTTPClient, &http.Client{Timeout: fetchTime})
		return google.CredentialsFromJSONWithType(ctx, raw, head.Type, scope)
	}
	// A key that cannot be read would else be found with the first request.
	if _, err := exchange(context.Background()); err != nil {
		return nil, fmt.Errorf("%s is of a type that is not known, or damaged", name)
	}
	return func(ctx context.Context) (Token, error) {
		c, err := exchange(ctx)
		if err != nil {
			return Token{}, err
		}
		t, err := c.TokenSource.Token()
		if err != nil {
			return Token{}, err
		}
		return Token{Secret: upstream.Secret(t.AccessToken), Expires: t.Expiry}, nil
	}, nil
}

// Default is the order of Google's application default credentials: the file that
// GOOGLE_APPLICATION_CREDENTIALS names, the one that gcloud wrote, the metadata
// server.
func Default() (Fetch, error) {
	if name := os.Getenv("GOOGLE_APPLICATION_CREDENTIALS"); name != "" {
		return File(name)
	}
	if home, err := os.UserHomeDir(); err == nil {
		fetch, err := File(filepath.Join(home, ".config", "gcloud", "application_default_credentials.json"))
		if err == nil || !errors.Is(err, fs.ErrNotExist) {
			return fetch, err
		}
	}
	return Metadata, nil
}

// Metadata asks the metadata server for a token of the machine's own service account.
func Metadata(ctx context.Context) (Token, error) {
	asked := time.Now()
	raw, err := metadata.NewClient(&http.Client{Timeout: fetchTime}).GetWithContext(ctx, "instance/service-accounts/default/token?scopes="+scope)
	if err != nil {
		return Token{}, err
	}
	var t struct {
		Secret  string `json:"access_token"`
		Seconds int64  `json:"expires_in"`
	}
	if err := json.Unmarshal([]byte(raw), &t); err != nil {
		return Token{}, errors.New("the metadata server gave no token")
	}
	return Token{Secret: upstream.Secret(t.Secret), Expires: asked.Add(time.Duration(t.Seconds) * time.Second)}, nil
}

// harmless keeps of an error what an operator needs: an endpoint's own words may
// quote the credential that it refuses.
func harmless(err error) error {
	var refused *oauth2.RetrieveError
	var absent *metadata.Error
	switch {
	case errors.As(err, &refused) && refused.Response != nil:
		return fmt.Errorf("the token endpoint answered with status %d", refused.Response.StatusCode)
	case errors.As(err, &absent):
		return fmt.Errorf("the metadata server answered with status %d", absent.Code)
	case errors.Is(err, context.DeadlineExceeded), os.IsTimeout(err):
		return errors.New("the token endpoint did not answer in time")
	}
	return errors.New("the token endpoint could not be reached, or its answer not be read")
}
