package node

import (
	"context"
	"errors"
	"fmt"
	"maps"
	"path"
	"slices"
	"strings"
	"time"

	"purser/proxy"
	"purser/proxy/upstream"
	"purser/proxy/upstream/googletoken"
	"purser/proxy/upstream/sigv4"
)

// The ways in which a request proves who sends it. All but the last two send the
// key in the header of that name.
const (
	authBearer  = "bearer" // in Authorization, which is also what google's are
	authAPIKey  = "api-key"
	authXAPIKey = "x-api-key"
	authXGoog   = "x-goog-api-key"
	authGoogle  = "google" // an access token of Google's
	authAWS     = "aws"    // a signature of AWS's
)

var auths = []string{authBearer, authAPIKey, authXAPIKey, authXGoog, authGoogle, authAWS}

// awsService is what Bedrock's signatures are scoped to.
const awsService = "bedrock"

// usualAuth is that of the wire format, or of the provider.
func (u *UpstreamConfig) usualAuth() string {
	provider, _, _ := strings.Cut(u.Provider, ":")
	switch {
	case u.API == "anthropic":
		return authXAPIKey
	case u.API == "gemini":
		return authXGoog
	case provider == "azure":
		return authAPIKey
	case provider == "aws" && u.Key == "" && !u.pooled() && !u.Passthrough:
		return authAWS
	}
	return authBearer
}

// validateAuth checks that the credential is of the kind that auth says.
func (u *UpstreamConfig) validateAuth() error {
	var errs []error
	if !slices.Contains(auths, u.Auth) {
		errs = append(errs, fmt.Errorf("auth %q is not one of %s", u.Auth, strings.Join(auths, ", ")))
	}
	if u.Key != "" && (u.Auth == authGoogle || u.Auth == authAWS) {
		errs = append(errs, fmt.Errorf("key: auth %s takes none", u.Auth))
	}
	if u.GoogleCredentials != "" && u.Auth != authGoogle {
		errs = append(errs, errors.New("google_credentials: is for auth google"))
	}
	switch a := u.AWS; {
	case u.Auth != authAWS && a != (AWSConfig{}):
		errs = append(errs, errors.New("aws: is for auth aws"))
	case u.Auth == authAWS && (a.Region == "" || a.AccessKey == "" || a.SecretKey == ""):
		errs = append(errs, errors.New("aws: auth aws needs region, access_key and secret_key"))
	}
	return errors.Join(errs...)
}

// maxExtraOutput is more than any model reasons for one answer, in tokens.
const maxExtraOutput = 1 << 20

// validateForm checks how the upstream says it differs from OpenAI's API.
func (u *UpstreamConfig) validateForm() error {
	var errs []error
	models := map[string]string{}
	for _, model := range slices.Sorted(maps.Keys(u.Deployments)) {
		deployment := u.Deployments[model]
		switch {
		case model == "" || deployment == "":
			errs = append(errs, errors.New("deployments: a name is empty"))
		case models[deployment] != "":
			errs = append(errs, fmt.Errorf("deployments: %s and %s are both %q, which can be only one of them", models[deployment], model, deployment))
		}
		models[deployment] = model
	}
	if u.API != "openai" && u.API != chatAPI && (u.DeploymentPaths || u.APIVersion != "" || u.NoStreamOptions) {
		errs = append(errs, errors.New("deployment_paths, api_version and no_stream_options: are for api openai and openai-chat"))
	}
	for _, pattern := range u.CacheMarks {
		if _, err := path.Match(pattern, ""); err != nil {
			errs = append(errs, fmt.Errorf("cache_marks: %q is no pattern", pattern))
		}
	}
	if len(u.CacheMarks) > 0 && u.API != "anthropic" && u.API != "converse" {
		errs = append(errs, errors.New("cache_marks: are for api anthropic and converse"))
	}
	if u.CacheKey != nil && *u.CacheKey && u.API != "openai" && u.API != chatAPI {
		errs = append(errs, errors.New("cache_key: is for api openai and openai-chat"))
	}
	if u.ExtraOutput < 0 || u.ExtraOutput > maxExtraOutput {
		errs = append(errs, fmt.Errorf("extra_output: %d is not within 0 to %d", u.ExtraOutput, maxExtraOutput))
	}
	if u.CountTokens && u.Auth == authGoogle {
		errs = append(errs, errors.New("count_tokens: Vertex AI's counter is not spoken; leave it out"))
	}
	if u.DeploymentPaths && u.APIVersion == "" {
		errs = append(errs, errors.New("api_version: is needed with deployment_paths, such as 2024-10-21"))
	}
	return errors.Join(errs...)
}

// form is how the upstream differs from the API of its wire format.
func (u *UpstreamConfig) form() proxy.Form {
	return proxy.Form{
		Deployments: u.Deployments, DeploymentPaths: u.DeploymentPaths, APIVersion: u.APIVersion,
		NoStreamOptions: u.NoStreamOptions, ExtraOutput: u.ExtraOutput, CountTokens: u.CountTokens,
		CacheMarks: u.CacheMarks, CacheKey: u.CacheKey != nil && *u.CacheKey,
	}
}

// literal is the pattern that fits one name alone.
func literal(name string) string {
	return strings.NewReplacer(`\`, `\\`, `*`, `\*`, `?`, `\?`, `[`, `\[`).Replace(name)
}

// credential is the id that the one credential of an upstream has in breakers.
const credential = "key"

// authorize puts the credential into the client's configuration, and gives its
// id. It starts what keeps a token fresh.
func (n *Node) authorize(cfg *upstream.Config, u *UpstreamConfig) (string, error) {
	switch u.Auth {
	case authAWS:
		signer, err := sigv4.New(u.AWS.Region, awsService, sigv4.Credentials{
			AccessKey: u.AWS.AccessKey, SecretKey: upstream.Secret(u.AWS.SecretKey), SessionToken: upstream.Secret(u.AWS.SessionToken),
		})
		if err != nil {
			return "", err
		}
		cfg.Authorizer = signer
		return credential, nil
	case authGoogle:
		source, err := googleSource(u.GoogleCredentials)
		if err != nil {
			return "", err
		}
		tokens := googletoken.New(source, n.log.With("upstream", u.Name))
		n.tokens = append(n.tokens, tokens)
		cfg.Authorizer = tokens
		return credential, nil
	case authBearer:
	default:
		cfg.KeyHeader, cfg.KeyPrefix = u.Auth, ""
	}
	if u.Key == "" { // none, or each request brings its own
		return "", nil
	}
	cfg.Keys = []upstream.Key{{ID: credential, Secret: upstream.Secret(u.Key)}}
	return credential, nil
}

func googleSource(file string) (googletoken.Fetch, error) {
	if file != "" {
		return googletoken.File(file)
	}
	return googletoken.Default()
}

// tokenWait is how long a start waits for the first tokens. Without them it goes
// on, and refuses what needs them.
const tokenWait = 5 * time.Second

// awaitTokens gives the first requests a token, if there is one to be had.
func (n *Node) awaitTokens(ctx context.Context) {
	ctx, cancel := context.WithTimeout(ctx, tokenWait)
	defer cancel()
	for _, t := range n.tokens {
		t.Ready(ctx)
	}
}
