package main

import (
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"io/fs"
	"os"
	"path/filepath"
	"slices"
	"strconv"
	"strings"

	"purser/internal/desired"
	"purser/internal/litellm"
	"purser/proxy/price"
	"purser/proxy/price/imports"
	"purser/proxy/price/overrides"
)

type importCmd struct {
	LiteLLM importLiteLLMCmd `cmd:"" name:"litellm" help:"A LiteLLM proxy: its configuration file, and its keys, teams and users."`
}

type importLiteLLMCmd struct {
	Config string `help:"LiteLLM's configuration file." type:"existingfile"`
	Keys   string `help:"The answer of /key/list?return_full_object=true, as a file." type:"existingfile" xor:"keys"`
	Teams  string `help:"The answer of /team/list, as a file." type:"existingfile" xor:"teams"`
	Users  string `help:"The answer of /user/list, as a file." type:"existingfile" xor:"users"`
	From   string `help:"The address of a LiteLLM proxy that is asked for the three lists." placeholder:"URL" xor:"keys,teams,users"`
	Master string `help:"The environment variable with its master key." name:"master-key-env" default:"LITELLM_MASTER_KEY" placeholder:"VAR"`
	Out    string `help:"Directory to write into; none of the files may be there." required:"" type:"path"`
}

// Run writes what a node needs to take over.
func (c *importLiteLLMCmd) Run(ctx context.Context) error {
	people, err := c.people(ctx)
	if err != nil {
		return err
	}
	var config *litellm.Config
	if c.Config != "" {
		b, err := os.ReadFile(c.Config)
		if err != nil {
			return err
		}
		if config, err = litellm.ReadConfig(b); err != nil {
			return fmt.Errorf("%s: %w", c.Config, err)
		}
	}
	if config == nil && people == nil {
		return errors.New("there is nothing to import: give --config, and --from or --keys, --teams and --users")
	}
	files, report, err := translated(config, people, c.Out)
	if err != nil {
		return err
	}
	if err := writeAll(c.Out, files); err != nil {
		return err
	}
	fmt.Print(report)
	for _, f := range files {
		fmt.Println("wrote " + filepath.Join(c.Out, f.name))
	}
	return nil
}

// people reads the lists; nil, if there are none.
func (c *importLiteLLMCmd) people(ctx context.Context) (*litellm.People, error) {
	if c.From != "" {
		lists, err := askLiteLLM(ctx, c.From, os.Getenv(c.Master))
		if err != nil {
			return nil, fmt.Errorf("asking %s with the key in %s: %w", c.From, c.Master, err)
		}
		return litellm.ReadPeople(lists.keys, lists.teams, lists.users)
	}
	if c.Keys+c.Teams+c.Users == "" {
		return nil, nil
	}
	var lists [3][]byte
	for i, name := range []string{c.Keys, c.Teams, c.Users} {
		if name == "" {
			continue
		}
		var err error
		if lists[i], err = os.ReadFile(name); err != nil {
			return nil, err
		}
	}
	return litellm.ReadPeople(lists[0], lists[1], lists[2])
}

// newFile is a file that is to be.
type newFile struct {
	name string
	text []byte
}

// translated makes the files, and the report, which is one of them.
func translated(c *litellm.Config, p *litellm.People, dir string) ([]newFile, string, error) {
	var files []newFile
	var whole litellm.Report
	if c != nil {
		if p != nil {
			p.Compare(c)
		}
		prices, err := pricesOf(c)
		if err != nil {
			return nil, "", err
		}
		node := c.Node
		if prices != nil {
			at, err := filepath.Abs(filepath.Join(dir, pricesFile))
			if err != nil {
				return nil, "", err
			}
			node = fmt.Appendf(node, "prices:\n  overrides: %s\n", strconv.Quote(at))
			files = append(files, newFile{pricesFile, prices})
		}
		files = append(files, newFile{"node.yaml", node})
		whole = c.Report
	}
	if p != nil {
		whole.Notes = append(whole.Notes, p.Report.Notes...)
	}
	state, err := stateFile(litellm.State(c, p))
	if err != nil {
		return nil, "", err
	}
	report := whole.String()
	return append(files, newFile{"state.yaml", state}, newFile{"report.txt", []byte(report)}), report, nil
}

const pricesFile = "prices.yaml"

// stateFile writes specs in the form in which a node would show them.
func stateFile(specs litellm.Specs) ([]byte, error) {
	kinds, set := desiredKinds(), desired.Set{}
	for _, k := range kinds {
		for id, spec := range specs[k.Plural] {
			b, err := json.Marshal(spec)
			if err == nil {
				b, err = k.Normal(id, b)
			}
			if err != nil {
				return nil, fmt.Errorf("%s %s cannot be carried over: %w", k.Plural, id, err)
			}
			if set[k.Plural] == nil {
				set[k.Plural] = map[string]json.RawMessage{}
			}
			set[k.Plural][id] = b
		}
	}
	if len(set) == 0 {
		return []byte("{}\n"), nil
	}
	return set.YAML(kinds)
}

// pricesOf writes the prices that a configuration gives as overrides; nil, if it
// gives none that can be.
func pricesOf(c *litellm.Config) ([]byte, error) {
	var models []price.Model
	for _, p := range c.Prices {
		raw, err := json.Marshal(map[string]any{p.Key: p.Fields})
		if err != nil {
			return nil, fmt.Errorf("%s: %w", p.Place, err)
		}
		result, err := imports.LiteLLM(raw)
		if err != nil {
			return nil, fmt.Errorf("%s: %w", p.Place, err)
		}
		for _, l := range result.Left {
			c.Report.Notes = append(c.Report.Notes, fmt.Sprintf("%s: its price is left out, or a part of it: %s; put yours into prices.overrides (docs/prices.md)", p.Place, l.Why))
		}
		models = append(models, slices.DeleteFunc(result.Models, func(m price.Model) bool { return m.Provider != p.Provider || m.ID != p.ID || m.Region != "" })...)
	}
	if len(models) == 0 {
		return nil, nil
	}
	text := overrides.Write(models)
	_, err := overrides.Apply(price.Embedded(), pricesFile, text)
	return text, err
}

// writeAll writes files that are not there yet: all, or those before the first that
// cannot be written.
func writeAll(dir string, files []newFile) error {
	if err := os.MkdirAll(dir, 0o700); err != nil {
		return err
	}
	for _, f := range files {
		if _, err := os.Lstat(filepath.Join(dir, f.name)); !errors.Is(err, fs.ErrNotExist) {
			return errors.Join(fmt.Errorf("%s is there already, and is not written over", filepath.Join(dir, f.name)), err)
		}
	}
	for _, f := range files {
		out, err := os.OpenFile(filepath.Join(dir, f.name), os.O_WRONLY|os.O_CREATE|os.O_EXCL, 0o600)
		if err != nil {
			return err
		}
		_, err = out.Write(f.text)
		if err := errors.Join(err, out.Close()); err != nil {
			return err
		}
	}
	return nil
}

// join makes the pages of a list one list.
func join(rows []json.RawMessage) []byte {
	parts := make([]string, len(rows))
	for i, r := range rows {
		parts[i] = string(r)
	}
	return []byte("[" + strings.Join(parts, ",") + "]")
}
