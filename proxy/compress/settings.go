package compress

import (
	"errors"
	"fmt"
	"slices"
	"strings"
)

// Level is how far compression goes. Levels are in order: each has the passes of
// those before it.
type Level uint8

// The levels.
const (
	Off Level = iota
	Lossless
	NearLossless
	Aggressive
	levels
)

var levelNames = [levels]string{"off", "lossless", "near_lossless", "aggressive"}

// String is the level's name in settings and headers.
func (l Level) String() string {
	if l < levels {
		return levelNames[l]
	}
	return fmt.Sprintf("level(%d)", uint8(l))
}

// ParseLevel gives the level of a name; "" is off.
func ParseLevel(name string) (Level, error) {
	if name == "" {
		return Off, nil
	}
	if i := slices.Index(levelNames[:], name); i >= 0 {
		return Level(i), nil
	}
	return Off, fmt.Errorf("no level %q: the levels are %s", name, strings.Join(levelNames[:], ", "))
}

// Pass is one kind of change.
type Pass uint8

// The passes, in the order in which they run.
const (
	Schema     Pass = iota // annotations of tools' schemas that say nothing
	Turns                  // old exchanges left out
	Superseded             // results of calls that were made again later, left out
	Results                // results of old calls left out
	Terminal               // colours and overwritten lines of terminals
	JSON                   // tool results that are JSON, in its shortest spelling
	Space                  // white space of the user's texts, outside of code
	Noise                  // lines that repeat the one above, or differ from it in the time
	Blobs                  // base64 in tool results
	Long                   // the middle of long results
	Outside                // what a compressor outside makes of tool results
	Repeats                // blocks of lines that stand earlier in the prompt
	passes
)

// pass is what is fixed about one.
var passTable = [passes]struct {
	name  string
	level Level // the lowest that has it
}{
	Schema: {"schema", Lossless}, JSON: {"json", Lossless}, Space: {"space", Lossless},
	Terminal: {"terminal", NearLossless}, Noise: {"noise", NearLossless}, Blobs: {"blobs", NearLossless}, Repeats: {"repeats", NearLossless},
	Turns: {"turns", Aggressive}, Superseded: {"superseded", Aggressive}, Results: {"results", Aggressive}, Long: {"long", Aggressive}, Outside: {"outside", Aggressive},
}

// String is the pass's name in settings.
func (p Pass) String() string {
	if p < passes {
		return passTable[p].name
	}
	return fmt.Sprintf("pass(%d)", uint8(p))
}

// Level is the lowest level that has the pass.
func (p Pass) Level() Level { return passTable[p].level }

// Passes are all of them, in the order in which they run.
func Passes() []Pass {
	list := make([]Pass, passes)
	for i := range list {
		list[i] = Pass(i)
	}
	return list
}

// ParsePass gives the pass of a name.
func ParsePass(name string) (Pass, error) {
	for p := range passes {
		if passTable[p].name == name {
			return p, nil
		}
	}
	return 0, fmt.Errorf("no pass %q", name)
}

// Defaults of settings, and their ranges.
const (
	DefaultKeepTurns   = 8
	DefaultStepTurns   = 8
	DefaultResultBytes = 16 << 10

	maxTurns       = 10_000
	minResultBytes = 1 << 10
	maxResultBytes = 16 << 20
	maxExact       = 64
	maxGlob        = 128 // bytes
)

// DefaultExact are the tools whose results are files, by their names: their spelling
// stays, since an edit has to quote it.
var DefaultExact = []string{"*read*", "*view*", "*file*", "*edit*", "cat", "open*"}

// Asker gives texts in the place of others, one for one; "" for one that stays as it is.
type Asker func(texts []string) []string

// Settings say what is done. The zero value does nothing. Zero fields, and a nil list
// of tools, mean the default.
type Settings struct {
	Level Level
	// Only, where it is not empty, and Skip say which of the level's passes run.
	Only, Skip []Pass
	// KeepTurns is how many of the newest answers of the model keep the results before
	// and after them, and how many of the newest exchanges are never left out.
	KeepTurns int
	// StepTurns is in which steps these passes move, so that the prefix of a growing
	// conversation changes once in so many answers.
	StepTurns int
	// ResultBytes is how long a text of a tool result may be before the pass long cuts
	// its middle out.
	ResultBytes int
	// Exact are the tools whose results keep their spelling but where blocks repeat or
	// are cut, by globs with *, of any case.
	Exact []string
	// Ask is a compressor outside, nil for none.
	Ask Asker
}

// Validate reports every field that is out of its range.
func (s *Settings) Validate() error {
	var errs []error
	if s.Level >= levels {
		errs = append(errs, errors.New("there is no such level"))
	}
	for _, p := range slices.Concat(s.Only, s.Skip) {
		if p >= passes {
			errs = append(errs, errors.New("there is no such pass"))
		}
	}
	if s.KeepTurns < 0 || s.KeepTurns > maxTurns || s.StepTurns < 0 || s.StepTurns > maxTurns {
		errs = append(errs, fmt.Errorf("turns are not within 0 to %d", maxTurns))
	}
	if s.ResultBytes != 0 && (s.ResultBytes < minResultBytes || s.ResultBytes > maxResultBytes) {
		errs = append(errs, fmt.Errorf("bytes of a result are not within %d to %d", minResultBytes, maxResultBytes))
	}
	if len(s.Exact) > maxExact || slices.ContainsFunc(s.Exact, func(g string) bool { return g == "" || len(g) > maxGlob }) {
		errs = append(errs, fmt.Errorf("exact tools are more than %d, empty, or longer than %d bytes", maxExact, maxGlob))
	}
	return errors.Join(errs...)
}

func (s *Settings) runs(p Pass) bool {
	return s.Level >= p.Level() && (len(s.Only) == 0 || slices.Contains(s.Only, p)) && !slices.Contains(s.Skip, p)
}

func or(n, byDefault int) int {
	if n == 0 {
		return byDefault
	}
	return n
}

func (s *Settings) keepTurns() int   { return or(s.KeepTurns, DefaultKeepTurns) }
func (s *Settings) stepTurns() int   { return or(s.StepTurns, DefaultStepTurns) }
func (s *Settings) resultBytes() int { return or(s.ResultBytes, DefaultResultBytes) }

// exact says whether a tool's results keep their spelling.
func (s *Settings) exact(tool string) bool {
	globs := s.Exact
	if globs == nil {
		globs = DefaultExact
	}
	tool = strings.ToLower(tool)
	return slices.ContainsFunc(globs, func(g string) bool { return match(strings.ToLower(g), tool) })
}

// match says whether name fits a glob with *, in time linear in each part.
func match(glob, name string) bool {
	parts := strings.Split(glob, "*")
	if len(parts) == 1 {
		return glob == name
	}
	first, last := parts[0], parts[len(parts)-1]
	rest, ok := strings.CutPrefix(name, first)
	if !ok || !strings.HasSuffix(rest, last) {
		return false
	}
	rest = rest[:len(rest)-len(last)]
	for _, p := range parts[1 : len(parts)-1] {
		_, after, found := strings.Cut(rest, p)
		if !found {
			return false
		}
		rest = after
	}
	return true
}

// cut is how many of n, counted from the oldest, are old: all but the newest kept
// ones, in whole steps.
func (s *Settings) cut(n int) int {
	step := s.stepTurns()
	return max(0, n-s.keepTurns()) / step * step
}
