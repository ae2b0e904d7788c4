package overrides

import (
	"errors"
	"fmt"
	"strings"

	"github.com/goccy/go-yaml/ast"
	"github.com/goccy/go-yaml/parser"
)

// cursor is one node of the document and how it was reached.
type cursor struct {
	file string
	path string // "providers.openai.models"
	line int
	node ast.Node
}

// document is the top of the file, or a nil node if it is empty.
func document(file string, data []byte) (cursor, error) {
	top := cursor{file: file, line: 1}
	parsed, err := parser.ParseBytes(data, 0)
	if err != nil {
		return top, fmt.Errorf("%s: %s", file, firstLine(err))
	}
	for _, d := range parsed.Docs {
		if d.Body == nil || d.Body.Type() == ast.CommentType || d.Body.Type() == ast.NullType {
			continue
		}
		if top.node != nil {
			return top, fmt.Errorf("%s: there is more than one document", file)
		}
		top.node = d.Body
	}
	return top, nil
}

// firstLine leaves out the excerpt that the parser draws: "[3:5] what is wrong".
func firstLine(err error) string {
	line, _, _ := strings.Cut(err.Error(), "\n")
	return line
}

func (c cursor) errorf(format string, args ...any) error {
	at := fmt.Sprintf("%s:%d: ", c.file, c.line)
	if c.path != "" {
		at += c.path + ": "
	}
	return errors.New(at + fmt.Sprintf(format, args...))
}

// field is one key of a mapping, and the node under it.
type field struct {
	key string
	cursor
}

// fields lists a mapping in its order. The cursors carry the lines of the keys.
func (c cursor) fields() ([]field, error) {
	var pairs []*ast.MappingValueNode
	switch n := c.node.(type) {
	case *ast.MappingNode:
		pairs = n.Values
	case *ast.MappingValueNode:
		pairs = []*ast.MappingValueNode{n}
	default:
		return nil, c.errorf("must be a mapping")
	}
	var fs []field
	seen := map[string]bool{}
	for _, p := range pairs {
		tok := p.Key.GetToken()
		if tok == nil || p.Key.IsMergeKey() {
			return nil, c.errorf("has a key that is not a plain name")
		}
		f := field{key: tok.Value, cursor: c.under(tok.Value, p.Value)}
		f.line = tok.Position.Line
		if seen[f.key] {
			return nil, f.errorf("is there twice")
		}
		seen[f.key] = true
		fs = append(fs, f)
	}
	return fs, nil
}

func (c cursor) under(key string, node ast.Node) cursor {
	path := key
	if c.path != "" {
		path = c.path + "." + key
	}
	return cursor{file: c.file, path: path, line: c.line, node: node}
}

// items lists a sequence.
func (c cursor) items() ([]cursor, error) {
	n, ok := c.node.(*ast.SequenceNode)
	if !ok {
		return nil, c.errorf("must be a list")
	}
	var list []cursor
	for i, v := range n.Values {
		item := cursor{file: c.file, path: fmt.Sprintf("%s[%d]", c.path, i), line: c.line, node: v}
		if tok := v.GetToken(); tok != nil {
			item.line = tok.Position.Line
		}
		list = append(list, item)
	}
	return list, nil
}

// text is a scalar as it is written, so that decimals lose nothing.
func (c cursor) text() (string, error) {
	switch n := c.node.(type) {
	case *ast.StringNode:
		return n.Value, nil
	case *ast.IntegerNode, *ast.FloatNode, *ast.BoolNode:
		return n.GetToken().Value, nil
	}
	return "", c.errorf("must be a single value")
}

func (c cursor) texts() ([]string, error) {
	items, err := c.items()
	if err != nil {
		return nil, err
	}
	var list []string
	for _, item := range items {
		s, err := item.text()
		if err != nil {
			return nil, err
		}
		list = append(list, s)
	}
	return list, nil
}
