package labelled

import (
	"fmt"
	"math/rand/v2"
	"strings"
)

func personal() []maker {
	return []maker{
		{"EMAIL", email, []string{"Write to %s about it.", "The user's address is %s, confirmed.", "From: <%s>", "cc %s; thanks", `{"email":"%s"}`}, nil},
		{"PHONE", phone, []string{"Call me at %s.", "Phone: %s", "My mobile number is %s, after six.", "tel %s (office)", "You can reach me under the number %s"}, nil},
		{"IP", ip, []string{"The request came from %s at night.", "host=%s port=443", "Blocked %s after five tries.", "ping %s", "[%s]"}, nil},
		{"MAC", mac, []string{"The card has the address %s.", "link/ether %s brd", "Device %s joined."}, nil},
		{"URL", url, []string{"See %s for the details.", "The page (%s) is down.", `<a href="%s">`, "fetch('%s')"}, nil},
		{"CREDIT_CARD", card, []string{"Charge the card %s, please.", "My Visa is %s", "card_number: %s", "Pay with %s exp 04/29", "It was %s."}, nil},
		{"IBAN", iban, []string{"Transfer it to %s by Friday.", "IBAN: %s", "The account %s was closed.", "konto=%s;"}, nil},
		{"CRYPTO", crypto, []string{"Send it to %s today.", "wallet %s", "The coins went to %s."}, nil},
		{"US_SSN", ssn, []string{"My social security number is %s.", "SSN: %s", "The applicant, %s, was approved."}, nil},
		{"US_ITIN", itin, []string{"Her ITIN is %s.", "taxpayer number %s", "He files with %s."}, nil},
		{"ABA_ROUTING", routing, []string{"The routing number is %s.", "ABA %s", "wire to bank with RTN %s"}, []string{"Use %s for it."}},
		{"US_BANK", account, []string{"The bank account is %s.", "acct %s", "Deposit it into checking account %s"}, []string{"Put it into %s."}},
		{"US_PASSPORT", passport, []string{"Passport number: %s", "His passport %s expires in May.", "travel document %s"}, []string{"The document is %s."}},
		{"US_NPI", npi, []string{"NPI: %s", "The prescriber with NPI %s signed.", "National Provider Identifier %s"}, []string{"The doctor is %s."}},
		{"US_MBI", mbi, []string{"Medicare number %s", "MBI %s was checked.", "The beneficiary is %s."}, nil},
		{"UK_NHS", nhs, []string{"NHS number %s", "The patient has the NHS no. %s today.", "NHS: %s"}, []string{"Her number at the surgery is %s."}},
		{"UK_NINO", nino, []string{"National Insurance: %s", "My NI number is %s.", "Employee %s joined in March."}, nil},
		{"IN_AADHAAR", aadhaar, []string{"Aadhaar: %s", "My Aadhaar number is %s.", "UID %s was linked"}, []string{"His number there is %s."}},
		{"IN_PAN", pan, []string{"PAN %s", "The income tax PAN is %s.", "quoted %s on the form"}, nil},
		{"AU_TFN", tfn, []string{"TFN: %s", "My tax file number is %s.", "The TFN %s was lodged."}, []string{"The ATO knows me as %s."}},
		{"CA_SIN", sin, []string{"SIN: %s", "My social insurance number is %s.", "NAS %s au Québec"}, []string{"Revenue Canada has me as %s."}},
		{"ES_NIF", nif, []string{"DNI %s", "con NIF %s en Madrid", "El titular es %s."}, nil},
		{"ES_NIE", nie, []string{"NIE %s", "con número %s en Sevilla", "El titular es %s."}, nil},
		{"IT_FISCAL_CODE", fiscalCode, []string{"Codice fiscale: %s", "Il signor Rossi, %s, abita a Roma.", "CF %s"}, nil},
		{"DE_TAX_ID", germanTax, []string{"Meine Steuer-ID ist %s.", "IdNr %s", "Steueridentifikationsnummer: %s"}, []string{"Das Finanzamt kennt mich als %s."}},
		{"DE_ID_CARD", germanCard, []string{"Personalausweis %s", "Der Ausweis hat die Nummer %s.", "ID card %s (Germany)"}, []string{"Das Dokument ist %s."}},
		{"PL_PESEL", pesel, []string{"PESEL: %s", "Mój numer PESEL to %s.", "pesel=%s"}, []string{"Mam numer %s."}},
		{"KR_RRN", rrn, []string{"주민등록번호 %s", "RRN %s", "The resident %s moved."}, nil},
		{"SG_FIN", fin, []string{"NRIC %s", "My FIN is %s.", "The visitor %s signed in."}, nil},
	}
}

func email(r *rand.Rand) string {
	names := []string{"anna", "j.doe", "li_wei", "o'brien", "maria-jose", "k.müller", "user+tag", "x", "pavel.novak99", "info"}
	hosts := []string{"example.com", "mail.example.org", "uni-koeln.de", "corp.example.co.uk", "example.io", "sub.domain.example.museum", "beispiel.de"}
	return pick(r, names) + pick(r, []string{"", "1", "_2", ".z"}) + "@" + pick(r, hosts)
}

func phone(r *rand.Rand) string {
	nanp := func() (string, string, string) {
		return draw(r, "23456789", 1) + draw(r, digits, 2), draw(r, "23456789", 1) + draw(r, digits, 2), draw(r, digits, 4)
	}
	a, b, c := nanp()
	switch r.IntN(9) {
	case 0:
		return "(" + a + ") " + b + "-" + c
	case 1:
		return a + "-" + b + "-" + c
	case 2:
		return a + "." + b + "." + c
	case 3:
		return "+1 " + a + " " + b + " " + c
	case 4:
		return "+1" + a + b + c
	case 5:
		return "+49 " + draw(r, "12345679", 1) + draw(r, digits, 2) + " " + draw(r, "123456789", 1) + draw(r, digits, 6)
	case 6:
		return "+44 20 " + draw(r, "378", 1) + draw(r, digits, 3) + " " + draw(r, digits, 4)
	case 7:
		return "07" + draw(r, digits, 3) + " " + draw(r, digits, 6)
	default:
		return "+33 6 " + grouped(draw(r, digits, 8), " ", 2, 2, 2, 2)
	}
}

func ip(r *rand.Rand) string {
	if r.IntN(4) == 0 {
		return "2001:db8:" + fmt.Sprintf("%x:%x::%x", 1+r.IntN(65000), 1+r.IntN(65000), 1+r.IntN(65000))
	}
	return fmt.Sprintf("%d.%d.%d.%d", 1+r.IntN(223)/127*128+r.IntN(90), r.IntN(256), r.IntN(256), 1+r.IntN(254))
}

func mac(r *rand.Rand) string {
	s := grouped(draw(r, hex, 11)+"7", pick(r, []string{":", "-"}), 2, 2, 2, 2, 2, 2)
	if r.IntN(2) == 0 {
		return strings.ToUpper(s)
	}
	return s
}

func url(r *rand.Rand) string {
	host := pick(r, []string{"https://example.com", "http://sub.example.org:8080", "https://intranet.corp.example", "ftp://files.example.net"})
	return host + pick(r, []string{"", "/", "/a/b?c=d&e=f", "/wiki/Purse_(money)", "/x#y", "/päge", "/~user/index.html"})
}

func crypto(r *rand.Rand) string {
	if r.IntN(2) == 0 {
		return segwit(r)
	}
	return bitcoin(r)
}

func account(r *rand.Rand) string { return draw(r, "123456789", 1) + draw(r, digits, 7+r.IntN(5)) }

func passport(r *rand.Rand) string {
	if r.IntN(2) == 0 {
		return draw(r, upper, 1) + draw(r, digits, 8)
	}
	return draw(r, "123456", 1) + draw(r, digits, 8)
}
