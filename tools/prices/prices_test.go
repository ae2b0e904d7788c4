package main

import (
	"archive/tar"
	"bytes"
	"compress/gzip"
	"encoding/json"
	"os"
	"path/filepath"
	"strings"
	"testing"

	"purser/proxy/price"
)

// bundle is a small package in the form of the real one.
const bundle = `const E = [
  {
    id: "acme",
    name: 'It\'s "Acme"',
    fallback_model_providers: ["umbrella"],
    models: [
      {
        id: "big",
        description: ` + "`two\nlines`" + `,
        match: { or: [{ equals: "Big" }, { starts_with: "big-" }, { regex: "^big\\d$" }] },
        context_window: 2e5,
        prices: [
          { prices: { input_mtok: { base: 2.5, tiers: [{ start: 271999, price: 5 }] }, output_mtok: .5, web_searches_kcount: 10 } },
          { constraint: { start_date: "2026-07-30", type: "start_date" }, prices: { input_mtok: 1, cache_read_mtok: 0.1 } },
          { constraint: { start_time: "01:00:00Z", end_time: "04:00:00Z", type: "time_of_date" }, prices: { input_mtok: 2, cache_read_mtok: 0.2 } }
        ]
      },
      { id: "not-tts", match: { and: [{ starts_with: "not" }, { regex: "^(?!.*-tts(?:$|-))" }] }, deprecated: !0, prices: { input_mtok: 0.18000000000000002, output_mtok: 0.08333333333333334 } },
      { id: "clips", match: { equals: "clips" }, prices: { input_mtok: 1, output_mtok: 2, output_video_mtok: 9 } },
      { id: "cited", match: { equals: "cited" }, prices: { input_mtok: 1, output_mtok: 2, output_citation_mtok: 2, cache_audio_read_mtok: 7 } },
      { id: "minutes", match: { equals: "minutes" }, prices: { audio_hours: 0.36 } },
      { id: "gift:free", match: { equals: "gift:free" }, prices: {} },
      { id: "mystery", match: { equals: "mystery" }, prices: {} },
      { id: "both", match: { and: [{ starts_with: "a" }, { ends_with: "z" }] }, prices: { input_mtok: 1, output_mtok: 1 } },
      { id: "ahead", match: { regex: "(?=x)" }, prices: { input_mtok: 1, output_mtok: 1 } }
    ]
  },
  { id: "umbrella", models: [{ id: "u", match: { equals: "mystery" }, prices: { input_mtok: 1, output_mtok: 1 } }] }
], J = { units: 1 };
`

const smallOverlay = `
entries:
  - {provider: acme, models: [small], split: big, names: [big], max_output: 10, tokenizer: o200k, source: one}
  - provider: acme
    models: [big]
    max_output: 100
    tiers: {flex: {times: "0.5"}, priority: {prices: {input: "7", output: "8"}}}
    regions: {eu: "1.1"}
    source: two
`

// pack makes a package file as npm does.
func pack(t *testing.T, files map[string]string) []byte {
	t.Helper()
	var b bytes.Buffer
	zipped := gzip.NewWriter(&b)
	w := tar.NewWriter(zipped)
	for name, text := range files {
		if err := w.WriteHeader(&tar.Header{Name: "package/" + name, Mode: 0o644, Size: int64(len(text))}); err != nil {
			t.Fatal(err)
		}
		if _, err := w.Write([]byte(text)); err != nil {
			t.Fatal(err)
		}
	}
	if err := w.Close(); err != nil {
		t.Fatal(err)
	}
	if err := zipped.Close(); err != nil {
		t.Fatal(err)
	}
	return b.Bytes()
}

func TestGenerate(t *testing.T) {
	dir := t.TempDir()
	in, over, out := filepath.Join(dir, "p.tgz"), filepath.Join(dir, "o.yaml"), filepath.Join(dir, "c.json")
	files := map[string]string{"package.json": `{"name":"@acme/prices","version":"1.2.3"}`, "dist/index.js": bundle}
	write(t, in, pack(t, files))
	write(t, over, []byte(smallOverlay))
	var log bytes.Buffer
	if err := run([]string{"-in", in, "-overlay", over, "-out", out}, &log); err != nil {
		t.Fatal(err)
	}
	first, err := os.ReadFile(out)
	if err != nil {
		t.Fatal(err)
	}
	if want := golden(t); string(first) != want {
		t.Errorf("the catalogue is\n%s\nwant\n%s", first, want)
	}
	for _, want := range []string{
		"left out: with output_video_mtok dearer than output_mtok, as which it is metered (1)\n  acme/clips\n",
		"left out: priced by audio_hours, which is not metered (1)\n  acme/minutes\n",
		"left out: without any price (1)\n  acme/mystery\n",
		"left out: matched by two forms at once (1)\n  acme/both\n",
		"left out: matched by a pattern that RE2 does not have (1)\n  acme/ahead\n",
		"note: left out, and yet priced by another (1)\n  acme/mystery as umbrella/u\n",
		"note: cached audio and images cost as cached text (1)\n  acme/cited cache_audio_read_mtok\n",
		"note: output_citation_mtok costs as output_mtok (1)\n",
		"note: rounded up to a pico-dollar (1)\n  acme/not-tts output_mtok 0.08333333333333334\n",
		"noise of the source's floating point (1)\n  acme/not-tts input_mtok 0.18000000000000002\n",
		"@acme/prices@1.2.3: 2 providers, 7 models",
	} {
		if !strings.Contains(log.String(), want) {
			t.Errorf("the report does not have %q:\n%s", want, log.String())
		}
	}
	if err := run([]string{"-in", in, "-overlay", over, "-out", out}, &log); err != nil {
		t.Fatal(err)
	}
	if second, _ := os.ReadFile(out); !bytes.Equal(first, second) {
		t.Error("equal inputs give different bytes")
	}
}

func write(t *testing.T, path string, data []byte) {
	t.Helper()
	if err := os.WriteFile(path, data, 0o600); err != nil {
		t.Fatal(err)
	}
}

func golden(t *testing.T) string {
	t.Helper()
	data, err := os.ReadFile("testdata/small.json")
	if err != nil {
		t.Fatal(err)
	}
	return string(data)
}

// TestEmbeddedCatalogueHasTheOverlay fails when the overlay was changed and the
// catalogue was not made again.
func TestEmbeddedCatalogueHasTheOverlay(t *testing.T) {
	data, err := os.ReadFile("../../proxy/price/catalogue.json")
	if err != nil {
		t.Fatal(err)
	}
	var s price.Snapshot
	if err := json.Unmarshal(data, &s); err != nil {
		t.Fatal(err)
	}
	overlay, err := os.ReadFile("overlay.yaml")
	if err != nil {
		t.Fatal(err)
	}
	var o overlayFile
	if err := o.read(overlay); err != nil {
		t.Fatal(err)
	}
	for _, e := range o.Entries {
		for _, id := range e.Models {
			i, err := find(&s, e.Provider, id)
			if err != nil {
				t.Error(err)
				continue
			}
			m := s.Models[i]
			if !strings.Contains(m.Source, e.Source) || e.MaxOutput != 0 && m.MaxOutput != e.MaxOutput ||
				e.ContextWindow != 0 && m.ContextWindow != e.ContextWindow || e.Tokenizer != m.Tokenizer {
				t.Errorf("%s is %+v, the overlay says %+v; run make prices", id, m, e)
			}
			for tier := range e.Tiers {
				if !has(m.Rates, tier) {
					t.Errorf("%s has no %s tier; run make prices", id, tier)
				}
			}
		}
	}
}

func has(rows []price.Row, tier string) bool {
	for _, r := range rows {
		if r.Tier == tier {
			return true
		}
	}
	return false
}

func TestStaleOverlaysFail(t *testing.T) {
	pkg := &sourcePackage{name: "x"}
	var err error
	if pkg.providers, err = readBundle(bundle); err != nil {
		t.Fatal(err)
	}
	for overlay, want := range map[string]string{
		"entries: [{provider: acme, models: [gone], source: s}]":                                               `no model "gone"`,
		"entries: [{provider: acme, models: [x], split: gone, names: [a], source: s}]":                         `no model "gone"`,
		"entries: [{provider: acme, models: [x], split: big, names: [a], source: s}]":                          `"a" is not a name of "big"`,
		"entries: [{provider: acme, models: [big]}]":                                                           "no source",
		"entries: [{provider: acme, models: [big], colour: red, source: s}]":                                   "colour",
		"entries: [{provider: acme, models: [big], prices: {inputs: \"1\"}, source: s}]":                       `"inputs" is not a meter`,
		"entries: [{provider: acme, models: [big], prices: {input: \"0.0000001\"}, source: s}]":                "whole number of pico-dollars",
		"entries: [{provider: acme, models: [big], tiers: {flex: {times: \"-1\"}}, source: s}]":                "not a number above 0",
		"entries: [{provider: acme, models: [big], tiers: {gold: {times: \"1\"}}, source: s}]":                 `tier "gold"`,
		"entries: [{provider: acme, models: [big], tiers: {flex: {prices: {output: \"1\"}}}, source: s}]":      "no price for input",
		"entries: [{provider: acme, models: [big], regions: {eu: \"\"}, source: s}]":                           "not a number above 0",
		"entries: [{provider: acme, models: [big], tokenizer: bpe, source: s}]":                                `tokenizer "bpe"`,
		"entries: [{provider: acme, models: [big], max_output: -1, source: s}]":                                "negative",
		"entries: [{provider: acme, models: [big], regions: {a/b: \"1\"}, source: s}]":                         "region",
		"entries: [{provider: acme, models: [big, big], regions: {eu: \"1\"}, source: s}]":                     "listed twice",
		"entries: [{provider: acme, models: [big, big], tiers: {flex: {times: \"1\"}}, source: s}]":            "two rows from context 0",
		"entries: [{provider: acme, models: [cited], tiers: {flex: {prices: {input: \"x\"}}}, source: s}]":     "whole number of pico-dollars",
		"entries: [{provider: acme, models: [cited], tiers: {flex: {times: \"a half\"}}, source: \"tables\"}]": "not a number above 0",
	} {
		_, _, err := generate(pkg, []byte(overlay))
		if err == nil || !strings.Contains(err.Error(), want) {
			t.Errorf("%s\n  gives %v, want %q", overlay, err, want)
		}
	}
}

func TestLiterals(t *testing.T) {
	for in, want := range map[string]string{
		`[1, -2.5, .5, 2e5, 1E-7, !0, !1, null]; rest`: `[1,-2.5,0.5,2e5,1E-7,true,false,null]`,
		"{a: 'x', $b_1: \"y\", \"c d\": `z`}":          `{"a":"x","$b_1":"y","c d":"z"}`,
		`["\n\t\r\\\"\'\x41\u00e9\$", "é"]`:            `["\n\t\r\\\"'Aé$","é"]`,
		`[[], {}, {a: {}}]`:                            `[[],{},{"a":{}}]`,
	} {
		got, err := literalToJSON(in)
		if err != nil || string(got) != want || !json.Valid(got) {
			t.Errorf("%s is %s, %v; want %s", in, got, err, want)
		}
	}
	for in, want := range map[string]string{
		"":                 "no end",
		"[1,":              "no end",
		"x":                "does not begin",
		"[\n\nundefined]":  `line 3: "undefined" is not data`,
		"[a()]":            "is not data",
		"[1.2.3]":          "is not a number",
		"[`a${b}`]":        "expression",
		`["abc`:            "no end",
		`["a\`:             "no end",
		`["\q"]`:           "not known",
		`["\ud83d\ude00"]`: "not known",
		"[/x/]":            "is not data",
		"[-]":              "is not a number",
	} {
		if got, err := literalToJSON(in); err == nil || !strings.Contains(err.Error(), want) {
			t.Errorf("%q gives %s, %v; want %q", in, got, err, want)
		}
	}
}

func TestPackagesThatAreNotWhatTheySeem(t *testing.T) {
	manifest := `{"name":"n","version":"1"}`
	for what, c := range map[string]struct {
		data []byte
		want string
	}{
		"not a package": {bytes.Repeat([]byte("plain text "), 10), "gzip"},
		"no manifest":   {pack(t, map[string]string{"dist/index.js": bundle}), "package.json"},
		"no bundle":     {pack(t, map[string]string{"package.json": manifest}), "no list"},
		"no list":       {pack(t, map[string]string{"package.json": manifest, "dist/index.js": "var a = 1"}), "no list"},
		"empty list":    {pack(t, map[string]string{"package.json": manifest, "dist/index.js": "const E = []"}), "empty"},
		"cut short":     {pack(t, map[string]string{"package.json": manifest, "dist/index.js": bundle[:strings.Index(bundle, "models: [")+9]}), "no end"},
	} {
		if _, err := readPackage(bytes.NewReader(c.data)); err == nil || !strings.Contains(err.Error(), c.want) {
			t.Errorf("%s: %v, want %q", what, err, c.want)
		}
	}
	if err := run(nil, &bytes.Buffer{}); err == nil {
		t.Error("no flags are no error")
	}
}

func FuzzLiteralToJSON(f *testing.F) {
	f.Add(bundle[len("const E = "):])
	f.Fuzz(func(t *testing.T, src string) {
		out, err := literalToJSON(src)
		if err == nil && len(out) == 0 {
			t.Fatal("neither data nor an error")
		}
	})
}
