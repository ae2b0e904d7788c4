package redaction

import (
	"testing"

	"pgregory.net/rapid"
)

// TestPublishedNumbers checks numbers that the issuers' own documents give as examples,
// or that are known for tests, and the same with one digit changed.
func TestPublishedNumbers(t *testing.T) {
	for _, c := range []struct {
		name    string
		valid   func([]byte) bool
		numbers []string
	}{
		{"card", card, []string{"4111111111111111", "5555555555554444", "378282246310005", "6011111111111117", "3530111333300000", "30569309025904", "2223003122003222"}},
		{"iban", iban, []string{"GB82 WEST 1234 5698 7654 32", "DE89370400440532013000", "FR1420041010050500013M02606", "NO9386011117947", "MT84MALT011000012345MTLCAST001S"}},
		{"npi", npi, []string{"1234567893"}},
		{"aba", aba, []string{"021000021", "011401533", "121042882"}},
		{"nhs", nhs, []string{"9434765919", "943 476 5919"}},
		{"sin", luhn, []string{"046 454 286"}},
		{"tfn", tfn, []string{"123 456 782"}},
		{"nif", nif, []string{"12345678Z"}},
		{"nie", nie, []string{"X1234567L"}},
		{"fiscal code", fiscalCode, []string{"RSSMRA85T10A562S"}},
		{"german tax", germanTax, []string{"86095742719", "47036892816", "65929970489"}},
		{"pesel", pesel, []string{"44051401359"}},
		{"fin", fin, []string{"S1234567D", "G1234567X"}},
		{"bitcoin", base58check, []string{"1A1zP1eP5QGefi2DMPTfTL5SLmv7DivfNa", "3J98t1WpEZ73CNmQviecrnyiWrnqRhWNLy"}},
		{"segwit", bech32, []string{"bc1qw508d6qejxtdg4y5r3zarvary0c5xw7kv8f3t4", "BC1QW508D6QEJXTDG4Y5R3ZARVARY0C5XW7KV8F3T4", "bc1p0xlxvlhemja6c4dqv22uapctqupfhlxm9h8z3k2e72q4k9hcz7vqzk5jj0"}},
		{"document", documentNumber, []string{"T220001293"}},
	} {
		for _, n := range c.numbers {
			if !c.valid([]byte(n)) {
				t.Errorf("%s: %s is not valid", c.name, n)
			}
			for i := range n {
				if n[i] < '0' || n[i] > '9' {
					continue
				}
				b := []byte(n)
				b[i] = '0' + (b[i]-'0'+1)%10
				if c.valid(b) && c.name != "pesel" && c.name != "fiscal code" {
					t.Errorf("%s: %s, with one digit changed, is valid", c.name, b)
				}
			}
		}
	}
}

func TestNumbersThatAreNeverGiven(t *testing.T) {
	for _, n := range []string{"000-12-3456", "666-12-3456", "900-12-3456", "123-00-4567", "123-45-0000", "078-05-1120", "111-11-1111"} {
		if ssn([]byte(n)) {
			t.Errorf("%s is a social security number", n)
		}
	}
	for n, want := range map[string]bool{"900-70-1234": true, "900-93-1234": false, "912-50-1234": true, "800-70-1234": false} {
		if itin([]byte(n)) != want {
			t.Errorf("%s: not %v", n, want)
		}
	}
	for _, n := range []string{"BG123456A", "ZZ123456A", "Ab123456C"} {
		if nino([]byte(n)) {
			t.Errorf("%s is a national insurance number", n)
		}
	}
	for _, n := range []string{"0.0.0.0", "127.0.0.1", "255.255.0.0", "1.2.3.256"} {
		if ip([]byte(n)) {
			t.Errorf("%s is a host", n)
		}
	}
}

// TestVerhoeffFindsEverySlip changes a digit, or swaps two, in numbers with a check
// digit.
func TestVerhoeffFindsEverySlip(t *testing.T) {
	rapid.Check(t, func(t *rapid.T) {
		n := rapid.StringMatching(`[0-9]{11}`).Draw(t, "number")
		var whole []byte
		for c := byte('0'); c <= '9'; c++ {
			if b := append([]byte(n), c); verhoeff(b) {
				if whole != nil {
					t.Fatalf("%s has two check digits", n)
				}
				whole = b
			}
		}
		if whole == nil {
			t.Fatalf("%s has no check digit", n)
		}
		i := rapid.IntRange(0, 10).Draw(t, "at")
		swapped := append([]byte(nil), whole...)
		swapped[i], swapped[i+1] = swapped[i+1], swapped[i]
		if swapped[i] != swapped[i+1] && verhoeff(swapped) {
			t.Fatalf("%s passes as %s", whole, swapped)
		}
	})
}
