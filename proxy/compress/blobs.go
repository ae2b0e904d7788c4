package compress

import "strconv"

// minBlob is how much base64 is taken for data, in bytes: more than keys, tokens and
// hashes have.
const minBlob = 768

// blobs leaves out base64: a run of its characters, or of whole lines of them.
func blobs(t []byte) []byte {
	if len(t) < minBlob {
		return t
	}
	out := make([]byte, 0, len(t))
	at := 0
	for i := 0; i < len(t); {
		n, size := blob(t, i)
		if size < minBlob || !mixed(t[i:i+n]) {
			i += max(n, 1)
			continue
		}
		out = append(out, t[at:i]...)
		out = append(out, note(strconv.Itoa(size), " characters of base64 left out here")...)
		i += n
		at = i
	}
	return append(out, t[at:]...)
}

// wrapped is the least length of a line of base64 that goes on in the next.
const wrapped = 60

// blob is the length of the base64 at t[i:], with the line ends in it, and how many
// characters it has.
func blob(t []byte, i int) (n, size int) {
	start, from := i, i
	for {
		for i < len(t) && base64(t[i]) {
			i++
		}
		size += i - from
		more := i < len(t) && t[i] == '\n' && i-from >= wrapped && i+1 < len(t) && base64(t[i+1]) && lineIsBase64(t[i+1:])
		if !more {
			return i - start, size
		}
		i++
		from = i
	}
}

// lineIsBase64 says whether the line that t begins with has nothing else in it. It
// looks at no more than a line of it is long.
func lineIsBase64(t []byte) bool {
	const most = 4 << 10
	for i := range min(len(t), most) {
		if t[i] == '\n' {
			return true
		}
		if !base64(t[i]) {
			return false
		}
	}
	return len(t) <= most
}

func base64(b byte) bool {
	return b >= 'a' && b <= 'z' || b >= 'A' && b <= 'Z' || digit(b) || b == '+' || b == '/' || b == '=' || b == '-' || b == '_'
}

// mixed says whether there are capitals, small letters and digits in it, as in data of
// that length there are.
func mixed(t []byte) bool {
	var capital, small, number bool
	for _, b := range t {
		capital = capital || b >= 'A' && b <= 'Z'
		small = small || b >= 'a' && b <= 'z'
		number = number || digit(b)
	}
	return capital && small && number
}
