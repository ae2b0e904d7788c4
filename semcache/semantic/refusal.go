package semantic

import "strings"

// refusals begin answers that give none.
var refusals = []string{
	"i'm sorry, but i can", "i’m sorry, but i can", "i am sorry, but i can", "i'm sorry, i can", "i’m sorry, i can", "sorry, but i can", "sorry, i can", "i can't help", "i can’t help", "i cannot help",
	"i can't assist", "i can’t assist", "i cannot assist", "i can't provide", "i can’t provide", "i cannot provide", "i can't comply", "i can’t comply", "i cannot comply", "i can't do that", "i can’t do that", "i cannot do that",
	"i'm unable to", "i’m unable to", "i am unable to", "i'm not able to", "i’m not able to", "i am not able to", "i won't", "i won’t", "i will not", "i must decline", "i have to decline", "as an ai", "i don't have access", "i don’t have access",
	"i do not have access", "i don't have real-time", "i don’t have real-time", "i do not have real-time", "es tut mir leid, aber", "lo siento, pero", "je suis désolé, mais",
}

// refuses says whether an answer is a refusal, as far as its beginning tells.
func refuses(text string) bool {
	text = strings.ToLower(strings.TrimLeft(text, " \t\n*_#>\"'“"))
	for _, r := range refusals {
		if strings.HasPrefix(text, r) {
			return true
		}
	}
	return false
}
