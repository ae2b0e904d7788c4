package receiver

import (
	"fmt"

	common "go.opentelemetry.io/proto/otlp/common/v1"
	trace "go.opentelemetry.io/proto/otlp/trace/v1"
)

// Node is a span in its trace.
type Node struct {
	*trace.Span
	Over *Node // nil for the root
	Sub  []*Node
}

// Tree puts spans of one trace together. It is an error if they are of several, if one
// is there twice, if a parent is missing, or if there is more than one root: other than
// a span whose parent is outside, which is a caller's.
func Tree(spans []*trace.Span, outside string) (*Node, error) {
	by := map[string]*Node{}
	for _, s := range spans {
		if string(s.TraceId) != string(spans[0].TraceId) {
			return nil, fmt.Errorf("%s is in the trace %x, and %s in %x", spans[0].Name, spans[0].TraceId, s.Name, s.TraceId)
		}
		if by[string(s.SpanId)] != nil {
			return nil, fmt.Errorf("the span %x (%s) is there twice", s.SpanId, s.Name)
		}
		by[string(s.SpanId)] = &Node{Span: s}
	}
	var root *Node
	for _, s := range spans {
		n := by[string(s.SpanId)]
		n.Over = by[string(s.ParentSpanId)]
		switch {
		case n.Over != nil:
			n.Over.Sub = append(n.Over.Sub, n)
		case string(s.ParentSpanId) != outside:
			return nil, fmt.Errorf("the parent %x of %s is missing", s.ParentSpanId, s.Name)
		case root != nil:
			return nil, fmt.Errorf("%s and %s are both roots", root.Name, s.Name)
		default:
			root = n
		}
	}
	if root == nil {
		return nil, fmt.Errorf("%d spans and no root", len(spans))
	}
	return root, nil
}

// Attribute is one of a list: a text, an int64, a float64, a bool or a list of texts;
// nil where it is not there.
func Attribute(list []*common.KeyValue, key string) any {
	for _, kv := range list {
		if kv.Key != key {
			continue
		}
		switch v := kv.Value.Value.(type) {
		case *common.AnyValue_StringValue:
			return v.StringValue
		case *common.AnyValue_IntValue:
			return v.IntValue
		case *common.AnyValue_DoubleValue:
			return v.DoubleValue
		case *common.AnyValue_BoolValue:
			return v.BoolValue
		case *common.AnyValue_ArrayValue:
			var out []string
			for _, x := range v.ArrayValue.Values {
				out = append(out, x.GetStringValue())
			}
			return out
		}
	}
	return nil
}

// Get is an attribute of the span.
func (n *Node) Get(key string) any { return Attribute(n.Attributes, key) }
