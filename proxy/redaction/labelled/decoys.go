package labelled

import (
	"fmt"
	"math/rand/v2"
	"strconv"
)

// fillers are sentences of prompts with nothing in them to find.
var fillers = []string{
	"Please summarise the discussion below in three bullet points and list the open questions.",
	"We compared both approaches last quarter, and the second one was about 12% cheaper at scale.",
	"func main() {\n\tfor i := 0; i < 10; i++ {\n\t\tfmt.Println(i)\n\t}\n}",
	"The quick brown fox jumps over the lazy dog; it does so every day at noon, in any weather.",
	"SELECT id, name, total FROM orders WHERE created > '2024-01-31' ORDER BY total DESC LIMIT 50;",
	"In 1984 the company moved to another town, and in 2003 it had more than 4,500 people.",
	"You are a helpful assistant. Answer briefly, and say when you do not know.",
	"def area(radius: float) -> float:\n    return 3.14159 * radius ** 2",
	"Das Wetter war schön, und wir gingen am Fluss entlang bis zur alten Brücke.",
	"El informe se publicará el 3 de mayo; faltan las tablas 4 y 5.",
	"The key to a good contract is a clear scope; the secret is to keep the password policy out of it.",
	"Tokens are counted by the provider, and an account is charged at the end of the month.",
	"这是一个测试句子,里面没有任何敏感信息。",
	"Step 1: open the panel. Step 2: turn the screw by 90 degrees. Step 3: close it (see figure 7).",
	"import { useState } from 'react';\nexport default function App() { return <div className=\"p-4\">Hi</div>; }",
}

// decoys look like values, and are none.
var decoys = []func(*rand.Rand) string{
	func(r *rand.Rand) string { return "Order " + failingCard(r) + " was shipped." },
	func(r *rand.Rand) string { return "The card number " + failingCard(r) + " has a typo." },
	func(r *rand.Rand) string {
		return fmt.Sprintf("Upgrade to version %d.%d.%d.%d first.", r.IntN(12), r.IntN(20), r.IntN(99), 1+r.IntN(50))
	},
	func(r *rand.Rand) string {
		return fmt.Sprintf("It needs v%d.%d.%d.%d.", r.IntN(12), r.IntN(20), r.IntN(99), r.IntN(50))
	},
	func(r *rand.Rand) string { return fmt.Sprintf("go %d.%d.%d", r.IntN(2), r.IntN(30), r.IntN(20)) },
	func(r *rand.Rand) string { return fmt.Sprintf("Build 10.0.%d.%d", 300+r.IntN(60000), r.IntN(9999)) },
	func(r *rand.Rand) string { return "id: " + uuid(r) },
	func(r *rand.Rand) string { return "trace=" + draw(r, hex, 32) },
	func(r *rand.Rand) string { return "commit " + draw(r, hex, 40) },
	func(r *rand.Rand) string { return "sha256:" + draw(r, hex, 64) },
	func(r *rand.Rand) string {
		return fmt.Sprintf("2025-%s-%sT%s:%s:%sZ", pad(1+r.IntN(12), 2), pad(1+r.IntN(28), 2), pad(r.IntN(24), 2), pad(r.IntN(60), 2), pad(r.IntN(60), 2))
	},
	func(r *rand.Rand) string { return "ts=" + strconv.Itoa(1_700_000_000+r.IntN(100_000_000)) },
	func(r *rand.Rand) string {
		return "ts_ms=" + strconv.Itoa(1_700_000_000+r.IntN(100_000_000)) + draw(r, digits, 3)
	},
	func(r *rand.Rand) string { return "Ticket " + grouped(draw(r, digits, 11), "-", 3, 4, 4) },
	func(r *rand.Rand) string { return "PO " + grouped(draw(r, digits, 10), "-", 4, 4, 2) + " is open." },
	func(r *rand.Rand) string { return "Invoice INV-" + draw(r, digits, 8) },
	func(r *rand.Rand) string {
		return "ISBN 978-" + grouped(draw(r, digits, 9), "-", 1, 4, 4) + "-" + draw(r, digits, 1)
	},
	func(r *rand.Rand) string { return "tracking 1Z" + draw(r, upper+digits, 16) },
	func(r *rand.Rand) string {
		return "total: " + draw(r, "123456789", 1) + draw(r, digits, 2) + "," + draw(r, digits, 3) + "." + draw(r, digits, 2)
	},
	func(r *rand.Rand) string { return "x = " + "0." + draw(r, digits, 16) },
	func(r *rand.Rand) string { return "at 52." + draw(r, digits, 6) + ", 13." + draw(r, digits, 6) },
	func(r *rand.Rand) string { return "order id " + draw(r, "123456789", 1) + draw(r, digits, 8) },
	func(r *rand.Rand) string { return "item " + draw(r, "123456789", 1) + draw(r, digits, 10) },
	func(r *rand.Rand) string { return "SKU " + draw(r, upper, 2) + draw(r, digits, 5) + draw(r, upper, 1) },
	func(r *rand.Rand) string {
		return "part " + draw(r, upper, 3) + "-" + draw(r, digits, 4) + "-" + draw(r, upper, 1)
	},
	func(r *rand.Rand) string { return "NHS number " + failing(nhsPlain(r), 9) + " is invalid." },
	func(r *rand.Rand) string { return "IBAN " + failing(ibanPlain(r), 8) + " was refused." },
	func(*rand.Rand) string { return "SSN 000-12-3456 and 666-45-1234 are never given." },
	func(*rand.Rand) string { return "@app.route('/users') and @types/node@20.1.0 and user@localhost" },
	func(*rand.Rand) string { return `password = os.environ["DB_PASSWORD"]` },
	func(*rand.Rand) string { return `api_key: "<YOUR_API_KEY>"` },
	func(*rand.Rand) string { return "secret: ${SECRET_NAME}" },
	func(*rand.Rand) string { return "access_token = get_access_token(client)" },
	func(*rand.Rand) string { return "AWS_ACCESS_KEY_ID=AKIAIOSFODNN7EXAMPLE" },
	func(r *rand.Rand) string {
		return "password: " + pick(r, []string{"aaaaaaaaaaaaaaaa", "xxxxxxxxxxxxxxxx", "correct-horse-battery"})
	},
	func(r *rand.Rand) string { return "data:image/png;base64," + draw(r, upper+lower+digits+"+/", 120) },
	func(r *rand.Rand) string { return "#" + draw(r, hex, 6) + " and 0x" + draw(r, hex, 8) },
	func(r *rand.Rand) string { return "ratio 16:9:4 at 12:30:" + pad(r.IntN(60), 2) },
	func(*rand.Rand) string { return "mask 255.255.255.0, any 0.0.0.0, self 127.0.0.1" },
	func(r *rand.Rand) string { return "std::vector<int>::iterator a::b::c" },
	func(r *rand.Rand) string { return "pk_" + draw(r, lower, 6) + " = primary_key" },
	func(r *rand.Rand) string { return "the sk-learn and hf_hub_download functions, ghp_short" },
	func(r *rand.Rand) string {
		return "1" + draw(r, "abcdefghijkmnopqrstuvwxyz23456789", 33) + " is no address"
	},
	func(r *rand.Rand) string { return "range 1990-2024, 100-200, 5-10-15" },
}

func failingCard(r *rand.Rand) string {
	s := "4" + draw(r, digits, 14)
	right := luhnDigit(s)
	wrong := strconv.Itoa((int(right[0]-'0') + 1 + r.IntN(9)) % 10)
	return grouped(s+wrong, pick(r, []string{"", " ", "-"}), 4, 4, 4, 4)
}

// failing changes one digit, which every checksum here notices.
func failing(s string, i int) string {
	b := []byte(s)
	b[i] = '0' + (b[i]-'0'+1)%10
	return string(b)
}

func nhsPlain(r *rand.Rand) string {
	for {
		if s := nhs(r); len(s) == 10 {
			return s
		}
	}
}

func ibanPlain(r *rand.Rand) string {
	for {
		if s := iban(r); s[:2] == "DE" && len(s) == 22 {
			return s
		}
	}
}

func uuid(r *rand.Rand) string { return grouped(draw(r, hex, 32), "-", 8, 4, 4, 4, 12) }
