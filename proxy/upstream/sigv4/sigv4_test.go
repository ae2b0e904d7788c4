package sigv4

import (
	"crypto/hmac"
	"crypto/sha256"
	"encoding/hex"
	"fmt"
	"net/url"
	"sort"
	"strings"
	"testing"
	"time"

	"pgregory.net/rapid"

	"purser/proxy/upstream"
)

// The credentials of AWS's published examples.
const (
	exampleKey    = "AKIDEXAMPLE"
	exampleSecret = "wJalrXUtnFEMI/K7MDENG+bPxRfiCYEXAMPLEKEY"
)

var exampleTime = time.Date(2015, 8, 30, 12, 36, 0, 0, time.UTC)

func signer(t interface{ Fatal(...any) }, token, service string) *Signer {
	s, err := New("us-east-1", service, Credentials{AccessKey: exampleKey, SecretKey: exampleSecret, SessionToken: upstream.Secret(token)})
	if err != nil {
		t.Fatal(err)
	}
	s.now = func() time.Time { return exampleTime }
	return s
}

func value(headers []upstream.Header, name string) string {
	for _, h := range headers {
		if strings.EqualFold(h.Name, name) {
			return h.Value
		}
	}
	return ""
}

// TestThePublishedExample is get-vanilla of AWS's signature test suite.
func TestThePublishedExample(t *testing.T) {
	h, err := signer(t, "", "service").Authorize(&upstream.Outgoing{Method: "GET", URL: "https://example.amazonaws.com/"})
	if err != nil {
		t.Fatal(err)
	}
	const want = "AWS4-HMAC-SHA256 Credential=AKIDEXAMPLE/20150830/us-east-1/service/aws4_request, SignedHeaders=host;x-amz-date, " +
		"Signature=5fa00fa31553b73ebf1942676e86291e8372ff2a2260956d9b8aae1d763fbf31"
	if got := value(h, "authorization"); got != want || value(h, "x-amz-date") != "20150830T123600Z" || len(h) != 2 {
		t.Errorf("got %v", h)
	}
}

// TestSignaturesAreThoseOfTheSpecification: whatever the path, the query, the
// body and the token, a second implementation comes to the same.
func TestSignaturesAreThoseOfTheSpecification(t *testing.T) {
	rapid.Check(t, func(t *rapid.T) {
		segment := rapid.StringMatching(`[a-zA-Z0-9._:~ +/-]{1,20}`)
		path := "/model/" + strings.ReplaceAll(url.PathEscape(segment.Draw(t, "model")), ":", "%3A") + "/converse"
		if q := rapid.StringMatching(`([a-z]{1,4}=[a-zA-Z0-9.]{0,4}(&[a-z]{1,4}=[0-9]{0,3})?)?`).Draw(t, "query"); q != "" {
			path += "?" + q
		}
		token := rapid.SampledFrom([]string{"", "session/token=="}).Draw(t, "token")
		o := &upstream.Outgoing{
			Method: rapid.SampledFrom([]string{"GET", "POST"}).Draw(t, "method"),
			URL:    "https://bedrock-runtime.us-east-1.amazonaws.com" + path, Body: rapid.SliceOf(rapid.Byte()).Draw(t, "body"),
		}
		h, err := signer(t, token, "bedrock").Authorize(o)
		if err != nil {
			t.Fatal(err)
		}
		got := value(h, "authorization")
		if want := specified(o, token); got != want || value(h, "x-amz-security-token") != token {
			t.Errorf("%s:\n got %s\nwant %s", o.URL, got, want)
		}
	})
}

// specified computes the header as "Create a signed AWS API request" describes it.
func specified(o *upstream.Outgoing, token string) string {
	rest := strings.TrimPrefix(o.URL, "https://")
	host, target, _ := strings.Cut(rest, "/")
	path, query, _ := strings.Cut("/"+target, "?")
	headers := map[string]string{"host": host, "x-amz-date": "20150830T123600Z"}
	if token != "" {
		headers["x-amz-security-token"] = token
	}
	if len(o.Body) > 0 {
		headers["content-length"] = fmt.Sprint(len(o.Body))
	}
	var names []string
	for n := range headers {
		names = append(names, n)
	}
	sort.Strings(names)
	lines := ""
	for _, n := range names {
		lines += n + ":" + headers[n] + "\n"
	}
	var pairs []string
	for _, p := range strings.Split(query, "&") {
		if p != "" {
			pairs = append(pairs, p)
		}
	}
	sort.SliceStable(pairs, func(i, j int) bool {
		a, _, _ := strings.Cut(pairs[i], "=")
		b, _, _ := strings.Cut(pairs[j], "=")
		return a < b || a == b && pairs[i] < pairs[j]
	})
	signed := strings.Join(names, ";")
	canonical := strings.Join([]string{o.Method, escaped(path), strings.Join(pairs, "&"), lines, signed, digest(o.Body)}, "\n")
	const scope = "20150830/us-east-1/bedrock/aws4_request"
	toSign := "AWS4-HMAC-SHA256\n20150830T123600Z\n" + scope + "\n" + digest([]byte(canonical))
	key := []byte("AWS4" + exampleSecret)
	for _, part := range []string{"20150830", "us-east-1", "bedrock", "aws4_request"} {
		key = mac(key, part)
	}
	return "AWS4-HMAC-SHA256 Credential=" + exampleKey + "/" + scope + ", SignedHeaders=" + signed + ", Signature=" + hex.EncodeToString(mac(key, toSign))
}

// escaped encodes a path that is encoded already once more, as every service but S3 wants.
func escaped(path string) string {
	var b strings.Builder
	for _, c := range []byte(path) {
		if c >= 'a' && c <= 'z' || c >= 'A' && c <= 'Z' || c >= '0' && c <= '9' || strings.IndexByte("-._~/", c) >= 0 {
			b.WriteByte(c)
		} else {
			fmt.Fprintf(&b, "%%%02X", c)
		}
	}
	return b.String()
}

func digest(b []byte) string {
	sum := sha256.Sum256(b)
	return hex.EncodeToString(sum[:])
}

func mac(key []byte, s string) []byte {
	h := hmac.New(sha256.New, key)
	h.Write([]byte(s))
	return h.Sum(nil)
}

func TestWhatIsMissingIsRefusedWithoutASecretInTheText(t *testing.T) {
	for _, c := range []struct{ region, service, access, secret string }{
		{"", "bedrock", exampleKey, exampleSecret}, {"us-east-1", "", exampleKey, exampleSecret},
		{"us-east-1", "bedrock", "", exampleSecret}, {"us-east-1", "bedrock", exampleKey, ""},
	} {
		_, err := New(c.region, c.service, Credentials{AccessKey: c.access, SecretKey: upstream.Secret(c.secret)})
		if err == nil || strings.Contains(err.Error(), exampleSecret) {
			t.Errorf("%+v: %v", c, err)
		}
	}
	if _, err := signer(t, "", "bedrock").Authorize(&upstream.Outgoing{Method: "GET", URL: "https://h/%zz"}); err == nil {
		t.Error("a URL that is none was signed")
	}
}
