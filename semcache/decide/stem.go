package decide

import "strings"

// stemOf makes one form of a word's inflections. It cuts, and gives no word: "lose"
// and "losing" become "los". The word is in lower case.
func stemOf(w string) string {
	if s, ok := irregular[w]; ok {
		w = s
	}
	w = strings.TrimSuffix(w, "'s")
	w = strings.TrimSuffix(w, "'")
	n := len(w)
	switch {
	case n > 4 && strings.HasSuffix(w, "ies"):
		w = w[:n-3] + "y"
	case n > 4 && (strings.HasSuffix(w, "sses") || strings.HasSuffix(w, "shes") || strings.HasSuffix(w, "ches") || strings.HasSuffix(w, "xes")):
		w = w[:n-2]
	case n > 3 && w[n-1] == 's' && w[n-2] != 's' && w[n-2] != 'u' && w[n-2] != 'i':
		w = w[:n-1]
	}
	n = len(w)
	switch {
	case n > 5 && strings.HasSuffix(w, "ing") && vowelIn(w[:n-3]):
		w = single(w[:n-3])
	case n > 4 && strings.HasSuffix(w, "ed") && vowelIn(w[:n-2]):
		w = single(w[:n-2])
	case n > 5 && strings.HasSuffix(w, "ly"):
		w = w[:n-2]
	}
	if n = len(w); n > 3 && w[n-1] == 'e' {
		w = w[:n-1]
	}
	if n = len(w); n > 3 && w[n-1] == 'y' { // happy, happi(ly); party, parti(es)
		w = w[:n-1] + "i"
	}
	return w
}

// rootOf is the stem of the word that stands for a word and its synonyms.
func rootOf(w string) string {
	if c := lexicon[w].canon; c != "" {
		return stemOf(c)
	}
	s := stemOf(w)
	if c := lexicon[s].canon; c != "" {
		return stemOf(c)
	}
	return s
}

func vowelIn(s string) bool { return strings.ContainsAny(s, "aeiouy") }

// single undoes the doubling before a suffix: running, runn, run.
func single(s string) string {
	n := len(s)
	if n > 3 && s[n-1] == s[n-2] && !strings.ContainsRune("aeiouslz", rune(s[n-1])) {
		return s[:n-1]
	}
	return s
}
