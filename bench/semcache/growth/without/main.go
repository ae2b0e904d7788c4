// Command without is a program without the embedder and the index, and otherwise with the
// parts of the standard library that they use and that a gateway has anyway.
package main

import (
	"crypto/sha256"
	"encoding/json"
	"fmt"
	"net/http"
	"net/url"
	"os"
)

func main() {
	fmt.Println(http.StatusText(len(os.Args)))
	b, err := json.Marshal(os.Args)
	u, _ := url.Parse(os.Args[0])
	client := http.Client{Transport: &http.Transport{}}
	defer client.CloseIdleConnections()
	resp, getErr := client.Get("http://localhost")
	fmt.Println(sha256.Sum256(b), err, u, resp, getErr, json.Unmarshal(b, &os.Args))
}
