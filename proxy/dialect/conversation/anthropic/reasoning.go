package anthropic

import (
	"purser/proxy/dialect/conversation"
	"purser/proxy/dialect/conversation/claude"
	"purser/proxy/dialect/jsontree"
)

// reasoning reads thinking and the effort.
func (r *reading) reasoning(thinking, effort jsontree.Node) {
	why := &r.q.Reasoning
	level := effort.String()
	if effort.Has() && !claude.Effort(level) {
		effort.Refuse("", "")
	}
	if level != "" {
		*why = conversation.Reasoning{Kind: conversation.ReasoningEffort, Effort: level, At: effort.At()}
	}
	if !thinking.Has() {
		return
	}
	why.At = thinking.At()
	display := thinking.Get("display").String()
	switch kind := thinking.Get("type"); kind.String() {
	case "adaptive":
		why.Shown = display == "summarized"
		if level == "" {
			why.Kind = conversation.ReasoningByModel
		}
	case "enabled":
		*why = conversation.Reasoning{
			Kind: conversation.ReasoningBudget, Budget: thinking.Get("budget_tokens").Int(), Shown: display != "omitted", At: thinking.At(),
		}
	case "disabled":
		*why = conversation.Reasoning{Kind: conversation.ReasoningOff, At: thinking.At()}
	default:
		kind.Refuse("", "")
	}
	if level != "" && why.Kind != conversation.ReasoningEffort {
		r.q.Leave(effort.At()) // how much is said by thinking already
	}
	thinking.Rest()
}
