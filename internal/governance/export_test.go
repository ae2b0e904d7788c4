package governance

import (
	"strings"
	"testing"
)

func TestExportsAreReadAndRefused(t *testing.T) {
	k, ok := KindOf("exports")
	if !ok {
		t.Fatal("there is no such kind")
	}
	bucket := func(more string) string {
		return `{"format":"focus","to":{"s3":{"region":"eu-central-1","bucket":"finance","access_key":"s3_access","secret_key":"s3_secret"` + more + `}}}`
	}
	for spec, want := range map[string]string{
		`{"format":"focus","to":{"dir":"finance/focus"}}`: "",
		`{"format":"focus","version":"1.4","file":"parquet","rows":"day","every":"hour","lag_minutes":5,"from":"2026-11-01","to":{"dir":"f"}}`: "",
		`{"format":"usage","to":{"dir":"usage"}}`: "",
		bucket(``): "",
		bucket(`,"endpoint":"https://minio:9000","path_style":true`): "",
		bucket(`,"endpoint":"http://minio:9000","allow_http":true`):  "",

		`{"format":"xls","to":{"dir":"f"}}`:                                 "format",
		`{"format":"focus","version":"2.0","to":{"dir":"f"}}`:               "1.2, 1.3 or 1.4",
		`{"format":"cbf","file":"parquet","to":{"dir":"f"}}`:                "csv alone",
		`{"format":"cbf","version":"1.2","to":{"dir":"f"}}`:                 "version is of focus",
		`{"format":"usage","rows":"hour","to":{"dir":"f"}}`:                 "each record",
		`{"format":"focus","rows":"minute","to":{"dir":"f"}}`:               "hour, day, request",
		`{"format":"focus","every":"minute","to":{"dir":"f"}}`:              "every",
		`{"format":"focus","lag_minutes":-1,"to":{"dir":"f"}}`:              "lag_minutes",
		`{"format":"focus","from":"November","to":{"dir":"f"}}`:             "from",
		`{"format":"focus","from":"2026-13-01","to":{"dir":"f"}}`:           "from",
		`{"format":"focus","to":{}}`:                                        "one of the two",
		`{"format":"focus","to":{"dir":"../etc"}}`:                          "to.dir",
		`{"format":"focus","to":{"dir":"/etc"}}`:                            "to.dir",
		`{"format":"focus","to":{"dir":"a/../../b"}}`:                       "to.dir",
		`{"format":"focus","to":{"dir":"a b"}}`:                             "to.dir",
		`{"format":"focus","pigeon":true,"to":{"dir":"f"}}`:                 "pigeon",
		bucket(`,"endpoint":"http://minio:9000"`):                           "without TLS",
		bucket(`,"endpoint":"https://user:pass@minio"`):                     "scheme and host alone",
		bucket(`,"endpoint":"https://minio/path"`):                          "scheme and host alone",
		bucket(`,"prefix":"/a/"`):                                           "prefix",
		bucket(`,"session_token":"FwoGZXIvYXdzEBYaDKtoken"`):                "not the secret",
		strings.Replace(bucket(``), "s3_access", "AKIAIOSFODNN7EXAMPLE", 1): "not the secret",
		strings.Replace(bucket(``), `"finance"`, `"Finance/x"`, 1):          "bucket",
	} {
		_, err := k.Decode([]byte(spec))
		if (err == nil) != (want == "") || err != nil && !strings.Contains(err.Error(), want) {
			t.Errorf("%s: %v, want %q", spec, err, want)
		}
		if err != nil && (strings.Contains(err.Error(), "AKIA") || strings.Contains(err.Error(), "pass@") || strings.Contains(err.Error(), "FwoG")) {
			t.Errorf("%s: the error repeats a secret: %v", spec, err)
		}
	}
}
