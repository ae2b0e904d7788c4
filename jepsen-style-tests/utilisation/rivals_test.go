package utilisation

import (
	"time"

	"purser/ledger"
)

// static runs the same load with the cap cut into one slice for each node, until
// a request does not fit its node's slice.
func (w *world) static() {
	slice := w.limit / ledger.Amount(w.setup.nodes)
	used := make([]ledger.Amount, w.setup.nodes) // spent and held
	var ask func()
	ask = func() {
		i := w.pick()
		if used[i]+holdOf > slice {
			w.over, w.refusal = true, "slice used up"
			return
		}
		w.admitted++
		used[i] += holdOf
		w.held += holdOf
		w.after(w.serviceTime(), func() {
			actual := w.cost()
			used[i] += actual - holdOf
			w.held -= holdOf
			w.spent += actual
			ask()
		})
	}
	for range w.clients {
		w.after(w.serviceTime(), ask)
	}
}

// direct runs the same load with each hold and each settlement a command in the
// log, which shares entries as the cluster's does. A hold that does not fit waits
// for settlements, as a purse lets it, but nobody else's money is in between.
func (w *world) direct() {
	var queue []func()
	flights := 0
	var fly func()
	fly = func() {
		if len(queue) == 0 {
			flights--
			return
		}
		batch := queue
		queue = nil
		w.after(commitTime, func() {
			w.entries++
			if w.ending() {
				w.endEntries++
			}
			for _, command := range batch {
				command()
			}
			fly()
		})
	}
	propose := func(command func()) {
		w.exchanges++
		w.after(hop, func() {
			queue = append(queue, command)
			if flights < maxFlights {
				flights++
				fly()
			}
		})
	}
	var ask func(deadline int64)
	begin := func() { ask(w.now + int64(admissionWait)) }
	ask = func(deadline int64) {
		w.asking++
		propose(func() {
			if w.spent+w.held+holdOf > w.limit {
				if w.now > deadline {
					w.over, w.refusal = true, "does not fit"
					return
				}
				w.after(retry, func() { ask(deadline) })
				return
			}
			w.admitted++
			if w.ending() {
				w.endAdmitted++
			}
			w.held += holdOf
			w.after(hop+w.serviceTime(), func() {
				actual := w.cost()
				propose(func() {
					w.held -= holdOf
					w.spent += actual
				})
				begin()
			})
		})
	}
	for range w.clients {
		w.after(w.serviceTime(), begin)
	}
}

// As long as a purse lets a request wait, and as often as it asks in between.
const (
	admissionWait = 250 * time.Millisecond
	retry         = 20 * time.Millisecond
)
