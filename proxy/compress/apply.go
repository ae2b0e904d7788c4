package compress

import (
	"bytes"
)

// MaxBody is the longest body that is looked at, in bytes. A longer one passes as it
// is: reading it would take a good part of a second.
const MaxBody = 16 << 20

// minGain is what a pass must take out of a text, in bytes, to change it.
const minGain = 16

// Effect is what one pass did.
type Effect struct {
	Texts int // that it made shorter; of the pass turns, exchanges
	Bytes int // by how much, in UTF-8
}

// Result is what became of a body.
type Result struct {
	Body    []byte // the one given, where nothing has changed
	Changed bool
	Effects [passes]Effect // by pass
}

// Of is the effect of a pass.
func (r *Result) Of(p Pass) Effect { return r.Effects[p] }

// Apply compresses a client's body. An error means that the body could not be read, or
// is not of a dialect known; the body given is then what there is to send.
func Apply(body []byte, d Dialect, s *Settings) (Result, error) {
	if s.Level == Off || len(body) > MaxBody {
		return Result{Body: body}, nil
	}
	r := Result{Body: body}
	t, err := converse(body, d)
	if err != nil {
		return r, err
	}
	t.settle(s)
	w := work{talk: t, settings: s, result: &r}
	w.run()
	edits := append(w.cuts, t.edits(nil)...)
	if len(edits) == 0 {
		return r, nil
	}
	r.Body, r.Changed = apply(body, edits), true
	return r, nil
}

// work is one run over a conversation.
type work struct {
	*talk
	settings *Settings
	result   *Result
	cuts     []edit // of the body, beside those of texts
	gone     [2]int // turns that are left out
}

// run does every pass in its order, which has reasons. What is left out comes first, so
// that no reference names it. Terminals' marks go before JSON is read. Repeats come
// last: they refer to what is left.
func (w *work) run() {
	do := [passes]func(){
		Schema: w.shortenSchemas, Turns: w.leaveOutTurns, Superseded: w.leaveOutSuperseded, Results: w.leaveOutResults,
		Terminal: w.each(Terminal, spelled, terminal), JSON: w.each(JSON, spelled, shortJSON), Space: w.each(Space, written, space),
		Noise: w.each(Noise, spelled, noise), Blobs: w.each(Blobs, spelled, blobs), Long: w.each(Long, returned, w.long),
		Outside: w.ask, Repeats: w.refer,
	}
	for p, f := range do {
		if w.settings.runs(Pass(p)) {
			f()
		}
	}
}

// which texts a pass looks at.
type which func(*text) bool

func spelled(t *text) bool  { return t.voice == result && !t.exact && !t.noted }
func returned(t *text) bool { return t.voice == result }
func written(t *text) bool  { return t.voice == user && !t.noted }

// each is a pass that looks at one text at a time. change gives the text shorter, or
// as it is.
func (w *work) each(p Pass, of which, change func([]byte) []byte) func() {
	return func() {
		for _, t := range w.texts {
			if of(t) {
				w.set(p, t, change(t.out))
			}
		}
	}
}

// set changes a text, where that is worth it and leaves something.
func (w *work) set(p Pass, t *text, to []byte) {
	gain := len(t.out) - len(to)
	if gain < minGain || len(to) == 0 {
		return
	}
	e := &w.result.Effects[p]
	e.Texts++
	e.Bytes += gain
	t.out = to
}

// appendLine appends a line to lines.
func appendLine(dst, line []byte) []byte {
	return append(append(dst, line...), '\n')
}

func appendLines(dst []byte, lines [][]byte) []byte {
	for _, line := range lines {
		dst = appendLine(dst, line)
	}
	return dst
}

// eachLine gives the lines of a text in order, without their ends, and whether each
// has one.
func eachLine(t []byte, do func(line []byte, ended bool)) {
	for len(t) > 0 {
		i := bytes.IndexByte(t, '\n')
		if i < 0 {
			do(t, false)
			return
		}
		do(t[:i], true)
		t = t[i+1:]
	}
}
