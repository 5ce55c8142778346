package doctor

import (
	_ "embed"
	"fmt"
	"strconv"
	"strings"
	"sync"

	"github.com/pelletier/go-toml/v2"
)

//go:embed data/clients.toml
var clientData string

// client is a program, and how its settings are entered.
type client struct {
	ID       string   `toml:"id"`
	Name     string   `toml:"name"`
	StartTLS string   `toml:"starttls"`
	TLS      string   `toml:"tls"`
	None     string   `toml:"none"`
	Steps    []string `toml:"steps"`
}

var clients = sync.OnceValue(func() []client {
	var f struct {
		Client []client `toml:"client"`
	}
	if err := toml.Unmarshal([]byte(clientData), &f); err != nil {
		panic(fmt.Sprintf("doctor: clients.toml: %v", err))
	}
	return f.Client
})

// Clients returns the ids of the programs for which steps are known.
func Clients() []string {
	var ids []string
	for _, c := range clients() {
		ids = append(ids, c.ID)
	}
	return ids
}

// Steps returns the name of a program and how settings are entered in it. from is
// the address that mail is from, "" where it is not known. It returns nothing for
// a program that is not known, or settings that are none.
func Steps(id string, w *Works, from string) (name string, steps []string) {
	if w.Empty() {
		return "", nil
	}
	for _, c := range clients() {
		if c.ID != id {
			continue
		}
		mode := map[Security]string{StartTLS: c.StartTLS, Implicit: c.TLS, Clear: c.None}[w.Security]
		if from == "" {
			from = "your address"
		}
		fill := strings.NewReplacer("{host}", w.Host, "{port}", strconv.Itoa(w.Port), "{user}", w.User, "{from}", from)
		for _, s := range c.Steps {
			if strings.Contains(s, "{user}") && w.User == "" {
				continue
			}
			steps = append(steps, fill.Replace(strings.ReplaceAll(s, "{mode}", mode)))
		}
		return c.Name, steps
	}
	return "", nil
}
