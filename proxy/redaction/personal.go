package redaction

import (
	"regexp"
	"sync"

	"purser/proxy/redaction/rules"
)

// personal are the recognizers of personal data. An expression alone would find
// too much: most have a checksum, and where less than about one in a hundred of all
// numbers of the shape fails it, a word nearby that names the thing. What the numbers
// are made of is in the files beside, with its source.
var personal = sync.OnceValue(func() []*recognizer {
	var all []*recognizer
	for _, group := range [][]*recognizer{addresses(), financial(), american(), british(), asian(), commonwealth(), european()} {
		for _, r := range group {
			if err := r.ready(); err != nil {
				panic("redaction: " + err.Error()) // its own expressions, which tests compile
			}
			all = append(all, r)
		}
	}
	return all
})

// secrets are the recognizers of Purser's own rules.
var secrets = sync.OnceValues(func() ([]*recognizer, error) {
	own, err := rules.Own()
	if err != nil {
		return nil, err
	}
	return secretsOf(own.Rules)
})

// secretsOf makes the recognizers of rules.
func secretsOf(list []rules.Rule) (all []*recognizer, err error) {
	for _, r := range list {
		x := secret(r)
		if err := x.ready(); err != nil {
			return nil, err
		}
		all = append(all, x)
	}
	return all, nil
}

// exact is a pattern that needs no word nearby, and named one that does.
func exact(expr string, valid func([]byte) bool) pattern {
	return pattern{re: regexp.MustCompile(expr), valid: valid}
}

func named(expr string, valid func([]byte) bool) pattern {
	return pattern{re: regexp.MustCompile(expr), valid: valid, context: true}
}

// pureDigits is a shape of digits alone, in groups or not.
func pureDigits(least int) func(*region) bool {
	return func(r *region) bool { return r.pure >= least }
}

// mixedWord is a shape of one word of letters and digits, of such lengths.
func mixedWord(from, to int) func(*region) bool {
	return func(r *region) bool { return r.hasMixed(from, to) }
}
