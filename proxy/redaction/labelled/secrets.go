package labelled

import (
	"math/rand/v2"
	"strconv"
	"strings"
)

// form is what a secret of a rule looks like. In braces is a set of characters, and
// how many.
type form struct {
	rule, value, sentence string
}

// sets are the sets of characters of forms.
var sets = map[byte]string{
	'A': upper + lower + digits, 'w': upper + lower + digits + "_-", 'U': "ABCDEFGHIJKLMNOPQRSTUVWXYZ234567", 'd': digits, 'h': hex,
	'L': upper + lower, 'l': lower + digits, 'b': upper + lower + digits + "+/", 'B': upper + lower + digits, 'q': "QPZRY9X8GF2TVDW0S3JN54KHCE6MUA7L",
}

var secretForms = []form{
	{"purser-key", "pk_{w40}", ""},
	{"aws-access-key", "AKIA{U16}", ""},
	{"aws-secret-key", "{b40}", "aws_secret_access_key = %s\n"},
	{"aws-session-token", "{B160}", "aws_session_token=%s\n"},
	{"aws-bedrock-key", "ABSK{B128}", ""},
	{"gcp-api-key", "AIza{w35}", ""},
	{"gcp-oauth-secret", "GOCSPX-{w28}", ""},
	{"gcp-oauth-token", "ya29.{w80}", ""},
	{"gcp-refresh-token", "1//0{w60}", ""},
	{"azure-storage-key", "{b86}==", "AccountName=a;AccountKey=%s;EndpointSuffix"},
	{"azure-client-secret", "{A3}8Q~{A32}", ""},
	{"azure-sas", "{A44}%3D", "https-less link ?sv=2022&sig=%s&se=2025"},
	{"azure-openai-key", "{h32}", "AZURE_OPENAI_API_KEY=%s"},
	{"github-token", "ghp_{A36}", ""},
	{"github-token", "gho_{A36}", ""},
	{"github-fine-grained", "github_pat_{A22}_{A59}", ""},
	{"gitlab-token", "glpat-{w20}", ""},
	{"bitbucket-token", "ATBB{A32}", ""},
	{"atlassian-token", "ATATT3xFfG{A170}", ""},
	{"slack-token", "xoxb-{d12}-{d12}-{A24}", ""},
	{"slack-token", "xoxp-{d11}-{d11}-{h32}", ""},
	{"slack-app-token", "xapp-1-{U10}-{d13}-{h64}", ""},
	{"slack-webhook", "T{U8}/B{U8}/{A24}", "https://hooks.slack.com/services/%s"},
	{"discord-token", "M{A23}.{A6}.{A27}", "discord client.login: %s"},
	{"discord-webhook", "{d18}/{w68}", "https://discord.com/api/webhooks/%s"},
	{"teams-webhook", "{u}@{u}/IncomingWebhook/{h32}/{u}", "https://corp.webhook.office.com/webhookb2/%s"},
	{"telegram-bot-token", "{d9}:AA{w33}", ""},
	{"stripe-key", "sk_live_{A24}", ""},
	{"stripe-key", "rk_test_{A40}", ""},
	{"stripe-webhook-secret", "whsec_{A32}", ""},
	{"square-token", "sq0atp-{w22}", ""},
	{"paypal-token", "access_token$production${l16}${h32}", ""},
	{"shopify-token", "shpat_{h32}", ""},
	{"openai-key", "sk-proj-{w74}", ""},
	{"openai-key", "sk-{A48}", ""},
	{"anthropic-key", "sk-ant-api03-{w93}AA", ""},
	{"openrouter-key", "sk-or-v1-{h64}", ""},
	{"gateway-key", "sk-{A22}", "api_key=%s"},
	{"groq-key", "gsk_{A52}", ""},
	{"xai-key", "xai-{A80}", ""},
	{"perplexity-key", "pplx-{A48}", ""},
	{"replicate-token", "r8_{A37}", ""},
	{"huggingface-token", "hf_{L34}", ""},
	{"cohere-key", "{A40}", "CO_API_KEY=%s"},
	{"mistral-key", "{A32}", "MISTRAL_API_KEY: %s"},
	{"langsmith-key", "lsv2_pt_{h32}_{h10}", ""},
	{"databricks-token", "dapi{h32}", ""},
	{"snowflake-password", "{A16}", "snowflake://bob:%s@acme/db"},
	{"npm-token", "npm_{A36}", ""},
	{"pypi-token", "pypi-AgEIcHlwaS5vcmc{w80}", ""},
	{"rubygems-key", "rubygems_{h48}", ""},
	{"crates-token", "cio{A32}", ""},
	{"docker-token", "dckr_pat_{w27}", ""},
	{"sendgrid-key", "SG.{w22}.{w43}", ""},
	{"mailgun-key", "key-{h32}", ""},
	{"mailchimp-key", "{h32}-us12", ""},
	{"brevo-key", "xkeysib-{h64}-{A16}", ""},
	{"resend-key", "re_{A8}_{A24}", ""},
	{"postman-key", "PMAK-{h24}-{h34}", ""},
	{"twilio-key", "SK{h32}", ""},
	{"twilio-auth-token", "{h32}", "TWILIO_AUTH_TOKEN=%s"},
	{"cloudflare-token", "{w40}", "CLOUDFLARE_API_TOKEN=%s"},
	{"cloudflare-origin-key", "v1.0-{h24}-{h146}", ""},
	{"digitalocean-token", "dop_v1_{h64}", ""},
	{"heroku-key", "HRKU-{w60}", ""},
	{"heroku-key", "{u}", "HEROKU_API_KEY=%s"},
	{"fly-token", "fo1_{w43}", ""},
	{"netlify-token", "nfp_{A36}", ""},
	{"vercel-token", "{A24}", "VERCEL_TOKEN=%s"},
	{"supabase-key", "sbp_{h40}", ""},
	{"planetscale-token", "pscale_tkn_{A43}", ""},
	{"database-password", "{A16}", "postgres://app:%s@db.internal:5432/app"},
	{"basic-auth-url", "{A14}", "curl https://bob:%s@host.example"},
	{"grafana-token", "glsa_{A32}_{h8}", ""},
	{"new-relic-key", "NRAK-{U27}", ""},
	{"datadog-key", "{h32}", "DD_API_KEY=%s"},
	{"sentry-token", "sntryu_{h64}", ""},
	{"sentry-dsn", "{h32}", "https://%s@o1.ingest.example/42"},
	{"hashicorp-vault-token", "hvs.{w90}", ""},
	{"terraform-token", "{A14}.atlasv1.{w64}", ""},
	{"pulumi-token", "pul-{h40}", ""},
	{"doppler-token", "dp.pt.{A43}", ""},
	{"onepassword-token", "ops_eyJ{A400}", ""},
	{"age-secret-key", "AGE-SECRET-KEY-1{q58}", ""},
	{"linear-key", "lin_api_{A40}", ""},
	{"notion-token", "ntn_{d11}{A35}", ""},
	{"figma-token", "figd_{w40}", ""},
	{"airtable-token", "pat{A14}.{h64}", ""},
	{"dropbox-token", "sl.{w140}", ""},
	{"facebook-token", "EAAC{A160}", ""},
	{"jwt", "eyJ{A33}.eyJ{A70}.{w43}", ""},
	{"authorization-header", "{A40}", "Authorization: Bearer %s"},
	{"generic-secret", "{A32}", "client_secret = \"%s\""},
	{"generic-secret", "{A20}", "DB_PASSWORD=%s\n"},
	{"private-key", "-----BEGIN RSA PRIVATE KEY-----\n{b64}\n{b64}\n{b40}==\n-----END RSA PRIVATE KEY-----", ""},
}

// SecretRules are the rules that there are forms for.
func SecretRules() []string {
	var rules []string
	for _, f := range secretForms {
		rules = append(rules, f.rule)
	}
	return rules
}

// Secret makes a value for a rule, and a sentence with it in.
func Secret(r *rand.Rand, rule string) (value, sentence string) {
	for {
		f := secretForms[r.IntN(len(secretForms))]
		if f.rule == rule {
			return f.made(r)
		}
	}
}

func secretMaker() maker {
	return maker{entity: "SECRET", make: func(*rand.Rand) string { return "" }, sentences: []string{"%s"}}
}

func secretOf(r *rand.Rand) (rule, value, sentence string) {
	f := secretForms[r.IntN(len(secretForms))]
	value, sentence = f.made(r)
	return f.rule, value, sentence
}

func (f *form) made(r *rand.Rand) (value, sentence string) {
	var b strings.Builder
	for rest := f.value; rest != ""; {
		before, after, more := strings.Cut(rest, "{")
		b.WriteString(before)
		if !more {
			break
		}
		spec, tail, _ := strings.Cut(after, "}")
		rest = tail
		if spec == "u" {
			b.WriteString(uuid(r))
			continue
		}
		n, err := strconv.Atoi(spec[1:])
		if err != nil {
			panic("labelled: " + f.rule + ": " + err.Error())
		}
		b.WriteString(draw(r, sets[spec[0]], n))
	}
	if sentence = f.sentence; sentence == "" {
		sentence = pick(r, []string{"The key is %s, keep it.", "export TOKEN_X=%s", `{"k": "%s"}`, "(%s)", "I use %s\nfor that."})
	}
	return b.String(), sentence
}
