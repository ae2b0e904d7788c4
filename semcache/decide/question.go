package decide

// question is what kind of answer is asked for.
type question uint8

const (
	askOther question = iota
	askWho
	askWhen
	askWhere
	askWhy
	askHow
	askHowMany
	askHowLong
	askHowFar
	askHowOld
	askHowOften
	askWhat
	askWhich
	askWhether
	askTask // explain, write, translate
	questions
)

// closed says whether a kind of question has answers of one kind only: a person, a
// time, a place, a count. What, which and how may ask for any of them.
func (q question) closed() bool {
	switch q {
	case askWho, askWhen, askWhere, askWhy, askHowMany, askHowLong, askHowFar, askHowOld, askHowOften:
		return true
	case askOther, askHow, askWhat, askWhich, askWhether, askTask, questions:
	}
	return false
}

var byHow = map[string]question{
	"many": askHowMany, "much": askHowMany, "long": askHowLong, "far": askHowFar, "old": askHowOld, "often": askHowOften, "frequently": askHowOften,
	"tall": askHowFar, "high": askHowFar, "big": askHowFar, "deep": askHowFar, "large": askHowFar, "fast": askHowFar, "soon": askHowLong,
}

// questionOf finds the first question word, within the first words of any clause.
func questionOf(t *Text) question {
	for i := range t.Words {
		w := t.Words[i].Text
		switch w {
		case "who", "whom", "whose":
			return askWho
		case "when":
			if i == 0 {
				return askWhen
			}
		case "where":
			if i == 0 {
				return askWhere
			}
		case "why":
			return askWhy
		case "how":
			if i+1 < len(t.Words) {
				if q, ok := byHow[t.Words[i+1].Text]; ok {
					return q
				}
			}
			return askHow
		case "what":
			if i+1 < len(t.Words) && (t.Words[i+1].Text == "time" || t.Words[i+1].Text == "year" || t.Words[i+1].Text == "date") {
				return askWhen
			}
			return askWhat
		case "which":
			return askWhich
		case "is", "are", "am", "was", "were", "do", "does", "did", "can", "could", "will", "would", "should", "shall", "has", "have", "had", "may", "must", "might":
			if i == 0 {
				return askWhether
			}
		case "explain", "describe", "list", "tell", "show", "give", "write", "translate", "convert", "compare", "summarize", "define", "calculate", "compute", "create", "make", "generate", "suggest", "name", "find":
			if i == 0 {
				return askTask
			}
		}
	}
	return askOther
}
