package jsonscan

import (
	"encoding/binary"
	"math/bits"
	"strings"
	"unicode/utf16"
	"unicode/utf8"
)

const (
	ones  = 0x0101010101010101
	highs = 0x8080808080808080
)

// plainRun gives how many bytes from the start of b are plain: ASCII, not a
// control character, not a quote, not a backslash. It looks at eight at a time.
func plainRun(b []byte) int {
	i := 0
	for ; len(b)-i >= 8; i += 8 {
		w := binary.LittleEndian.Uint64(b[i:])
		quote := w ^ (ones * '"')
		slash := w ^ (ones * '\\')
		// Each term sets the high bit of the bytes that end the run: those
		// below 0x20, the quote, the backslash, and by w itself the non-ASCII
		// ones. A borrow can mark a byte too many above a true mark, never
		// below one, and only the lowest mark is used.
		stop := ((w - ones*0x20) | (quote - ones) | (slash - ones) | w) & highs
		if stop != 0 {
			return i + bits.TrailingZeros64(stop)/8
		}
	}
	for ; i < len(b); i++ {
		if c := b[i]; c < 0x20 || c >= utf8.RuneSelf || c == '"' || c == '\\' {
			break
		}
	}
	return i
}

// String reads the string the cursor is at.
func (c *Cursor) String() (Str, error) {
	c.space()
	d := c.Doc
	if c.Pos >= len(d) || d[c.Pos] != '"' {
		return Str{}, c.fail("expected a string")
	}
	i := c.Pos + 1
	s := Str{Start: i}
	saved := 0 // bytes that escapes take beyond what they stand for
	for {
		i += plainRun(d[i:])
		if i >= len(d) {
			c.Pos = i
			return Str{}, c.fail("unexpected end of a string")
		}
		switch b := d[i]; {
		case b == '"':
			s.End = i
			s.Len = i - s.Start - saved
			c.Pos = i + 1
			return s, nil
		case b == '\\':
			raw, text := escape(d[i:], c.LoneSurrogates)
			if raw == 0 {
				c.Pos = i
				return Str{}, c.fail("invalid escape")
			}
			s.Escaped = true
			saved += raw - text
			i += raw
		case b < 0x20:
			c.Pos = i
			return Str{}, c.fail("control character in a string")
		default:
			n := runes(d[i:])
			if n == 0 {
				c.Pos = i
				return Str{}, c.fail("invalid UTF-8")
			}
			i += n
		}
	}
}

// runes gives the length of the run of valid non-ASCII runes at the start of b.
func runes(b []byte) int {
	i := 0
	for i < len(b) && b[i] >= utf8.RuneSelf {
		r, n := utf8.DecodeRune(b[i:])
		if r == utf8.RuneError && n == 1 {
			return 0
		}
		i += n
	}
	return i
}

// escape measures the escape at the start of b: its bytes as written and as
// text. Zero means that it is not one.
func escape(b []byte, lone bool) (raw, text int) {
	if len(b) < 2 {
		return 0, 0
	}
	switch b[1] {
	case '"', '\\', '/', 'b', 'f', 'n', 'r', 't':
		return 2, 1
	case 'u':
	default:
		return 0, 0
	}
	r, ok := hex4(b)
	if !ok {
		return 0, 0
	}
	if !utf16.IsSurrogate(r) {
		return 6, utf8.RuneLen(r)
	}
	if low, ok := hex4(b[6:]); ok && utf16.DecodeRune(r, low) != utf8.RuneError {
		return 12, 4
	}
	if lone {
		return 6, 3
	}
	return 0, 0
}

// hex4 reads a \uXXXX at the start of b.
func hex4(b []byte) (rune, bool) {
	if len(b) < 6 || b[0] != '\\' || b[1] != 'u' {
		return 0, false
	}
	var r rune
	for _, c := range b[2:6] {
		r <<= 4
		switch {
		case c >= '0' && c <= '9':
			r |= rune(c - '0')
		case c >= 'a' && c <= 'f':
			r |= rune(c-'a') + 10
		case c >= 'A' && c <= 'F':
			r |= rune(c-'A') + 10
		default:
			return 0, false
		}
	}
	return r, true
}

// AppendText appends the text of a string's inside, unescaped. raw must have
// been read by a cursor; half a surrogate pair becomes U+FFFD.
func AppendText(dst, raw []byte) []byte {
	for len(raw) > 0 {
		if raw[0] != '\\' {
			n := 1
			for n < len(raw) && raw[n] != '\\' {
				n++
			}
			dst = append(dst, raw[:n]...)
			raw = raw[n:]
			continue
		}
		switch raw[1] {
		case 'b':
			dst = append(dst, '\b')
		case 'f':
			dst = append(dst, '\f')
		case 'n':
			dst = append(dst, '\n')
		case 'r':
			dst = append(dst, '\r')
		case 't':
			dst = append(dst, '\t')
		case 'u':
			r, _ := hex4(raw)
			size := 6
			if utf16.IsSurrogate(r) {
				low, _ := hex4(raw[6:])
				if r = utf16.DecodeRune(r, low); r != utf8.RuneError {
					size = 12
				}
			}
			dst = utf8.AppendRune(dst, r)
			raw = raw[size:]
			continue
		default:
			dst = append(dst, raw[1])
		}
		raw = raw[2:]
	}
	return dst
}

// Text gives the text of s as a new string.
func (c *Cursor) Text(s Str) string {
	raw := c.Doc[s.Start:s.End]
	if !s.Escaped {
		return string(raw)
	}
	return string(AppendText(make([]byte, 0, s.Len), raw))
}

// Name gives the text of s for comparing: a part of Doc, or a copy if s has escapes.
func (c *Cursor) Name(s Str) []byte {
	raw := c.Doc[s.Start:s.End]
	if !s.Escaped {
		return raw
	}
	return AppendText(make([]byte, 0, s.Len), raw)
}

const hexDigits = "0123456789abcdef"

// AppendString appends text as a JSON string with its quotes. Bytes that are
// not UTF-8 become U+FFFD. Equal texts give equal bytes.
func AppendString(dst []byte, text string) []byte {
	return appendQuoted(dst, strings.ToValidUTF8(text, "\ufffd"))
}

// AppendValid is AppendString for text that is known to be UTF-8.
func AppendValid(dst, text []byte) []byte { return appendQuoted(dst, text) }

func appendQuoted[T string | []byte](dst []byte, text T) []byte {
	dst = append(dst, '"')
	from := 0
	for i := 0; i < len(text); i++ {
		b := text[i]
		if b >= 0x20 && b != '"' && b != '\\' {
			continue
		}
		dst = append(dst, text[from:i]...)
		from = i + 1
		switch b {
		case '"', '\\':
			dst = append(dst, '\\', b)
		case '\n':
			dst = append(dst, '\\', 'n')
		case '\r':
			dst = append(dst, '\\', 'r')
		case '\t':
			dst = append(dst, '\\', 't')
		default:
			dst = append(dst, '\\', 'u', '0', '0', hexDigits[b>>4], hexDigits[b&15])
		}
	}
	dst = append(dst, text[from:]...)
	return append(dst, '"')
}
