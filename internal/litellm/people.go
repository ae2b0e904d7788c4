package litellm

import (
	"bytes"
	"crypto/sha256"
	"encoding/hex"
	"encoding/json"
	"errors"
	"fmt"
	"slices"
	"strings"
	"time"
)

// Key is a key that is to go on working.
type Key struct {
	ID      string            // "litellm-" and the first digits of the hash
	Hash    string            // SHA-256 of the secret, hexadecimal
	Name    string            // its alias, else what LiteLLM shows of it
	Bound   map[string]string // dimensions
	Models  []string          // none: all
	Expires string            // RFC 3339, "" for never
	Blocked bool
	Limits  []Limit // of the key alone
}

// Team is a team that is to be.
type Team struct {
	ID, Name string
	Models   []string // none: all
}

// Member is a person that is to be.
type Member struct {
	ID, Name, Email string
	Teams           []string
	Models          []string // none: all
}

// People is what becomes of the answers of LiteLLM's API.
type People struct {
	Keys    []Key
	Teams   []Team
	Members []Member
	Limits  []Limit // of teams and members
	Report  Report
}

// row is a row of LiteLLM's: a key, a team or a user, as its API lists them.
type row struct {
	Token     string            `json:"token"`
	KeyName   string            `json:"key_name"`
	KeyAlias  string            `json:"key_alias"`
	TeamID    string            `json:"team_id"`
	TeamAlias string            `json:"team_alias"`
	OrgID     string            `json:"organization_id"`
	UserID    string            `json:"user_id"`
	UserEmail string            `json:"user_email"`
	UserAlias string            `json:"user_alias"`
	Expires   string            `json:"expires"`
	Models    []string          `json:"models"`
	Aliases   map[string]string `json:"aliases"`
	Blocked   *bool             `json:"blocked"`
	Routes    []string          `json:"allowed_routes"`
	ByModel   map[string]any    `json:"model_max_budget"`
	Teams     []string          `json:"teams"`

	MaxBudget json.Number `json:"max_budget"`
	Soft      json.Number `json:"soft_budget"`
	Duration  string      `json:"budget_duration"`
	RPM       json.Number `json:"rpm_limit"`
	TPM       json.Number `json:"tpm_limit"`
	Parallel  json.Number `json:"max_parallel_requests"`
	Spend     json.Number `json:"spend"`

	BudgetID string `json:"budget_id"`
	Budget   *row   `json:"litellm_budget_table"`
}

func (w *row) amounts() Amounts {
	return Amounts{Max: Decimal(w.MaxBudget), Soft: Decimal(w.Soft), Duration: w.Duration, RPM: w.RPM, TPM: w.TPM, Parallel: w.Parallel}
}

// rows reads a list, or an object that has one under a name.
func rows(b []byte, name string) ([]row, error) {
	if len(bytes.TrimSpace(b)) == 0 {
		return nil, nil
	}
	var list []row
	if bytes.HasPrefix(bytes.TrimSpace(b), []byte("[")) {
		if err := json.Unmarshal(b, &list); err != nil {
			return nil, fmt.Errorf("%s: %w (of keys, ask for return_full_object=true)", name, err)
		}
		return list, nil
	}
	var page map[string]json.RawMessage
	if err := json.Unmarshal(b, &page); err != nil {
		return nil, fmt.Errorf("%s: %w", name, err)
	}
	inner, ok := page[name]
	if !ok {
		return nil, fmt.Errorf("%s: neither a list nor an object with %q", name, name)
	}
	var pages json.Number
	if json.Unmarshal(page["total_pages"], &pages) == nil && pages != "" && pages != "0" && pages != "1" {
		return nil, fmt.Errorf("%s: this is one of %s pages; ask for all of them in one (size=)", name, pages)
	}
	return rows(inner, name)
}

// ReadPeople translates the answers of /key/list?return_full_object=true,
// /team/list and /user/list; each may be empty.
func ReadPeople(keys, teams, users []byte) (*People, error) {
	out := &People{}
	teamRows, err := rows(teams, "teams")
	if err != nil {
		return nil, err
	}
	byTeam := map[string]*row{}
	for i := range teamRows {
		if err := out.addTeam(&teamRows[i]); err != nil {
			return nil, err
		}
		byTeam[teamRows[i].TeamID] = &teamRows[i]
	}
	userRows, err := rows(users, "users")
	if err != nil {
		return nil, err
	}
	for i := range userRows {
		if err := out.addUser(&userRows[i], byTeam); err != nil {
			return nil, err
		}
	}
	keyRows, err := rows(keys, "keys")
	if err != nil {
		return nil, err
	}
	for i := range keyRows {
		if err := out.addKey(&keyRows[i], byTeam); err != nil {
			return nil, err
		}
	}
	out.derived()
	return out, out.distinct()
}

// distinct is an error where two things would become one.
func (p *People) distinct() error {
	seen := map[string]bool{}
	for _, t := range p.Teams {
		seen["team "+t.ID] = true
	}
	for _, m := range p.Members {
		seen["member "+m.ID] = true
	}
	for _, k := range p.Keys {
		seen["key "+k.ID] = true
	}
	limits := p.Limits
	for _, k := range p.Keys {
		limits = append(limits, k.Limits...)
	}
	for _, l := range limits {
		seen["budget "+l.ID] = true
	}
	if n := len(p.Teams) + len(p.Members) + len(p.Keys) + len(limits); len(seen) != n {
		return fmt.Errorf("%d of %d teams, users, keys and budgets would have the id of another: their ids differ in letters' case or in signs alone; rename them first", n-len(seen), n)
	}
	return nil
}

func (p *People) addTeam(w *row) error {
	if w.TeamID == "" {
		return errors.New("teams: one has no team_id")
	}
	p.Teams = append(p.Teams, Team{ID: Name(w.TeamID), Name: w.TeamAlias, Models: named(w.Models)})
	if w.OrgID != "" {
		p.Report.note("team %s: its organization is not carried over; put the team below an org", w.TeamID)
	}
	p.Limits = append(p.Limits, p.limits("team", Name(w.TeamID), "team "+w.TeamID, w)...)
	return nil
}

func (p *People) addUser(w *row, teams map[string]*row) error {
	if w.UserID == "" {
		return errors.New("users: one has no user_id")
	}
	m := Member{ID: Name(w.UserID), Name: w.UserAlias, Email: w.UserEmail, Models: named(w.Models)}
	if len(m.Models) > 0 {
		p.Report.note("user %s: the models hold for the user's calls with keys of teams too; LiteLLM leaves those out", w.UserID)
	}
	for _, id := range w.Teams {
		if teams[id] == nil {
			p.Report.note("user %s: is of team %s, which is not in the list of teams", w.UserID, id)
			continue
		}
		m.Teams = append(m.Teams, Name(id))
	}
	p.Members = append(p.Members, m)
	p.Limits = append(p.Limits, p.limits("member", Name(w.UserID), "user "+w.UserID, w)...)
	if w.MaxBudget != "" {
		p.Report.note("user %s: the budget covers the user's calls with keys of teams too; LiteLLM leaves those out", w.UserID)
	}
	return nil
}

func (p *People) addKey(w *row, teams map[string]*row) error {
	hash, err := hex.DecodeString(w.Token)
	if err != nil || len(hash) != 32 {
		return fmt.Errorf("keys: the token of %q is no SHA-256 in hexadecimal: ask for return_full_object=true", w.KeyName)
	}
	k := Key{ID: "litellm-" + w.Token[:16], Hash: strings.ToLower(w.Token), Name: w.KeyAlias, Bound: map[string]string{}}
	if k.Name == "" {
		k.Name = w.KeyName
	}
	place := "key " + k.Name
	team := teams[w.TeamID]
	switch {
	case w.TeamID == dashboard:
		p.Report.note("%s: is of a session of LiteLLM's pages; left out", place)
		return nil
	case w.Blocked != nil && *w.Blocked:
		k.Blocked = true
		p.Report.note("%s: is blocked, and so is suspended; `purser key update %s --resume` ends that", place, k.ID)
	case team != nil && team.Blocked != nil && *team.Blocked:
		k.Blocked = true
		p.Report.note("%s: its team is blocked, and so it is suspended; `purser key update %s --resume` ends that", place, k.ID)
	}
	if w.TeamID != "" && team == nil {
		p.Report.note("%s: is of team %s, which is not in the list of teams: of that no limit is carried over", place, w.TeamID)
	}
	if w.TeamID != "" {
		k.Bound["team"] = Name(w.TeamID)
	}
	if w.UserID != "" {
		k.Bound["member"] = Name(w.UserID)
	}
	if k.Expires, err = instant(w.Expires); err != nil {
		return fmt.Errorf("%s: %w", place, err)
	}
	var open bool
	if k.Models, open = models(w.Models, team); len(k.Models) == 0 && !open {
		p.Report.note("%s: may use no model that its team may use; left out", place)
		return nil
	}
	if len(w.Aliases) > 0 {
		p.Report.note("%s: its aliases are not carried over; make routes of them", place)
	}
	if len(w.Routes) > 0 {
		p.Report.note("%s: allowed_routes %v are not carried over; limit its endpoints by hand", place, w.Routes)
	}
	if len(w.ByModel) > 0 {
		p.Report.note("%s: model_max_budget is not carried over; make budgets that match key and model", place)
	}
	k.Limits = p.limits("key", k.ID, place, w)
	p.Keys = append(p.Keys, k)
	return nil
}

// dashboard is the team of the keys that LiteLLM's own pages make for who logs in.
const dashboard = "litellm-dashboard"

// derived tells of keys whose requests count to a team that they do not name.
func (p *People) derived() {
	for _, k := range p.Keys {
		i := slices.IndexFunc(p.Members, func(m Member) bool { return m.ID == k.Bound["member"] && len(m.Teams) == 1 })
		if i >= 0 && k.Bound["team"] == "" {
			p.Report.note("key %s: its requests count to team %s too, the only one of its user; LiteLLM counts them to the user alone", k.Name, p.Members[i].Teams[0])
		}
	}
}

// limits makes the budgets of a row.
func (p *People) limits(dim, id, place string, w *row) []Limit {
	a := w.amounts()
	if w.BudgetID != "" {
		if a == (Amounts{}) && w.Budget != nil {
			a = w.Budget.amounts()
		} else {
			p.Report.note("%s: its budget %s is not carried over", place, w.BudgetID)
		}
	}
	if w.Spend != "" && strings.Trim(string(w.Spend), "0.") != "" && w.MaxBudget != "" {
		p.Report.note("%s: has spent %s in its window; the budget begins anew", place, w.Spend)
	}
	return OwnerOf(dim, id, place).Limits(a, &p.Report)
}

// named are the models that a list limits to; none, if it allows all.
func named(list []string) []string {
	if slices.Contains(list, "all-proxy-models") {
		return nil
	}
	return list
}

// models are those that a key may use, as far as its team may; open, if that is all.
func models(own []string, team *row) (list []string, open bool) {
	var of []string
	if team != nil {
		of = named(team.Models)
	}
	switch {
	case slices.Contains(own, "all-team-models"), len(named(own)) == 0:
		return of, len(of) == 0
	case len(of) == 0:
		return own, false
	}
	return slices.DeleteFunc(slices.Clone(own), func(m string) bool { return !slices.Contains(of, m) }), false
}

// Name is an ID as the directory takes it: other characters become '-'.
func Name(id string) string {
	return strings.Map(func(r rune) rune {
		if 'a' <= r && r <= 'z' || 'A' <= r && r <= 'Z' || '0' <= r && r <= '9' || strings.ContainsRune("._-:@", r) {
			return r
		}
		return '-'
	}, id)
}

// budgetName is an ID as the ledger takes it: lower case, and fewer signs.
func budgetName(id string) string {
	out := strings.Map(func(r rune) rune {
		if r == ':' || r == '@' {
			return '-'
		}
		return r
	}, strings.ToLower(Name(id)))
	const most, kept = 54, 45 // the ledger takes 64, and an end such as ".parallel" follows
	if len(out) > most {
		sum := sha256.Sum256([]byte(id))
		out = out[:kept] + "-" + hex.EncodeToString(sum[:4])
	}
	return out
}

// instant reads a time as LiteLLM writes it: RFC 3339, with or without the zone.
func instant(text string) (string, error) {
	if text == "" {
		return "", nil
	}
	for _, layout := range []string{time.RFC3339Nano, "2006-01-02T15:04:05.999999999", "2006-01-02 15:04:05.999999999"} {
		if t, err := time.Parse(layout, text); err == nil {
			return t.UTC().Format(time.RFC3339), nil
		}
	}
	return "", fmt.Errorf("%q is no time", text)
}
