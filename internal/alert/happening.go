package alert

import (
	"crypto/sha256"
	"encoding/hex"
	"fmt"
	"maps"
	"slices"
)

// Happening is the notice of something that another part of a node has seen, by that
// part's name for it, and a key that is the same wherever it is seen; false for what
// is not told.
func Happening(kind, subject string, detail map[string]string) (key string, n Notice, ok bool) {
	n = Notice{Severity: Warning, Data: Data{"subject": subject}}
	h := sha256.New()
	fmt.Fprintf(h, "%q", subject)
	for _, name := range slices.Sorted(maps.Keys(detail)) {
		n.Data[name] = detail[name]
		fmt.Fprintf(h, "%q%q", name, detail[name])
	}
	switch kind {
	case "budget_breaker":
		n.Type = BudgetBreaker
		n.Summary = fmt.Sprintf("the breaker of budget %s is %s: %s", subject, detail["state"], detail["reason"])
		if detail["state"] == "closed" {
			n.Severity = Info
		}
	case "loop_detected":
		n.Type, n.Summary = LoopDetected, fmt.Sprintf("%s repeats itself, or spends faster than before", subject)
	case "semantic_error":
		n.Type = SemanticError
		n.Summary = fmt.Sprintf("the measured error of the semantic cache on %s, of which %s is allowed, moves what it serves to level %s", subject, detail["error_bound"], detail["level"])
		if detail["off"] == "true" {
			n.Summary = fmt.Sprintf("the semantic cache serves nothing similar on %s any more: more than %s of its answers were wrong", subject, detail["error_bound"])
		}
	case "canary_rolled_back":
		n.Type, n.Summary = CanaryRolledBack, fmt.Sprintf("the canary %s of %s gets no more requests: %s", detail["candidate"], subject, detail["reason"])
	case "spend_anomaly":
		n.Type, n.Summary = SpendAnomaly, fmt.Sprintf("%s spent %s USD in a minute, and usually spends %s", subject, detail["spent_usd"], detail["usual_usd"])
	case "spend_usual":
		n.Type, n.Severity, n.Summary = SpendUsual, Info, fmt.Sprintf("%s spends what is usual again", subject)
	case "export_failing":
		n.Type, n.Summary = ExportFailing, fmt.Sprintf("the export %s could not be written %s times: %s", subject, detail["failures"], detail["error"])
	default:
		return "", n, false
	}
	return kind + "/" + hex.EncodeToString(h.Sum(nil)[:16]), n, true
}
