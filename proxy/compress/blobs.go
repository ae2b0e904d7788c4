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

// Lines of base64 that goes on in the next are as long as each other, and of a usual
// length, in characters.
const (
	minWrapped = 60
	maxWrapped = 256
)

// blob is the length of the base64 at t[i:], with the line ends in it, and how many
// characters it has.
func blob(t []byte, i int) (n, size int) {
	start, from := i, i
	for {
		for i < len(t) && base64(t[i]) {
			i++
		}
		line := i - from
		size += line
		if line < minWrapped || line > maxWrapped || i == len(t) || t[i] != '\n' || !goesOn(t[i+1:], line) {
			return i - start, size
		}
		i++
		from = i
	}
}

// goesOn says whether t begins with a line of base64 of that length, or with a shorter
// one that ends base64.
func goesOn(t []byte, line int) bool {
	n := 0
	for n < len(t) && n <= line && base64(t[n]) && t[n] != '-' {
		n++
	}
	return n > 0 && n <= line && (n == len(t) || t[n] == '\n') && (n == line || t[n-1] == '=')
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
