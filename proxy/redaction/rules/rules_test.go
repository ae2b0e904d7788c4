package rules

import (
	"math/rand/v2"
	"slices"
	"strings"
	"testing"

	"purser/proxy/redaction/labelled"
)

// find gives the ids of the rules that find something in a text.
func find(list []Rule, text string) (ids []string) {
	for _, r := range list {
		for _, m := range r.Regex.FindAllString(text, -1) {
			if !slices.ContainsFunc(r.Allow, func(a Allow) bool { return a.Allows([]byte(m), []byte(m)) }) {
				ids = append(ids, r.ID)
				break
			}
		}
	}
	return ids
}

// TestEveryOwnRuleFindsItsValues draws values of each rule, in sentences.
func TestEveryOwnRuleFindsItsValues(t *testing.T) {
	own, err := Own()
	if err != nil || len(own.Left) > 0 || own.Default {
		t.Fatalf("%v, left: %v", err, own.Left)
	}
	if len(own.Rules) < 80 {
		t.Errorf("there are %d rules", len(own.Rules))
	}
	known := labelled.SecretRules()
	r := rand.New(rand.NewPCG(1, 2))
	for _, rule := range own.Rules {
		if !slices.Contains(known, rule.ID) {
			t.Errorf("there is no value for %s", rule.ID)
			continue
		}
		if rule.Description == "" || len(rule.Keywords) == 0 {
			t.Errorf("%s has no description or no keywords", rule.ID)
		}
		for range 20 {
			value, sentence := labelled.Secret(r, rule.ID)
			text := strings.Replace(sentence, "%s", value, 1)
			if !slices.Contains(find([]Rule{rule}, text), rule.ID) {
				t.Errorf("%s does not find %q", rule.ID, text)
			}
			if lower := strings.ToLower(text); !slices.ContainsFunc(rule.Keywords, func(k string) bool { return strings.Contains(lower, k) }) {
				t.Errorf("%s: no keyword is in %q", rule.ID, text)
			}
		}
	}
	for _, id := range known {
		if !slices.ContainsFunc(own.Rules, func(r Rule) bool { return r.ID == id }) {
			t.Errorf("there are values for %s, and no rule", id)
		}
	}
}

// sample has what files in this form use.
const sample = `
title = "a sample"
minVersion = "v8.25.0"

[extend]
useDefault = true
disabledRules = ["npm-token", "jwt"]

[allowlist]
description = "everywhere"
paths = ['''go\.sum$''', '''(^|/)vendor/''']
regexes = ['''^acme_0+$''']
stopwords = ["doNotUse"]

[[rules]]
id = "acme-token"
description = "Acme token"
regex = '''(?i)[\w.-]{0,50}?(?:acme)(?:[ \t\w.-]{0,20})[\s'"]{0,3}(?:=|>|:{1,3}=|\|\||:|=>|\?=|,)[\x60'"\s=]{0,5}(acme_[a-z0-9]{8,20})(?:[\x60'"\s;]|\\[nr]|$)'''
entropy = 2.5
keywords = ["acme"]
tags = ["x"]

[[rules]]
id = "acme-pair"
description = "Acme id and secret"
regex = '''id=([a-z]{4}) secret=([a-z]{8})'''
secretGroup = 2
keywords = ["secret="]
[[rules.allowlists]]
condition = "AND"
regexTarget = "match"
regexes = ['''id=test''']
stopwords = ["aaaa"]
[[rules.allowlists]]
regexTarget = "line"
regexes = ['''# ignore$''']

[rules.allowlist]
commits = ["abcdef"]

[[rules]]
id = "by-path"
description = "a file"
path = '''\.p12$'''

[[rules]]
id = "with-another"
regex = '''abc'''
[[rules.required]]
id = "acme-token"

[[allowlists]]
description = "for one"
targetRules = ["acme-pair"]
stopwords = ["zzzz"]
`

func TestASampleOfTheFormIsRead(t *testing.T) {
	s, err := Load([]byte(sample))
	if err != nil {
		t.Fatal(err)
	}
	if !s.Default || !slices.Equal(s.Without, []string{"npm-token", "jwt"}) || !slices.Equal(s.Left, []string{"by-path", "with-another"}) || len(s.Rules) != 2 {
		t.Fatalf("%+v", s)
	}
	token, pair := s.Rules[0], s.Rules[1]
	if token.Entropy != 2.5 || token.Keywords[0] != "acme" || len(token.Allow) != 1 || pair.Group != 2 || len(pair.Allow) != 4 {
		t.Errorf("%+v\n%+v", token, pair)
	}
	all := func(secret, match, line string) bool {
		return slices.ContainsFunc(pair.Allow, func(a Allow) bool {
			return a.Allows([]byte(secret), []byte([]string{secret, match, line}[a.Target]))
		})
	}
	for secret, c := range map[string]struct {
		match, line string
		allowed     bool
	}{
		"qwertyui": {"id=abcd secret=qwertyui", "id=abcd secret=qwertyui", false},
		"aaaaqwer": {"id=abcd secret=aaaaqwer", "x", false}, // the stop word alone
		"aaaatest": {"id=test secret=aaaatest", "x", true},
		"ignoredd": {"m", "id=abcd secret=ignoredd # ignore", true},
		"zzzzabcd": {"m", "x", true},
		"donotuse": {"m", "x", true},
	} {
		if all(secret, c.match, c.line) != c.allowed {
			t.Errorf("%s: allowed is not %v", secret, c.allowed)
		}
	}
	own, err := Own()
	if err != nil {
		t.Fatal(err)
	}
	if both := s.Extended(own.Rules); len(both) != len(own.Rules)-2+2 {
		t.Errorf("%d rules extend %d", len(both), len(own.Rules))
	}
	s.Default = false
	if len(s.Extended(own.Rules)) != 2 {
		t.Error("a file that extends nothing has more than its own rules")
	}
}

func TestBadFilesAreRefused(t *testing.T) {
	for what, c := range map[string]struct{ doc, says string }{
		"no TOML":           {"[[rules]\nid", "line 1"},
		"no id":             {"[[rules]]\nregex = 'a'", "has no id"},
		"an id twice":       {"[[rules]]\nid='a'\nregex='a'\n[[rules]]\nid='a'\nregex='b'", "that of another"},
		"a bad expression":  {"[[rules]]\nid='a'\nregex='('", "rule a"},
		"look-ahead":        {"[[rules]]\nid='a'\nregex='(?=a)b'", "rule a"},
		"the empty text":    {"[[rules]]\nid='a'\nregex='a*'", "empty"},
		"no such group":     {"[[rules]]\nid='a'\nregex='(a)'\nsecretGroup=2", "secretGroup"},
		"no such target":    {"[[rules]]\nid='a'\nregex='a'\n[[rules.allowlists]]\nregexTarget='file'\nregexes=['a']", "regexTarget"},
		"no such condition": {"[[rules]]\nid='a'\nregex='a'\n[[rules.allowlists]]\ncondition='XOR'\nregexes=['a']", "condition"},
		"another file":      {"[extend]\npath='x.toml'", "another file"},
		"too long":          {strings.Repeat("#", MaxFile+1), "bytes"},
		"a long expression": {"[[rules]]\nid='a'\nregex='" + strings.Repeat("a", maxRegex+1) + "'", "bytes"},
	} {
		if _, err := Load([]byte(c.doc)); err == nil || !strings.Contains(err.Error(), c.says) {
			t.Errorf("%s: %v, want %q in it", what, err, c.says)
		}
	}
}

func FuzzLoad(f *testing.F) {
	f.Add([]byte(sample))
	f.Fuzz(func(_ *testing.T, doc []byte) { _, _ = Load(doc) })
}
