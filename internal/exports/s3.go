package exports

import (
	"context"
	"crypto/sha256"
	"encoding/hex"
	"errors"
	"fmt"
	"io"
	"net/http"
	"net/url"
	"strings"
	"time"

	"github.com/aws/aws-sdk-go-v2/aws"
	v4 "github.com/aws/aws-sdk-go-v2/aws/signer/v4"
)

// Bucket is where an S3-compatible store is, and the keys to it.
type Bucket struct {
	Endpoint  string // scheme and host; "" for AWS's of the region
	Region    string
	Name      string
	Prefix    string // of keys, without slashes at its ends
	PathStyle bool   // the bucket is in the path, and not in the host's name

	AccessKey, SecretKey, SessionToken string
}

const (
	// maxObject is the largest file that one PUT may have.
	maxObject = 5 << 30
	// objectTime bounds one request: five gigabytes at ten megabytes a second.
	objectTime = 10 * time.Minute
	// maxComplaint is how much of an error answer is looked at.
	maxComplaint = 4 << 10
)

// S3 is a bucket as a place. What it sends is signed with Signature Version 4.
type S3 struct {
	bucket Bucket
	client *http.Client
	signer *v4.Signer
	now    func() time.Time
}

// NewS3 makes a place of a bucket. The client must not follow redirects: they would take
// the signature elsewhere.
func NewS3(b Bucket, transport http.RoundTripper) (*S3, error) {
	if b.Region == "" || b.Name == "" || b.AccessKey == "" || b.SecretKey == "" {
		return nil, errors.New("a bucket needs a region, a name, an access key and a secret key")
	}
	return &S3{bucket: b, now: time.Now,
		client: &http.Client{Transport: transport, Timeout: objectTime, CheckRedirect: func(*http.Request, []*http.Request) error { return http.ErrUseLastResponse }},
		signer: v4.NewSigner(func(o *v4.SignerOptions) { o.DisableURIPathEscaping = true }),
	}, nil
}

// address is where a file is.
func (s *S3) address(path string) (*url.URL, error) {
	endpoint := s.bucket.Endpoint
	if endpoint == "" {
		endpoint = "https://s3." + s.bucket.Region + ".amazonaws.com"
	}
	u, err := url.Parse(endpoint)
	if err != nil {
		return nil, errors.New("the endpoint of a bucket is no address")
	}
	key := path
	if s.bucket.Prefix != "" {
		key = s.bucket.Prefix + "/" + path
	}
	if s.bucket.PathStyle {
		key = s.bucket.Name + "/" + key
	} else {
		u.Host = s.bucket.Name + "." + u.Host
	}
	// The path is signed as it is sent, each byte but those of S3's list escaped.
	u.Path, u.RawPath = "/"+key, "/"+escaped(key)
	return u, nil
}

// escaped is a key as S3 wants it in the path that is signed.
func escaped(key string) string {
	var b strings.Builder
	for _, c := range []byte(key) {
		if c >= 'a' && c <= 'z' || c >= 'A' && c <= 'Z' || c >= '0' && c <= '9' || strings.IndexByte("-._~/", c) >= 0 {
			b.WriteByte(c)
			continue
		}
		fmt.Fprintf(&b, "%%%02X", c)
	}
	return b.String()
}

func (s *S3) send(ctx context.Context, method, path string, body io.Reader, size int64, digest string) (*http.Response, error) {
	u, err := s.address(path)
	if err != nil {
		return nil, err
	}
	r, err := http.NewRequestWithContext(ctx, method, u.String(), body)
	if err != nil {
		return nil, fmt.Errorf("%s: %w", path, err)
	}
	r.URL, r.Host, r.ContentLength = u, u.Host, size
	r.Header.Set("X-Amz-Content-Sha256", digest)
	keys := aws.Credentials{AccessKeyID: s.bucket.AccessKey, SecretAccessKey: s.bucket.SecretKey, SessionToken: s.bucket.SessionToken}
	if err := s.signer.SignHTTP(ctx, keys, r, digest, "s3", s.bucket.Region, s.now()); err != nil {
		return nil, fmt.Errorf("sign the request for %s: %w", path, err)
	}
	return s.client.Do(r)
}

// noBody is the digest of a request without one.
var noBody = func() string { d := sha256.Sum256(nil); return hex.EncodeToString(d[:]) }()

// Size implements Place.
func (s *S3) Size(ctx context.Context, path string) (n int64, err error) {
	res, err := s.send(ctx, http.MethodHead, path, nil, 0, noBody)
	if err != nil {
		return 0, err
	}
	defer func() { err = errors.Join(err, res.Body.Close()) }()
	switch res.StatusCode {
	case http.StatusOK:
		return res.ContentLength, nil
	case http.StatusNotFound:
		return 0, ErrNotThere
	}
	return 0, refusal(path, res)
}

// Get implements Place.
func (s *S3) Get(ctx context.Context, path string, limit int64) (b []byte, err error) {
	res, err := s.send(ctx, http.MethodGet, path, nil, 0, noBody)
	if err != nil {
		return nil, err
	}
	defer func() { err = errors.Join(err, res.Body.Close()) }()
	switch res.StatusCode {
	case http.StatusOK:
	case http.StatusNotFound:
		if code := complaint(res.Body); code == "NoSuchBucket" {
			return nil, errors.New("the bucket " + s.bucket.Name + " is not there")
		}
		return nil, ErrNotThere
	default:
		return nil, refusal(path, res)
	}
	b, err = io.ReadAll(io.LimitReader(res.Body, limit+1))
	if err == nil && int64(len(b)) > limit {
		err = fmt.Errorf("%s is larger than %d bytes", path, limit)
	}
	return b, err
}

// Put implements Place.
func (s *S3) Put(ctx context.Context, path string, body io.ReadSeeker, size int64) (err error) {
	if size > maxObject {
		return fmt.Errorf("%s has %d bytes, and one PUT takes %d: let rows stand for days", path, size, int64(maxObject))
	}
	sum := sha256.New()
	if _, err := io.Copy(sum, body); err != nil {
		return fmt.Errorf("read %s: %w", path, err)
	}
	if _, err := body.Seek(0, io.SeekStart); err != nil {
		return fmt.Errorf("read %s: %w", path, err)
	}
	res, err := s.send(ctx, http.MethodPut, path, io.NopCloser(body), size, hex.EncodeToString(sum.Sum(nil)))
	if err != nil {
		return err
	}
	defer func() { err = errors.Join(err, res.Body.Close()) }()
	if res.StatusCode != http.StatusOK {
		return refusal(path, res)
	}
	return nil
}

// refusal is what a store says against a request: its code, which has no secrets.
func refusal(path string, res *http.Response) error {
	code := complaint(res.Body)
	if code == "" {
		code = http.StatusText(res.StatusCode)
	}
	return fmt.Errorf("%s: the store answered %d %s", path, res.StatusCode, code)
}

// complaint is the code of an error answer, "" if there is none.
func complaint(body io.Reader) string {
	b, err := io.ReadAll(io.LimitReader(body, maxComplaint))
	if err != nil {
		return ""
	}
	_, rest, _ := strings.Cut(string(b), "<Code>")
	code, _, found := strings.Cut(rest, "</Code>")
	if !found || len(code) > 60 || strings.Trim(code, "abcdefghijklmnopqrstuvwxyzABCDEFGHIJKLMNOPQRSTUVWXYZ0123456789") != "" {
		return ""
	}
	return code
}
