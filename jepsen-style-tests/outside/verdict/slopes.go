package verdict

import (
	"slices"
	"time"

	"purser/jepsen-style-tests/outside/history"
)

// Slope is how what a process uses changed over time: the line through its samples,
// without those of the first fifth of its life, while it warms up.
type Slope struct {
	Node       string
	Span       time.Duration // that the line goes over
	RSS        float64       // bytes an hour
	RSSMedian  float64       // bytes
	FDs        float64       // an hour
	Goroutines float64       // an hour
}

// Slopes are those of every process that was watched for at least so long.
func Slopes(h *history.History, least time.Duration) (out []Slope) {
	type process struct {
		is          string
		incarnation uint32
	}
	lives := map[process][]history.Sample{}
	var order []process
	for i := range h.Samples {
		s := h.Samples[i]
		if s.RSS == 0 {
			continue
		}
		p := process{s.Is, s.Incarnation}
		if lives[p] == nil {
			order = append(order, p)
		}
		lives[p] = append(lives[p], s)
	}
	for _, p := range order {
		list := lives[p]
		begun := list[0].At
		cut := begun + (list[len(list)-1].At-begun)/5
		list = slices.DeleteFunc(list, func(s history.Sample) bool { return s.At < cut })
		span := time.Duration(list[len(list)-1].At - list[0].At)
		if span < least {
			continue
		}
		sizes := make([]int64, len(list))
		for i := range list {
			sizes[i] = list[i].RSS
		}
		slices.Sort(sizes)
		out = append(out, Slope{
			Node: p.is, Span: span, RSSMedian: float64(sizes[len(sizes)/2]),
			RSS:        anHour(list, func(s *history.Sample) float64 { return float64(s.RSS) }),
			FDs:        anHour(list, func(s *history.Sample) float64 { return float64(s.FDs) }),
			Goroutines: anHour(list, func(s *history.Sample) float64 { return float64(s.Goroutines) }),
		})
	}
	return out
}

// anHour is the slope of the least-squares line, by the hour.
func anHour(list []history.Sample, of func(*history.Sample) float64) float64 {
	var n, sumX, sumY, sumXY, sumXX float64
	for i := range list {
		x, y := time.Duration(list[i].At-list[0].At).Hours(), of(&list[i])
		n, sumX, sumY, sumXY, sumXX = n+1, sumX+x, sumY+y, sumXY+x*y, sumXX+x*x
	}
	if d := n*sumXX - sumX*sumX; d > 0 {
		return (n*sumXY - sumX*sumY) / d
	}
	return 0
}
