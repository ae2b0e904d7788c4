package policy

// pattern is a text in lower case in which '*' stands for any text, also none.
type pattern string

func newPattern(s string) pattern {
	b := []byte(s)
	for i := range b {
		b[i] = lower(b[i])
	}
	return pattern(b)
}

func lower(c byte) byte {
	if 'A' <= c && c <= 'Z' {
		return c + 'a' - 'A'
	}
	return c
}

// fits says whether all of s fits. It takes at most len(p) times len(s) steps.
func (p pattern) fits(s string) bool {
	at, i := 0, 0
	star, mark := -1, 0 // the last star, and where in s it ends for the time being
	for i < len(s) {
		switch {
		case at < len(p) && p[at] == '*':
			star, mark = at, i
			at++
		case at < len(p) && p[at] == lower(s[i]):
			at++
			i++
		case star >= 0:
			mark++
			at, i = star+1, mark
		default:
			return false
		}
	}
	for at < len(p) && p[at] == '*' {
		at++
	}
	return at == len(p)
}

// anyFits says whether one of the patterns fits s.
func anyFits(list []pattern, s string) bool {
	for _, p := range list {
		if p.fits(s) {
			return true
		}
	}
	return false
}
