package lookalike

import (
	"crypto/sha256"
	"encoding/hex"
	"encoding/json"
	"maps"
	"net/http"
	"slices"
	"strconv"
	"strings"

	"purser/api/admin"
	"purser/internal/litellm"
)

// key finds a key by its secret, by the SHA-256 of that, or by its id.
func (s *session) key(text string) (admin.Key, error) {
	switch {
	case text == "":
		return admin.Key{}, admin.Invalid("key is missing")
	case secretLike(text):
		sum := sha256.Sum256([]byte(text))
		return s.FindKey(s.ctx, hex.EncodeToString(sum[:]))
	}
	if sum, err := hex.DecodeString(text); err == nil && len(sum) == sha256.Size {
		return s.FindKey(s.ctx, text)
	}
	k, err := s.ShowKey(s.ctx, text)
	return k.Key, err
}

// keyRow is a key as LiteLLM shows it. Its token is the id here: the hash of a secret
// is shown to nobody.
func keyRow(k *admin.Key, own []admin.BudgetDetail, known int64) map[string]any {
	l, _ := limitsOfKey(own)
	row := map[string]any{
		"token": k.ID, "token_id": k.ID, "key_name": orNull(k.Name), "key_alias": orNull(k.Name), "spend": l.spend(known), "expires": orNull(k.Expires),
		"models": listed(k.Models), "user_id": orNull(k.Bound["member"]), "team_id": orNull(k.Bound["team"]), "organization_id": orNull(k.Bound["org"]),
		"budget_id": orNull(k.Bound[litellm.BudgetTag]), "tags": tagsOf(k.Bound), "metadata": labels(k.Description), "blocked": k.Suspended,
		"created_at": k.Created, "last_active": orNull(k.LastUsed),
		"aliases": map[string]any{}, "config": map[string]any{}, "permissions": map[string]any{}, "model_max_budget": map[string]any{}, "model_spend": map[string]any{},
		"allowed_cache_controls": []string{}, "allowed_routes": []string{},
	}
	l.into(row)
	return row
}

// Tags of LiteLLM are texts such as job:7, and are dimensions tag:job with the value 7
// here; one without a value has this.
const bareTag = "true"

func bindTags(bound map[string]string, tags []string) error {
	for name := range bound {
		if strings.HasPrefix(name, "tag:") && name != litellm.BudgetTag {
			delete(bound, name)
		}
	}
	for _, t := range tags {
		name, value, ok := strings.Cut(t, ":")
		if !ok {
			value = bareTag
		}
		if _, twice := bound["tag:"+name]; twice || "tag:"+name == litellm.BudgetTag {
			return admin.Invalid("tags: two have one name before the colon, which is a dimension with one value here, or one is kept for budget_id")
		}
		bound["tag:"+name] = value
	}
	return nil
}

func tagsOf(bound map[string]string) []string {
	out := []string{}
	for _, name := range slices.Sorted(maps.Keys(bound)) {
		if tag, ok := strings.CutPrefix(name, "tag:"); ok && name != litellm.BudgetTag {
			if bound[name] != bareTag {
				tag += ":" + bound[name]
			}
			out = append(out, tag)
		}
	}
	return out
}

// keyChange reads what generate and update have in common, onto what the key has.
func (s *session) keyChange(f *form, was *admin.KeyDetail) (admin.KeyChange, error) {
	var ch admin.KeyChange
	bound := maps.Clone(was.Bound)
	if bound == nil {
		bound = map[string]string{}
	}
	if alias, given := f.text("key_alias"); given {
		ch.Name = &alias
	}
	if models, given := f.texts("models"); given {
		if slices.Contains(models, "all-proxy-models") || slices.Contains(models, "all-team-models") {
			models = nil // what the team may not ask for, its policy denies
		}
		models = listed(models)
		ch.Models = &models
	}
	if line, given := f.label("metadata"); given {
		ch.Description = &line
	}
	if blocked, given := f.flag("blocked"); given {
		ch.Suspended = &blocked
	}
	duration, given := f.text("duration")
	if given {
		end, err := lifetime(duration, s.now)
		if err != nil {
			return ch, err
		}
		ch.Expires = &end
	}
	if err := s.bind(f, bound); err != nil {
		return ch, err
	}
	if !maps.Equal(bound, was.Bound) {
		ch.Bound = &bound
	}
	l, rest := limitsOfKey(was.Budgets)
	if f.amounts(&l.Amounts) {
		limits, err := made(litellm.OwnerOf("key", was.ID, ""), l.Amounts)
		if err != nil {
			return ch, err
		}
		budgets := append(ownBudgets(limits), rest...)
		ch.Budgets = &budgets
	}
	if kind, _ := f.text("key_type"); kind != "" && kind != "default" && kind != "llm_api" {
		f.fault("key_type", "default or llm_api: keys administer nothing here, admin tokens do")
	}
	f.ignore("key_name", "send_invite_email", "created_by", "updated_by")
	return ch, f.end()
}

// bind reads whose a key is.
func (s *session) bind(f *form, bound map[string]string) error {
	for field, dim := range map[string]string{"team_id": "team", "user_id": "member", "organization_id": "org", "budget_id": litellm.BudgetTag} {
		id, given := f.text(field)
		if !given {
			continue
		}
		delete(bound, dim)
		if id == "" {
			continue
		}
		bound[dim] = litellm.Name(id)
		switch field {
		case "team_id":
			if _, err := s.ShowObject(s.ctx, "teams", bound[dim]); err != nil {
				return err
			}
		case "budget_id":
			if _, _, err := s.budget(id); err != nil {
				return err
			}
		}
	}
	tags, given := f.texts("tags")
	if !given {
		return nil
	}
	return bindTags(bound, tags)
}

// minSecret is how long a secret of the caller's choice must be not to be guessed.
const minSecret = 16

func (s *session) generateKey(r *http.Request) (any, error) {
	f := readForm(r)
	secret, _ := f.text("key")
	return s.makeKey(f, secret)
}

// makeKey makes a key of what a form says.
func (s *session) makeKey(f *form, secret string) (map[string]any, error) {
	in := admin.NewKey{}
	if secret != "" {
		if !strings.HasPrefix(secret, "sk-") || len(secret) < minSecret {
			return nil, admin.Invalid("key is to begin with sk- and to have 16 characters at least")
		}
		sum := sha256.Sum256([]byte(secret))
		in.Hash = hex.EncodeToString(sum[:])
	}
	ch, err := s.keyChange(f, &admin.KeyDetail{})
	if err != nil {
		return nil, err
	}
	set(&in.Name, ch.Name)
	set(&in.Bound, ch.Bound)
	set(&in.Models, ch.Models)
	set(&in.Description, ch.Description)
	set(&in.Expires, ch.Expires)
	set(&in.Suspended, ch.Suspended)
	set(&in.Budgets, ch.Budgets)
	made, err := s.CreateKey(s.ctx, in)
	if err != nil {
		return nil, err
	}
	return s.withSecret(&made, secret)
}

// withSecret is the answer in which a key's secret is, this once.
func (s *session) withSecret(k *admin.CreatedKey, brought string) (map[string]any, error) {
	shown, err := s.ShowKey(s.ctx, k.ID)
	if err != nil {
		return nil, err
	}
	row := keyRow(&shown.Key, shown.Budgets, 0)
	secret := k.Secret
	if brought != "" {
		secret = brought
	}
	row["key"] = secret
	row["key_name"] = secret[:3] + "..." + secret[len(secret)-4:]
	return row, nil
}

func set[T any](of, to *T) {
	if to != nil {
		*of = *to
	}
}

// change makes a change to a key as it was seen.
func (s *session) change(k *admin.KeyDetail, ch admin.KeyChange) (map[string]any, error) {
	if _, err := s.UpdateKey(s.ctx, k.ID, admin.Version(k.Version), ch); err != nil {
		return nil, err
	}
	return s.shown(k.ID)
}

// shown is a key as it is now.
func (s *session) shown(id string) (map[string]any, error) {
	k, err := s.ShowKey(s.ctx, id)
	if err != nil {
		return nil, err
	}
	known, err := s.spent("key", id)
	return keyRow(&k.Key, k.Budgets, known), err
}

// named is the key that a form names.
func (s *session) named(f *form) (admin.KeyDetail, string, error) {
	text, _ := f.text("key")
	k, err := s.key(text)
	if err != nil {
		return admin.KeyDetail{}, "", err
	}
	shown, err := s.ShowKey(s.ctx, k.ID)
	return shown, text, err
}

func (s *session) updateKey(r *http.Request) (any, error) {
	f := readForm(r)
	k, text, err := s.named(f)
	if err != nil {
		return nil, err
	}
	ch, err := s.keyChange(f, &k)
	if err != nil {
		return nil, err
	}
	row, err := s.change(&k, ch)
	if err != nil {
		return nil, err
	}
	row["key"] = text
	return row, nil
}

func (s *session) blockKey(r *http.Request) (any, error)   { return s.suspend(readForm(r), true) }
func (s *session) unblockKey(r *http.Request) (any, error) { return s.suspend(readForm(r), false) }

func (s *session) suspend(f *form, to bool) (any, error) {
	k, _, err := s.named(f)
	if err == nil {
		err = f.end()
	}
	if err != nil {
		return nil, err
	}
	return s.change(&k, admin.KeyChange{Suspended: &to})
}

// deleteKeys revokes keys, and forgets them with their budgets.
func (s *session) deleteKeys(r *http.Request) (any, error) {
	f := readForm(r)
	given, _ := f.texts("keys")
	aliases, _ := f.texts("key_aliases")
	if err := f.end(); err != nil {
		return nil, err
	}
	if len(given)+len(aliases) == 0 {
		return nil, admin.Invalid("keys or key_aliases are missing")
	}
	var ids []string
	for _, text := range given {
		k, err := s.key(text)
		if err != nil {
			return nil, err
		}
		ids = append(ids, k.ID)
	}
	if len(aliases) > 0 {
		all, err := s.ListKeys(s.ctx)
		if err != nil {
			return nil, err
		}
		for _, alias := range aliases {
			i := slices.IndexFunc(all, func(k admin.Key) bool { return k.Name == alias })
			switch {
			case i < 0:
				return nil, admin.NotFound("no key has the alias " + strconv.Quote(alias))
			case slices.ContainsFunc(all[i+1:], func(k admin.Key) bool { return k.Name == alias }):
				return nil, admin.Conflict("several keys have the alias " + strconv.Quote(alias) + ": name them by their tokens")
			}
			ids = append(ids, all[i].ID)
		}
	}
	for _, id := range ids {
		if _, err := s.RevokeKey(s.ctx, id); err != nil {
			return nil, err
		}
		if err := s.ForgetKey(s.ctx, id); err != nil {
			return nil, err
		}
	}
	return map[string]any{"deleted_keys": append(listed(given), aliases...)}, nil
}

// regenerateKey gives a key another secret, after what else is to change.
func (s *session) regenerateKey(r *http.Request) (any, error) {
	f := readForm(r)
	if text := r.PathValue("key"); text != "" {
		f.ignore("key")
		f.rest = maps.Clone(f.rest)
		if f.rest == nil {
			f.rest = map[string]json.RawMessage{}
		}
		f.rest["key"] = json.RawMessage(strconv.Quote(text))
	}
	k, _, err := s.named(f)
	if err != nil {
		return nil, err
	}
	secret, _ := f.text("new_key")
	how := admin.Rotation{Overlap: "0s"}
	if grace, _ := f.text("grace_period"); grace != "" {
		how.Overlap = grace
	}
	if secret != "" {
		if !strings.HasPrefix(secret, "sk-") || len(secret) < minSecret {
			return nil, admin.Invalid("new_key is to begin with sk- and to have 16 characters at least")
		}
		sum := sha256.Sum256([]byte(secret))
		how.Hash = hex.EncodeToString(sum[:])
	}
	ch, err := s.keyChange(f, &k)
	if err != nil {
		return nil, err
	}
	if ch != (admin.KeyChange{}) {
		if _, err := s.UpdateKey(s.ctx, k.ID, admin.Version(k.Version), ch); err != nil {
			return nil, err
		}
	}
	made, err := s.RotateKey(s.ctx, k.ID, how)
	if err != nil {
		return nil, err
	}
	return s.withSecret(&made, secret)
}
