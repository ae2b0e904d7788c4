package claude

import (
	"cmp"
	"regexp"
	"strconv"
	"strings"

	"purser/proxy/dialect"
	"purser/proxy/dialect/conversation"
	"purser/proxy/dialect/jsontree"
)

// UsualCap is the cap of an answer where neither the client nor the request has
// another and one has to be written. Tokens of thinking come on top.
const UsualCap = 8_192

// minBudget is the smallest budget of thinking that the API takes.
const minBudget = 1_024

// efforts are the levels, from low to high, and the budgets that stand for them
// with models that know budgets alone. Those of the highest two are as much as
// leaves room for an answer below the caps of all such models. "minimal" is not a
// level here, and is written as the lowest.
var efforts = [...]struct {
	name   string
	budget int64
}{
	{"low", 1_024}, {"medium", 8_192}, {"high", 24_576}, {"xhigh", 32_768}, {"max", 32_768},
}

// budgetOf is the budget that stands for an effort, 0 for one that is not known.
func budgetOf(effort string) int64 {
	if effort == "minimal" {
		return minBudget
	}
	for _, e := range efforts {
		if e.name == effort {
			return e.budget
		}
	}
	return 0
}

// EffortOf is the lowest level whose budget has room for so many tokens.
func EffortOf(budget int64) string {
	for _, e := range efforts {
		if budget <= e.budget {
			return e.name
		}
	}
	return "max"
}

// thinks says how a model is told how much to think.
type thinks uint8

const (
	eitherWay thinks = iota
	byBudget         // thinking.budget_tokens, and no effort
	byEffort         // output_config.effort, and no budget
)

// versionOf finds the generation in a name such as "claude-opus-4-5-20251101".
var versionOf = regexp.MustCompile(`claude-(?:[a-z]+-)?(\d{1,2})(?:[-.](\d{1,2}))?(?:\D|$)`)

// thinkingOf tells the generations apart by a model's name: those before 4.6 know
// budgets, those after it refuse them, and 4.6 takes both. What is no such name may
// be either.
func thinkingOf(model string) thinks {
	found := versionOf.FindStringSubmatch(model)
	if found == nil {
		return eitherWay
	}
	major, _ := strconv.Atoi(found[1])
	minor, _ := strconv.Atoi(found[2]) // 0 where there is none
	switch {
	case major == 4 && minor == 6:
		return eitherWay
	case major < 4, major == 4 && minor < 6:
		return byBudget
	}
	return byEffort
}

// Plan is how reasoning is written, and the cap beside it.
type Plan struct {
	Effort string // "" for none
	Cap    string // digits

	kind    string // of thinking, "" for none
	budget  int64
	display string
}

// Thinks says whether thinking is told in a field of its own.
func (p *Plan) Thinks() bool { return p.kind != "" }

// Budgeted says whether thinking has a budget, which the cap is to exceed.
func (p *Plan) Budgeted() bool { return p.budget > 0 }

// PlanOf decides how the reasoning that q asks for is written for its model. own is
// the name that begins the seals of the dialect it is written in. A budget that the
// API would refuse is left out.
func PlanOf(q *conversation.Request, own string) (Plan, *dialect.Error) {
	why := q.Reasoning
	p := Plan{Cap: q.MaxOutput.Digits}
	way := thinkingOf(q.Model)
	switch why.Kind {
	case conversation.ReasoningUnset:
	case conversation.ReasoningOff:
		p.kind = "disabled"
	case conversation.ReasoningEffort:
		if budgetOf(why.Effort) == 0 {
			return p, jsontree.Untranslatable(why.At, "no such effort is known")
		}
		if way == byBudget {
			p.budget = budgetOf(why.Effort)
		} else {
			p.Effort = Level(why.Effort)
		}
	case conversation.ReasoningBudget:
		switch {
		case way == byEffort:
			p.Effort = EffortOf(why.Budget)
		case why.Budget < minBudget:
			return p, jsontree.Untranslatable(why.At, "a budget has at least 1,024 tokens")
		default:
			p.budget = why.Budget
		}
	case conversation.ReasoningByModel:
		if way == byBudget {
			p.budget = budgetOf("medium")
		} else {
			p.kind = "adaptive"
		}
	}
	if p.budget > 0 && !budgetFits(q, own) {
		p.budget = 0
		q.Leave(why.At)
	}
	if p.Effort != "" {
		p.kind = "adaptive"
	}
	switch {
	case p.kind == "adaptive" && why.Shown:
		p.display = "summarized"
	case p.budget > 0 && !why.Shown:
		p.display = "omitted"
	}
	return p, p.fit(cmp.Or(q.UsualOutput, UsualCap), why.At)
}

// budgetFits says whether a call may think by a budget: not where a tool has to be
// used, nor in the middle of a turn that has begun without a thought of Claude's, as
// turns have that came through a client without a word for its seal. What the user
// says after results is of the same message as these.
func budgetFits(q *conversation.Request, own string) bool {
	if q.Choice.Kind == conversation.Required || q.Choice.Kind == conversation.Named {
		return false
	}
	turns := conversation.Joined(q.Turns)
	calls, earlier := false, false
	for i := len(turns) - 1; i >= 0; i-- {
		results, others := false, false
		for j := range turns[i].Parts {
			switch p := &turns[i].Parts[j]; p.Kind {
			case conversation.ToolResult:
				results = true
			case conversation.ToolUse:
				calls = true
			case conversation.Thought:
				if !earlier && strings.HasPrefix(p.Seal, own+":") {
					return true
				}
			default:
				others = true
			}
		}
		if turns[i].Role == conversation.User {
			if !results {
				break
			}
			earlier = earlier || others && i+1 < len(turns)
		}
	}
	return !calls
}

// fit makes the budget and the cap agree: the cap has to exceed the budget. A
// budget is a limit, so that a smaller one is within what was asked for. usual is
// the cap of an answer where there is none.
func (p *Plan) fit(usual int64, at string) *dialect.Error {
	if p.budget > 0 {
		p.kind = "enabled"
	}
	if p.Cap == "" {
		p.Cap = strconv.FormatInt(usual+p.budget, 10)
		return nil
	}
	limit, err := strconv.ParseInt(p.Cap, 10, 64)
	if p.budget == 0 || err != nil || p.budget < limit { // a cap that is no number is refused when it is decoded
		return nil
	}
	if limit <= minBudget {
		return jsontree.Untranslatable(at, "this model thinks with at least 1,024 tokens, which the cap on the answer has to exceed")
	}
	p.budget = max(limit/2, minBudget)
	return nil
}

// WriteThinking writes the object that tells how to think.
func (p *Plan) WriteThinking(w *jsontree.Writer) {
	w.Object(func() {
		w.Field("type", p.kind)
		if p.budget > 0 {
			w.Key("budget_tokens").Int(p.budget)
		}
		w.Optional("display", p.display)
	})
}

// Effort says whether there is such a level of effort.
func Effort(level string) bool { return budgetOf(level) > 0 }

// Level is the level of effort as it is written, which knows no "minimal".
func Level(effort string) string { return strings.Replace(effort, "minimal", "low", 1) }

// Named says whether a model's name is that of a Claude.
func Named(model string) bool { return strings.Contains(model, "claude") }
