package exports

import (
	"bytes"
	"context"
	"crypto/hmac"
	"crypto/sha256"
	"encoding/hex"
	"errors"
	"fmt"
	"io"
	"net/http"
	"net/http/httptest"
	"sort"
	"strconv"
	"strings"
	"sync"
	"testing"
)

// bucket is a double of an S3-compatible store: it takes what is signed as AWS's
// documentation of Signature Version 4 says, and nothing else. It shares no code with the
// signer.
type bucket struct {
	t       *testing.T
	server  *httptest.Server
	mu      sync.Mutex
	objects map[string][]byte
	refused []string
	fail    int // how many requests to answer with 503
}

const (
	bucketKey    = "AKIDEXAMPLE"
	bucketSecret = "a secret key/with+signs"
	bucketRegion = "eu-central-1"
)

func newBucket(t *testing.T) *bucket {
	b := &bucket{t: t, objects: map[string][]byte{}}
	b.server = httptest.NewServer(b)
	t.Cleanup(func() {
		b.server.Close()
		if len(b.refused) > 0 {
			t.Errorf("the store refused %v", b.refused)
		}
	})
	return b
}

func (b *bucket) place(t *testing.T) *S3 {
	t.Helper()
	s, err := NewS3(Bucket{Endpoint: b.server.URL, Region: bucketRegion, Name: "finance", Prefix: "purser/a+b", PathStyle: true, AccessKey: bucketKey, SecretKey: bucketSecret, SessionToken: "session"}, http.DefaultTransport)
	if err != nil {
		t.Fatal(err)
	}
	return s
}

func (b *bucket) ServeHTTP(w http.ResponseWriter, r *http.Request) {
	b.mu.Lock()
	defer b.mu.Unlock()
	body, err := io.ReadAll(r.Body)
	if err != nil {
		b.t.Error(err)
	}
	if b.fail > 0 {
		b.fail--
		w.WriteHeader(http.StatusServiceUnavailable)
		fmt.Fprint(w, "<Error><Code>SlowDown</Code><Message>"+bucketSecret+"</Message></Error>")
		return
	}
	if why := verify(r, body); why != "" {
		b.refused = append(b.refused, why)
		w.WriteHeader(http.StatusForbidden)
		fmt.Fprint(w, "<Error><Code>SignatureDoesNotMatch</Code></Error>")
		return
	}
	switch key := r.URL.Path; r.Method {
	case http.MethodPut:
		b.objects[key] = body
	case http.MethodHead:
		o, ok := b.objects[key]
		if !ok {
			w.WriteHeader(http.StatusNotFound)
			return
		}
		w.Header().Set("Content-Length", strconv.Itoa(len(o)))
	case http.MethodGet:
		o, ok := b.objects[key]
		if !ok {
			w.WriteHeader(http.StatusNotFound)
			fmt.Fprint(w, "<Error><Code>NoSuchKey</Code></Error>")
			return
		}
		_, _ = w.Write(o)
	}
}

// verify says what is wrong with a signature, by
// docs.aws.amazon.com/AmazonS3/latest/API/sig-v4-header-based-auth.html.
func verify(r *http.Request, body []byte) string {
	digest := sha256.Sum256(body)
	if got := r.Header.Get("X-Amz-Content-Sha256"); got != hex.EncodeToString(digest[:]) {
		return "the digest is of another body"
	}
	scheme, rest, _ := strings.Cut(r.Header.Get("Authorization"), " ")
	fields := map[string]string{}
	for _, part := range strings.Split(rest, ",") {
		name, value, _ := strings.Cut(strings.TrimSpace(part), "=")
		fields[name] = value
	}
	scope := strings.Split(fields["Credential"], "/")
	if scheme != "AWS4-HMAC-SHA256" || len(scope) != 5 || scope[0] != bucketKey || scope[2] != bucketRegion || scope[3] != "s3" || scope[4] != "aws4_request" {
		return "the credential is " + fields["Credential"]
	}
	names := strings.Split(fields["SignedHeaders"], ";")
	for _, must := range []string{"host", "x-amz-content-sha256", "x-amz-date", "x-amz-security-token"} {
		if i := sort.SearchStrings(names, must); i == len(names) || names[i] != must {
			return must + " is not signed"
		}
	}
	var headers strings.Builder
	for _, name := range names {
		value := r.Header.Get(name)
		switch name {
		case "host":
			value = r.Host
		case "content-length":
			value = fmt.Sprint(r.ContentLength)
		}
		fmt.Fprintf(&headers, "%s:%s\n", name, strings.TrimSpace(value))
	}
	// The path is escaped anew from what it means.
	var path strings.Builder
	for _, c := range []byte(r.URL.Path) {
		if strings.IndexByte("ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789-._~/", c) >= 0 {
			path.WriteByte(c)
		} else {
			fmt.Fprintf(&path, "%%%02X", c)
		}
	}
	canonical := strings.Join([]string{r.Method, path.String(), r.URL.RawQuery, headers.String(), fields["SignedHeaders"], hex.EncodeToString(digest[:])}, "\n")
	hashed := sha256.Sum256([]byte(canonical))
	text := strings.Join([]string{scheme, r.Header.Get("X-Amz-Date"), strings.Join(scope[1:], "/"), hex.EncodeToString(hashed[:])}, "\n")
	key := []byte("AWS4" + bucketSecret)
	for _, part := range append(scope[1:], text) {
		h := hmac.New(sha256.New, key)
		h.Write([]byte(part))
		key = h.Sum(nil)
	}
	if fields["Signature"] != hex.EncodeToString(key) {
		return "the signature is another: " + r.Method + " " + r.URL.Path
	}
	return ""
}

func TestBucketsTakeWhatIsSigned(t *testing.T) {
	b := newBucket(t)
	s := b.place(t)
	ctx := context.Background()
	path := "billing_period=2026-11/a file (1)+~.csv"
	if _, err := s.Get(ctx, path, 100); !errors.Is(err, ErrNotThere) {
		t.Errorf("an object that is not there: %v", err)
	}
	if err := s.Put(ctx, path, strings.NewReader("rows"), 4); err != nil {
		t.Fatal(err)
	}
	if got := b.objects["/finance/purser/a+b/"+path]; string(got) != "rows" {
		t.Errorf("the store has %q", b.objects)
	}
	if got, err := s.Get(ctx, path, 100); err != nil || string(got) != "rows" {
		t.Errorf("%q, %v", got, err)
	}
	if _, err := s.Get(ctx, path, 3); err == nil || errors.Is(err, ErrNotThere) {
		t.Errorf("more than the limit is read: %v", err)
	}
}

func TestRefusalsOfABucketAreSaidWithoutSecrets(t *testing.T) {
	b := newBucket(t)
	ctx := context.Background()
	s := b.place(t)
	b.fail = 1
	err := s.Put(ctx, "f", strings.NewReader("x"), 1)
	if err == nil || !strings.Contains(err.Error(), "503 SlowDown") || strings.Contains(err.Error(), "secret") {
		t.Errorf("%v", err)
	}
	s = b.place(t)
	s.bucket.SecretKey = "another"
	if err := s.Put(ctx, "f", strings.NewReader("x"), 1); err == nil || !strings.Contains(err.Error(), "SignatureDoesNotMatch") || strings.Contains(err.Error(), "another") {
		t.Errorf("%v", err)
	}
	b.refused = nil // that was the point
	if err := s.Put(ctx, "f", bytes.NewReader(nil), maxObject+1); err == nil {
		t.Error("more than one PUT takes is sent")
	}
}

func TestBucketsAreNamedInTheHost(t *testing.T) {
	for _, x := range []struct {
		bucket Bucket
		want   string
	}{
		{Bucket{Region: "us-east-2", Name: "finance"}, "https://finance.s3.us-east-2.amazonaws.com/billing_period%3D2026-11/f"},
		{Bucket{Endpoint: "https://minio:9000", Name: "finance", Prefix: "p", PathStyle: true}, "https://minio:9000/finance/p/billing_period%3D2026-11/f"},
	} {
		u, err := (&S3{bucket: x.bucket}).address("billing_period=2026-11/f")
		if err != nil || u.String() != x.want {
			t.Errorf("%s, %v, want %s", u, err, x.want)
		}
	}
	if _, err := NewS3(Bucket{Region: "x", Name: "b"}, nil); err == nil {
		t.Error("a bucket without keys is taken")
	}
}
