package conversation

import "purser/proxy/dialect/jsontree"

// NumberOf reads a number, and where it stands.
func NumberOf(n jsontree.Node) Number { return Number{Digits: n.Number(), At: n.At()} }

// WordOf reads a short text, and where it stands.
func WordOf(n jsontree.Node) Word { return Word{Text: n.String(), At: n.At()} }

// SwitchOf reads a boolean, and where it stands; a null leaves it unset.
func SwitchOf(n jsontree.Node) Switch { return Switch{Set: n.Has(), On: n.Bool(), At: n.At()} }
