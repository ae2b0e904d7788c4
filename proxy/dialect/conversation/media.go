package conversation

import (
	"strings"

	"purser/proxy/dialect/jsontree"
)

// MediaOf reads a URL that may have the content in it (RFC 2397): of the data URLs
// those in base64. ok is false for one that cannot be read.
func MediaOf(url string) (m Media, ok bool) {
	rest, found := strings.CutPrefix(url, "data:")
	if !found {
		return Media{URL: url}, url != ""
	}
	kind, data, found := strings.Cut(rest, ",")
	if !found {
		return m, false
	}
	kind, encoded := strings.CutSuffix(kind, ";base64")
	kind, _, _ = strings.Cut(kind, ";") // parameters, such as a charset
	return Media{Type: kind, Data: data}, encoded && kind != "" && data != ""
}

// DataURL is the content as a URL, or the URL it is.
func (m Media) DataURL() string {
	if m.URL != "" {
		return m.URL
	}
	return "data:" + m.Type + ";base64," + m.Data
}

// Arguments are those of a tool's call that came as text: an object, or nothing for
// a tool without any. ok is false for any other text.
func Arguments(text string) (object []byte, ok bool) {
	if strings.TrimSpace(text) == "" {
		return []byte("{}"), true
	}
	var r jsontree.Reader
	o := r.ReadAnswer([]byte(text), jsontree.Brackets).Object()
	return o, o != nil && r.Err == nil
}
