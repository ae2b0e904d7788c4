package compress

import "bytes"

// space shortens a text of the user by white space that a reader of prose does not
// see: spaces and tabs at the end of a line, and runs of three blank lines or more,
// which become one. It keeps whatever could be code or mean something: fenced blocks,
// indented lines and the blank lines beside them, diffs, texts with carriage returns,
// and the two spaces by which Markdown breaks a line.
func space(t []byte) []byte {
	if bytes.IndexByte(t, '\r') >= 0 || isDiff(t) || !bytes.Contains(t, []byte(" \n")) && !bytes.Contains(t, []byte("\t\n")) && !bytes.Contains(t, []byte("\n\n\n\n")) {
		return t
	}
	lines := bytes.Split(t, []byte{'\n'})
	out := make([]byte, 0, len(t))
	fence := []byte(nil)
	for i := 0; i < len(lines); {
		line := lines[i]
		switch mark := fenceOf(line); {
		case fence != nil:
			if mark != nil && bytes.HasPrefix(mark, fence) {
				fence = nil
			}
			out = appendLine(out, line)
			i++
			continue
		case mark != nil:
			fence = mark
			out = appendLine(out, line)
			i++
			continue
		}
		if !blank(line) {
			out = appendLine(out, endOf(line, i+1 < len(lines) && !blank(lines[i+1])))
			i++
			continue
		}
		to := i
		for to < len(lines) && blank(lines[to]) {
			to++
		}
		out = appendBlank(out, lines[i:to], i > 0 && indented(lines[i-1]) || to < len(lines) && indented(lines[to]))
		i = to
	}
	return out[:len(out)-1]
}

// appendBlank appends a run of blank lines; beside an indented line as it is.
func appendBlank(out []byte, run [][]byte, code bool) []byte {
	const few = 3
	for i, line := range run {
		switch {
		case code:
			out = appendLine(out, line)
		case len(run) < few || i == 0:
			out = append(out, '\n')
		}
	}
	return out
}

// endOf is a line without the white space at its end, but for Markdown's break.
func endOf(line []byte, followed bool) []byte {
	short := bytes.TrimRight(line, " \t")
	if indented(line) || followed && bytes.HasSuffix(line, []byte("  ")) {
		return line
	}
	return short
}

func blank(line []byte) bool { return len(bytes.TrimLeft(line, " \t")) == 0 }

func indented(line []byte) bool {
	return !blank(line) && (line[0] == '\t' || bytes.HasPrefix(line, []byte("  ")))
}

// fenceOf is the mark that a line opens or closes a fenced block with; nil for none.
func fenceOf(line []byte) []byte {
	rest := bytes.TrimLeft(line, " >\t")
	for _, mark := range []byte{'`', '~'} {
		n := 0
		for n < len(rest) && rest[n] == mark {
			n++
		}
		if n >= 3 {
			return rest[:n]
		}
	}
	return nil
}

func isDiff(t []byte) bool {
	starts := func(s string) bool {
		return bytes.HasPrefix(t, []byte(s)) || bytes.Contains(t, []byte("\n"+s))
	}
	return starts("diff --git ") || starts("@@ ") || starts("--- ") && starts("+++ ")
}
