package route

import "github.com/wellsent/wellsent/internal/smtp"

func formatVia(v Via) string { return string(v.Scheme) }
func matches(p string, rcpt smtp.Path) bool { return p == "*" }
