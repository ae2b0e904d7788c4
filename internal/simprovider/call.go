package simprovider

import (
	"strconv"
	"strings"
	"time"
	"unsafe"

	"github.com/tidwall/gjson"

	"purser/ledger"
	"purser/proxy/price"
)

// apiError is a refusal, before a dialect puts it into words of its own.
type apiError struct {
	status            int
	kind, code, param string // "" is null, but for kind
	message           string
	retryAfter        time.Duration // stated in headers, 0 for not
	allow             string        // methods, for 405
	html              bool          // an intermediary's page instead of the dialect's body
}

// call is one request and its answer. A connection reuses its call, buffers and all.
type call struct {
	p       *Provider
	c       *conn
	d       *dialect
	id      string
	at      time.Time
	account *account
	left    int // requests left this minute
	plan    *Plan
	w       wire
	gen     generation
	body    []byte // scratch of the answer
	chunk   []byte // scratch of one event
	opening []byte // what every event of this stream begins with
	sent    int64  // output tokens generated when the answer broke off, without reasoning
	thought int64  // and the reasoning tokens
	charged bool

	includeUsage bool // OpenAI's stream_options
	embed        embedRequest
	echo         bool // a legacy completion begins with its prompt
	reply        responseCall
	gemini       geminiCall
	pathModel    string // that Converse's path names
}

func (x *call) begin(c *conn) {
	x.p, x.c, x.d = c.p, c, &openAI
	x.id = c.p.run + strconv.FormatUint(c.p.calls.Add(1), 36)
	x.at = c.p.now()
	x.account, x.left = nil, shownRequestLimit
	x.setPlan(&wellBehaved)
	x.sent, x.thought, x.charged, x.includeUsage, x.echo = 0, 0, false, false, false
	x.reply, x.gemini, x.pathModel = responseCall{}, geminiCall{}, ""
	x.gen = generation{choices: x.gen.choices, prompt: x.gen.prompt[:0], marks: x.gen.marks[:0], blocks: x.gen.blocks[:0], writes: price.CacheWriteOther, n: 1}
}

func (x *call) setPlan(plan *Plan) {
	x.plan = plan
	x.w.reset(x.c, plan, &x.p.cfg)
}

// handle answers one request, and says whether the connection goes on.
func (p *Provider) handle(x *call) (keep bool) {
	path := unsafeString(x.c.req.Header.RequestURI())
	path, _, _ = strings.Cut(path, "?")
	if p.cfg.Control && strings.HasPrefix(path, controlPrefix) {
		return p.handleControl(x)
	}
	if e := x.route(path); e != nil {
		x.fail(e)
	}
	return !x.w.close
}

// serve takes one call of an endpoint from its body to its bill row.
func (x *call) serve(e *endpoint) *apiError {
	if err := e.decode(x); err != nil {
		return err
	}
	if x.plan.refuse == resetFirst {
		x.w.close = true
		x.c.abort()
		return nil
	}
	if err := x.plan.refusal(); err != nil {
		return err
	}
	if limit := x.p.cfg.RequestsPerMinute; limit > 0 && x.left < 0 {
		return &apiError{status: 429, kind: "requests", code: "rate_limit_exceeded",
			message: "Rate limit reached on requests per min (RPM).", retryAfter: time.Duration(60-x.at.Unix()%60) * time.Second}
	}
	if e.free != nil {
		x.body = e.free(x, x.body[:0])
		x.w.head(200, "application/json")
		x.d.headers(x)
		x.w.body(x.body)
		return nil
	}
	x.generate()
	if x.plan.stall || x.plan.billReset {
		x.sent, x.thought = x.gen.output()
		x.charge(e, Cut)
		x.w.close = true
		if x.plan.stall {
			x.c.wait(x.p.cfg.Stall)
		} else {
			x.c.abort()
		}
		return nil
	}
	if wait := x.p.cfg.FirstByte + x.plan.firstByte; wait > 0 && x.c.wait(wait) {
		x.w.stop(endedGone)
		x.charge(e, Disconnected)
		return nil
	}
	if x.gen.stream {
		x.stream(e)
	} else {
		x.answer(e)
	}
	return nil
}

func (x *call) generate() {
	x.d.cache(x)
	x.gen.generate(&x.p.cfg, x.plan)
}

// answer sends the whole answer at once.
func (x *call) answer(e *endpoint) {
	x.body = e.answer(x, x.body[:0])
	x.sent, x.thought = x.gen.output()
	delivered := Complete
	if x.plan.cutAfter >= 0 {
		delivered = Cut
	}
	x.charge(e, delivered)
	x.w.head(200, "application/json")
	x.d.headers(x)
	x.w.body(x.body)
}

// stream sends the answer in events. The row is written before the last of
// them, so that no caller can know the usage before the bill does.
func (x *call) stream(e *endpoint) {
	w := &x.w
	w.frames = x.d.frames
	if w.frames {
		w.head(200, "application/vnd.amazon.eventstream")
	} else {
		w.head(200, "text/event-stream; charset=utf-8")
	}
	x.d.headers(x)
	w.header("Cache-Control", "no-cache")
	w.stream()
	_, x.thought = x.gen.output()
	e.stream(x)
	if w.perSend > 0 && w.ended == notEnded {
		w.flush()
	}
	if w.ended == notEnded {
		x.charge(e, x.delivery(e.tail(x, nil)))
		e.tail(x, w.event)
	}
	switch w.ended {
	case notEnded:
		w.finish()
	case endedError:
		if !x.charged {
			x.charge(e, Cut)
		}
		w.name = x.d.errorEvent
		if e.failure != nil {
			w.name = "error"
			w.appendEvent(e.failure(x))
		} else {
			w.appendEvent(x.d.errorBody(nil, &apiError{kind: "server_error",
				message: "The server had an error while processing your request. Sorry about that!"}))
		}
		w.finish()
	case endedCut:
		if !x.charged {
			x.charge(e, Cut)
		}
	case endedGone:
		if !x.charged {
			x.charge(e, Disconnected)
		}
	}
}

// delivery is what a stream comes to that has this many events left to send.
func (x *call) delivery(tail int) Delivery {
	last := x.w.events + tail
	if at := x.plan.cutAfter; at >= 0 && at < last {
		return Cut
	}
	if at := x.plan.errorAfter; at >= 0 && at < last {
		return Cut
	}
	return Complete
}

// charge writes the one row of this call.
func (x *call) charge(e *endpoint, delivered Delivery) {
	if x.charged {
		panic("simprovider: a call is billed twice")
	}
	x.charged = true
	g := &x.gen
	shown, reasoning := g.output()
	if x.p.cfg.HangUp == BillToCut && delivered != Complete {
		shown, reasoning = x.sent, x.thought
	}
	row := Row{
		Call: x.id, ClientRequestID: string(x.c.req.Header.Peek(clientRequestID)), EndUser: x.endUser(), Key: x.account.fingerprint,
		Endpoint: e.name, Model: g.model.ID, Tier: g.tier, Usage: g.usage(shown, reasoning),
		Cap: g.limit * int64(g.n), At: x.at.UTC(), Stream: g.stream, Mode: x.plan.text, Delivered: delivered,
	}
	cost, priced := x.cost(row.Usage)
	row.Cost, row.Unpriced = cost, !priced
	x.p.bill.append(&row)
}

// endUser is who the caller says that the request is for.
func (x *call) endUser() string {
	for _, field := range []string{"user", "metadata.user_id"} {
		if v := gjson.GetBytes(x.c.req.Body(), field); v.Type == gjson.String {
			return v.Str
		}
	}
	return ""
}

// cost is what the call is billed for a usage, and whether there is a price.
func (x *call) cost(u price.Usage) (ledger.Amount, bool) {
	if x.p.cfg.Price == nil {
		return 0, false
	}
	cost, priced := x.p.cfg.Price(x.gen.model.ID, u, x.gen.tier)
	if x.plan.percent > 0 {
		const whole = 100
		cost = (cost*ledger.Amount(x.plan.percent) + whole - 1) / whole
	}
	return cost, priced
}

// fail answers with an error.
func (x *call) fail(e *apiError) {
	contentType := "application/json"
	x.body = x.d.errorBody(x.body[:0], e)
	if e.html {
		contentType = "text/html"
		x.body = append(x.body[:0], badGateway...)
	}
	x.w.head(e.status, contentType)
	if !e.html {
		x.d.headers(x)
	}
	if e.retryAfter > 0 {
		x.w.headerInt("Retry-After", int64((e.retryAfter+time.Second-1)/time.Second))
		x.w.headerInt("Retry-After-Ms", e.retryAfter.Milliseconds())
	}
	if e.allow != "" {
		x.w.header("Allow", e.allow)
	}
	x.w.body(x.body)
}

const badGateway = "<html>\r\n<head><title>502 Bad Gateway</title></head>\r\n<body>\r\n<center><h1>502 Bad Gateway</h1></center>\r\n" +
	"<hr><center>nginx</center>\r\n</body>\r\n</html>\r\n"

// refusal is the error the plan wants, nil if it wants an answer.
func (p *Plan) refusal() *apiError {
	switch p.refuse {
	case refuse429:
		return &apiError{status: 429, kind: "requests", code: "rate_limit_exceeded", message: "Rate limit reached.", retryAfter: p.retryAfter}
	case refuseQuota:
		return &apiError{status: 429, kind: "insufficient_quota", code: "insufficient_quota",
			message: "You exceeded your current quota, please check your plan and billing details."}
	case refuse500:
		return &apiError{status: 500, kind: "server_error", message: "The server had an error while processing your request. Sorry about that!"}
	case refuse502:
		return &apiError{status: 502, html: true}
	case refuse503:
		return &apiError{status: 503, kind: "server_error", code: "overloaded", message: "The engine is currently overloaded, please try again later.", retryAfter: p.retryAfter}
	case refuse529:
		return &apiError{status: 529, kind: "overloaded_error", message: "Overloaded"}
	case refuse200:
		return &apiError{status: 200, kind: "server_error", message: "The server had an error while processing your request. Sorry about that!"}
	case answer, resetFirst:
	}
	return nil
}

// choosePlan settles how the call misbehaves. It returns the model's name
// without its mode suffix.
func (x *call) choosePlan(model string) (string, *apiError) {
	text := ""
	if x.p.cfg.RequestModes {
		var suffix string
		if model, suffix, _ = strings.Cut(model, suffixMark); suffix != "" {
			text = suffix
		}
		if h := x.c.req.Header.Peek(modeHeader); len(h) > 0 {
			text = string(h)
		}
	}
	if text != "" {
		plan, err := ParsePlan(strings.Clone(text))
		if err != nil {
			return model, &apiError{status: 400, kind: "invalid_request_error", code: "invalid_mode", message: err.Error()}
		}
		x.setPlan(plan)
	} else if plan := x.p.forced.take(); plan != nil {
		x.setPlan(plan)
	} else if plan := x.p.mix.draw(); plan != x.plan {
		x.setPlan(plan)
	}
	return model, nil
}

// root is the request's body as JSON. What it yields lives as long as the call.
func (x *call) root() (gjson.Result, bool) {
	body := unsafeString(x.c.req.Body())
	root := gjson.Result{}
	if gjson.Valid(body) {
		root = gjson.Parse(body)
	}
	return root, root.IsObject()
}

// unsafeString views bytes that stay as they are for as long as the call lasts.
func unsafeString(b []byte) string { return unsafe.String(unsafe.SliceData(b), len(b)) }

func unsafeBytes(s string) []byte { return unsafe.Slice(unsafe.StringData(s), len(s)) }
