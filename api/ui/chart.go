package ui

import (
	"fmt"
	"math"
	"strings"
)

// segment is a part of a bar of a hundred units.
type segment struct {
	Class string
	X, W  string // as SVG has numbers
}

// units writes a length of a bar; what is out of range ends at its end.
func units(f float64) string {
	if math.IsNaN(f) {
		f = 0
	}
	return fmt.Sprintf("%.2f", max(0, min(100, f*100)))
}

// fillParts are the parts of a bar of how full something is: used, what is held on top,
// and where a forecast ends. Missing ones are none.
func fillParts(of map[string]any) []segment {
	at := func(name string) float64 { f, _ := of[name].(float64); return max(0, min(1, f)) }
	used, held, forecast := at("used"), at("held"), at("forecast")
	level := "ok"
	switch {
	case used+held >= 1:
		level = "full"
	case used+held >= 0.8:
		level = "high"
	}
	list := []segment{{"used " + level, "0", units(used)}}
	if held > 0 {
		list = append(list, segment{"held", units(used), units(min(held, 1-used))})
	}
	if end := min(forecast, 1); end > used+held {
		list = append(list, segment{"forecast", units(used + held), units(end - used - held)})
	}
	return list
}

func barWidth(share float64) string { return units(share) }

// sparkPoints are the points of a line in a box of 100 by 24, from 0 to the largest.
func sparkPoints(values []float64) string {
	most := 0.0
	for _, v := range values {
		most = max(most, v)
	}
	if most == 0 {
		most = 1
	}
	var b strings.Builder
	for i, v := range values {
		x := 100.0
		if len(values) > 1 {
			x = 100 * float64(i) / float64(len(values)-1)
		}
		fmt.Fprintf(&b, "%.1f,%.1f ", x, 23-22*max(0, v)/most)
	}
	return strings.TrimSpace(b.String())
}
