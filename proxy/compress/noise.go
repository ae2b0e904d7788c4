package compress

import (
	"bytes"
)

// minRun is how many lines alike are folded.
const minRun = 4

// noise folds lines that repeat the one above them, and lines that differ from it only
// in the times that stand in them, of which the first and the last stay.
func noise(t []byte) []byte {
	lines := bytes.Split(t, []byte{'\n'})
	if len(lines) < minRun {
		return t
	}
	out := make([]byte, 0, len(t))
	var mask, other []byte
	for i := 0; i < len(lines); {
		line := lines[i]
		to := i + 1
		for to < len(lines) && bytes.Equal(lines[to], line) {
			to++
		}
		if n := to - i; n >= minRun {
			if blank(line) {
				out = appendLines(out, lines[i:to])
			} else {
				out = fold(out, lines[i:to], note("the line above ", count(n-1, "more time")), nil)
			}
			i = to
			continue
		}
		mask = maskTimes(mask[:0], line)
		to = i + 1
		for len(mask) < len(line) && to < len(lines) {
			if other = maskTimes(other[:0], lines[to]); !bytes.Equal(mask, other) {
				break
			}
			to++
		}
		if n := to - i; n >= minRun {
			out = fold(out, lines[i:to], note(count(n-2, "line"), " like the one above and the one below but for the times"), lines[to-1])
			i = to
			continue
		}
		out = appendLine(out, line)
		i++
	}
	return out[:len(out)-1]
}

// fold appends the first line of a run, what is said of it, and the last if there is one, where
// that is shorter than the run.
func fold(out []byte, run [][]byte, said, end []byte) []byte {
	size := 0
	for _, line := range run {
		size += len(line) + 1
	}
	if len(run[0])+len(said)+len(end)+3 > size {
		return appendLines(out, run)
	}
	out = appendLine(appendLine(out, run[0]), said)
	if end != nil {
		out = appendLine(out, end)
	}
	return out
}

// maskTimes appends a line with each date and time in it as one byte, which no text
// has: 2006-01-02, 15:04:05 with a fraction and a zone, and both together.
func maskTimes(dst, line []byte) []byte {
	for i := 0; i < len(line); {
		n := 0
		if digit(line[i]) && (i == 0 || !digit(line[i-1])) {
			n = when(line[i:])
		}
		if n == 0 {
			dst = append(dst, line[i])
			i++
			continue
		}
		dst = append(dst, 0)
		i += n
	}
	return dst
}

func digit(b byte) bool { return b >= '0' && b <= '9' }

// when is the length of the date or time that b begins with, 0 for none.
func when(b []byte) int {
	n := shaped(b, "0000-00-00")
	if n == 0 {
		n = shaped(b, "0000/00/00")
	}
	if n > 0 {
		if n < len(b) && (b[n] == 'T' || b[n] == ' ') {
			if c := clock(b[n+1:]); c > 0 {
				return n + 1 + c
			}
		}
		return n
	}
	return clock(b)
}

// clock is the length of the time of day that b begins with.
func clock(b []byte) int {
	n := shaped(b, "00:00:00")
	if n == 0 {
		return 0
	}
	if n+1 < len(b) && (b[n] == '.' || b[n] == ',') && digit(b[n+1]) {
		for n++; n < len(b) && digit(b[n]); n++ {
		}
	}
	switch {
	case n < len(b) && b[n] == 'Z':
		n++
	case shaped(b[n:], "+00:00") > 0:
		n += 6
	case shaped(b[n:], "-00:00") > 0:
		n += 6
	}
	return n
}

// shaped gives the length of shape, in which 0 is any digit, if b begins with it and no
// further digit follows.
func shaped(b []byte, shape string) int {
	if len(b) < len(shape) {
		return 0
	}
	for i := range len(shape) {
		if shape[i] == '0' && !digit(b[i]) || shape[i] != '0' && b[i] != shape[i] {
			return 0
		}
	}
	if len(b) > len(shape) && digit(b[len(shape)]) {
		return 0
	}
	return len(shape)
}
