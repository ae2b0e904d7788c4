package claude

import (
	"strconv"
	"testing"

	"purser/proxy/dialect/conversation"
)

func TestGenerations(t *testing.T) {
	for name, want := range map[string]thinks{
		"claude-3-7-sonnet-20250219": byBudget, "claude-sonnet-4-20250514": byBudget, "claude-opus-4-1": byBudget, "claude-haiku-4-5": byBudget,
		"us.anthropic.claude-sonnet-4-5-20250929-v1:0": byBudget, "anthropic/claude-opus-4.5": byBudget, "claude-opus-4-5@20251101": byBudget,
		"claude-opus-4-6": eitherWay, "claude-mythos-preview": eitherWay, "gpt-5": eitherWay, "my-claude": eitherWay,
		"claude-opus-4-7": byEffort, "claude-opus-4-10": byEffort, "claude-sonnet-5": byEffort, "claude-fable-5-1": byEffort,
	} {
		if got := thinkingOf(name); got != want {
			t.Errorf("%s: %d, want %d", name, got, want)
		}
	}
}

// TestBudgetsWhereTheAPITakesThem: not beside a forced tool, and not in a turn that
// goes on after calls of tools without a thought of the dialect's own.
func TestBudgetsWhereTheAPITakesThem(t *testing.T) {
	said := conversation.Turn{Role: conversation.User, Parts: []conversation.Part{{Kind: conversation.Text, Text: "x"}}}
	calls := func(seal string) conversation.Turn {
		turn := conversation.Turn{Role: conversation.Assistant, Parts: []conversation.Part{{Kind: conversation.ToolUse}}}
		if seal != "" {
			turn.Parts = append([]conversation.Part{{Kind: conversation.Thought, Seal: seal}}, turn.Parts...)
		}
		return turn
	}
	answer := conversation.Turn{Role: conversation.Assistant, Parts: said.Parts}
	results := conversation.Turn{Role: conversation.User, Parts: []conversation.Part{{Kind: conversation.ToolResult}}}
	for i, x := range []struct {
		choice conversation.ChoiceKind
		turns  []conversation.Turn
		want   bool
	}{
		{conversation.Auto, []conversation.Turn{said}, true},
		{conversation.None, []conversation.Turn{said}, true},
		{conversation.Required, []conversation.Turn{said}, false},
		{conversation.Named, []conversation.Turn{said}, false},
		{conversation.Unset, []conversation.Turn{said, calls("own:s"), results}, true},
		{conversation.Unset, []conversation.Turn{said, calls(""), results}, false},
		{conversation.Unset, []conversation.Turn{said, calls("other:s"), results}, false},
		{conversation.Unset, []conversation.Turn{said, calls("own:s"), results, calls(""), results}, true}, // one turn, begun with a thought
		{conversation.Unset, []conversation.Turn{said, calls("own:s"), results, said, calls(""), results}, false},
		{conversation.Unset, []conversation.Turn{said, calls(""), results, said}, false},              // joined to the results
		{conversation.Unset, []conversation.Turn{said, calls(""), results, said, answer, said}, true}, // an earlier turn
		{conversation.Unset, []conversation.Turn{said, calls(""), said, results}, false},
	} {
		q := &conversation.Request{
			Model: "claude-haiku-4-5", Turns: x.turns, Choice: conversation.Choice{Kind: x.choice},
			Reasoning: conversation.Reasoning{Kind: conversation.ReasoningEffort, Effort: "low", At: "reasoning"},
		}
		p, e := PlanOf(q, "own")
		limit, err := strconv.Atoi(p.Cap)
		if e != nil || err != nil || p.Budgeted() != x.want || p.Thinks() != x.want || (len(q.Left) == 0) != x.want || (limit > UsualCap) != x.want {
			t.Errorf("%d: %+v, left out %v, %v", i, p, q.Left, e)
		}
		q.Model, q.Left = "claude-opus-5", nil
		if p, e := PlanOf(q, "own"); e != nil || p.Effort != "low" || len(q.Left) > 0 {
			t.Errorf("%d, by effort: %+v, left out %v, %v", i, p, q.Left, e)
		}
	}
}
