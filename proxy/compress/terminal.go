package compress

import "bytes"

const escape = 0x1b

// terminal gives what a terminal would show of a text: without the sequences that set
// colours and titles or move the cursor, and of a line that was written over, the last
// of it. An escape character is never left.
func terminal(t []byte) []byte {
	if bytes.IndexByte(t, escape) < 0 && bytes.IndexByte(t, '\r') < 0 {
		return t
	}
	shown := make([]byte, 0, len(t))
	for len(t) > 0 {
		i := bytes.IndexByte(t, escape)
		if i < 0 {
			shown = append(shown, t...)
			break
		}
		shown = append(shown, t[:i]...)
		t = t[i+sequence(t[i:]):]
	}
	out := make([]byte, 0, len(shown))
	eachLine(shown, func(line []byte, ended bool) {
		body, cr := bytes.CutSuffix(line, []byte{'\r'})
		if i := bytes.LastIndexByte(body, '\r'); i >= 0 {
			body = last(body)
		}
		out = append(out, body...)
		if cr {
			out = append(out, '\r')
		}
		if ended {
			out = append(out, '\n')
		}
	})
	return out
}

// last is what was written last over a line.
func last(line []byte) []byte {
	parts := bytes.Split(line, []byte{'\r'})
	for i := len(parts) - 1; i >= 0; i-- {
		if len(parts[i]) > 0 {
			return parts[i]
		}
	}
	return nil
}

// maxSequence bounds a title that a sequence sets.
const maxSequence = 256

// sequence is the length of the one that t begins with (ECMA-48): CSI with its
// parameters, OSC to its end, or the escape character alone.
func sequence(t []byte) int {
	if len(t) < 2 {
		return 1
	}
	switch t[1] {
	case '[':
		for i := 2; i < min(len(t), maxSequence); i++ {
			switch b := t[i]; {
			case b >= 0x40 && b <= 0x7e:
				return i + 1
			case b < 0x20 || b > 0x7e:
				return 1
			}
		}
	case ']':
		for i := 2; i < min(len(t), maxSequence); i++ {
			switch {
			case t[i] == 0x07:
				return i + 1
			case t[i] == escape && i+1 < len(t) && t[i+1] == '\\':
				return i + 2
			case t[i] == escape, t[i] == '\n': // it is broken off
				return 1
			}
		}
	}
	return 1
}
