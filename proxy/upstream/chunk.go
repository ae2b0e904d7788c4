package upstream

// wholeChunk says whether b begins with a complete chunk, its size line and its
// final line break included (RFC 9112 section 7.1). For the last chunk it wants
// the empty line behind it; with trailers it says no. It may say no to a chunk
// that is complete, never yes to one that is not.
func wholeChunk(b []byte) bool {
	const longest = 6 // hex digits: chunks beyond the buffer are not complete anyway
	size, i := 0, 0
	for ; i < len(b) && i <= longest; i++ {
		d, ok := hexDigit(b[i])
		if !ok {
			break
		}
		size = size<<4 | d
	}
	if i == 0 || i > longest || len(b) < i+2 || b[i] != '\r' || b[i+1] != '\n' {
		return false
	}
	end := i + 2 + size
	return len(b) >= end+2 && b[end] == '\r' && b[end+1] == '\n'
}

func hexDigit(c byte) (int, bool) {
	switch {
	case '0' <= c && c <= '9':
		return int(c - '0'), true
	case 'a' <= c && c <= 'f':
		return int(c-'a') + 10, true
	case 'A' <= c && c <= 'F':
		return int(c-'A') + 10, true
	}
	return 0, false
}
