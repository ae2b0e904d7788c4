// Package sigv4 proves requests to AWS with Signature Version 4: it is an
// [upstream.Authorizer] around the signer of AWS's own SDK.
//
// Credentials are given once and do not change; those that expire need a restart
// of the node. What is signed are method, path, query, host, date, session token,
// length and body. The caller's other headers are not: they may be added to
// without harm, since whoever could change them could change nothing that is.
//
// Sign is pure but for the clock, which is a field. A [Signer] is safe for
// concurrent use.
//
// It is tested against a signature that AWS publishes, and against a second
// implementation written from the specification.
package sigv4

import (
	"context"
	"crypto/sha256"
	"encoding/hex"
	"errors"
	"fmt"
	"net/http"
	"net/url"
	"time"

	"github.com/aws/aws-sdk-go-v2/aws"
	v4 "github.com/aws/aws-sdk-go-v2/aws/signer/v4"

	"purser/proxy/upstream"
)

// Credentials are an access key of AWS. The session token is "" for a long-lived one.
type Credentials struct {
	AccessKey    string
	SecretKey    upstream.Secret
	SessionToken upstream.Secret
}

// Signer signs requests to one service in one region.
type Signer struct {
	region, service string
	key             aws.Credentials
	signer          *v4.Signer
	now             func() time.Time
}

var _ upstream.Authorizer = (*Signer)(nil)

// New makes a Signer. Every argument but the session token must be there.
func New(region, service string, c Credentials) (*Signer, error) {
	if region == "" || service == "" || c.AccessKey == "" || c.SecretKey == "" {
		return nil, errors.New("signing for AWS needs a region, a service, an access key and its secret key")
	}
	return &Signer{
		region: region, service: service, signer: v4.NewSigner(), now: time.Now,
		key: aws.Credentials{AccessKeyID: c.AccessKey, SecretAccessKey: string(c.SecretKey), SessionToken: string(c.SessionToken)},
	}, nil
}

// Authorize implements upstream.Authorizer: it gives the headers of the signature.
func (s *Signer) Authorize(o *upstream.Outgoing) ([]upstream.Header, error) {
	u, err := url.Parse(o.URL)
	if err != nil {
		return nil, errors.New("signing: the request's URL cannot be parsed")
	}
	r := &http.Request{Method: o.Method, URL: u, Host: u.Host, Header: make(http.Header, 4), ContentLength: int64(len(o.Body))}
	digest := sha256.Sum256(o.Body)
	if err := s.signer.SignHTTP(context.Background(), s.key, r, hex.EncodeToString(digest[:]), s.service, s.region, s.now()); err != nil {
		return nil, fmt.Errorf("signing: %w", err)
	}
	headers := make([]upstream.Header, 0, 3)
	for _, name := range [...]string{"Authorization", "X-Amz-Date", "X-Amz-Security-Token"} {
		if v := r.Header.Get(name); v != "" {
			headers = append(headers, upstream.Header{Name: name, Value: v})
		}
	}
	return headers, nil
}
