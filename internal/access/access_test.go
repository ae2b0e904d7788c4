package access

import (
	"os"
	"slices"
	"strings"
	"testing"

	"purser/ledger"

	"pgregory.net/rapid"
)

// documented is the matrix of docs/access.md: permission to the roles that have it.
func documented(t *testing.T) map[Permission][]Role {
	t.Helper()
	text, err := os.ReadFile("../../docs/access.md")
	if err != nil {
		t.Fatal(err)
	}
	var roles []Role
	out := map[Permission][]Role{}
	for line := range strings.Lines(string(text)) {
		cells := strings.Split(strings.Trim(strings.TrimSpace(line), "|"), "|")
		for i := range cells {
			cells[i] = strings.Trim(cells[i], " `")
		}
		switch {
		case cells[0] == "permission":
			for _, c := range cells[1:] {
				roles = append(roles, Role(c))
			}
		case len(roles) > 0 && len(cells) == len(roles)+1 && strings.Contains(cells[0], ":"):
			out[Permission(cells[0])] = []Role{}
			for i, c := range cells[1:] {
				if c == "yes" {
					out[Permission(cells[0])] = append(out[Permission(cells[0])], roles[i])
				}
			}
		}
	}
	if !slices.Equal(roles, Roles()) {
		t.Fatalf("the table has the roles %v, there are %v", roles, Roles())
	}
	return out
}

func TestTheMatrixIsTheDocumentedOne(t *testing.T) {
	table := documented(t)
	if len(table) != len(Permissions()) {
		t.Errorf("%d permissions are documented, there are %d", len(table), len(Permissions()))
	}
	for _, p := range Permissions() {
		for _, r := range Roles() {
			if want := slices.Contains(table[p], r); r.Has(p) != want {
				t.Errorf("%s has %s: %v, documented is %v", r, p, r.Has(p), want)
			}
		}
	}
}

func TestEveryPermissionIsEitherOwnedOrOfTheWhole(t *testing.T) {
	for _, p := range Permissions() {
		if slices.Contains(owned, p) == slices.Contains(whole, p) {
			t.Errorf("%s is in both lists or in none", p)
		}
		if what, verb, ok := strings.Cut(string(p), ":"); !ok || what == "" || verb == "" {
			t.Errorf("%s is not <what>:<verb>", p)
		}
	}
}

func as(role Role, r Reach) Subject {
	return Subject{Name: "somebody", Grants: []Grant{{Role: role, Reach: r}}}
}

func teams(names ...string) Reach { return Reach{Teams: names} }

func TestR1UndecidedMeansNo(t *testing.T) {
	for name, c := range map[string]struct {
		s Subject
		p Permission
	}{
		"nobody":                        {Subject{}, UsageRead},
		"an unknown role":               {as("king", Everything), UsageRead},
		"an unknown permission":         {Root(), "keys:eat"},
		"a permission without a name":   {Root(), ""},
		"an owner with limits":          {as(Owner, teams("a")), UsageRead},
		"a team admin without limits":   {as(TeamAdmin, Everything), UsageRead},
		"a member with no name":         {as(Member, Reach{}), UsageRead},
		"a team without a name":         {as(TeamAdmin, teams("a", "")), UsageRead},
		"a grant that reaches nothing":  {as(Admin, Reach{}), UsageRead},
		"a limited admin, of the whole": {as(Admin, teams("a")), StatusRead},
		"scopes without any":            {Subject{Grants: Root().Grants, Scopes: []Permission{}}, UsageRead},
		"scopes that leave it out":      {Subject{Grants: Root().Grants, Scopes: []Permission{KeysRead}}, UsageRead},
		"at the very end":               {Subject{Grants: Root().Grants, Expires: 10}, UsageRead},
	} {
		d := Can(c.s, c.p, 10)
		if d.Allowed || d.Reason == "" || d.Reach.All || d.Reach.Covers(Resource{Teams: []string{"a"}}) {
			t.Errorf("%s: %+v", name, d)
		}
	}
	if d := Can(Subject{Grants: Root().Grants, Expires: 10}, UsageRead, 9); !d.Allowed || !d.Reach.All {
		t.Errorf("before the end: %+v", d)
	}
}

func TestR3AReachCoversWhatIsWhollyItsOwn(t *testing.T) {
	r := Can(Subject{Grants: []Grant{
		{TeamAdmin, Reach{Teams: []string{"ads", "search"}, Orgs: []string{"acme"}}},
		{Member, Reach{Members: []string{"eve"}}},
	}}, KeysRead, 0).Reach
	for name, c := range map[string]struct {
		of   Resource
		want bool
	}{
		"one team":             {Resource{Teams: []string{"ads"}}, true},
		"both teams":           {Resource{Teams: []string{"search", "ads"}}, true},
		"one and another's":    {Resource{Teams: []string{"ads", "chat"}}, false},
		"another's":            {Resource{Teams: []string{"chat"}}, false},
		"nobody's":             {Resource{}, false},
		"the organisation":     {Resource{Orgs: []string{"acme"}}, true},
		"of another's, ours":   {Resource{Teams: []string{"ads"}, Orgs: []string{"umbrella"}}, true},
		"their own":            {Resource{Members: []string{"eve"}}, true},
		"a team named like me": {Resource{Teams: []string{"eve"}}, false},
	} {
		if got := r.Covers(c.of); got != c.want {
			t.Errorf("%s: covered %v", name, got)
		}
	}
	if w := Can(Subject{Grants: []Grant{{TeamAdmin, teams("ads")}, {Member, Reach{Members: []string{"eve"}}}}}, KeysWrite, 0).Reach; len(w.Members) > 0 {
		t.Errorf("a member's grant gave keys:write over %+v", w)
	}
}

func anyReach(t *rapid.T, name string) Reach {
	pick := rapid.SliceOfNDistinct(rapid.SampledFrom([]string{"a", "b", "c"}), 0, 3, func(s string) string { return s })
	if rapid.IntRange(0, 3).Draw(t, name+" all") == 0 {
		return Everything
	}
	return Reach{Teams: pick.Draw(t, name+" teams"), Orgs: pick.Draw(t, name+" orgs"), Members: pick.Draw(t, name+" members")}
}

func anyToken(t *rapid.T) *Token {
	r := anyReach(t, "token")
	tok := &Token{ID: "tok_x", Name: "x", Hash: HashOf("x"), Role: rapid.SampledFrom(Roles()).Draw(t, "role"), Teams: r.Teams, Orgs: r.Orgs}
	if len(r.Members) > 0 {
		tok.Member = r.Members[0]
	}
	tok.Scopes = rapid.SliceOfNDistinct(rapid.SampledFrom(matrix[tok.Role]), 0, 4, func(p Permission) Permission { return p }).Draw(t, "scopes")
	if len(tok.Scopes) == 0 {
		tok.Scopes = nil
	}
	return tok
}

// TestR2NobodyMakesWhatTheyAreNot compares Delegates with what it promises,
// thing by thing.
func TestR2NobodyMakesWhatTheyAreNot(t *testing.T) {
	var made, refused int
	rapid.Check(t, func(t *rapid.T) {
		s := Subject{Name: "maker"}
		for range rapid.IntRange(0, 3).Draw(t, "grants") {
			s.Grants = append(s.Grants, Grant{rapid.SampledFrom(Roles()).Draw(t, "own role"), anyReach(t, "own")})
		}
		tok := anyToken(t)
		d := Delegates(s, tok, 0)
		if !d.Allowed {
			refused++
			if d.Reason == "" {
				t.Fatal("a refusal without a reason")
			}
			return
		}
		made++
		for _, p := range Permissions() {
			for _, of := range []Resource{{}, {Teams: []string{"a"}}, {Teams: []string{"b", "c"}}, {Orgs: []string{"a"}}, {Orgs: []string{"c"}}, {Members: []string{"b"}}} {
				his, own := Can(tok.Subject(), p, 0), Can(s, p, 0)
				if his.Allowed && his.Reach.Covers(of) && !(own.Allowed && own.Reach.Covers(of)) {
					t.Fatalf("the token may %s %+v, its maker %+v may not", p, of, s)
				}
			}
		}
	})
	if made == 0 || refused == 0 {
		t.Errorf("%d made, %d refused: the test showed nothing", made, refused)
	}
}

func TestDelegation(t *testing.T) {
	tok := func(role Role, change func(*Token)) *Token {
		k := &Token{ID: "tok_x", Name: "x", Hash: HashOf("x"), Role: role}
		if change != nil {
			change(k)
		}
		return k
	}
	ads := as(TeamAdmin, teams("ads", "search"))
	for name, c := range map[string]struct {
		by   Subject
		t    *Token
		want bool
	}{
		"root makes an owner":                      {Root(), tok(Owner, nil), true},
		"an admin makes an admin":                  {as(Admin, Everything), tok(Admin, nil), true},
		"an admin makes an owner":                  {as(Admin, Everything), tok(Owner, nil), false},
		"an admin makes a member":                  {as(Admin, Everything), tok(Member, func(k *Token) { k.Member = "eve" }), true},
		"a team admin, for their team":             {ads, tok(TeamAdmin, func(k *Token) { k.Teams = []string{"ads"} }), true},
		"a team admin, for another team":           {ads, tok(TeamAdmin, func(k *Token) { k.Teams = []string{"ads", "chat"} }), false},
		"a team admin, for an organisation":        {ads, tok(TeamAdmin, func(k *Token) { k.Orgs = []string{"ads"} }), false},
		"a team admin, a limited finance":          {ads, tok(Finance, func(k *Token) { k.Teams = []string{"ads"} }), true},
		"a team admin, an admin of their team":     {ads, tok(Admin, func(k *Token) { k.Teams = []string{"ads"} }), false},
		"a team admin, finance over everything":    {ads, tok(Finance, nil), false},
		"finance makes nothing":                    {as(Finance, Everything), tok(Finance, nil), false},
		"an invalid token":                         {Root(), tok(TeamAdmin, nil), false},
		"scopes beyond the role":                   {Root(), tok(Finance, func(k *Token) { k.Scopes = []Permission{KeysWrite} }), false},
		"a narrowed maker, more than it has":       {Subject{Grants: Root().Grants, Scopes: []Permission{TokensWrite}}, tok(Finance, nil), false},
		"a narrowed maker, what it has":            {Subject{Grants: Root().Grants, Scopes: []Permission{TokensWrite, UsageRead}}, tok(Finance, func(k *Token) { k.Scopes = []Permission{UsageRead} }), true},
		"a narrowed maker that may not make any":   {Subject{Grants: Root().Grants, Scopes: []Permission{UsageRead}}, tok(Finance, func(k *Token) { k.Scopes = []Permission{UsageRead} }), false},
		"a scope that is there twice":              {Root(), tok(Finance, func(k *Token) { k.Scopes = []Permission{UsageRead, UsageRead} }), false},
		"an owner token narrowed to what one may ": {as(Admin, Everything), tok(Owner, func(k *Token) { k.Scopes = []Permission{UsageRead} }), true},
	} {
		if d := Delegates(c.by, c.t, 0); d.Allowed != c.want {
			t.Errorf("%s: %+v", name, d)
		}
	}
	short := Subject{Bounded: true, Expires: 100 * ledger.Second}
	for name, c := range map[string]struct {
		s       Subject
		expires int64
		want    bool
	}{
		"as long":                  {short, 100, false},
		"longer":                   {short, 101, true},
		"for ever":                 {short, 0, true},
		"by one that does not end": {Subject{Bounded: true}, 0, false},
		"by a person's session":    {Subject{Expires: 100 * ledger.Second}, 0, false},
	} {
		if got := Outlives(c.s, &Token{Expires: c.expires}); got != c.want {
			t.Errorf("%s: outlives %v", name, got)
		}
	}
}

func TestTokensAreFoundByTheirSecret(t *testing.T) {
	a, b := &Token{ID: "b", Hash: HashOf("one")}, &Token{ID: "a", Hash: HashOf("two"), Revoked: 5}
	table := NewTokens([]*Token{a, b})
	if got, ok := table.Find(HashOf("one")); !ok || got != a || got.Status(1<<60) != Active {
		t.Errorf("found %+v", got)
	}
	if got, ok := table.Find(HashOf("two")); !ok || got.Status(0) != Revoked {
		t.Errorf("found %+v", got)
	}
	for _, none := range []Hash{"", HashOf("three"), a.Hash[:63]} {
		if got, ok := table.Find(none); ok {
			t.Errorf("%q found %+v", none, got)
		}
	}
	if all := table.All(); len(all) != 2 || all[0] != b {
		t.Errorf("listed %+v", all)
	}
	if _, ok := (*Tokens)(nil).Find(HashOf("one")); ok || (*Tokens)(nil).All() != nil {
		t.Error("an empty table has tokens")
	}
	if (&Token{Expires: 5}).Status(5*ledger.Second) != Expired || (&Token{Expires: 5}).Status(5*ledger.Second-1) != Active {
		t.Error("a token ends at its second")
	}
	if s := (&Token{ID: "s", Session: true, Role: Owner}); s.Status(0) != Revoked || len(s.Subject().Grants) != 0 {
		t.Error("an ended session grants something")
	}
}

func TestWhoAPersonIs(t *testing.T) {
	m := Mapping{
		Domains: []string{"example.com"},
		Rules: []Rule{
			{Group: "finops", Role: Finance}, {Group: "search", Role: TeamAdmin, Teams: []string{"search"}},
			{Group: AnyGroup, Role: Member},
		},
	}
	if err := m.Validate(); err != nil {
		t.Fatal(err)
	}
	eve := Person{Subject: "17", Email: "eve@Example.com", Verified: true, Member: "eve", Groups: []string{"search", "skiing"}}
	s, err := m.Subject(eve)
	if err != nil || s.Name != "person:17" || len(s.Grants) != 2 {
		t.Fatalf("eve is %+v, %v", s, err)
	}
	if d := Can(s, UsageRead, 0); !d.Allowed || d.Reach.All || !d.Reach.Covers(Resource{Members: []string{"eve"}}) || !d.Reach.Covers(Resource{Teams: []string{"search"}}) {
		t.Errorf("she reaches %+v", d)
	}
	if got := m.Known(append(eve.Groups, "finops")); !slices.Equal(got, []string{"finops", "search"}) {
		t.Errorf("known groups %v", got)
	}
	for name, change := range map[string]func(*Person){
		"no subject":           func(p *Person) { p.Subject = "" },
		"another domain":       func(p *Person) { p.Email = "eve@example.com.evil.test" },
		"a domain below":       func(p *Person) { p.Email = "eve@mail.example.com" },
		"two at signs":         func(p *Person) { p.Email = "eve@example.com@evil.test" },
		"no address":           func(p *Person) { p.Email = "" },
		"not verified":         func(p *Person) { p.Verified = false },
		"no group and no name": func(p *Person) { p.Groups, p.Member = nil, "" },
	} {
		p := eve
		change(&p)
		if s, err := m.Subject(p); err == nil {
			t.Errorf("%s: %+v", name, s)
		}
	}
	for name, bad := range map[string]Mapping{
		"no rules":       {},
		"no group":       {Rules: []Rule{{Role: Finance}}},
		"no role":        {Rules: []Rule{{Group: "a"}}},
		"teamless admin": {Rules: []Rule{{Group: "a", Role: TeamAdmin}}},
		"limited owner":  {Rules: []Rule{{Group: "a", Role: Owner, Teams: []string{"x"}}}},
		"an address":     {Rules: []Rule{{Group: "a", Role: Finance}}, Domains: []string{"a@b"}},
	} {
		if bad.Validate() == nil {
			t.Errorf("%s is valid", name)
		}
	}
}
