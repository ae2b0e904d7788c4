package decide

import "math"

// BetaQuantile is the x for which a Beta(a, b) variable is at most x with probability
// q. a and b are positive.
func BetaQuantile(q, a, b float64) float64 {
	lo, hi := 0.0, 1.0
	for range 60 {
		mid := (lo + hi) / 2
		if betaCDF(mid, a, b) < q {
			lo = mid
		} else {
			hi = mid
		}
	}
	return (lo + hi) / 2
}

// ClopperPearson bounds a share of which bad of n were seen: the true one is below
// lower with probability (1-confidence)/2 at most, and above upper likewise (Clopper
// and Pearson, Biometrika 26, 1934). Without observations it is [0, 1].
func ClopperPearson(bad, n int, confidence float64) (lower, upper float64) {
	tail := (1 - confidence) / 2
	upper = 1
	if bad > 0 {
		lower = BetaQuantile(tail, float64(bad), float64(n-bad+1))
	}
	if bad < n {
		upper = BetaQuantile(1-tail, float64(bad+1), float64(n-bad))
	}
	return lower, upper
}

// above says whether the one-sided lower bound, at a confidence, of a share of which
// bad of n were seen is above x; below the same of the upper bound. They are the
// questions that Clopper and Pearson's interval answers, with one evaluation each.
func above(bad, n int, x, confidence float64) bool {
	return bad > 0 && betaCDF(x, float64(bad), float64(n-bad+1)) < 1-confidence
}

func below(bad, n int, x, confidence float64) bool {
	return bad < n && 1-betaCDF(x, float64(bad+1), float64(n-bad)) < 1-confidence
}

// betaCDF is the regularized incomplete beta function, by its continued fraction
// (Numerical Recipes, 6.4; DLMF 8.17.22).
func betaCDF(x, a, b float64) float64 {
	if x <= 0 {
		return 0
	}
	if x >= 1 {
		return 1
	}
	if x > (a+1)/(a+b+2) {
		return 1 - betaCDF(1-x, b, a)
	}
	la, _ := math.Lgamma(a)
	lb, _ := math.Lgamma(b)
	lab, _ := math.Lgamma(a + b)
	front := math.Exp(lab-la-lb+a*math.Log(x)+b*math.Log1p(-x)) / a
	const tiny = 1e-300
	c, d := 1.0, 1-(a+b)*x/(a+1)
	if math.Abs(d) < tiny {
		d = tiny
	}
	d = 1 / d
	sum := d
	for m := 1.0; m < 10_000; m++ {
		for _, step := range [2]float64{
			m * (b - m) * x / ((a + 2*m - 1) * (a + 2*m)),
			-(a + m) * (a + b + m) * x / ((a + 2*m) * (a + 2*m + 1)),
		} {
			d = 1 + step*d
			if math.Abs(d) < tiny {
				d = tiny
			}
			c = 1 + step/c
			if math.Abs(c) < tiny {
				c = tiny
			}
			d = 1 / d
			sum *= d * c
		}
		if math.Abs(d*c-1) < 1e-13 {
			break
		}
	}
	return front * sum
}
