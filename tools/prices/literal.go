package main

import (
	"bytes"
	"encoding/json"
	"errors"
	"fmt"
	"strconv"
	"strings"
	"unicode/utf8"
)

// literalToJSON rewrites the JavaScript array or object literal at the start of
// src as JSON, number for number: a literal that passed through a JavaScript
// engine would have passed through floating point. It knows what a bundler
// makes of plain data: unquoted keys, !0 and !1, three kinds of quotes. Anything
// else is an error.
func literalToJSON(src string) ([]byte, error) {
	s := &scanner{src: src}
	for {
		if err := s.token(); err != nil {
			line := 1 + strings.Count(src[:min(s.pos, len(src))], "\n")
			return nil, fmt.Errorf("line %d: %w", line, err)
		}
		if s.depth == 0 {
			return s.out.Bytes(), nil
		}
	}
}

type scanner struct {
	src   string
	pos   int
	depth int
	out   bytes.Buffer
}

func (s *scanner) token() error {
	s.pos += len(s.src[s.pos:]) - len(strings.TrimLeft(s.src[s.pos:], " \t\r\n"))
	if s.pos >= len(s.src) {
		return errors.New("the literal has no end")
	}
	rest := s.src[s.pos:]
	switch c := rest[0]; {
	case c == '{' || c == '[':
		s.depth++
		s.take(1)
	case c == '}' || c == ']':
		s.depth--
		s.take(1)
	case s.depth == 0:
		return fmt.Errorf("a literal does not begin with %q", c)
	case c == ',' || c == ':':
		s.take(1)
	case strings.HasPrefix(rest, "!0"):
		s.put("true", 2)
	case strings.HasPrefix(rest, "!1"):
		s.put("false", 2)
	case c == '"' || c == '\'' || c == '`':
		return s.quoted(c)
	case c == '-' || c == '.' || c >= '0' && c <= '9':
		n := len(rest) - len(strings.TrimLeft(rest, "+-.eE0123456789"))
		number := rest[:n]
		if number[0] == '.' {
			number = "0" + number
		}
		if !json.Valid([]byte(number)) {
			return fmt.Errorf("%q is not a number", rest[:n])
		}
		s.put(number, n)
	default:
		return s.word(rest)
	}
	return nil
}

func (s *scanner) take(n int)               { s.put(s.src[s.pos:s.pos+n], n) }
func (s *scanner) put(text string, had int) { s.out.WriteString(text); s.pos += had }

// word is a key without quotes, or null.
func (s *scanner) word(rest string) error {
	n := 0
	for n < len(rest) && (rest[n] == '_' || rest[n] == '$' || rest[n] >= '0' && rest[n] <= '9' ||
		rest[n]|0x20 >= 'a' && rest[n]|0x20 <= 'z') {
		n++
	}
	if n == 0 {
		return fmt.Errorf("%q is not data", rest[:1])
	}
	if after := strings.TrimLeft(rest[n:], " \t\r\n"); !strings.HasPrefix(after, ":") {
		if rest[:n] != "null" {
			return fmt.Errorf("%q is not data", rest[:n])
		}
		s.put("null", n)
		return nil
	}
	s.put(strconv.Quote(rest[:n]), n)
	return nil
}

func (s *scanner) quoted(quote byte) error {
	var text strings.Builder
	for i := s.pos + 1; i < len(s.src); {
		c := s.src[i]
		switch {
		case c == quote:
			quoted, err := json.Marshal(text.String())
			if err != nil {
				return err
			}
			s.out.Write(quoted)
			s.pos = i + 1
			return nil
		case quote == '`' && strings.HasPrefix(s.src[i:], "${"):
			return errors.New("a template has an expression")
		case c != '\\':
			_, size := utf8.DecodeRuneInString(s.src[i:])
			text.WriteString(s.src[i : i+size])
			i += size
		default:
			value, had, err := escape(s.src[i:])
			if err != nil {
				return err
			}
			text.WriteString(value)
			i += had
		}
	}
	return errors.New("a string has no end")
}

// escape decodes the escape sequence at the start of s.
func escape(s string) (value string, had int, err error) {
	if len(s) < 2 {
		return "", 0, errors.New("a string has no end")
	}
	switch c := s[1]; c {
	case 'n':
		return "\n", 2, nil
	case 't':
		return "\t", 2, nil
	case 'r':
		return "\r", 2, nil
	case 'u', 'x':
		n := map[byte]int{'u': 6, 'x': 4}[c]
		if len(s) < n {
			return "", 0, errors.New("a string has no end")
		}
		r, err := strconv.ParseUint(s[2:n], 16, 32)
		if err != nil || r >= 0xd800 && r < 0xe000 {
			return "", 0, fmt.Errorf("escape %q is not known", s[:n])
		}
		return string(rune(r)), n, nil
	case '\\', '"', '\'', '`', '$', '/':
		return string(c), 2, nil
	}
	return "", 0, fmt.Errorf("escape %q is not known", s[:2])
}
