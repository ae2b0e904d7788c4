package usage

import "purser/internal/record"

// Selects says whether a record is one that the query's conditions let through, whatever
// its range. It keeps nothing of r.
func (q *Query) Selects(r *record.Record) bool { return selected(q.Where, q.Within, r) }
