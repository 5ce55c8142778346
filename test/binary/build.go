package binary

import (
	"context"
	"fmt"
	"os"
	"os/exec"
	"path/filepath"
	"testing"

	"github.com/wellsent/wellsent/test/peers"
)

// PathVariable names the environment variable with the path of a binary to test.
// Main sets it; whoever sets it before tests a binary of their own.
const PathVariable = "WELLSENT_BINARY"

// Main builds the binary once for all tests of m, runs them and returns the exit
// code: what TestMain calls.
func Main(m *testing.M) int {
	if os.Getenv(PathVariable) != "" {
		return m.Run()
	}
	dir, err := os.MkdirTemp("", "wellsent-binary-")
	if err != nil {
		fmt.Fprintln(os.Stderr, err)
		return 1
	}
	defer os.RemoveAll(dir)
	path, err := Build(context.Background(), dir)
	if err == nil {
		err = os.Setenv(PathVariable, path)
	}
	if err != nil {
		fmt.Fprintln(os.Stderr, err)
		return 1
	}
	return m.Run()
}

// Build builds the binary into dir and returns its path.
func Build(ctx context.Context, dir string) (string, error) {
	root, err := peers.Repository()
	if err != nil {
		return "", err
	}
	path := filepath.Join(dir, "wellsent")
	c := exec.CommandContext(ctx, "go", "build", "-o", path, "./cmd/wellsent")
	c.Dir = root
	if out, err := c.CombinedOutput(); err != nil {
		return "", fmt.Errorf("build the program: %w\n%s", err, out)
	}
	return path, nil
}
