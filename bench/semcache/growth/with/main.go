// Command with is a program that has the embedder and the index; bench/semcache/growth.sh
// compares its size with that of the one without.
package main

import (
	"context"
	"fmt"
	"net/http"
	"os"

	"purser/semcache/embed"
	"purser/semcache/index"
)

func main() {
	fmt.Println(http.StatusText(len(os.Args)))
	static, err := embed.NewStatic()
	if err != nil {
		fmt.Fprintln(os.Stderr, err)
		os.Exit(1)
	}
	remote, err := embed.OpenAI(embed.RemoteOptions{URL: "http://localhost", Model: "m", Dim: static.Dim()})
	if err != nil {
		fmt.Fprintln(os.Stderr, err)
		os.Exit(1)
	}
	defer remote.Close()
	v, q := make([]float32, static.Dim()), make([]int8, static.Dim())
	scopes := index.NewScopes(static.Dim(), index.Limits{PerScope: 1, Total: 1})
	err = static.Embed(context.Background(), v, os.Args[0])
	fmt.Println(remote.ID(), err, scopes.Add(index.Scope{}, 1, q, index.Quantize(q, v)), scopes.Search(index.Scope{}, q, 1, 1, 0))
}
