package decide

import (
	"fmt"
	"strings"
)

// Guard is one reason for which two prompts may not share an answer, however alike
// they look. The numbers are stored in usage records: append only.
type Guard uint8

// The guards.
const (
	GuardNumber       Guard = iota // amounts differ, units taken into account
	GuardTime                      // dates or words for times differ
	GuardNegation                  // one of them denies
	GuardOpposite                  // a word of one is the opposite of a word of the other
	GuardDirection                 // the two sides of a relation are exchanged
	GuardEntity                    // names differ
	GuardCode                      // identifiers, versions, addresses or operators differ
	GuardQuote                     // quoted passages differ
	GuardQuestion                  // another kind of answer is asked for
	GuardScope                     // one of them narrows what it asks
	GuardSubstitution              // one rare word stands in another's place
	GuardLength                    // one says far more than the other
	GuardLanguage                  // another language or script, or one that the model was not fitted on
	GuardForm                      // another form of answer is asked for
	guards
)

var guardNames = [guards]string{"number", "time", "negation", "opposite", "direction", "entity", "code", "quote", "question", "scope", "substitution", "length", "language", "form"}

// String is the guard's id, as explain and metrics show it.
func (g Guard) String() string {
	if g < guards {
		return guardNames[g]
	}
	return fmt.Sprintf("guard(%d)", uint8(g))
}

// Guards lists every guard, in order.
func Guards() []Guard {
	out := make([]Guard, guards)
	for i := range out {
		out[i] = Guard(i)
	}
	return out
}

// Set is a set of guards.
type Set uint32

// Has says whether a guard is in the set.
func (s Set) Has(g Guard) bool { return s&(1<<g) != 0 }

// String lists the ids, with commas.
func (s Set) String() string {
	var b strings.Builder
	for g := range guards {
		if s.Has(g) {
			if b.Len() > 0 {
				b.WriteByte(',')
			}
			b.WriteString(g.String())
		}
	}
	return b.String()
}

// Verdict is what the guards say of two prompts. A guard that is in neither set
// abstains: it saw nothing of its kind, or the same on both sides.
type Verdict struct {
	// Vetoes are final: the answer may not be shared.
	Vetoes Set
	// Doubts are for the model to weigh.
	Doubts Set

	counts [guards]uint8 // how much of it was found, where it can be counted
	align  *alignment
}

// Vetoed says whether any guard forbids to share the answer.
func (v *Verdict) Vetoed() bool { return v.Vetoes != 0 }

// First is the first guard that vetoed, in the order of the list; ok is false where none did.
func (v *Verdict) First() (g Guard, ok bool) {
	for g := range guards {
		if v.Vetoes.Has(g) {
			return g, true
		}
	}
	return 0, false
}

var guardReasons = [guards]string{
	"%d amounts are not on both sides", "%d dates or words for times are not on both sides", "negations: %d more on one side",
	"%d words have their opposite on the other side", "the sides of a relation are exchanged", "%d names are not on both sides",
	"%d identifiers, versions or addresses are not on both sides", "%d quotations are not on both sides", "another kind of answer is asked for",
	"one side narrows the question, by %d words", "a word stands in the place of another", "one side says much more",
	"not the same language, or one that is not judged", "another form of answer is asked for",
}

// Reason is why a guard vetoed or doubted. It quotes nothing of either prompt.
func (v *Verdict) Reason(g Guard) string {
	if !v.Vetoes.Has(g) && !v.Doubts.Has(g) {
		return ""
	}
	if r := guardReasons[g]; strings.Contains(r, "%d") {
		return fmt.Sprintf(r, v.counts[g])
	}
	return guardReasons[g]
}

func (v *Verdict) veto(g Guard, n int) {
	v.Vetoes |= 1 << g
	v.counts[g] = uint8(min(n, 255))
}

func (v *Verdict) doubt(g Guard, n int) {
	v.Doubts |= 1 << g
	v.counts[g] = uint8(min(n, 255))
}

// Examine runs the guards over a prompt that was asked and one whose answer is
// stored. The order of the two does not matter.
func Examine(asked, stored *Text) Verdict {
	v := Verdict{align: align(asked, stored)}
	for _, check := range []func(*Verdict, *alignment){
		guardNumber, guardTime, guardNegation, guardOpposite, guardDirection, guardEntity, guardCode, guardQuote, guardQuestion, guardScope, guardSubstitution, guardLength, guardLanguage, guardForm,
	} {
		check(&v, v.align)
	}
	return v
}
