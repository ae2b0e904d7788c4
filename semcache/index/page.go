package index

// pageRows is how many rows a page has when it is full: what a removal copies, and
// how many scores a search has on its stack.
const pageRows = 256

// firstRows is how many rows the first page has room for at first.
const firstRows = 4

// page holds rows side by side. Rows below what a snapshot shows are not written
// again; those above are the writer's.
type page struct {
	rows   []int8 // len(ids) times the stride
	scales []float32
	ids    []uint64
	// used is the first row that no snapshot has ever shown.
	used int
}

func newPage(rows, stride int) *page {
	return &page{rows: make([]int8, rows*stride), scales: make([]float32, rows), ids: make([]uint64, rows)}
}

func (p *page) row(i, stride int) []int8 { return p.rows[i*stride : (i+1)*stride] }

// copied is a page with the first n rows of p and room for size.
func (p *page) copied(n, size, stride int) *page {
	c := newPage(size, stride)
	copy(c.rows, p.rows[:n*stride])
	copy(c.scales, p.scales[:n])
	copy(c.ids, p.ids[:n])
	c.used = n
	return c
}

// snapshot is what searches see: the first n rows of the pages, each page but the
// last full. It is immutable.
type snapshot struct {
	pages []*page
	n     int
}

// of is how many rows of page i the snapshot shows.
func (s *snapshot) of(i int) int { return min(s.n-i*pageRows, pageRows) }

// grown is s with one row more, which the caller writes before anybody sees it.
func (s *snapshot) grown(stride int) *snapshot {
	at, i := s.n/pageRows, s.n%pageRows
	pages := s.pages[:at:at]
	var last *page
	switch {
	case i == 0 && at == 0:
		last = newPage(firstRows, stride)
	case i == 0:
		last = newPage(pageRows, stride)
	default:
		last = s.pages[at]
		if i == len(last.ids) {
			last = last.copied(i, min(2*i, pageRows), stride)
		} else if last.used != i {
			// A snapshot showed the row that was here, and a search may be reading it.
			last = last.copied(i, len(last.ids), stride)
		}
	}
	last.used = i + 1
	if at < len(s.pages) && s.pages[at] == last {
		return &snapshot{pages: s.pages, n: s.n + 1}
	}
	return &snapshot{pages: append(pages, last), n: s.n + 1}
}

// replaced is s with a copy of the page of row at, for the caller to write that row.
func (s *snapshot) replaced(at, stride int) *snapshot {
	pages := append([]*page(nil), s.pages...)
	i := at / pageRows
	pages[i] = pages[i].copied(s.of(i), len(pages[i].ids), stride)
	return &snapshot{pages: pages, n: s.n}
}

// shrunk is s without its last row. Pages that show no row are let go.
func (s *snapshot) shrunk() *snapshot {
	n := s.n - 1
	whole := (n + pageRows - 1) / pageRows
	return &snapshot{pages: s.pages[:whole:whole], n: n}
}
