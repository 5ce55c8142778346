package peers

import (
	"context"
	"testing"
)

// loginPackages are what logs in by other ways than PLAIN and LOGIN: an Exim with
// every authenticator, Dovecot's submission server, and the client of GNU SASL.
var loginPackages = []string{"exim4-daemon-heavy", "libnss-wrapper", "dovecot-core", "dovecot-submissiond", "gsasl"}

// OpenLogins returns the tree with them, in a directory of its own beside that of
// Open. Errors are those of Open.
func OpenLogins(ctx context.Context) (*Tree, error) {
	return open(ctx, "logins", loginPackages, []string{"usr/sbin/exim4", "usr/sbin/dovecot", "usr/lib/dovecot/submission-login", "usr/bin/gsasl"})
}

// NeedLogins returns the tree of OpenLogins. Where there cannot be one the test is
// skipped, or fails where CI=true.
func NeedLogins(t testing.TB) *Tree {
	t.Helper()
	tree, err := OpenLogins(context.Background())
	skipUnavailable(t, err)
	if err != nil {
		t.Fatal(err)
	}
	return tree
}
