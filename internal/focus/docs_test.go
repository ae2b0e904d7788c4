package focus

import (
	"os"
	"strings"
	"testing"
)

// TestColumnsAreDocumented: every column has its place in the documents.
func TestColumnsAreDocumented(t *testing.T) {
	for path, columns := range map[string][]Column{"../../docs/focus.md": Known(), "../../docs/warehouse.md": Usage().Columns()} {
		b, err := os.ReadFile(path)
		if err != nil {
			t.Fatal(err)
		}
		text := strings.NewReplacer("`…Name`", "`BillingAccountName` `SubAccountName`", "`…Type`", "`BillingAccountType` `SubAccountType`", "`…End`", "`ChargePeriodEnd` `BillingPeriodEnd`",
			"`PricingCurrency…`", "`PricingCurrency` `PricingCurrencyContractedUnitPrice` `PricingCurrencyEffectiveCost` `PricingCurrencyListUnitPrice`").Replace(string(b))
		for _, c := range columns {
			if !strings.Contains(text, "`"+c.Name+"`") {
				t.Errorf("%s does not say what %s is", path, c.Name)
			}
		}
	}
}
