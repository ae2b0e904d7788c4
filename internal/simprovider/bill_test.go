package simprovider

import (
	"context"
	"encoding/json"
	"fmt"
	"io"
	"math/rand/v2"
	"net"
	"net/http"
	"os"
	"path/filepath"
	"reflect"
	"strings"
	"sync"
	"testing"
	"time"

	"github.com/tidwall/gjson"

	"purser/ledger"
	"purser/proxy/price"
)

func TestRowReadsBackAsWritten(t *testing.T) {
	full := Row{Call: "c1", ClientRequestID: "a \"b\"\n\x01é\xff", EndUser: "op-1", Key: "0123456789ab", Endpoint: "chat.completions", Model: "gpt-4o", Tier: "flex",
		Cap: 9, Cost: 123456789, Unpriced: true, At: time.Unix(1_800_000_000, 123456789).UTC(), Stream: true, Mode: "cut=3", Delivered: Cut}
	for m := range full.Usage {
		full.Usage[m] = int64(m + 1)
		if meterNames[m] == "" {
			t.Errorf("meter %d has no name", m)
		}
	}
	for _, row := range []Row{full, {Call: "c2", At: time.Unix(0, 0).UTC()}} {
		b, err := json.Marshal(row)
		if err != nil {
			t.Fatal(err)
		}
		var back Row
		if err := json.Unmarshal(b, &back); err != nil {
			t.Fatal(err)
		}
		row.ClientRequestID = strings.ToValidUTF8(row.ClientRequestID, "\ufffd")
		if !reflect.DeepEqual(back, row) {
			t.Errorf("%+v\n%+v\n%s", back, row, b)
		}
	}
	for _, bad := range []string{`{}`, `{"call":"x","usage":{"unheard_of":1}}`, `{"call":"x","usage":[]}`} {
		if err := json.Unmarshal([]byte(bad), new(Row)); err == nil {
			t.Errorf("%s is a row", bad)
		}
	}
}

func TestBillContinuesItsFile(t *testing.T) {
	path := filepath.Join(t.TempDir(), "bill.jsonl")
	cfg := quick(func(c *Config) { c.Bill, c.SyncBill, c.KeepRows = path, true, 3 })
	var want Totals
	calls := map[string]bool{}
	for run := range 3 {
		p, addr := start(t, cfg)
		for i := range 5 {
			chat(t, addr, ask(fmt.Sprint(run, i)), "x-client-request-id", fmt.Sprint(run, i))
		}
		if run > 0 && p.Bill().Totals().Rows != int64(5*(run+1)) {
			t.Errorf("run %d: %+v", run, p.Bill().Totals())
		}
		want = p.Bill().Totals()
		if rows := p.Bill().Rows(); len(rows) != 3 || rows[2].ClientRequestID != fmt.Sprint(run, 4) || rows[0].ClientRequestID != fmt.Sprint(run, 2) {
			t.Errorf("kept %v", rows)
		}
		if err := p.Close(context.Background()); err != nil {
			t.Fatal(err)
		}
		f, err := os.OpenFile(path, os.O_APPEND|os.O_WRONLY, 0)
		if err != nil {
			t.Fatal(err)
		}
		f.WriteString(`{"call":"torn`) // as a process killed in its write would leave it
		f.Close()
	}
	rows, err := ReadBill(path)
	if err != nil || Sum(rows) != want {
		t.Errorf("%v: %+v, want %+v", err, Sum(rows), want)
	}
	for _, r := range rows {
		calls[r.Call] = true
	}
	if len(calls) != 15 {
		t.Errorf("%d call ids for 15 calls", len(calls))
	}
	if err := os.WriteFile(path, []byte("{}\n{\"call\":\"x\"}\n"), 0o600); err != nil {
		t.Fatal(err)
	}
	if _, err := ReadBill(path); err == nil {
		t.Error("a broken line was read")
	}
	if _, err := New(cfg); err == nil {
		t.Error("a broken bill was continued")
	}
	if _, err := ReadBill(path + ".none"); err == nil {
		t.Error("no bill was read")
	}
}

func TestUnpricedCallsAreMarked(t *testing.T) {
	p, addr := start(t, quick(func(c *Config) { c.Price = nil }))
	chat(t, addr, ask("x"), "x-client-request-id", "u")
	if row := rowOf(t, p, "u"); !row.Unpriced || row.Cost != 0 || p.Bill().Totals().Unpriced != 1 {
		t.Errorf("%+v", row)
	}
	_, addr = start(t, quick(func(c *Config) {
		c.Price = func(model string, u price.Usage, tier string) (ledger.Amount, bool) {
			if model != "gpt-4o" || tier != "flex" || u[price.Requests] != 1 {
				t.Errorf("asked the price of %v of %s at %s", u, model, tier)
			}
			return 7, true
		}
	}))
	chat(t, addr, strings.Replace(ask("x", `"service_tier":"flex"`), "gpt-4o", "gpt-4o--sim-no-usage", 1))
}

// hangUp is what a client of the storm does.
type hangUp int

const (
	readAll hangUp = iota
	leaveAtOnce
	leaveMidway
)

// TestBillEqualsAnswersUnderHangUps has 64 clients, on kept-alive connections,
// half of them streaming, a third hanging up somewhere. The bill must have one
// row for each request, with the usage that was answered where an answer was
// read, and the file must sum to the totals in memory.
func TestBillEqualsAnswersUnderHangUps(t *testing.T) {
	const clients, each = 64, 25
	path := filepath.Join(t.TempDir(), "bill.jsonl")
	p, addr := start(t, quick(func(c *Config) { c.Bill = path }))
	var mu sync.Mutex
	answered := map[string]price.Usage{} // by request id, of those read to the end
	var wg sync.WaitGroup
	for c := range clients {
		wg.Go(func() {
			rng := rand.New(rand.NewPCG(1, uint64(c)))
			client := http.Client{Transport: &http.Transport{}, Timeout: patience}
			defer client.CloseIdleConnections()
			for i := range each {
				id := fmt.Sprintf("c%d-%d", c, i)
				u, ok, err := stormRequest(&client, addr, id, rng.IntN(2) == 0, []hangUp{readAll, readAll, leaveAtOnce, leaveMidway}[rng.IntN(4)])
				if err != nil {
					t.Errorf("%s: %v", id, err)
				}
				if ok {
					mu.Lock()
					answered[id] = u
					mu.Unlock()
				}
			}
		})
	}
	wg.Wait()
	until(t, p.open0)
	rows, err := ReadBill(path)
	if err != nil {
		t.Fatal(err)
	}
	if Sum(rows) != p.Bill().Totals() {
		t.Errorf("the file sums to %+v, memory to %+v", Sum(rows), p.Bill().Totals())
	}
	seen := map[string]bool{}
	gone := 0
	for _, r := range rows {
		if seen[r.ClientRequestID] {
			t.Errorf("%s is billed twice", r.ClientRequestID)
		}
		seen[r.ClientRequestID] = true
		if u, ok := answered[r.ClientRequestID]; ok && (u != r.Usage || r.Delivered != Complete) {
			t.Errorf("%s: answered %v, billed %v, %s", r.ClientRequestID, u, r.Usage, r.Delivered)
		}
		if want, _ := p.cfg.Price(r.Model, r.Usage, r.Tier); r.Cost != want {
			t.Errorf("%s costs %d, want %d", r.ClientRequestID, r.Cost, want)
		}
		if r.Delivered == Disconnected {
			gone++
		}
	}
	if len(seen) != clients*each || gone == 0 || len(answered) < clients {
		t.Errorf("%d of %d requests billed, %d disconnected, %d answered", len(seen), clients*each, gone, len(answered))
	}
}

// stormRequest sends one request; ok if its answer was read to the end.
func stormRequest(client *http.Client, addr, id string, stream bool, leave hangUp) (u price.Usage, ok bool, err error) {
	ctx, cancel := context.WithTimeout(context.Background(), patience)
	defer cancel()
	body, mode := ask("storm "+id), "slow-first=2ms"
	if stream {
		body, mode = ask("storm "+id, metered), "slow-chunks=100us+tokens=40"
	}
	if leave == readAll {
		mode = "ok"
	}
	req, err := http.NewRequestWithContext(ctx, "POST", "http://"+addr+"/v1/chat/completions", strings.NewReader(body))
	if err != nil {
		return u, false, err
	}
	req.Header.Set("Authorization", "Bearer "+testKey)
	req.Header.Set("x-client-request-id", id)
	req.Header.Set("x-sim-mode", mode)
	resp, err := client.Do(req)
	if err != nil {
		return u, false, err
	}
	defer resp.Body.Close()
	switch leave {
	case leaveAtOnce:
		return u, false, nil
	case leaveMidway:
		_, err := io.ReadFull(resp.Body, make([]byte, 300))
		return u, false, err
	}
	raw, err := io.ReadAll(resp.Body)
	if err != nil {
		return u, false, err
	}
	data := string(raw)
	if stream {
		events := strings.Split(strings.TrimSuffix(data, "\n\n"), "\n\n")
		if len(events) < 3 || events[len(events)-1] != "data: [DONE]" {
			return u, false, fmt.Errorf("a stream cut short: %q", data)
		}
		data = strings.TrimPrefix(events[len(events)-2], "data: ")
	}
	var in usageJSON
	if err := json.Unmarshal([]byte(gjson.Get(data, "usage").Raw), &in); err != nil {
		return u, false, err
	}
	return in.bucketed(), true, nil
}

// TestHangUpIsBilled covers both rules of what a broken answer costs.
func TestHangUpIsBilled(t *testing.T) {
	for _, rule := range []HangUp{BillFull, BillToCut} {
		t.Run(string(rule), func(t *testing.T) {
			p, addr := start(t, quick(func(c *Config) { c.HangUp = rule }))
			check := func(id string, fewest, most int64, how Delivery) {
				t.Helper()
				row := rowOf(t, p, id)
				if rule == BillFull {
					fewest, most = 50, 50
				}
				if n := row.Usage[price.OutputText]; n < fewest || n > most || row.Delivered != how || row.Usage[price.InputText] == 0 {
					t.Errorf("%s: %d tokens out, %s", id, n, row.Delivered)
				}
			}
			hangUpAfter(t, addr, ask("x"), "waiting", "tokens=50+slow-first=10m", 0)
			check("waiting", 0, 0, Disconnected)
			hangUpAfter(t, addr, ask("x", streaming), "before", "tokens=50+slow-first=10m", 0)
			check("before", 0, 0, Disconnected)
			hangUpAfter(t, addr, ask("x", streaming), "midway", "tokens=50+slow-chunks=1s", 100)
			check("midway", 0, 3, Disconnected)
			rawCall(t, addr, ask("x", streaming), "x-client-request-id", "cut", "x-sim-mode", "tokens=50+cut=11")
			check("cut", 10, 10, Cut)
			rawCall(t, addr, ask("x", streaming), "x-client-request-id", "error", "x-sim-mode", "tokens=50+error-event=21")
			check("error", 20, 20, Cut)
			hangUpAfter(t, addr, ask("x"), "stalled", "tokens=50+bill-timeout", 0)
			check("stalled", 50, 50, Cut)
		})
	}
}

// hangUpAfter sends a request, reads some bytes of the answer, and closes.
func hangUpAfter(t *testing.T, addr, body, id, mode string, read int) {
	t.Helper()
	nc := dial(t, addr)
	defer nc.Close()
	if _, err := io.WriteString(nc, rawRequest(body, "x-client-request-id", id, "x-sim-mode", mode)); err != nil {
		t.Fatal(err)
	}
	if _, err := io.ReadFull(nc, make([]byte, read)); err != nil {
		t.Fatal(err)
	}
}

func TestControlSurface(t *testing.T) {
	p, addr := start(t, quick())
	alone, err := net.Listen("tcp", "127.0.0.1:0")
	if err != nil {
		t.Fatal(err)
	}
	served := make(chan error, 1)
	go func() { served <- p.ServeControl(alone) }()
	ask1 := func(addr, method, path, body string) (int, string) {
		t.Helper()
		req, _ := http.NewRequest(method, "http://"+addr+path, strings.NewReader(body))
		resp, err := http.DefaultClient.Do(req)
		if err != nil {
			t.Fatal(err)
		}
		raw, _ := io.ReadAll(resp.Body)
		resp.Body.Close()
		return resp.StatusCode, string(raw)
	}
	for i := range 3 {
		chat(t, addr, ask("x"), "x-client-request-id", fmt.Sprint("id", i))
	}
	for _, at := range []string{addr, alone.Addr().String()} {
		if _, raw := ask1(at, "GET", "/_sim/bill", ""); gjson.Get(raw, "rows").Int() != 3 || gjson.Get(raw, "cost_nanousd").Int() != int64(p.Bill().Totals().Cost) || gjson.Get(raw, "usage.requests").Int() != 3 {
			t.Errorf("%s", raw)
		}
		if _, raw := ask1(at, "GET", "/_sim/bill/rows?client_request_id=id1", ""); len(decode[[]Row](t, raw)) != 1 || decode[[]Row](t, raw)[0].ClientRequestID != "id1" {
			t.Errorf("%s", raw)
		}
		if _, raw := ask1(at, "GET", "/_sim/bill/rows?limit=2", ""); len(decode[[]Row](t, raw)) != 2 {
			t.Errorf("%s", raw)
		}
		if _, raw := ask1(at, "GET", "/_sim/bill/rows?client_request_id=none", ""); raw != "[]" {
			t.Errorf("%s", raw)
		}
	}
	if status, raw := ask1(addr, "PUT", "/_sim/mode", `{"mode":"500","count":1}`); status != 200 {
		t.Errorf("%d %s", status, raw)
	}
	if resp, _ := post(t, addr, "/v1/chat/completions", ask("x")); resp.StatusCode != 500 {
		t.Errorf("%d", resp.StatusCode)
	}
	chat(t, addr, ask("x"))
	ask1(addr, "PUT", "/_sim/mode", `{"mode":"429"}`)
	ask1(addr, "DELETE", "/_sim/mode", "")
	chat(t, addr, ask("x"))
	for _, bad := range []string{`{`, `{"mode":"frob"}`} {
		if status, _ := ask1(addr, "PUT", "/_sim/mode", bad); status != 400 {
			t.Errorf("%s: %d", bad, status)
		}
	}
	if status, _ := ask1(addr, "GET", "/_sim/none", ""); status != 404 {
		t.Errorf("%d", status)
	}
	if status, _ := ask1(alone.Addr().String(), "GET", "/v1/models", ""); status != 404 {
		t.Errorf("the control listener serves the API: %d", status)
	}
	if ask1(addr, "POST", "/_sim/reset", ""); p.Bill().Totals() != (Totals{}) || len(p.Bill().Rows()) != 0 {
		t.Error("not reset")
	}
	_, closed := start(t, quick(func(c *Config) { c.Control = false }))
	if status, _ := ask1(closed, "GET", "/_sim/bill", ""); status != 401 {
		t.Errorf("control that is off: %d", status)
	}
	http.DefaultClient.CloseIdleConnections()
	if err := p.Close(context.Background()); err != nil {
		t.Error(err)
	}
	if err := <-served; err != nil {
		t.Error(err)
	}
}
