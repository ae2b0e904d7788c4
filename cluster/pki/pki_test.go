package pki

import (
	"crypto/x509"
	"errors"
	"strings"
	"testing"
	"time"
)

var start = time.Date(2026, 1, 1, 0, 0, 0, 0, time.UTC)

func authority(t *testing.T, cluster string) *Authority {
	t.Helper()
	a, err := NewAuthority(cluster, start)
	if err != nil {
		t.Fatal(err)
	}
	return a
}

func chainOf(t *testing.T, i *Identity) []*x509.Certificate {
	t.Helper()
	var chain []*x509.Certificate
	for _, der := range i.Certificate.Certificate {
		c, err := x509.ParseCertificate(der)
		if err != nil {
			t.Fatal(err)
		}
		chain = append(chain, c)
	}
	return chain
}

func issue(t *testing.T, a *Authority, node string) *Identity {
	t.Helper()
	i, err := a.Issue(node, start)
	if err != nil {
		t.Fatal(err)
	}
	return i
}

func TestK1ACertificateProvesOneNodeOfOneCluster(t *testing.T) {
	a := authority(t, "prod")
	chain := chainOf(t, issue(t, a, "node-1"))
	if node, err := a.Verify(chain, start); err != nil || node != "node-1" {
		t.Fatalf("Verify = %q, %v", node, err)
	}
	stranger := authority(t, "prod") // same name, another authority
	for name, c := range map[string]struct {
		chain []*x509.Certificate
		at    time.Time
	}{
		"none":              {nil, start},
		"another authority": {chainOf(t, issue(t, stranger, "node-1")), start},
		"over":              {chain, start.Add(NodeLife + time.Second)},
		"not yet":           {chain, start.Add(-2 * backdate)},
		"the authority's":   {chain[1:], start},
	} {
		if node, err := a.Verify(c.chain, c.at); !errors.Is(err, ErrCertificate) {
			t.Errorf("%s: Verify = %q, %v", name, node, err)
		}
	}
	_, err := a.Verify(chain, start.Add(NodeLife+time.Second))
	if !strings.Contains(err.Error(), "start that node again") {
		t.Errorf("an expired certificate does not say what to do: %v", err)
	}
}

func TestK1NamesAreChecked(t *testing.T) {
	a := authority(t, "prod")
	for _, bad := range []string{"", "a/b", "-a", "a b", strings.Repeat("x", MaxName+1)} {
		if _, err := a.Issue(bad, start); err == nil {
			t.Errorf("issued for %q", bad)
		}
		if _, err := NewAuthority(bad, start); err == nil {
			t.Errorf("made a cluster %q", bad)
		}
	}
}

func TestAuthoritySurvivesItsFile(t *testing.T) {
	a := authority(t, "prod")
	b, err := a.PEM()
	if err != nil {
		t.Fatal(err)
	}
	again, err := ParseAuthority(b)
	if err != nil || again.Fingerprint() != a.Fingerprint() || again.Cluster() != "prod" {
		t.Fatalf("ParseAuthority = %+v, %v", again, err)
	}
	if _, err := a.Verify(chainOf(t, issue(t, again, "node-2")), start); err != nil {
		t.Errorf("what the read authority issues is refused: %v", err)
	}
	other, err := authority(t, "prod").PEM()
	if err != nil {
		t.Fatal(err)
	}
	cut := strings.Index(string(b), "-----BEGIN PRIVATE")
	otherCut := strings.Index(string(other), "-----BEGIN PRIVATE")
	for name, bad := range map[string]string{
		"empty": "", "no key": string(b[:cut]), "another's key": string(b[:cut]) + string(other[otherCut:]), "key first": string(b[cut:]),
	} {
		if _, err := ParseAuthority([]byte(bad)); err == nil {
			t.Errorf("%s: accepted", name)
		}
	}
}

func TestIdentityIsDueWhenAThirdIsLeft(t *testing.T) {
	i := issue(t, authority(t, "prod"), "n")
	third := i.Until.Sub(i.From) / 3
	for now, due := range map[time.Time]bool{
		start: false, start.Add(-setBack): false, i.Until.Add(-third - time.Second): false,
		i.Until.Add(-third): true, i.Until: true,
	} {
		if i.Due(now) != due {
			t.Errorf("at %v, made at %v: due %v", now, start, !due)
		}
	}
}

// TestACertificateMadeByAClockThatWasAheadIsRenewed: other nodes do not accept it for as
// long as the clock was ahead beyond the backdating.
func TestACertificateMadeByAClockThatWasAheadIsRenewed(t *testing.T) {
	a := authority(t, "prod")
	i := issue(t, a, "n")
	for _, behind := range []time.Duration{setBack + time.Second, backdate + time.Hour} {
		if !i.Due(start.Add(-behind)) {
			t.Errorf("with the clock %v behind what it was, it is not due", behind)
		}
	}
	for _, apart := range []time.Duration{-26 * time.Hour, 26 * time.Hour} {
		if _, err := a.Verify(chainOf(t, i), start.Add(apart)); err != nil {
			t.Errorf("a node whose clock is %v apart does not accept it: %v", apart, err)
		}
	}
}

func TestK2ATokenNamesItsCluster(t *testing.T) {
	a := authority(t, "prod")
	made := NewToken(&a.Root, []string{"10.0.0.1:7071"})
	back, err := ParseToken(" " + made.String() + "\n")
	if err != nil || back.Hash() != made.Hash() || back.Addresses[0] != "10.0.0.1:7071" {
		t.Fatalf("ParseToken = %+v, %v", back, err)
	}
	if again := NewToken(&a.Root, nil); again.Hash() == made.Hash() {
		t.Error("two tokens have one secret")
	}
	chain := chainOf(t, issue(t, a, "node-1"))
	if root, err := VerifyPinned(chain, back.Fingerprint, start); err != nil || root.Cluster() != "prod" {
		t.Errorf("VerifyPinned = %v, %v", root, err)
	}
	for name, c := range map[string][]*x509.Certificate{
		"another cluster":               chainOf(t, issue(t, authority(t, "prod"), "node-1")),
		"leaf alone":                    chain[:1],
		"nothing":                       nil,
		"root behind a stranger's leaf": {chainOf(t, issue(t, authority(t, "x"), "node-1"))[0], chain[1]},
	} {
		if _, err := VerifyPinned(c, back.Fingerprint, start); !errors.Is(err, ErrCertificate) {
			t.Errorf("%s: %v", name, err)
		}
	}
}

func TestParseTokenRefusesOtherTexts(t *testing.T) {
	a := authority(t, "prod")
	made := NewToken(&a.Root, []string{"a:1"})
	good := made.String()
	for _, bad := range []string{"", "pk_abc", good[:len(good)-9], tokenPrefix + "!!", tokenPrefix + strings.Repeat("A", maxToken+1)} {
		if _, err := ParseToken(bad); !errors.Is(err, ErrToken) {
			t.Errorf("ParseToken(%.20q) = %v", bad, err)
		}
	}
}
