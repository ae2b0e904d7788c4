package tidy

import (
	"go/parser"
	"go/token"
	"io/fs"
	"path"
	"path/filepath"
	"slices"
	"strconv"
	"strings"
	"testing"
)

// room says what one package may import. Test files are not bound by it.
type room struct {
	// module lists packages of this module, as path patterns; "x/..." is x and all below.
	module []string
	// owned lists the third-party modules that belong here.
	owned []string
	// banned lists packages of the standard library that must not appear.
	banned []string
	why    string
}

var pure = []string{"time", "context", "sync", "sync/atomic", "os", "io", "net", "log", "log/slog", "math/rand", "math/rand/v2"}

// rooms is the import table of ARCHITECTURE.md. A package that is not listed
// takes the longest listed path above it.
var rooms = map[string]room{
	"ledger": {
		banned: pure,
		why:    "the ledger is a pure state machine: time and randomness are data in its commands",
	},
	"internal/directory": {
		module: []string{"ledger"}, banned: pure,
		why: "replicated objects must apply alike on every node",
	},
	"internal/forecast": {
		module: []string{"ledger"}, banned: []string{"time", "os", "net", "net/http", "math/rand"},
		why: "a forecast is a function of what was looked at and when: it reads no clock and decides nothing about money",
	},
	"proxy/loop": {
		module: []string{"ledger"}, owned: []string{"github.com/tidwall/gjson"}, banned: []string{"os", "net", "net/http", "math/rand"},
		why: "whether a run goes round in circles is judged from its requests alone; governance reads its rules",
	},
	"proxy/route/learned": {
		module: []string{"ledger"}, banned: []string{"time", "os", "net", "net/http", "math/rand", "math/rand/v2"},
		why: "what is learned follows from examples and a seed alone",
	},
	"internal/reconcile": {
		module: []string{"ledger"}, banned: []string{"os", "net", "net/http", "context", "sync", "log", "log/slog", "math/rand", "math/rand/v2"},
		why: "how a report and the records differ follows from their bytes and amounts alone",
	},
	"internal/replay": {
		module: []string{"ledger", "proxy/price"}, banned: []string{"os", "net", "net/http", "math/rand", "math/rand/v2"},
		why: "what traffic would have cost follows from the requests, the scenario and the catalogue",
	},
	"proxy/template": {
		module: []string{"ledger", "proxy/dialect/jsonscan"}, banned: []string{"time", "os", "net", "net/http", "math/rand", "math/rand/v2"},
		why: "what a request becomes follows from its body and the template alone; governance reads templates",
	},
	"proxy/lever": {
		module: []string{"ledger", "proxy/compress"}, banned: []string{"os", "net", "net/http", "math/rand", "math/rand/v2"},
		why: "which settings a request has follows from the objects and its dimensions alone; governance reads them",
	},
	"proxy/gist": {
		module: []string{"proxy/dialect/jsonscan"}, banned: append([]string{"net/http"}, pure...),
		why: "what a request is recognised by follows from its bytes and the tenant alone, on every node; reports compare it",
	},
	"proxy/promptcache": {
		module: []string{"ledger", "proxy/dialect/jsonscan"}, banned: []string{"context", "os", "io", "net", "net/http", "math/rand", "math/rand/v2"},
		why: "what is asked of a provider's cache follows from prompts, prices and the time it is told",
	},
	"proxy/route": {
		module: []string{"ledger", "proxy/policy", "proxy/price"}, banned: []string{"os", "io", "net", "net/http", "math/rand", "math/rand/v2", "sync", "log", "log/slog"},
		why: "the order of candidates follows from a spec, the facts of a request and a given number alone",
	},
	"internal/alert": {
		module: []string{"ledger", "internal/directory"}, banned: []string{"os", "net", "net/http", "math/rand", "math/rand/v2", "sync", "context"},
		why: "what is told, to whom and when is a function of a view and an instant",
	},
	"internal/alerting": {
		module: []string{"ledger", "internal/directory", "internal/alert"},
		why:    "what sends alerts knows neither Raft nor requests",
	},
	"internal/governance": {
		module: []string{"ledger", "internal/directory", "internal/alert", "proxy/policy", "proxy/lever", "proxy/loop", "proxy/redaction", "proxy/route", "proxy/route/learned", "proxy/template", "internal/focus"}, banned: []string{"time", "os", "net", "net/http", "math/rand"},
		why: "what objects say is read from their bytes alone",
	},
	"internal/desired": {
		owned: []string{"github.com/goccy/go-yaml"}, banned: []string{"time", "os", "net", "net/http", "math/rand"},
		why: "a plan is made from what is there and what is to be, and from nothing else",
	},
	"internal/litellm": {
		owned: []string{"github.com/goccy/go-yaml"}, banned: []string{"os", "net", "net/http", "math/rand"},
		why: "another gateway's files are read from bytes alone",
	},
	"internal/audit": {
		module: []string{"ledger"}, banned: pure,
		why: "the audit trail must grow alike on every node",
	},
	"internal/audit/archive": {
		module: []string{"internal/audit", "internal/store", "ledger"}, owned: []string{"github.com/cockroachdb/pebble/v2"},
		why: "it keeps the chain on disk, and asks nobody for it",
	},
	"internal/audit/export": {
		module: []string{"internal/audit", "ledger"}, banned: []string{"net", "os", "net/http"},
		why: "entries are written for other programs, and read again, as bytes",
	},
	"internal/audit/recorder": {
		module: []string{"internal/audit", "ledger"}, banned: []string{"net", "os", "net/http"},
		why: "it gathers and counts; who carries batches is behind a seam",
	},
	"proxy/price": {
		module: []string{"ledger"}, banned: []string{"time", "net", "os", "net/http", "math/rand"},
		why: "a cost must be computable again from the record and the catalogue alone",
	},
	"proxy/price/overrides": {
		module: []string{"ledger", "proxy/price"}, owned: []string{"github.com/goccy/go-yaml"},
		why: "operators' overrides are read here, so that price stays pure",
	},
	"proxy/price/imports": {
		module: []string{"proxy/price"}, banned: []string{"time", "net", "os", "net/http", "math/rand"},
		why: "other catalogues are read from bytes, exactly as they are written, and nothing is fetched",
	},
	"internal/vault": {
		module: []string{"ledger"}, banned: []string{"net", "net/http"},
		why: "keys are sealed without asking anybody: a key service is behind a seam",
	},
	"internal/vault/transit": {
		module: []string{"internal/vault"},
		why:    "one key service, as two calls",
	},
	"internal/packed": {
		module: []string{}, banned: []string{"time", "os", "io", "net", "net/http", "log", "sync", "math/rand", "context"},
		why: "numbers and texts are taken out of bytes here, whatever they are of",
	},
	"internal/anomaly": {
		module: []string{"ledger"}, banned: []string{"os", "io", "net", "net/http", "log", "sync", "math/rand", "context"},
		why: "what is unusual follows from what was seen and when; it reads no clock and asks nobody",
	},
	"internal/sheet": {
		banned: []string{"time", "os", "net", "net/http", "log", "sync", "math/rand", "context"},
		why:    "no text of a table is a formula, whoever writes the table",
	},
	"internal/statement": {
		module: []string{"ledger", "internal/sheet"}, banned: []string{"time", "os", "net", "net/http", "log", "sync", "math/rand", "context"},
		why: "a statement follows from what was used and the terms alone, and is written as bytes",
	},
	"internal/economics/waste": {
		module: []string{"ledger", "internal/record", "internal/economics", "proxy/price", "proxy/gist"}, banned: []string{"time", "os", "net", "net/http", "io", "log", "sync", "math/rand", "math/rand/v2", "context"},
		why: "what was wasted follows from records, outcomes and prices alone",
	},
	"internal/economics/waste/planted": {
		module: []string{"ledger", "internal/record", "internal/economics", "proxy/price", "proxy/gist"}, banned: []string{"os", "net", "net/http"},
		why: "it is for tests and measurements, and shares no code with the detector: it says by its own lights what is waste",
	},
	"internal/economics": {
		module: []string{"ledger"}, banned: []string{"time", "os", "net", "net/http", "io", "log", "sync", "math/rand", "context"},
		why: "what was had for the money follows from amounts, counts and outcomes alone",
	},
	"internal/focus": {
		module: []string{"ledger", "internal/record", "internal/sheet", "proxy/price"}, banned: []string{"os", "net", "net/http", "log", "sync", "math/rand", "math/rand/v2", "context"},
		why: "what usage cost in the words of other tools follows from records and prices alone",
	},
	"internal/focus/columnar": {
		module: []string{"internal/focus", "ledger"}, owned: []string{"github.com/parquet-go/parquet-go"}, banned: []string{"os", "net", "net/http"},
		why: "tables become bytes here, and nothing else knows Parquet",
	},
	"internal/exports": {
		module: []string{"internal/focus", "internal/focus/columnar", "internal/record", "ledger"}, owned: []string{"github.com/aws/aws-sdk-go-v2"},
		why: "files go to their places from here; what is in them is asked for through a seam",
	},
	"internal/live": {
		module: []string{"internal/record"}, banned: []string{"os", "net", "net/http", "time"},
		why: "who watches requests as they end may lose records, and delays none",
	},
	"internal/idempotency": {
		module: []string{"internal/packed", "ledger"}, banned: []string{"os", "io", "net", "net/http", "sync", "context", "math/rand", "math/rand/v2"},
		why: "who may make a call follows from what is kept and what holders say alone",
	},
	"internal/idempotency/home": {
		module: []string{"internal/idempotency", "internal/packed", "internal/store", "ledger"}, owned: []string{"github.com/cockroachdb/pebble/v2"}, banned: []string{"net", "net/http"},
		why: "it keeps claims and answers; how nodes reach each other is decided elsewhere",
	},
	"internal/copies": {
		module: []string{"internal/store", "ledger"}, owned: []string{"github.com/cockroachdb/pebble/v2"}, banned: []string{"net", "net/http"},
		why: "what is kept on a peer is keys and values; how a peer is reached is behind a seam",
	},
	"internal/gather": {
		module: []string{"internal/copies", "internal/record", "ledger"}, banned: []string{"os", "net", "net/http", "time", "sync"},
		why: "who answers for whom follows from who has what alone",
	},
	"internal/outcomes": {
		module: []string{"internal/economics", "internal/packed", "internal/record", "internal/store", "ledger"}, owned: []string{"github.com/cockroachdb/pebble/v2"},
		why: "it keeps what answers were worth; whose they are and what follows is decided elsewhere",
	},
	"internal/outcomes/form": {
		module: []string{"internal/economics", "internal/outcomes", "ledger"}, banned: []string{"net", "os", "net/http", "context", "log", "log/slog", "math/rand", "math/rand/v2"},
		why: "outcomes as others write them are read from their bytes alone: who tells them, and when, is given",
	},
	"internal/record": {
		module: []string{"ledger", "proxy/price"}, banned: []string{"net", "os", "net/http"},
		why: "the usage record is a vocabulary shared by the request path and the store",
	},
	"raftfsm": {
		module: []string{"ledger", "internal/directory", "internal/audit"},
		owned:  []string{"github.com/hashicorp/raft"},
		why:    "raftfsm carries commands to the state; it knows neither transports nor requests",
	},
	"cluster": {
		owned: []string{"github.com/hashicorp/raft", "github.com/hashicorp/raft-boltdb/v2", "github.com/hashicorp/go-hclog", "go.etcd.io/bbolt"},
		why:   "the cluster moves bytes; it never sees money",
	},
	"cluster/pki": {why: "certificates and tokens are made from the standard library alone"},
	"cluster/port": {
		module: []string{"cluster/pki"},
		why:    "one port, one handshake; what is said on a connection is not its affair",
	},
	"cluster/peer": {
		module: []string{"cluster/pki", "cluster/port", "api/pb"},
		owned:  []string{"google.golang.org/grpc"},
		why:    "calls between nodes carry bytes; what they mean is behind a seam",
	},
	"cluster/gossip": {
		owned: []string{"github.com/hashicorp/memberlist"},
		why:   "gossip is a hint: it knows neither Raft nor the directory, and they do not ask it",
	},
	"api/pb": {
		owned: []string{"google.golang.org/grpc", "google.golang.org/protobuf"},
		why:   "generated messages",
	},
	"internal/purse": {
		module: []string{"ledger"},
		why:    "the purse meets Pebble and Raft through seams, so that a simulation can drive it",
	},
	"internal/store": {
		owned: []string{"github.com/cockroachdb/pebble/v2"},
		why:   "one place opens the node's store and decides what a storage error means",
	},
	"internal/usage": {
		module: []string{"ledger", "internal/packed", "internal/record", "internal/store", "proxy/price"},
		owned:  []string{"github.com/cockroachdb/pebble/v2"},
		why:    "usage stores records; it decides nothing about requests",
	},
	"semcache": {
		module: []string{"ledger", "proxy/price", "internal/store"},
		owned:  []string{"github.com/cockroachdb/pebble/v2"},
		why:    "a cache that knew keys or budgets could leak between tenants",
	},
	"semcache/fleet": {
		module: []string{"semcache", "ledger", "internal/store"},
		why:    "how nodes share a cache is decided without knowing how they reach each other",
	},
	"semcache/qdrant": {
		module: []string{"ledger", "semcache/semantic"},
		owned:  []string{"github.com/qdrant/go-client", "google.golang.org/grpc"},
		why:    "the tier that nodes have in common keeps what it is given, sealed, and decides nothing about answers",
	},
	"semcache/qdrant/double": {
		owned: []string{"github.com/qdrant/go-client", "google.golang.org/grpc", "google.golang.org/protobuf"},
		why:   "it is for tests alone: the server's double must not share the client's code, or both would err alike",
	},
	"semcache/semantic": {
		module: []string{"ledger", "internal/packed", "internal/store", "semcache/decide", "semcache/index"},
		owned:  []string{"github.com/cockroachdb/pebble/v2"},
		banned: []string{"os", "net", "net/http"},
		why:    "scopes come to it as hashes of bytes: it knows neither keys nor dialects, and waits for embedders and the shared tier behind seams",
	},
	"semcache/embed": {
		owned: []string{"golang.org/x/text", "golang.org/x/sys"},
		why:   "texts become vectors here, whoever asks; it knows neither tenants nor requests",
	},
	"semcache/decide": {
		owned: []string{"golang.org/x/text"}, banned: []string{"time", "context", "sync", "sync/atomic", "os", "io", "net", "net/http", "log", "log/slog", "math/rand", "math/rand/v2"},
		why: "whether an answer is shared follows from two texts, fitted numbers and what was learned, and from nothing else",
	},
	"semcache/labelled": {
		banned: []string{"os", "net", "net/http"},
		why:    "for measuring and fitting: pairs are read from bytes",
	},
	"semcache/evaluate": {
		module: []string{"semcache/decide", "semcache/embed", "semcache/index", "semcache/labelled"}, banned: []string{"os", "net", "net/http"},
		why: "it measures the decision on pairs that it is given; no request meets it",
	},
	"semcache/index": {
		owned: []string{"golang.org/x/sys"}, banned: []string{"time", "context", "os", "io", "net", "net/http", "log", "log/slog", "math/rand", "math/rand/v2"},
		why: "what is found follows from the rows alone; it knows ids, no texts and no tenants",
	},
	"internal/children": {
		module: []string{"childkey", "ledger", "internal/directory", "proxy", "proxy/dialect"},
		why:    "what child keys may do is decided from a directory and a token; what is replicated is behind a seam",
	},
	"childkey": {
		why: "agents' programs make child keys with it: it needs nothing but the standard library",
	},
	"proxy": {
		module: []string{"ledger", "proxy/...", "internal/record", "childkey"},
		owned:  []string{"github.com/valyala/fasthttp", "github.com/tiktoken-go/tokenizer", "github.com/tidwall/gjson"},
		why:    "the request path never sees Raft or a store: it meets them as seams",
	},
	"proxy/trace": {
		module: []string{"ledger", "proxy/price", "internal/record"}, banned: append([]string{"net/http"}, pure...),
		why: "where a request is in a trace follows from its record and its headers alone, or nodes would make two trees of one run",
	},
	"proxy/policy": {
		module: []string{"ledger", "internal/record"}, owned: []string{"cel.dev/cel-go"},
		banned: []string{"os", "io", "net", "net/http", "context", "log", "log/slog", "math/rand", "math/rand/v2"},
		why:    "whether a request may run follows from the policies and the facts of the request alone",
	},
	"proxy/policy/suite": {
		module: []string{"proxy/policy"}, owned: []string{"github.com/goccy/go-yaml"},
		banned: []string{"os", "net", "net/http"},
		why:    "policies and their tests are read from bytes, so that policy stays free of files and formats",
	},
	"proxy/redaction": {
		module: []string{"ledger", "proxy/redaction/rules"}, banned: []string{"time", "context", "os", "net", "net/http", "log", "log/slog", "math/rand", "math/rand/v2"},
		why: "what is found follows from the text and the specs alone, and no text goes anywhere",
	},
	"proxy/redaction/rules": {
		owned: []string{"github.com/pelletier/go-toml/v2"}, banned: []string{"time", "os", "net", "net/http", "math/rand"},
		why: "rules are read from bytes, and nothing is fetched",
	},
	"proxy/redaction/body": {
		module: []string{"proxy/redaction", "proxy/dialect/jsonscan"}, banned: []string{"time", "os", "net", "net/http", "log", "log/slog", "math/rand"},
		why: "bodies are redacted as bytes; hooks are asked by the caller",
	},
	"proxy/redaction/events": {
		module: []string{"proxy/redaction", "proxy/redaction/body", "proxy/dialect/jsonscan", "proxy/dialect/sse"}, owned: []string{"github.com/tidwall/gjson"},
		banned: []string{"time", "os", "net", "net/http", "log", "log/slog", "math/rand"},
		why:    "streams are redacted as bytes; whoever has the connections feeds them",
	},
	"proxy/compress": {
		module: []string{"proxy/dialect/jsonscan"}, banned: append([]string{"net/http"}, pure...),
		why: "what becomes of a prompt follows from its bytes and the settings alone, or the providers' caches of prompts would not hold",
	},
	"proxy/compress/measure": {
		module: []string{"proxy/compress", "proxy/bound", "proxy/dialect/..."}, banned: []string{"os", "net", "net/http"},
		why: "it is for the command line and measurements, not for requests",
	},
	"proxy/outside": {
		banned: []string{"net", "net/http", "os"},
		why:    "it says when a service is left alone, and asks none",
	},
	"proxy/compress/hook": {
		module: []string{"proxy/outside"},
		why:    "the one place from which a text goes to a compressor outside",
	},
	"proxy/redaction/presidio": {
		module: []string{"proxy/redaction", "proxy/outside"},
		why:    "the one place from which a text goes to a recognizer outside",
	},
	"proxy/redaction/labelled": {
		why: "it is for tests and measurements, and shares no code with what they test",
	},
	"proxy/dialect/conversation/conversationtest": {
		module: []string{"proxy/dialect/...", "proxy/price"},
		owned:  []string{"pgregory.net/rapid"},
		why:    "it is for tests alone: what it draws, every dialect's tests write and read",
	},
	"proxy/upstream/sigv4": {
		module: []string{"proxy/upstream"},
		owned:  []string{"github.com/aws/aws-sdk-go-v2"},
		why:    "the request path knows signatures of AWS's as headers, and nothing of its SDK",
	},
	"proxy/upstream/googletoken": {
		module: []string{"proxy/upstream"},
		owned:  []string{"golang.org/x/oauth2", "cloud.google.com/go/compute/metadata"},
		why:    "the request path knows tokens of Google's as headers, and nothing of where they come from",
	},
	"proxy/dialect/eventstream": {
		owned: []string{"github.com/aws/aws-sdk-go-v2/aws/protocol/eventstream"},
		why:   "dialects get messages, whatever frames they came in",
	},
	"internal/access": {
		module: []string{"ledger"},
		banned: []string{"context", "sync", "os", "io", "net", "net/http", "log", "log/slog", "math/rand", "math/rand/v2", "crypto/rand"},
		why:    "who may do what is a function of who asks, of what, and of the time",
	},
	"internal/attempts": {why: "it counts addresses, whatever failed"},
	"internal/login": {
		module: []string{"ledger", "internal/access"},
		owned:  []string{"github.com/coreos/go-oidc/v3", "golang.org/x/oauth2"},
		why:    "people are known by their provider here, and as subjects of package access everywhere else",
	},
	"internal/login/logintest": {
		owned: []string{"github.com/zitadel/oidc/v3", "github.com/go-jose/go-jose/v4", "golang.org/x/text"},
		why:   "it is for tests alone: a provider, as others run it",
	},
	"api/ui": {
		module: []string{"api/admin", "internal/record", "proxy", "proxy/policy", "proxy/template"},
		owned:  []string{"github.com/aymanbagabas/go-udiff"},
		why:    "the dashboard is a client of the admin API, and can ask for nothing else",
	},
	"api": {
		module: []string{"proxy", "proxy/...", "ledger", "internal/access", "internal/directory", "internal/record", "internal/litellm", "internal/sheet", "internal/statement", "api/..."},
		owned:  []string{"github.com/valyala/fasthttp"},
		why:    "the edge takes no decisions",
	},
	"internal/simprovider": {
		module: []string{"ledger", "proxy/price", "proxy/bound"},
		owned:  []string{"github.com/valyala/fasthttp", "github.com/tiktoken-go/tokenizer", "github.com/tidwall/gjson"},
		why:    "the provider's double must not share the gateway's code, or both would err alike",
	},
	"internal/telemetry": {
		module: []string{"internal/record", "proxy/price"},
		owned:  []string{"github.com/prometheus/client_golang"},
		why:    "telemetry watches finished requests; nothing depends on it",
	},
	"internal/telemetry/otlp": {
		module: []string{"internal/record", "ledger", "proxy/price", "proxy/trace"},
		owned: []string{
			"go.opentelemetry.io/otel", "google.golang.org/grpc",
		},
		why: "what goes to a receiver is made of records and the course of their calls; requests and their texts are out of reach",
	},
	"internal/telemetry/otlp/receiver": {
		owned: []string{"go.opentelemetry.io/proto/otlp", "google.golang.org/grpc", "google.golang.org/protobuf"},
		why:   "it is for tests and measurements: it shares no code with what it receives from",
	},
	"internal/tidy": {why: "rules only"},
	"node":          {module: []string{"..."}, owned: []string{"*"}, why: "the composition root"},
	"cmd":           {module: []string{"..."}, owned: []string{"*"}, why: "flags and subcommands"},
	"tools":         {module: []string{"..."}, owned: []string{"*"}, why: "generators, run by make"},
	"bench":         {module: []string{"..."}, owned: []string{"*"}, why: "measurements, imported by none"},
	"jepsen-style-tests": {
		module: []string{"..."}, owned: []string{"*"},
		why: "faults, histories and checkers meet every part; imported by none",
	},
	"e2e": {module: []string{"..."}, owned: []string{"*"}, why: "tests of the binary, imported by none"},
}

func TestImportTable(t *testing.T) {
	for _, f := range goFiles(t) {
		if strings.HasSuffix(f, "_test.go") || strings.HasPrefix(f, "e2e/") {
			continue
		}
		pkg := path.Dir(f)
		name, r, ok := roomOf(pkg)
		if !ok {
			t.Errorf("%s: package %s is not in the import table; add it to ARCHITECTURE.md and to this test", f, pkg)
			continue
		}
		for _, imp := range importsOf(t, f) {
			if msg := r.objects(pkg, imp); msg != "" {
				t.Errorf("%s imports %q: %s (%s: %s)", f, imp, msg, name, r.why)
			}
		}
	}
}

// TestNoneImportsTests: what is imported by none stays so, also in tests.
func TestNoneImportsTests(t *testing.T) {
	for _, f := range goFiles(t) {
		for _, imp := range importsOf(t, f) {
			for _, apart := range []string{"jepsen-style-tests", "e2e", "bench"} {
				if matches(strings.TrimPrefix(imp, "purser/"), []string{apart + "/..."}) && !strings.HasPrefix(f, apart+"/") && !runs(path.Dir(f), imp) {
					t.Errorf("%s imports %q, which is imported by none", f, imp)
				}
			}
		}
	}
}

// runs reports whether a package may know of tests, because it runs them: the tool for
// mutants knows those of processes by name.
func runs(pkg, imp string) bool {
	return pkg == "tools/mutants" && imp == "purser/jepsen-style-tests/builds"
}

// roomOf returns the longest listed path that is pkg or above it.
func roomOf(pkg string) (string, room, bool) {
	for p := pkg; p != "."; p = path.Dir(p) {
		if r, ok := rooms[p]; ok {
			return p, r, true
		}
	}
	return "", room{}, false
}

// faults is the room that no other may import.
const faults = "jepsen-style-tests/"

// objects says what is wrong with an import, or "".
func (r room) objects(pkg, imp string) string {
	if rest, ok := strings.CutPrefix(imp, "purser/"); ok {
		if strings.HasPrefix(rest, faults) && !strings.HasPrefix(pkg, faults) && !runs(pkg, imp) {
			return "tests are imported by none"
		}
		if strings.HasPrefix(rest, pkg+"/") || matches(rest, r.module) {
			return ""
		}
		return "that room is not open to this package"
	}
	if !strings.Contains(strings.Split(imp, "/")[0], ".") {
		if slices.Contains(r.banned, imp) {
			return "banned from the standard library here"
		}
		return ""
	}
	for _, o := range r.owned {
		if o == "*" || imp == o || strings.HasPrefix(imp, o+"/") {
			return ""
		}
	}
	return "this library belongs to another room"
}

func matches(pkg string, patterns []string) bool {
	for _, p := range patterns {
		base, below := strings.CutSuffix(p, "...")
		base = strings.TrimSuffix(base, "/")
		if pkg == base || below && (base == "" || strings.HasPrefix(pkg, base+"/")) {
			return true
		}
	}
	return false
}

func importsOf(t *testing.T, file string) []string {
	t.Helper()
	f, err := parser.ParseFile(token.NewFileSet(), filepath.Join(root, file), nil, parser.ImportsOnly)
	if err != nil {
		t.Fatal(err)
	}
	var out []string
	for _, s := range f.Imports {
		p, err := strconv.Unquote(s.Path.Value)
		if err != nil {
			t.Fatal(err)
		}
		out = append(out, p)
	}
	return out
}

const root = "../.."

// goFiles lists the Go files of the module, as slash paths from its root.
func goFiles(t *testing.T) []string {
	t.Helper()
	return filesWith(t, ".go")
}

// filesWith lists the files whose name ends so, outside of hidden folders and node_modules.
func filesWith(t *testing.T, suffix string) []string {
	t.Helper()
	var out []string
	err := filepath.WalkDir(root, func(p string, d fs.DirEntry, err error) error {
		if err != nil {
			return err
		}
		rel := filepath.ToSlash(strings.TrimPrefix(strings.TrimPrefix(p, root), "/"))
		if d.IsDir() && rel != "" && (strings.HasPrefix(d.Name(), ".") && d.Name() != ".ci" || d.Name() == "node_modules" || d.Name() == "bin" || d.Name() == "_fail" || d.Name() == "data") {
			return filepath.SkipDir
		}
		if !d.IsDir() && strings.HasSuffix(rel, suffix) {
			out = append(out, rel)
		}
		return nil
	})
	if err != nil {
		t.Fatal(err)
	}
	return out
}
