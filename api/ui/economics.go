package ui

// efficiencyView is the efficiency score.
type efficiencyView struct {
	Score *float64
}

func (v *overviewView) efficiency(c *Call) error { return nil }
