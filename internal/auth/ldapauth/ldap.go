package ldapauth

import (
	"context"
	"crypto/tls"
	"crypto/x509"
	"errors"
	"fmt"
	"net"
	"net/netip"
	"net/url"
	"strings"
	"time"
	"unicode"

	"github.com/go-ldap/ldap/v3"
	"golang.org/x/text/unicode/norm"

	"github.com/wellsent/wellsent/internal/auth"
)

// Options are the directory and how entries are found in it.
type Options struct {
	URL      string         // ldaps://HOST[:PORT], or ldap:// with StartTLS or on this machine
	StartTLS bool           // ldap: TLS before anything else
	Roots    *x509.CertPool // nil: the system's

	UserDN string // "uid={user},ou=people,dc=example,dc=org"; "": entries are searched

	BindDN   string                 // the service account; "": anonymous
	Password func() (string, error) // of the service account
	Base     string                 // where the search begins
	Filter   string                 // "(mail={user})": finds one entry at most

	GroupBase   string // where groups are; "": Base
	GroupFilter string // "(&(cn=mail)(member={dn}))": finds one at least; "": any entry may log in

	Addresses []string // attributes with what it may send as

	Timeout time.Duration // of one question; 0: DefaultTimeout
}

// DefaultTimeout is longer than a directory takes that is well, and shorter than
// clients wait for the answer to a login.
const DefaultTimeout = 10 * time.Second

// Backend is one directory.
type Backend struct {
	o    Options // immutable
	host string
}

var _ auth.Backend = (*Backend)(nil)

// New returns a Backend, or what is wrong with the options.
func New(o Options) (*Backend, error) {
	u, err := url.Parse(o.URL)
	switch {
	case err != nil || u.Hostname() == "" || u.Scheme != "ldap" && u.Scheme != "ldaps":
		return nil, fmt.Errorf("%q is not the URL of a directory, such as ldaps://ldap.example.org", o.URL)
	case u.User != nil || strings.Trim(u.Path, "/") != "" || u.RawQuery != "":
		return nil, fmt.Errorf("%q: give scheme, host and port alone", o.URL)
	case u.Scheme == "ldap" && !o.StartTLS && !thisMachine(u.Hostname()):
		return nil, fmt.Errorf("%s would carry passwords in clear text: use ldaps://, or starttls = true", o.URL)
	case u.Scheme == "ldaps" && o.StartTLS:
		return nil, errors.New("ldaps:// has TLS from the beginning: leave out starttls")
	case o.UserDN != "" && !strings.Contains(o.UserDN, "{user}"):
		return nil, fmt.Errorf("user_dn %q has no {user} in it", o.UserDN)
	case o.UserDN != "" && o.Filter != "":
		return nil, errors.New("give user_dn or filter, not both")
	case o.GroupFilter != "" && !strings.Contains(o.GroupFilter, "{dn}") && !strings.Contains(o.GroupFilter, "{user}"):
		return nil, fmt.Errorf("group_filter %q has neither {dn} nor {user} in it, so that everybody would be in the group", o.GroupFilter)
	case o.UserDN == "" && (o.Filter == "" || o.Base == ""):
		return nil, errors.New("give base and filter to search by, or user_dn")
	}
	for _, f := range []struct{ name, text, want string }{{"filter", o.Filter, "{user}"}, {"group_filter", o.GroupFilter, ""}} {
		if f.text == "" {
			continue
		}
		if !strings.Contains(f.text, f.want) {
			return nil, fmt.Errorf("%s %q has no %s in it, so that it finds the same entry for everybody", f.name, f.text, f.want)
		}
		if _, err := ldap.CompileFilter(fill(f.text, "x", "cn=x")); err != nil {
			return nil, fmt.Errorf("%s %q is not an LDAP filter: %w", f.name, f.text, err)
		}
	}
	if o.UserDN != "" {
		if _, err := ldap.ParseDN(strings.ReplaceAll(o.UserDN, "{user}", "x")); err != nil {
			return nil, fmt.Errorf("user_dn %q is not a DN: %w", o.UserDN, err)
		}
	}
	if o.Timeout == 0 {
		o.Timeout = DefaultTimeout
	}
	if o.GroupBase == "" {
		o.GroupBase = o.Base
	}
	return &Backend{o: o, host: u.Hostname()}, nil
}

func thisMachine(host string) bool {
	a, err := netip.ParseAddr(host)
	return host == "localhost" || err == nil && a.IsLoopback()
}

// fill puts a user name and a DN into a filter.
func fill(filter, user, dn string) string {
	return strings.NewReplacer("{user}", ldap.EscapeFilter(user), "{dn}", ldap.EscapeFilter(dn)).Replace(filter)
}

// Check implements auth.Backend.
func (b *Backend) Check(ctx context.Context, user, password string) (*auth.Account, error) {
	switch {
	case password == "" || user == "":
		return nil, auth.ErrInvalid // RFC 4513 §5.1.2
	case !plain(user):
		return nil, fmt.Errorf("%w: to a directory the name is the same as another one, by which it must be given", auth.ErrInvalid)
	}
	ctx, cancel := context.WithTimeout(ctx, b.o.Timeout)
	defer cancel()
	c, err := b.dial(ctx)
	if err != nil {
		return nil, fmt.Errorf("directory %s: %w", b.o.URL, err)
	}
	defer c.Close()
	stop := context.AfterFunc(ctx, func() { c.Close() })
	defer stop()
	account, err := b.ask(c, user, password)
	switch {
	case err == nil || errors.Is(err, auth.ErrInvalid):
		return account, err
	case ctx.Err() != nil:
		err = context.Cause(ctx)
	}
	return nil, fmt.Errorf("directory %s: %w", b.o.URL, err)
}

// plain reports a name that a directory compares as it stands, but for large and small
// letters. What it takes for the same (letters of full width, marks that are not seen,
// blanks in a row) would be accounts of their own to the slow-down of guesses, and to
// rules that name an account. RFC 4518 §2.
func plain(user string) bool {
	return norm.NFKC.IsNormalString(user) && !strings.Contains(strings.TrimSpace(user), "  ") &&
		!strings.ContainsFunc(user, func(r rune) bool { return unicode.In(r, unicode.C, unicode.Zl, unicode.Zp, unicode.Variation_Selector) })
}

// dial connects, and secures the connection.
func (b *Backend) dial(ctx context.Context) (*ldap.Conn, error) {
	d := &net.Dialer{}
	if deadline, ok := ctx.Deadline(); ok {
		d.Deadline = deadline
	}
	config := &tls.Config{ServerName: b.host, RootCAs: b.o.Roots, MinVersion: tls.VersionTLS12}
	c, err := ldap.DialURL(b.o.URL, ldap.DialWithDialer(d), ldap.DialWithTLSConfig(config))
	if err != nil {
		return nil, err
	}
	c.SetTimeout(b.o.Timeout)
	if b.o.StartTLS {
		if err := c.StartTLS(config); err != nil {
			c.Close()
			return nil, fmt.Errorf("StartTLS: %w", err)
		}
	}
	return c, nil
}

// ask finds the entry, and proves the password.
func (b *Backend) ask(c *ldap.Conn, user, password string) (*auth.Account, error) {
	var entry *ldap.Entry
	var err error
	if b.o.UserDN != "" {
		dn := strings.ReplaceAll(b.o.UserDN, "{user}", ldap.EscapeDN(user))
		if err := prove(c, dn, password); err != nil {
			return nil, err
		}
		if entry, err = b.find(c, dn, ldap.ScopeBaseObject, "(objectClass=*)"); err != nil {
			return nil, err
		}
		if entry == nil {
			entry = &ldap.Entry{DN: dn} // it may bind, and not read itself
		}
		if err := b.member(c, entry.DN, user); err != nil {
			return nil, err
		}
		return b.account(user, entry), nil
	}
	if err := b.serve(c); err != nil {
		return nil, err
	}
	if entry, err = b.find(c, b.o.Base, ldap.ScopeWholeSubtree, fill(b.o.Filter, user, "")); err != nil {
		return nil, err
	}
	if entry == nil {
		return nil, fmt.Errorf("%w: the directory has no such entry", auth.ErrInvalid)
	}
	if err := b.member(c, entry.DN, user); err != nil { // still as the service account
		return nil, err
	}
	if err := prove(c, entry.DN, password); err != nil {
		return nil, err
	}
	return b.account(user, entry), nil
}

// serve binds as the service account.
func (b *Backend) serve(c *ldap.Conn) error {
	if b.o.BindDN == "" {
		return nil
	}
	password, err := b.o.Password()
	if err != nil {
		return fmt.Errorf("the password of %s: %w", b.o.BindDN, err)
	}
	if err := c.Bind(b.o.BindDN, password); err != nil {
		// Our own account, not the user's: no verdict on anybody's password.
		return fmt.Errorf("the bind as %s is refused: %v", b.o.BindDN, err)
	}
	return nil
}

// find returns the one entry that a filter finds, nil when there is none.
func (b *Backend) find(c *ldap.Conn, base string, scope int, filter string) (*ldap.Entry, error) {
	const most = 2 // one is wanted, two are a mistake
	r, err := c.Search(ldap.NewSearchRequest(base, scope, ldap.NeverDerefAliases, most, int(b.o.Timeout/time.Second), false, filter, b.o.Addresses, nil))
	switch {
	case ldap.IsErrorAnyOf(err, ldap.LDAPResultNoSuchObject, ldap.LDAPResultInsufficientAccessRights) && scope == ldap.ScopeBaseObject:
		return nil, nil
	case ldap.IsErrorWithCode(err, ldap.LDAPResultSizeLimitExceeded), err == nil && len(r.Entries) > 1:
		return nil, fmt.Errorf("%s finds more than one entry: make the filter narrower", filter)
	case err != nil:
		return nil, err
	case len(r.Entries) == 0:
		return nil, nil
	}
	return r.Entries[0], nil
}

// member returns auth.ErrInvalid when an entry is in none of the groups.
func (b *Backend) member(c *ldap.Conn, dn, user string) error {
	if b.o.GroupFilter == "" {
		return nil
	}
	r, err := c.Search(ldap.NewSearchRequest(b.o.GroupBase, ldap.ScopeWholeSubtree, ldap.NeverDerefAliases, 1, int(b.o.Timeout/time.Second), false,
		fill(b.o.GroupFilter, user, dn), []string{"1.1"}, nil)) // no attributes; RFC 4511 §4.5.1.8
	switch {
	case ldap.IsErrorWithCode(err, ldap.LDAPResultSizeLimitExceeded): // more than one will do
		return nil
	case err != nil:
		return err
	case len(r.Entries) == 0:
		return fmt.Errorf("%w: %s is in no group that may send", auth.ErrInvalid, dn)
	}
	return nil
}

// prove binds as an entry. RFC 4511 §4.2.
func prove(c *ldap.Conn, dn, password string) error {
	err := c.Bind(dn, password)
	if ldap.IsErrorAnyOf(err, ldap.LDAPResultInvalidCredentials, ldap.LDAPResultNoSuchObject, ldap.LDAPResultInvalidDNSyntax,
		ldap.LDAPResultInappropriateAuthentication, ldap.LDAPResultUnwillingToPerform, ldap.LDAPResultConstraintViolation) {
		return fmt.Errorf("%w: the directory says: %v", auth.ErrInvalid, err) // the last three are of accounts that are locked
	}
	return err
}

// account returns what the login is good for.
func (b *Backend) account(user string, e *ldap.Entry) *auth.Account {
	a := auth.Lent(user)
	var all []string
	for _, attribute := range b.o.Addresses {
		for _, v := range e.GetEqualFoldAttributeValues(attribute) {
			v = strings.TrimPrefix(strings.TrimPrefix(v, "smtp:"), "SMTP:") // Active Directory's proxyAddresses
			if auth.IsAddress(v) {
				all = append(all, v)
			}
		}
	}
	if len(all) > 0 {
		a.Addresses = all
	}
	return a
}
