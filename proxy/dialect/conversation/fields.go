package conversation

import "purser/proxy/dialect/jsontree"

// NumberOf reads a number, and where it stands.
func NumberOf(n jsontree.Node) Number { return Number{Digits: n.Number(), At: n.At()} }

// WordOf reads a short text, and where it stands.
func WordOf(n jsontree.Node) Word { return Word{Text: n.String(), At: n.At()} }

// SwitchOf reads a boolean, and where it stands; a null leaves it unset.
func SwitchOf(n jsontree.Node) Switch { return Switch{Set: n.Has(), On: n.Bool(), At: n.At()} }

// ChoiceOf reads OpenAI's words for which tools may be called; any other is refused.
func ChoiceOf(n jsontree.Node) ChoiceKind {
	switch n.String() {
	case "":
	case "auto":
		return Auto
	case "none":
		return None
	case "required":
		return Required
	default:
		n.Refuse("", "")
	}
	return Unset
}

// EffortOf reads OpenAI's words for how much the model is to think; any other is
// refused.
func EffortOf(n jsontree.Node) (ReasoningKind, string) {
	switch effort := n.String(); effort {
	case "":
	case "none":
		return ReasoningOff, ""
	case "minimal", "low", "medium", "high", "xhigh", "max":
		return ReasoningEffort, effort
	default:
		n.Refuse("", "")
	}
	return ReasoningUnset, ""
}
