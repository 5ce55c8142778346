// Wellsent is the post office for outgoing mail: it sends, keeps and explains.
package main

import (
	"os"

	"github.com/wellsent/wellsent/internal/cli"
)

func main() {
	os.Exit(cli.Main(os.Args, os.Stdin, os.Stdout, os.Stderr))
}
