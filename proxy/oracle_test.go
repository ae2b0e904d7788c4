package proxy

import (
	"bytes"
	"encoding/json"
	"flag"
	"fmt"
	"io"
	"math/big"
	"net/http"
	"os"
	"os/exec"
	"testing"
	"time"

	"purser/internal/record"
	"purser/ledger"
)

var (
	oracleSeed   = flag.Uint64("oracle.seed", 1, "seed of the answers the oracle is asked about")
	oracleRounds = flag.Int("oracle.rounds", 16, "rounds of them; a round is 32 answers")
)

// TestOracle compares what the gateway records for an answer with what another
// calculator makes of the same bytes: @pydantic/genai-prices, by its own reading
// of the usage and its own prices (testdata/oracle/cost.mjs).
//
// The calculator's sums are doubles. Prices are whole pico-dollars, so an exact
// sum is one too; a double that is within its bounded error of a whole
// pico-dollar, and of no other, tells it. That sum, rounded up to a nano-dollar
// once, is the cost.
func TestOracle(t *testing.T) {
	if os.Getenv("CI") == "" && os.Getenv("PURSER_ORACLE") == "" {
		t.Skip("installs a package: set PURSER_ORACLE=1, or run `make oracle`")
	}
	t.Logf("repeat with: make oracle ORACLE_SEED=%d ORACLE_ROUNDS=%d", *oracleSeed, *oracleRounds)
	all := shapes(*oracleSeed, *oracleRounds)
	theirs := calculate(t, all)
	used, differ := map[rule]int{}, map[rule]int{}
	equal := map[string]int{}
	for i := range all {
		s := &all[i]
		ours := s.recorded(t)
		if want := s.expected(t, theirs[i].Costs); ours != want {
			t.Errorf("%s: recorded %d nano-dollars, the calculator says %d\nrule: %s\n%.1500s", s.name, ours, want, s.rule, s.answer)
		}
		equal[s.provider]++
		if s.rule != noRule {
			used[s.rule]++
			if plain := s.plainly(t, theirs[len(all)+i]); plain == nil || *plain != ours {
				differ[s.rule]++
			}
		}
	}
	explained := 0
	for _, r := range rules {
		t.Logf("%4d of %4d differ, explained by: %s", differ[r], used[r], r)
		if differ[r] == 0 {
			t.Errorf("the rule explains nothing: %s", r)
		}
		explained += differ[r]
		delete(used, r)
	}
	if len(used) > 0 {
		t.Errorf("rules that are not in the list: %v", used)
	}
	if len(all) < 300 && *oracleRounds >= 16 {
		t.Errorf("only %d answers", len(all))
	}
	t.Logf("seed %d: %d answers, by provider %v; %d cost what the calculator says of the same bytes, %d differ and are explained", *oracleSeed, len(all), equal, len(all)-explained, explained)
}

// recorded is what the gateway records for the answer of an upstream.
func (s *shape) recorded(t *testing.T) ledger.Amount {
	t.Helper()
	w := newWorld(t, func(w http.ResponseWriter, _ *http.Request) {
		w.Header().Set("Content-Type", "application/json")
		if s.stream {
			w.Header().Set("Content-Type", "text/event-stream")
		}
		if _, err := io.WriteString(w, s.answer); err != nil {
			t.Error(err)
		}
	}, nil)
	if s.foreign {
		w.gateway.upstreams = w.gateway.upstreams[:1]
		w.gateway.upstreams[0].Speaks = Converse
	}
	if s.provider != "google" && s.provider != "anthropic" {
		w.gateway.upstreams[0].Provider, w.gateway.upstreams[0].Models = s.provider, []string{s.model}
	}
	a, body := w.send("POST", s.path, encode(s.request), "anthropic-version", "2023-06-01")
	if a.Status != 200 || body != s.answer && !s.foreign {
		t.Fatalf("%s: status %d %s", s.name, a.Status, body)
	}
	rec := w.last()
	if rec.Basis != record.Reported || rec.Outcome != record.Completed {
		t.Errorf("%s: basis %d, outcome %d\n%s", s.name, rec.Basis, rec.Outcome, s.answer)
	}
	return rec.Cost
}

// expected is what the calculator says, by the rule.
func (s *shape) expected(t *testing.T, costs []string) ledger.Amount {
	t.Helper()
	sum := new(big.Rat)
	for _, c := range costs {
		sum.Add(sum, wholePico(t, s.name, c))
	}
	if s.times != nil {
		sum.Mul(sum, s.times)
	}
	return ceilNano(sum) + ledger.Amount(s.plus)
}

// plainly is what the calculator says of the answer itself, nil for an error.
func (s *shape) plainly(t *testing.T, a calculated) *ledger.Amount {
	t.Helper()
	if a.Error != "" {
		return nil
	}
	n := ceilNano(wholePico(t, s.name, a.Costs[0]))
	return &n
}

// roundings bounds the roundings in one cost: a product and a quotient for each
// of at most 18 units, a sum of as many, and the price itself.
const roundings = 64

// wholePico is the exact sum that a double stands for, in pico-dollars.
func wholePico(t *testing.T, name, usd string) *big.Rat {
	t.Helper()
	x := rat(usd)
	x.Mul(x, rat("1e12"))
	err := new(big.Rat).Mul(x, big.NewRat(roundings, 1<<53))
	if err.Cmp(big.NewRat(1, 4)) >= 0 {
		t.Fatalf("%s: %s USD is too much for a double to tell a pico-dollar", name, usd)
	}
	nearest := new(big.Int).Add(x.Num(), new(big.Int).Rsh(x.Denom(), 1)) // all are positive
	whole := new(big.Rat).SetInt(nearest.Quo(nearest, x.Denom()))
	if off := new(big.Rat).Sub(x, whole); off.Abs(off).Cmp(err) > 0 {
		t.Fatalf("%s: %s USD is no whole number of pico-dollars", name, usd)
	}
	return whole
}

func ceilNano(pico *big.Rat) ledger.Amount {
	den := new(big.Int).Mul(pico.Denom(), big.NewInt(1000))
	n, rest := new(big.Int).QuoRem(pico.Num(), den, new(big.Int))
	if rest.Sign() > 0 {
		n.Add(n, big.NewInt(1))
	}
	return ledger.Amount(n.Int64())
}

// calculated is an answer of cost.mjs.
type calculated struct {
	ID    int      `json:"id"`
	Costs []string `json:"costs"`
	Error string   `json:"error"`
}

// calculate asks about each shape by its rule, then about each as it is.
func calculate(t *testing.T, all []shape) []calculated {
	t.Helper()
	at := time.Unix(oracleSeconds, 0).UTC().Format(time.RFC3339)
	var in bytes.Buffer
	ask := func(id int, s *shape, answers []string, add object) {
		fmt.Fprintln(&in, encode(object{"id": id, "provider": s.provider, "flavor": s.flavor, "model": s.model, "at": at, "answers": answers, "add": add}))
	}
	for i := range all {
		answers := all[i].asked
		if answers == nil {
			answers = []string{all[i].answer}
		}
		ask(i, &all[i], answers, all[i].add)
	}
	for i := range all {
		ask(len(all)+i, &all[i], []string{all[i].answer}, nil)
	}
	run := exec.Command("node", "cost.mjs")
	run.Dir, run.Stdin, run.Stderr = installed(t, "testdata/oracle"), &in, os.Stderr
	out, err := run.Output()
	if err != nil {
		t.Fatalf("the calculator: %v", err)
	}
	var answers []calculated
	for d := json.NewDecoder(bytes.NewReader(out)); d.More(); {
		var c calculated
		if err := d.Decode(&c); err != nil {
			t.Fatal(err)
		}
		if c.ID != len(answers) || c.Error != "" && c.ID < len(all) {
			t.Fatalf("%s: the calculator: %s\n%s", all[c.ID%len(all)].name, c.Error, all[c.ID%len(all)].answer)
		}
		answers = append(answers, c)
	}
	if len(answers) != 2*len(all) {
		t.Fatalf("%d answers to %d questions", len(answers), 2*len(all))
	}
	return answers
}

// oracleSeconds is the time of newWorld's clock.
const oracleSeconds = 1_790_000_000

// installed installs a folder's packages in a place of the test's own.
func installed(t *testing.T, folder string) (dir string) {
	t.Helper()
	dir = t.TempDir()
	if err := os.CopyFS(dir, os.DirFS(folder)); err != nil {
		t.Fatal(err)
	}
	install := exec.Command("npm", "ci", "--no-audit", "--no-fund")
	install.Dir = dir
	if out, err := install.CombinedOutput(); err != nil {
		t.Fatalf("npm ci: %v\n%s", err, out)
	}
	return dir
}
