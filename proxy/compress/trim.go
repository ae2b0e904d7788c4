package compress

import (
	"bytes"
	"slices"
)

// minTrim is the least text that is left out, in bytes: more than any note has.
const minTrim = 512

// leaveOutTurns leaves out the oldest exchanges but the first, which has the task: all
// but the newest, in whole steps. An exchange is what a user wrote and all that follows
// until a user writes again, so that calls go with their results. The text of the user
// that follows says how many are missing.
func (w *work) leaveOutTurns() {
	starts := w.exchanges()
	n := w.settings.cut(len(starts) - 1)
	for i := range n {
		if !w.droppable(starts[1+i], starts[2+i]) {
			n = i
			break
		}
	}
	if n == 0 {
		return
	}
	from, to := starts[1], starts[1+n]
	at := slices.IndexFunc(w.turns[to].texts, (*text).changeable)
	if at < 0 {
		return
	}
	said := w.turns[to].texts[at]
	said.out = slices.Concat(note(count(n, "earlier exchange"), " of this conversation left out here"), []byte("\n\n"), said.out)
	said.noted = true
	cut := edit{w.turns[from].node.start, w.turns[to].node.start, nil}
	w.cuts = append(w.cuts, cut)
	w.result.Effects[Turns] = Effect{n, cut.end - cut.start}
	w.texts = slices.DeleteFunc(w.texts, func(t *text) bool { return t.turn >= from && t.turn < to })
	w.gone = [2]int{from, to}
}

// exchanges gives the turns at which a user begins to write.
func (w *work) exchanges() (starts []int) {
	before := model
	for i := range w.turns {
		u := &w.turns[i]
		if u.voice == user && before != user {
			starts = append(starts, i)
		}
		before = u.voice
	}
	return starts
}

// droppable says whether the turns from one to another may be left out: nothing in them
// has to stay, and calls and results are in pairs.
func (w *work) droppable(from, to int) bool {
	open := map[string]int{}
	for i := from; i < to; i++ {
		if w.turns[i].fixed {
			return false
		}
		for _, id := range w.turns[i].calls {
			open[id]++
		}
		for _, id := range w.turns[i].answers {
			open[id]--
		}
	}
	for _, n := range open {
		if n != 0 {
			return false
		}
	}
	return true
}

// ages gives for each turn how many answers the model had begun by then, and how many
// there are, of the turns that are left.
func (w *work) ages() (age []int, n int) {
	age = make([]int, len(w.turns))
	before := user
	for i := range w.turns {
		if i >= w.gone[0] && i < w.gone[1] {
			continue
		}
		if v := w.turns[i].voice; v == model && before != model {
			n++
		}
		before = w.turns[i].voice
		age[i] = n
	}
	return age, n
}

// leaveOutSuperseded leaves out what a tool that reads files gave, where it was called
// with the same arguments again and gave something else: the file has changed since.
// It looks at whole steps of answers.
func (w *work) leaveOutSuperseded() {
	age, n := w.ages()
	n = n / w.settings.stepTurns() * w.settings.stepTurns()
	newest := map[string]*text{}
	for _, t := range slices.Backward(w.texts) {
		if t.voice != result || !t.exact || t.call == "" || age[t.turn] > n {
			continue
		}
		last := newest[t.call]
		switch {
		case last == nil:
			newest[t.call] = t
		case last.turn == t.turn || last.noted || len(t.out) < minTrim || bytes.Equal(last.out, t.out):
		default:
			w.set(Superseded, t, note(count(len(t.out), "byte"), " left out here: what ", toolName(t.tool), " gave before it was called again with the same arguments and gave something else"))
		}
	}
}

// leaveOutResults leaves out what tools gave to calls of old answers.
func (w *work) leaveOutResults() {
	age, n := w.ages()
	n = w.settings.cut(n)
	for _, t := range w.texts {
		if t.voice == result && age[t.turn] <= n && len(t.out) >= minTrim {
			w.set(Results, t, note(count(len(t.out), "byte"), " of an old result of ", toolName(t.tool), " left out here"))
		}
	}
}

// long cuts the middle out of a text that is longer than a result may be: two parts in
// three of what stays are its head, and cuts are between lines where these are not too
// long.
func (w *work) long(t []byte) []byte {
	most := w.settings.resultBytes()
	if len(t) <= most {
		return t
	}
	const ofNote = 128
	keep := most - ofNote
	head, tail := cutAfter(t, keep*2/3), cutBefore(t, len(t)-keep/3)
	if head >= tail {
		return t
	}
	middle := t[head:tail]
	out := append(make([]byte, 0, most), t[:head]...)
	if head > 0 && t[head-1] != '\n' {
		out = append(out, '\n')
	}
	said := count(len(middle), "byte")
	if lines := bytes.Count(middle, []byte{'\n'}); lines > 1 {
		said = count(lines, "line") + ", " + said + ","
	}
	out = appendLine(out, note(said, " left out here"))
	return append(out, t[tail:]...)
}

// maxLine is how far a cut moves to find the end of a line, or of a word.
const maxLine = 512

// cutAfter is the last place to cut at or before at, cutBefore the first at or after it:
// between lines, else between words. Where neither is near it is between runes, and not
// within what could be a placeholder of a redaction.
func cutAfter(t []byte, at int) int {
	part := t[max(0, at-maxLine):at]
	for _, end := range []string{"\n", " ,"} {
		if i := bytes.LastIndexAny(part, end); i >= 0 {
			return at - len(part) + i + 1
		}
	}
	for at > 0 && t[at]&0xc0 == 0x80 {
		at--
	}
	part = t[max(0, at-maxPlaceholder):at]
	if i := bytes.LastIndexAny(part, "<["); i > bytes.LastIndexAny(part, ">]") {
		return at - len(part) + i
	}
	return at
}

func cutBefore(t []byte, at int) int {
	part := t[at:min(len(t), at+maxLine)]
	for _, end := range []string{"\n", " ,"} {
		if i := bytes.IndexAny(part, end); i >= 0 {
			return at + i + 1
		}
	}
	for at < len(t) && t[at]&0xc0 == 0x80 {
		at++
	}
	part = t[at:min(len(t), at+maxPlaceholder)]
	opens, closes := bytes.IndexAny(part, "<["), bytes.IndexAny(part, ">]")
	if closes >= 0 && (opens < 0 || closes < opens) {
		return at + closes + 1
	}
	return at
}

// maxPlaceholder is more than a placeholder of a redaction has, in bytes.
const maxPlaceholder = 128
