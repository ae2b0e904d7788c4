package ledger

import (
	"flag"
	"fmt"
	"os"
	"path/filepath"
	"strconv"
	"strings"
	"testing"
	"time"
)

var rewrite = flag.Bool("rewrite", false, "write what the scripts in testdata print into them")

// TestScenario runs the stories of testdata. A story is a sequence of blocks:
// a command and its input, a line of dashes, what it printed, an empty line.
// Lines that begin with '#' tell the story. After each block the state is
// checked and, as a snapshot, loaded again.
//
//	budget <id> <limit> [unit=usd] [window=total] [each=<dim>,..] [match=<dim>:<v>] [soft]
//	    [probes=<n>] [overrun=<n>] [cool=<duration>]
//	delete <budget>
//	register <node> [store=1] [prev=<auto>] [marks=0], then lines of evidence:
//	    <account> mark=<n> [proven=<n>] [overrun=<n>] [inc=<n>]
//	exchange <node> [inc=<auto>] [seq=<auto>] [marks=0], then lines of
//	    <account> [spent=<n>] [over=<n>] [returned=<n>] [want=<n>] [rate=<n>] [done]
//	    need <account>=<missing> ..
//	tick [<duration>]
//	fence <node>
//	restore <generation>
//	release <budget>
//	raise <budget>[/<value>,..] <id> <amount> until=<duration from now> ["<reason>"]
//	unraise <budget> <id>
//	raises <budget>
//	trip <budget>[/<value>,..] [for=<duration>] ["<reason>"]
//	reset <budget>[/<value>,..] [close]
//	probed <budget>[/<value>,..] <serial> good|bad
//	trips <budget>
//	show
//
// An account is <budget>[/<value>,..][@<duration>]; without @ it is in the
// window of now.
func TestScenario(t *testing.T) {
	files, err := filepath.Glob("testdata/*.txt")
	if err != nil || len(files) == 0 {
		t.Fatalf("no scripts: %v", err)
	}
	for _, file := range files {
		t.Run(strings.TrimSuffix(filepath.Base(file), ".txt"), func(t *testing.T) { runScript(t, file) })
	}
}

func runScript(t *testing.T, file string) {
	text, err := os.ReadFile(file)
	if err != nil {
		t.Fatal(err)
	}
	w := &stage{state: New()}
	var out strings.Builder
	for _, block := range strings.Split(strings.TrimRight(string(text), "\n"), "\n\n") {
		input, want, isCommand := strings.Cut(block, "\n----")
		var lines []string
		for line := range strings.Lines(input) {
			if line = strings.TrimSpace(line); !strings.HasPrefix(line, "#") && line != "" {
				lines = append(lines, line)
			}
		}
		fmt.Fprintf(&out, "%s\n", input)
		if len(lines) > 0 {
			got := w.run(t, lines)
			fmt.Fprintf(&out, "----\n%s", got)
			if !*rewrite && (!isCommand || strings.TrimSpace(want) != strings.TrimSpace(got)) {
				t.Fatalf("%s: after\n%s\ngot\n%swant%s", file, input, got, want)
			}
			w.verify(t)
		}
		out.WriteString("\n")
	}
	if *rewrite {
		if err := os.WriteFile(file, []byte(strings.TrimRight(out.String(), "\n")+"\n"), 0o644); err != nil {
			t.Fatal(err)
		}
	}
}

// stage is the state a story plays on.
type stage struct {
	state *State
	now   Instant
}

func (w *stage) verify(t *testing.T) {
	t.Helper()
	if err := w.state.Check(); err != nil {
		t.Fatal(err)
	}
	if w.state.Digest() != reload(t, w.state).Digest() {
		t.Fatal("a loaded snapshot has another digest")
	}
}

func (w *stage) run(t *testing.T, lines []string) string {
	t.Helper()
	words := strings.Fields(lines[0])
	args := arguments(words)
	switch words[0] {
	case "budget":
		return w.code(PutBudget{Budget: scriptBudget(t, words[1], args)})
	case "delete":
		return w.code(DeleteBudget{ID: BudgetID(words[1])})
	case "fence":
		return w.code(Fence{Node: NodeID(words[1])})
	case "restore":
		generation, err := strconv.ParseUint(words[1], 10, 32)
		if err != nil {
			t.Fatal(err)
		}
		return w.code(Restore{Generation: uint32(generation)})
	case "release":
		return w.code(Release{ID: BudgetID(words[1])})
	case "tick":
		if len(words) > 1 {
			w.now += span(t, words[1])
		}
		return w.code(Tick{})
	case "register":
		return w.register(t, NodeID(words[1]), args, lines[1:])
	case "exchange":
		return w.exchange(t, NodeID(words[1]), args, lines[1:])
	case "show":
		return w.show()
	}
	if c := w.ruling(t, words, args, lines[0]); c != nil {
		return w.code(c)
	}
	switch words[0] {
	case "raises":
		return w.raises(BudgetID(words[1]))
	case "trips":
		return w.trips(BudgetID(words[1]))
	}
	t.Fatalf("unknown command %q", lines[0])
	return ""
}

func (w *stage) code(c Command) string { return w.state.Apply(w.now, c).Code.String() + "\n" }

func (w *stage) register(t *testing.T, id NodeID, args map[string]string, lines []string) string {
	n, _ := w.state.Node(id)
	r := Register{
		Node: id, Store: StoreID{byte(number(t, args, "store", 1))},
		Previous: uint32(number(t, args, "prev", int64(n.Incarnation))), MarkSeq: uint64(number(t, args, "marks", 0)),
	}
	for _, line := range lines {
		words := strings.Fields(line)
		a := arguments(words)
		r.Evidence = append(r.Evidence, Evidence{
			Account: w.account(t, words[0]), Incarnation: uint32(number(t, a, "inc", 0)),
			Mark: Amount(number(t, a, "mark", 0)), Proven: Amount(number(t, a, "proven", 0)),
			Overrun: Amount(number(t, a, "overrun", 0)),
		})
	}
	out := w.state.Apply(w.now, r)
	return fmt.Sprintf("%s incarnation %d\n", out.Code, out.Incarnation)
}

func (w *stage) exchange(t *testing.T, id NodeID, args map[string]string, lines []string) string {
	n, _ := w.state.Node(id)
	x := &Exchange{
		Node: id, Incarnation: uint32(number(t, args, "inc", int64(n.Incarnation))),
		Seq: uint64(number(t, args, "seq", int64(n.Seq)+1)), MarkSeq: uint64(number(t, args, "marks", 0)),
	}
	row := map[string]int{}
	for _, line := range lines {
		words := strings.Fields(line)
		a := arguments(words)
		if words[0] == "need" {
			need := Need{}
			for _, word := range words[1:] {
				name, _, _ := strings.Cut(word, "=")
				if _, ok := row[name]; !ok {
					row[name] = len(x.Rows)
					x.Rows = append(x.Rows, Row{Account: w.account(t, name)})
				}
				need.Claims = append(need.Claims, Claim{Row: row[name], Missing: Amount(number(t, a, name, 0))})
			}
			x.Needs = append(x.Needs, need)
			continue
		}
		row[words[0]] = len(x.Rows)
		_, done := a["done"]
		x.Rows = append(x.Rows, Row{
			Account: w.account(t, words[0]),
			Spent:   Amount(number(t, a, "spent", 0)), Overrun: Amount(number(t, a, "over", 0)),
			Returned: Amount(number(t, a, "returned", 0)), Want: Amount(number(t, a, "want", 0)),
			Rate: Amount(number(t, a, "rate", 0)), Done: done,
		})
	}
	return printAnswer(x, w.state.Apply(w.now, x))
}

func printAnswer(x *Exchange, out Outcome) string {
	var b strings.Builder
	fmt.Fprintf(&b, "%s\n", out.Code)
	if out.Answer == nil {
		return b.String()
	}
	for i, r := range out.Answer.Rows {
		fmt.Fprintf(&b, "%s: %s, granted %d, ceiling %d", printKey(x.Rows[i].Account), r.State, r.Granted, r.Ceiling)
		if r.Recall > 0 {
			fmt.Fprintf(&b, ", recall %d", r.Recall)
		}
		b.WriteString("\n")
	}
	for _, n := range out.Answer.Needs {
		fmt.Fprintf(&b, "need: %s", n.Verdict)
		if n.Verdict != NeedGranted {
			fmt.Fprintf(&b, " at %s", printKey(x.Rows[n.Row].Account))
		}
		b.WriteString("\n")
	}
	return b.String()
}

func (w *stage) show() string {
	var b strings.Builder
	for _, r := range w.state.budgets.all() {
		for a := range w.state.Accounts(r.budget.ID) {
			fmt.Fprintf(&b, "%s: %s, limit %d = available %d + outstanding %d + spent %d + written off %d",
				printKey(a.Key), a.State, a.Limit, a.Available, a.Outstanding, a.Spent, a.WrittenOff)
			if a.Withheld > 0 {
				fmt.Fprintf(&b, " (withheld %d)", a.Withheld)
			}
			if a.Presumed > 0 {
				fmt.Fprintf(&b, ", presumed %d", a.Presumed)
			}
			if a.Overrun > 0 {
				fmt.Fprintf(&b, ", overrun %d", a.Overrun)
			}
			b.WriteString("\n")
			for l := range w.state.Leases(a.Key) {
				fmt.Fprintf(&b, "  %s/%d: granted %d, spent %d, returned %d", l.Node, l.Incarnation, l.Granted, l.Spent, l.Returned)
				if l.Done {
					b.WriteString(", done")
				}
				b.WriteString("\n")
			}
		}
	}
	if b.Len() == 0 {
		return "no accounts\n"
	}
	return b.String()
}

func printInstant(at Instant) string { return time.Duration(at).String() }

func printKey(k AccountKey) string {
	s := string(k.Budget)
	if k.Split != "" {
		s += "/" + strings.Join(k.Split.Values(), ",")
	}
	if k.Start != 0 {
		s += "@" + printInstant(k.Start)
	}
	return s
}

func (w *stage) account(t *testing.T, s string) AccountKey {
	s, at, timed := strings.Cut(s, "@")
	id, values, split := strings.Cut(s, "/")
	k := AccountKey{Budget: BudgetID(id)}
	if split {
		k.Split = MakeSplit(strings.Split(values, ",")...)
	}
	if timed {
		k.Start = span(t, at)
	} else if r, ok := w.state.budgets.get(k.Budget); ok {
		k.Start, _ = r.budget.Window.Bounds(max(w.now, w.state.Now()))
	}
	return k
}

func scriptBudget(t *testing.T, id string, args map[string]string) Budget {
	b := Budget{ID: BudgetID(id), Unit: USD, Window: Window{Kind: Total}}
	delete(args, id)
	for k, v := range args {
		var err error
		switch k {
		case "unit":
			b.Unit, err = ParseUnit(v)
		case "window":
			b.Window.Kind, err = ParseWindowKind(v)
		case "each":
			for _, d := range strings.Split(v, ",") {
				var r DimRef
				r, err = ParseDimRef(d)
				b.Each = append(b.Each, r)
			}
		case "soft":
			b.Soft = true
		case "probes":
			b.Breaker.Probes = uint8(number(t, args, k, 0))
		case "overrun":
			b.Breaker.Overrun = Amount(number(t, args, k, 0))
		case "cool":
			b.Breaker.CoolDown = span(t, v)
		default:
			var n int64
			if n, err = strconv.ParseInt(k, 10, 64); err == nil {
				b.Limit = Amount(n)
			}
		}
		if err != nil {
			t.Fatal(err)
		}
	}
	return b
}

func arguments(words []string) map[string]string {
	args := map[string]string{}
	for _, w := range words[1:] {
		k, v, _ := strings.Cut(w, "=")
		args[k] = v
	}
	return args
}

func number(t *testing.T, args map[string]string, name string, otherwise int64) int64 {
	v, ok := args[name]
	if !ok || v == "" {
		return otherwise
	}
	n, err := strconv.ParseInt(v, 10, 64)
	if err != nil {
		t.Fatal(err)
	}
	return n
}

func span(t *testing.T, s string) Instant {
	d, err := time.ParseDuration(s)
	if err != nil {
		t.Fatal(err)
	}
	return Instant(d)
}

// reload takes the state through a snapshot.
func reload(t failer, s *State) *State {
	t.Helper()
	loaded, err := Load(func(yield func([]byte, error) bool) {
		for rec := range s.Records() {
			if !yield(append([]byte(nil), rec...), nil) {
				return
			}
		}
	})
	if err != nil {
		t.Fatalf("%v", err)
	}
	loaded.limits = s.limits
	return loaded
}
