package config

import (
	"errors"
	"fmt"
	"math"
	"strconv"
	"strings"
	"time"
)

// parseDuration reads a positive duration such as "90s", "4h" or "1h30m". The
// suggestion is what a text that is nearly one may have meant.
func parseDuration(s string) (d time.Duration, suggestion string, err error) {
	d, err = time.ParseDuration(s)
	if err == nil && d > 0 {
		return d, "", nil
	}
	if err == nil {
		return 0, "", fmt.Errorf("%q must be more than nothing", s)
	}
	err = fmt.Errorf("%q is not a duration: write a number with a unit, one of s, m, h", s)
	number, unit := splitUnit(s)
	n, bad := strconv.ParseFloat(number, 64)
	if bad != nil || n <= 0 || n > 1e6 {
		return 0, "", err
	}
	switch strings.ToLower(strings.TrimSpace(unit)) {
	case "d", "day", "days":
		return 0, strconv.Quote(strconv.FormatFloat(n*24, 'f', -1, 64) + "h"), err
	case "w", "week", "weeks":
		return 0, strconv.Quote(strconv.FormatFloat(n*168, 'f', -1, 64) + "h"), err
	case "h", "hour", "hours", "hr", "hrs":
		return 0, strconv.Quote(number + "h"), err
	case "m", "min", "mins", "minute", "minutes":
		return 0, strconv.Quote(number + "m"), err
	case "", "s", "sec", "secs", "second", "seconds":
		return 0, strconv.Quote(number + "s"), err
	}
	return 0, "", err
}

// formatDuration writes d as a person would: "4h", not "4h0m0s".
func formatDuration(d time.Duration) string {
	s := d.String()
	if strings.HasSuffix(s, "m0s") {
		s = strings.TrimSuffix(s, "0s")
	}
	if strings.HasSuffix(s, "h0m") {
		s = strings.TrimSuffix(s, "0m")
	}
	return s
}

// units are the units of sizes. Those of a thousand and those of 1,024 are told
// apart by the i, as everywhere else.
var units = map[string]int64{
	"": 1, "b": 1,
	"kb": 1e3, "kib": 1 << 10,
	"mb": 1e6, "mib": 1 << 20,
	"gb": 1e9, "gib": 1 << 30,
}

var errNotSize = errors.New("is not a size: write a number with a unit, one of KB, KiB, MB, MiB, GB, GiB")

// parseSize reads a number of octets such as "35MiB", "35 MB" or "1048576".
func parseSize(s string) (int64, error) {
	number, unit := splitUnit(s)
	factor, ok := units[strings.ToLower(strings.TrimSpace(unit))]
	if !ok {
		return 0, fmt.Errorf("%q %w", s, errNotSize)
	}
	n, err := strconv.ParseFloat(number, 64)
	if err != nil || n < 0 || math.IsNaN(n) || n*float64(factor) > 1<<62 {
		return 0, fmt.Errorf("%q %w", s, errNotSize)
	}
	return int64(n * float64(factor)), nil
}

// splitUnit cuts s where its digits end.
func splitUnit(s string) (number, unit string) {
	s = strings.TrimSpace(s)
	i := strings.IndexFunc(s, func(c rune) bool { return (c < '0' || c > '9') && c != '.' })
	if i < 0 {
		return s, ""
	}
	return s[:i], s[i:]
}
