package policy

import (
	"errors"
	"fmt"
	"regexp"
	"slices"
	"strings"
	"sync"

	"cel.dev/cel-go/cel"
	"cel.dev/cel-go/common/ast"
	"cel.dev/cel-go/common/cost"
	"cel.dev/cel-go/common/types"
	"cel.dev/cel-go/common/types/ref"
	"cel.dev/cel-go/ext"

	"purser/ledger"
)

// Limits of expressions. A unit of cost is about one step of the evaluation, or a
// tenth of a byte of text compared.
const (
	// MaxEstimate is the most that the estimate of an expression may come to when it is
	// written, with every text at its longest. At run time the same is the limit of
	// what is counted.
	MaxEstimate = 20_000

	maxNesting = 32  // of parentheses and calls
	maxNodes   = 512 // of the tree, macros expanded
	maxLoops   = 2   // comprehensions within each other
	maxRegex   = 500 // instructions of a compiled pattern
	maxRegions = 16  // of a call, for the estimate
)

// variable is one name that expressions know. Names with points are variables of
// their own and no fields, so that each is typed, and made only when it is used.
type variable struct {
	name  string
	kind  *cel.Type
	value func(*run) ref.Val
}

// variables are all there are. docs/policies.md lists them, in this order.
var variables = append([]variable{
	{"request.endpoint", cel.StringType, func(r *run) ref.Val { return types.String(r.in.Endpoint) }},
	{"request.dialect", cel.StringType, func(r *run) ref.Val { return types.String(r.in.Dialect) }},
	{"request.stream", cel.BoolType, func(r *run) ref.Val { return types.Bool(r.in.Stream) }},
	{"request.model", cel.StringType, modelValue},
	{"request.time", cel.TimestampType, func(r *run) ref.Val { return types.Timestamp{Time: timeOf(r.in.At)} }},
	{"request.address", cel.StringType, addressValue},
	{"request.max_output_tokens", cel.IntType, func(r *run) ref.Val { return types.Int(r.params.MaxOutput) }},
	{"request.n", cel.IntType, func(r *run) ref.Val { return types.Int(r.params.N) }},
	{"request.temperature", cel.DoubleType, func(r *run) ref.Val { return types.Double(r.params.Temperature) }},
	{"request.top_p", cel.DoubleType, func(r *run) ref.Val { return types.Double(r.params.TopP) }},
	{"request.tools", cel.IntType, func(r *run) ref.Val { return types.Int(r.in.Tools) }},
	{"request.messages", cel.IntType, func(r *run) ref.Val { return types.Int(r.in.Messages) }},
	{"request.images", cel.IntType, func(r *run) ref.Val { return types.Int(r.in.Images) }},
	{"request.files", cel.IntType, func(r *run) ref.Val { return types.Int(r.in.Files) }},
	{"request.input_bytes", cel.IntType, func(r *run) ref.Val { return types.Int(r.in.InputBytes) }},
	{"request.service_tier", cel.StringType, func(r *run) ref.Val { return types.String(r.in.ServiceTier) }},
	{"key.id", cel.StringType, func(r *run) ref.Val { return types.String(r.in.KeyID) }},
	{"key.name", cel.StringType, func(r *run) ref.Val { return types.String(r.in.KeyName) }},
	{"route.provider", cel.StringType, providerValue},
	{"route.upstream", cel.StringType, upstreamValue},
	{"route.model", cel.StringType, func(r *run) ref.Val { return types.String(r.in.RouteModel) }},
	{"route.regions", cel.ListType(cel.StringType), regionsValue},
	{"cost.usd", cel.DoubleType, func(r *run) ref.Val {
		return bounded(r, func(b Bound) ref.Val { return types.Double(float64(b.Cost) / float64(ledger.NanoPerUSD)) })
	}},
	{"cost.nano_usd", cel.IntType, func(r *run) ref.Val {
		return bounded(r, func(b Bound) ref.Val { return types.Int(b.Cost) })
	}},
	{"tokens.input_max", cel.IntType, func(r *run) ref.Val {
		return bounded(r, func(b Bound) ref.Val { return types.Int(b.Input) })
	}},
	{"tags", cel.MapType(cel.StringType, cel.StringType), tagsValue},
	// The names by which Envoy AI Gateway and agentgateway know them.
	{"model", cel.StringType, modelValue},
	{"provider", cel.StringType, providerValue},
	{"backend", cel.StringType, upstreamValue},
	{"source.address", cel.StringType, addressValue},
}, dimVariables()...)

// Variables names them all.
func Variables() []string {
	var names []string
	for _, v := range variables {
		names = append(names, v.name)
	}
	return names
}

func modelValue(r *run) ref.Val    { return types.String(r.in.Model) }
func providerValue(r *run) ref.Val { return types.String(r.in.Provider) }
func upstreamValue(r *run) ref.Val { return types.String(r.in.Upstream) }

func dimVariables() []variable {
	var list []variable
	for d := range ledger.Dim(ledger.NumDims) {
		list = append(list, variable{"dims." + d.String(), cel.StringType, func(r *run) ref.Val { return types.String(r.in.Dims.Values[d]) }})
	}
	return list
}

func addressValue(r *run) ref.Val {
	if !r.in.Address.IsValid() {
		return types.NewErr("the client's address is not known")
	}
	return types.String(Plain(r.in.Address).String())
}

func bounded(r *run, value func(Bound) ref.Val) ref.Val {
	b, ok := r.known()
	if !ok {
		return types.NewErr("tokens and cost have no known bound")
	}
	return value(b)
}

func regionsValue(r *run) ref.Val {
	list := r.in.Regions
	if len(list) == 0 {
		list = []string{""}
	}
	return types.NewStringList(types.DefaultTypeAdapter, list)
}

func tagsValue(r *run) ref.Val {
	m := make(map[string]string, len(r.in.Dims.Tags))
	for _, t := range r.in.Dims.Tags {
		m[t.Name] = t.Value
	}
	return types.NewStringStringMap(types.DefaultTypeAdapter, m)
}

var byName = func() map[string]*variable {
	m := make(map[string]*variable, len(variables))
	for i := range variables {
		m[variables[i].name] = &variables[i]
	}
	return m
}()

// ResolveName implements cel.Activation.
func (r *run) ResolveName(name string) (any, bool) {
	v := byName[name]
	if v == nil {
		return nil, false
	}
	return v.value(r), true
}

// Parent implements cel.Activation.
func (r *run) Parent() cel.Activation { return nil }

// language is what expressions are written in. It is immutable.
var language = sync.OnceValues(func() (*cel.Env, error) {
	options := []cel.EnvOption{
		ext.Network(),
		cel.ParserExpressionSizeLimit(MaxExpression),
		cel.ParserRecursionLimit(maxNesting),
		cel.ExpressionNodeLimit(maxNodes),
		cel.RegexProgramSizeLimit(maxRegex),
		cel.ASTValidators(
			cel.ValidateRegexLiterals(), cel.ValidateDurationLiterals(), cel.ValidateTimestampLiterals(),
			cel.ValidateHomogeneousAggregateLiterals(), cel.ValidateComprehensionNestingLimit(maxLoops),
		),
	}
	for _, v := range variables {
		options = append(options, cel.Variable(v.name, v.kind))
	}
	return cel.NewEnv(options...)
})

// expression is one that was checked. It is immutable.
type expression struct {
	program  cel.Program
	sampling bool // it reads the temperature or top_p
}

func (e *expression) ask(r *run, _ bool) answer {
	out, _, err := e.program.Eval(r)
	if err != nil {
		r.say("cel could not be evaluated: %v", err)
		return unknown
	}
	holds, ok := out.Value().(bool)
	if !ok {
		r.say("cel gives no truth value")
		return unknown
	}
	r.say("cel is %v", holds)
	return answerOf(holds)
}

// newExpression checks a text: its types, its size, and what it may cost.
func newExpression(env *cel.Env, text string) (*expression, error) {
	checked, issues := env.Compile(text)
	if issues.Err() != nil {
		return nil, positions(issues)
	}
	if checked.OutputType() != cel.BoolType {
		return nil, fmt.Errorf("is of type %s, not bool", checked.OutputType())
	}
	if err := zonesKnown(checked); err != nil {
		return nil, err
	}
	estimate, err := env.EstimateCost(checked, sizes{})
	if err != nil {
		return nil, fmt.Errorf("its cost cannot be estimated: %w", err)
	}
	if estimate.Max > MaxEstimate {
		return nil, fmt.Errorf("may cost %d steps, more than %d: shorten its lists and loops", estimate.Max, MaxEstimate)
	}
	program, err := env.Program(checked, cel.EvalOptions(cel.OptOptimize), cel.CostLimit(MaxEstimate))
	if err != nil {
		return nil, err
	}
	e := &expression{program: program}
	for _, name := range checked.NativeRep().ReferenceMap() {
		e.sampling = e.sampling || name.Name == "request.temperature" || name.Name == "request.top_p"
	}
	return e, nil
}

// positions gives the faults with their line and column.
func positions(issues *cel.Issues) error {
	var errs []error
	for _, e := range issues.Errors() {
		if e.Location.Line() < 1 { // of the whole expression
			errs = append(errs, errors.New(e.Message))
			continue
		}
		errs = append(errs, fmt.Errorf("%d:%d: %s", e.Location.Line(), e.Location.Column()+1, strings.TrimSpace(e.Message)+fieldsOf(e.Message)))
	}
	return errors.Join(errs...)
}

// fieldsOf is what there is where a message says that a name is not declared, of which
// only fields are: dims.colour is a fault of dims to CEL.
func fieldsOf(message string) string {
	_, rest, ok := strings.Cut(message, "undeclared reference to '")
	name, _, end := strings.Cut(rest, "'")
	if !ok || !end {
		return ""
	}
	var fields []string
	for _, v := range variables {
		if strings.HasPrefix(v.name, name+".") {
			fields = append(fields, v.name)
		}
	}
	if len(fields) == 0 {
		return ""
	}
	return " with this field; there are " + strings.Join(fields, ", ")
}

// zoned are the functions of a timestamp that take a time zone.
var zoned = []string{
	"getFullYear", "getMonth", "getDate", "getDayOfMonth", "getDayOfWeek", "getDayOfYear",
	"getHours", "getMinutes", "getSeconds", "getMilliseconds",
}

// zonesKnown checks that time zones are written out and exist: one that does not
// would be an error of each request.
func zonesKnown(a *cel.Ast) error {
	var fault error
	ast.PostOrderVisit(a.NativeRep().Expr(), ast.NewExprVisitor(func(e ast.Expr) {
		if fault != nil || e.Kind() != ast.CallKind || !slices.Contains(zoned, e.AsCall().FunctionName()) || len(e.AsCall().Args()) != 1 {
			return
		}
		arg := e.AsCall().Args()[0]
		at := a.NativeRep().SourceInfo().GetStartLocation(arg.ID())
		name, ok := "", arg.Kind() == ast.LiteralKind
		if ok {
			name, ok = arg.AsLiteral().Value().(string)
		}
		if !ok {
			fault = fmt.Errorf("%d:%d: the time zone must be written out", at.Line(), at.Column()+1)
		} else if _, err := newZone(name); err != nil && !offset.MatchString(name) {
			fault = fmt.Errorf("%d:%d: %w", at.Line(), at.Column()+1, err)
		}
	}))
	return fault
}

// offset is the other form of a time zone.
var offset = regexp.MustCompile(`^[+-]?(0[0-9]|1[0-4]):[0-5][0-9]$`)

// sizes are the largest that the facts of a request can have.
type sizes struct{}

// EstimateSize implements cost.Estimator.
func (sizes) EstimateSize(element cost.AstNode) *cost.SizeEstimate {
	path := element.Path()
	if len(path) == 0 {
		return nil
	}
	most := uint64(ledger.MaxDimValue)
	if len(path) == 1 {
		switch path[0] {
		case "tags":
			most = ledger.MaxTags
		case "route.regions":
			most = maxRegions
		}
	}
	return &cost.SizeEstimate{Max: most}
}

// EstimateCallCost implements cost.Estimator: the library's own are right.
func (sizes) EstimateCallCost(string, string, *cost.AstNode, []cost.AstNode) *cost.CallEstimate {
	return nil
}
