package main

import (
	"encoding/json"
	"net/http"
	"net/http/httptest"
	"strings"
	"testing"
	"time"

	"purser/api/admin"
	"purser/internal/audit"
	"purser/internal/audit/export"
	"purser/ledger"
)

// TestAMemberThatIsAwayIsNoBrokenTrail: who cannot be asked has not said otherwise, and
// who says otherwise is found all the same.
func TestAMemberThatIsAwayIsNoBrokenTrail(t *testing.T) {
	l := audit.NewLink(audit.Hash{}, &audit.Entry{Seq: 1, At: ledger.Instant(1), Event: audit.Event{Facts: audit.Facts{Action: "key.put"}, Result: audit.Applied, Count: 1}})
	line, err := export.AppendLine(nil, l)
	if err != nil {
		t.Fatal(err)
	}
	head := audit.Head{Seq: 1, Hash: l.Hash}.String()
	away, agrees := admin.AuditMember{Node: "n2", Reason: "it does not answer"}, admin.AuditMember{Node: "n3", Head: head, Agrees: true}
	odd := admin.AuditMember{Node: "n3", Head: audit.Head{Seq: 1, Hash: audit.Hash{9}}.String(), Reason: "entry 1 differs"}
	for what, c := range map[string]struct {
		members []admin.AuditMember
		says    string
		not     string
	}{
		"all agree":                {[]admin.AuditMember{agrees}, "", "answer"},
		"one is away":              {[]admin.AuditMember{away, agrees}, "the chain is sound, but not compared with n2", "not what was written"},
		"one is away, one differs": {[]admin.AuditMember{away, odd}, "the audit trail is not what was written: member n3: entry 1 differs", "sound"},
	} {
		server := httptest.NewServer(http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
			if strings.HasSuffix(r.URL.Path, "/head") {
				_ = json.NewEncoder(w).Encode(admin.AuditHead{Node: "n1", Head: head, After: audit.Head{}.String(), Stored: 1, Members: c.members})
				return
			}
			_, _ = w.Write(line)
		}))
		cmd := auditVerifyCmd{remote: remote{URL: server.URL, Token: "t"}}
		_, err := printed(t, func() error { return cmd.Run(t.Context()) })
		server.Close()
		got := ""
		if err != nil {
			got = err.Error()
		}
		if (err == nil) != (c.says == "") || !strings.Contains(got, c.says) || strings.Contains(got, c.not) {
			t.Errorf("%s: %v", what, err)
		}
	}
}

func TestChildrenAreMadeOfVirtualKeysAlone(t *testing.T) {
	t.Setenv("PURSER_KEY", "sk-proj-0123456789")
	cmd := keyChildCmd{ParentEnv: "PURSER_KEY", TTL: time.Hour}
	if out, err := printed(t, cmd.Run); err == nil || out != "" || strings.Contains(err.Error(), "sk-proj") {
		t.Errorf("a provider's key had a child: %q, %v", out, err)
	}
	t.Setenv("PURSER_KEY", "pk_4crdlzru33krwbofvg5ju7lpmij4jfvuja45cq6unufqwmq")
	if out, err := printed(t, cmd.Run); err != nil || !strings.HasPrefix(out, "pk_c_") {
		t.Errorf("%q, %v", out, err)
	}
}

func TestFaultsOfAWebhookAreSaidInWords(t *testing.T) {
	for _, c := range []struct {
		in   admin.Delivery
		want string
	}{
		{admin.Delivery{Fault: "name", Attempts: 6}, "its name does not resolve; 6 attempts"},
		{admin.Delivery{Fault: "status", Status: 503, Attempts: 2}, "it answered (HTTP 503); 2 attempts"},
		{admin.Delivery{Fault: "of a later build", Attempts: 1}, "of a later build; 1 attempts"},
	} {
		if got := said(c.in); got != c.want {
			t.Errorf("%q, not %q", got, c.want)
		}
	}
}

func TestUsageWithoutGroupsIsOneLine(t *testing.T) {
	server := httptest.NewServer(http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		row := admin.UsageRow{Requests: 3}
		_ = json.NewEncoder(w).Encode(admin.UsageReport{Rows: []admin.UsageRow{row}, Total: row})
	}))
	defer server.Close()
	cmd := usageShowCmd{remote: remote{URL: server.URL, Token: "t"}}
	out, err := printed(t, func() error { return cmd.Run(t.Context()) })
	if err != nil || strings.Count(out, "total") != 1 {
		t.Errorf("%v:\n%s", err, out)
	}
}

func TestAResetSaysWhatStaysOpen(t *testing.T) {
	server := httptest.NewServer(http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		if r.Method == http.MethodPost {
			_ = json.NewEncoder(w).Encode(admin.Breaker{State: "closed"})
			return
		}
		b := admin.BudgetDetail{Budget: admin.Budget{ID: "b", Limit: "1"}}
		b.Breakers = []admin.Breaker{{State: "open", Cause: "operator", Reason: "runaway", Split: map[string]string{"customer": "acme"}}}
		_ = json.NewEncoder(w).Encode(b)
	}))
	defer server.Close()
	for split, want := range map[string]bool{"": true, "globex": false} {
		cmd := budgetResetCmd{remote: remote{URL: server.URL, Token: "t"}, ID: "b"}
		if split != "" {
			cmd.For = map[string]string{"customer": split}
		}
		out, err := printed(t, func() error { return cmd.Run(t.Context()) })
		if got := strings.Contains(out, "still open") && strings.Contains(out, "customer=acme"); err != nil || got != want {
			t.Errorf("a reset of %q: %v:\n%s", split, err, out)
		}
	}
}
