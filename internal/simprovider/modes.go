package simprovider

import (
	"fmt"
	"slices"
	"strconv"
	"strings"
	"time"
)

// Plan is how one call misbehaves. The zero Plan behaves. Its text form is
// modes joined by '+', each a name and for some an argument: "no-usage",
// "slow-chunks=5ms+cut=3". Where two modes exclude each other (429 and cut),
// the one that comes first on the wire wins.
type Plan struct {
	refuse     refusal       // answer with an error and bill nothing
	retryAfter time.Duration // stated with refuse, 0 for none

	firstByte time.Duration // wait before the first byte, on top of the configuration's
	chunkGap  time.Duration // wait between chunks, on top of the configuration's
	tokens    int           // natural length of the answer, 0 for the hash's choice
	overCap   int           // times the cap that is generated, 0 to respect it
	percent   int64         // of its price that the call is billed at, 0 for the price

	cutAfter   int // chunks before the connection is closed; -1 never
	errorAfter int // chunks before an error event; -1 never
	noDone     bool
	burst      bool // all events in one write
	split      splitting
	crlf       bool // SSE lines end in CRLF
	comments   bool // SSE comment lines between events
	huge       int  // padding of one event, or of a JSON body, in bytes

	usage usageForm

	stall     bool // bill, then never answer
	billReset bool // bill, then reset the connection before any header
	badJSON   bool
	badLength int // added to content-length
	gzip      bool
	close     bool // "connection: close" after the answer
	idleClose bool // close after the answer without a word

	text string
}

type refusal uint8

const (
	answer refusal = iota
	refuse429
	refuseQuota
	refuse500
	refuse502
	refuse503
	refuse529
	refuse200  // an error body under status 200
	resetFirst // TCP reset before any byte
)

type usageForm uint8

const (
	usageHonest usageForm = iota
	usageMissing
	usageNull
	usageTwice
)

type splitting uint8

const (
	splitNot   splitting = iota
	splitRune            // a write ends inside each multi-byte rune
	splitCRLF            // a write ends between each CR and LF; implies CRLF
	splitBytes           // each byte is a write
)

const (
	defaultSlow     = time.Second
	defaultHuge     = 1 << 20
	maxModeWait     = 10 * time.Minute // as long as any client waits
	maxHuge         = 64 << 20         // enough to break any buffer that can be broken
	maxPlanText     = 256              // bytes; a plan is a few words
	suffixMark      = "--sim-"
	modeHeader      = "x-sim-mode"
	clientRequestID = "x-client-request-id"
)

// modeTable has every mode: what it takes, and what it does. Arguments that
// have a default may be left out.
var modeTable = map[string]struct {
	argument string // "", "duration", "count", "word"
	fallback int64  // of the argument; -1 if it must be given
	set      func(p *Plan, n int64)
	does     string
}{
	"429":   {"duration", 0, func(p *Plan, n int64) { p.refuse, p.retryAfter = refuse429, time.Duration(n) }, "429 rate_limit_exceeded, with retry-after if an argument is given"},
	"quota": {"", 0, func(p *Plan, _ int64) { p.refuse = refuseQuota }, "429 insufficient_quota"},
	"500":   {"", 0, func(p *Plan, _ int64) { p.refuse = refuse500 }, "500 server_error"},
	"502":   {"", 0, func(p *Plan, _ int64) { p.refuse = refuse502 }, "502 with an HTML page"},
	"503":   {"duration", 0, func(p *Plan, n int64) { p.refuse, p.retryAfter = refuse503, time.Duration(n) }, "503 overloaded, with retry-after if an argument is given"},
	"529":   {"", 0, func(p *Plan, _ int64) { p.refuse = refuse529 }, "529 overloaded_error"},
	"200":   {"", 0, func(p *Plan, _ int64) { p.refuse = refuse200 }, "an error body under status 200"},
	"reset": {"", 0, func(p *Plan, _ int64) { p.refuse = resetFirst }, "TCP reset before any byte; not billed"},

	"slow-first":  {"duration", int64(defaultSlow), func(p *Plan, n int64) { p.firstByte = time.Duration(n) }, "a wait before the first byte"},
	"slow-chunks": {"duration", int64(defaultSlow), func(p *Plan, n int64) { p.chunkGap = time.Duration(n) }, "a wait between chunks"},
	"tokens":      {"count", -1, func(p *Plan, n int64) { p.tokens = int(n) }, "that many output tokens, if the cap allows"},
	"over-cap":    {"count", 2, func(p *Plan, n int64) { p.overCap = int(n) }, "generates and bills text of that many times the output cap"},

	"percent": {"count", -1, func(p *Plan, n int64) { p.percent = n }, "billed, and reported where costs are, at that many percent of the price"},

	"cut":         {"count", 3, func(p *Plan, n int64) { p.cutAfter = int(n) }, "connection closed after that many chunks, or within the JSON body"},
	"no-done":     {"", 0, func(p *Plan, _ int64) { p.noDone = true }, "a stream that ends cleanly without [DONE]"},
	"error-event": {"count", 3, func(p *Plan, n int64) { p.errorAfter = int(n) }, "an error event after that many chunks, then the end"},
	"split":       {"word", -1, func(p *Plan, n int64) { p.split, p.crlf = splitting(n), p.crlf || splitting(n) == splitCRLF }, "writes end inside every rune (=rune), every CRLF (=crlf), or after each byte (=byte)"},
	"crlf":        {"", 0, func(p *Plan, _ int64) { p.crlf = true }, "SSE lines end in CRLF"},
	"comments":    {"", 0, func(p *Plan, _ int64) { p.comments = true }, "SSE comment lines between events"},
	"burst":       {"", 0, func(p *Plan, _ int64) { p.burst = true }, "all events in one write"},
	"huge":        {"count", defaultHuge, func(p *Plan, n int64) { p.huge = int(n) }, "one event, or the body, padded by that many bytes"},

	"no-usage":   {"", 0, func(p *Plan, _ int64) { p.usage = usageMissing }, "no usage in JSON and SSE"},
	"null-usage": {"", 0, func(p *Plan, _ int64) { p.usage = usageNull }, "usage null everywhere"},
	"dup-usage":  {"", 0, func(p *Plan, _ int64) { p.usage = usageTwice }, "the usage chunk twice"},

	"bill-timeout": {"", 0, func(p *Plan, _ int64) { p.stall = true }, "billed, then never answered"},
	"bill-reset":   {"", 0, func(p *Plan, _ int64) { p.billReset = true }, "billed, then TCP reset before any byte"},
	"bad-json":     {"", 0, func(p *Plan, _ int64) { p.badJSON = true }, "a body, or one event, that is not JSON; billed"},
	"long-length":  {"count", 64, func(p *Plan, n int64) { p.badLength = int(n) }, "content-length that much beyond the body, then a close"},
	"short-length": {"count", 16, func(p *Plan, n int64) { p.badLength = -int(n) }, "content-length that much short of the body, then a close"},
	"gzip":         {"", 0, func(p *Plan, _ int64) { p.gzip = true }, "a gzip body, asked for or not"},
	"close":        {"", 0, func(p *Plan, _ int64) { p.close = true }, "connection: close after the answer"},
	"idle-close":   {"", 0, func(p *Plan, _ int64) { p.idleClose = true }, "the kept-alive connection closed after the answer, unannounced"},
}

var splitWords = map[string]splitting{"rune": splitRune, "crlf": splitCRLF, "byte": splitBytes}

// wellBehaved is the plan of a call that nothing was planned for.
var wellBehaved = Plan{cutAfter: -1, errorAfter: -1}

// ParsePlan reads the text form of a plan. "" and "ok" behave.
func ParsePlan(text string) (*Plan, error) {
	p := wellBehaved
	if text == "" || text == "ok" {
		return &p, nil
	}
	if len(text) > maxPlanText {
		return nil, fmt.Errorf("plan of %d bytes, at most %d", len(text), maxPlanText)
	}
	for _, part := range strings.Split(text, "+") {
		name, arg, given := strings.Cut(part, "=")
		mode, ok := modeTable[name]
		if !ok {
			return nil, fmt.Errorf("plan %q: no mode %q", text, name)
		}
		n, err := modeArgument(mode.argument, arg)
		switch {
		case given && err != nil:
			return nil, fmt.Errorf("plan %q: mode %q: %w", text, name, err)
		case !given && mode.fallback < 0:
			return nil, fmt.Errorf("plan %q: mode %q needs an argument", text, name)
		case !given:
			n = mode.fallback
		}
		mode.set(&p, n)
	}
	p.text = text
	return &p, nil
}

// Modes lists every mode for people: its name, what it takes, what it does.
func Modes() []string {
	var out []string
	for name, m := range modeTable {
		switch {
		case m.argument == "":
		case m.fallback < 0:
			name += "=" + m.argument
		default:
			name += "[=" + m.argument + "]"
		}
		out = append(out, fmt.Sprintf("%-24s%s", name, m.does))
	}
	slices.Sort(out)
	return out
}

// String is the text the plan was made from, "" for none.
func (p *Plan) String() string { return p.text }

func modeArgument(kind, arg string) (int64, error) {
	switch kind {
	case "duration":
		d, err := time.ParseDuration(arg)
		if err == nil && (d <= 0 || d > maxModeWait) {
			err = fmt.Errorf("%v is not within 0 and %v", d, maxModeWait)
		}
		return int64(d), err
	case "count":
		n, err := strconv.ParseInt(arg, 10, 64)
		if err == nil && (n < 0 || n > maxHuge) {
			err = fmt.Errorf("%d is not within 0 and %d", n, maxHuge)
		}
		return n, err
	case "word":
		w, ok := splitWords[arg]
		if !ok {
			return 0, fmt.Errorf("%q is not rune, crlf or byte", arg)
		}
		return int64(w), nil
	default:
		return 0, fmt.Errorf("takes no argument")
	}
}
