package alert

import (
	"encoding/base64"
	"errors"
	"fmt"
	"maps"
	"net/http"
	"strconv"
	"strings"
	"testing"
	"time"
)

// The vector is the one that the reference libraries of Standard Webhooks test.
const (
	vectorSecret    = "whsec_MfKQ9r8GKYqrTwjUPD8ILPZIo2LaLaSw"
	vectorID        = "msg_p5jXN8AQM9LWM0D4loKWxJek"
	vectorAt        = 1614265330
	vectorBody      = `{"test": 2432232314}`
	vectorSignature = "v1,g0hM9SsE+OTPJTGt/tmIKtSyZlE3uFJELVlNIOLJ1OE="
)

func signedHeaders(id string, at int64, signature string) http.Header {
	h := http.Header{}
	h.Set(HeaderID, id)
	h.Set(HeaderTimestamp, strconv.FormatInt(at, 10))
	h.Set(HeaderSignature, signature)
	return h
}

func TestSignaturesAreThoseOfStandardWebhooks(t *testing.T) {
	key, err := ParseSecret(vectorSecret)
	if err != nil {
		t.Fatal(err)
	}
	if got := Sign([][]byte{key}, vectorID, vectorAt, []byte(vectorBody)); got != vectorSignature {
		t.Errorf("signed %s", got)
	}
	if id, err := Verify(signedHeaders(vectorID, vectorAt, vectorSignature), []byte(vectorBody), key, time.Unix(vectorAt, 0), time.Minute); err != nil || id != vectorID {
		t.Errorf("verified %q, %v", id, err)
	}
}

func TestForgedAndReplayedDeliveriesAreRefused(t *testing.T) {
	key, _ := ParseSecret(vectorSecret)
	other := []byte(strings.Repeat("k", 32))
	at := time.Unix(vectorAt, 0)
	good := signedHeaders(vectorID, vectorAt, vectorSignature)
	with := func(name, value string) http.Header {
		h := good.Clone()
		h.Set(name, value)
		return h
	}
	without := func(name string) http.Header {
		h := good.Clone()
		h.Del(name)
		return h
	}
	twice := good.Clone()
	twice.Add(HeaderSignature, vectorSignature)
	many := strings.Repeat("v1,AAAA ", maxSignatures) + vectorSignature
	for name, c := range map[string]struct {
		headers http.Header
		body    string
		now     time.Time
		want    error
	}{
		"as it was sent":                 {good, vectorBody, at, nil},
		"at the edge of the tolerance":   {good, vectorBody, at.Add(5 * time.Minute), nil},
		"replayed later":                 {good, vectorBody, at.Add(5*time.Minute + 1), ErrReplayed},
		"from the future":                {good, vectorBody, at.Add(-5*time.Minute - 1), ErrReplayed},
		"replayed with a new timestamp":  {with(HeaderTimestamp, strconv.FormatInt(vectorAt+600, 10)), vectorBody, at.Add(10 * time.Minute), ErrForged},
		"another body":                   {good, `{"test": 2432232315}`, at, ErrForged},
		"another id":                     {with(HeaderID, "msg_x"), vectorBody, at, ErrForged},
		"another key":                    {with(HeaderSignature, Sign([][]byte{other}, vectorID, vectorAt, []byte(vectorBody))), vectorBody, at, ErrForged},
		"two keys, one of them ours":     {with(HeaderSignature, Sign([][]byte{other, key}, vectorID, vectorAt, []byte(vectorBody))), vectorBody, at, nil},
		"another version":                {with(HeaderSignature, "v2"+vectorSignature[2:]), vectorBody, at, ErrForged},
		"no base64":                      {with(HeaderSignature, "v1,%%%"), vectorBody, at, ErrForged},
		"a part of it":                   {with(HeaderSignature, vectorSignature[:20]), vectorBody, at, ErrForged},
		"behind more than are looked at": {with(HeaderSignature, many), vectorBody, at, ErrForged},
		"no id":                          {without(HeaderID), vectorBody, at, ErrUnsigned},
		"no timestamp":                   {without(HeaderTimestamp), vectorBody, at, ErrUnsigned},
		"no signature":                   {without(HeaderSignature), vectorBody, at, ErrUnsigned},
		"two signature headers":          {twice, vectorBody, at, ErrUnsigned},
		"a timestamp written otherwise":  {with(HeaderTimestamp, "+"+strconv.Itoa(vectorAt)), vectorBody, at, ErrReplayed},
		"a timestamp that is none":       {with(HeaderTimestamp, "now"), vectorBody, at, ErrReplayed},
		"a timestamp beyond time":        {with(HeaderTimestamp, "9223372036854775807"), vectorBody, at, ErrReplayed},
	} {
		id, err := Verify(c.headers, []byte(c.body), key, c.now, 5*time.Minute)
		if !errors.Is(err, c.want) || (err == nil) != (id == vectorID) {
			t.Errorf("%s: %q, %v", name, id, err)
		}
	}
}

func TestSecretsAreRead(t *testing.T) {
	long := base64.StdEncoding.EncodeToString(make([]byte, 32))
	for text, ok := range map[string]bool{
		"whsec_" + long: true, "whsec_" + base64.StdEncoding.EncodeToString(make([]byte, 23)): false, "whsec_" + base64.StdEncoding.EncodeToString(make([]byte, 65)): false,
		long: false, "whsec_%%": false, "": false, "whsec_": false,
	} {
		if _, err := ParseSecret(text); (err == nil) != ok {
			t.Errorf("%q: %v", text, err)
		} else if err != nil && strings.Contains(err.Error(), "%%") {
			t.Errorf("the error repeats the secret: %v", err)
		}
	}
	if keys, err := ParseSecrets("whsec_" + long + "  whsec_" + long); err != nil || len(keys) != 2 {
		t.Errorf("%d keys, %v", len(keys), err)
	}
	for text, ok := range map[string]bool{"whsec_" + long: true, "https://hooks.example.com/x": true, "http://hooks": true, "whsec_x": false, "hunter2": false, "": false} {
		if err := CheckSecret(text); (err == nil) != ok || err != nil && text != "" && strings.Contains(err.Error(), text) {
			t.Errorf("%q: %v", text, err)
		}
	}
	for _, text := range []string{"", " ", strings.Repeat("whsec_"+long+" ", maxSecrets+1), "whsec_" + long + " x"} {
		if _, err := ParseSecrets(text); err == nil {
			t.Errorf("%q is taken", text)
		}
	}
}

func FuzzVerify(f *testing.F) {
	f.Add(vectorID, strconv.Itoa(vectorAt), vectorSignature, vectorBody)
	f.Add("", "", "", "")
	key, _ := ParseSecret(vectorSecret)
	f.Fuzz(func(t *testing.T, id, at, signature, body string) {
		h := http.Header{}
		for name, v := range maps.All(map[string]string{HeaderID: id, HeaderTimestamp: at, HeaderSignature: signature}) {
			h.Set(name, v)
		}
		got, err := Verify(h, []byte(body), key, time.Unix(vectorAt, 0), time.Minute)
		if (err == nil) != (got != "") {
			t.Fatalf("%q with %v", got, err)
		}
		if seconds, e := strconv.ParseInt(at, 10, 64); err == nil && (e != nil || !strings.Contains(signature, Sign([][]byte{key}, id, seconds, []byte(body)))) {
			t.Fatalf("taken: %q %q %q %q", id, at, signature, body)
		}
	})
}

// ExampleVerify is what a receiver does.
func ExampleVerify() {
	key, _ := ParseSecret(vectorSecret)
	headers := signedHeaders(vectorID, vectorAt, vectorSignature)
	arrived := time.Unix(vectorAt+2, 0)
	id, err := Verify(headers, []byte(vectorBody), key, arrived, 5*time.Minute)
	fmt.Println(id, err)
	_, err = Verify(headers, []byte(vectorBody), key, arrived.Add(time.Hour), 5*time.Minute)
	fmt.Println(err)
	// Output:
	// msg_p5jXN8AQM9LWM0D4loKWxJek <nil>
	// the timestamp is not within the tolerance
}
