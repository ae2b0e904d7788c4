// Command bench measures what the gateway costs beside a bare reverse proxy and
// beside no proxy at all, in one run:
//
//	go run ./bench -bin bin/purser -seconds 10
//
// It starts the simulated provider, a node and net/http's ReverseProxy as
// processes of their own and drives each with the same requests from raw
// connections. The node has a key, dimensions, a chain of four budgets, prices, usage
// records and the exact cache, which every request misses.
//
// What governance costs is measured beside that node, on a second one of the same
// binary that has it: ten policies, a redaction, two limits more, a rule about loops
// (governance.go). Both get prompts of 4 KiB, without values that are looked for and
// with some.
//
// Machines differ and are shared, so only ratios within one run carry over. The
// seconds of a cell are spread over rounds, the targets take turns within a
// round, and a figure is the median over the rounds.
//
// It is no soak test and no test of correctness under failure. It does check
// that every answer was complete, that the nodes kept one usage record for each
// request, that the records' cost is what the provider billed, and that the second
// node went by its policies and found values; if not, or if
// any request failed, it ends with status 1, since figures of a gateway that
// loses records mean nothing.
//
// Each connection belongs to one goroutine, which the cell waits for; a request
// that takes longer than requestTime is an error. The arithmetic is tested by
// itself, load and proxy against each other in one process.
package main
