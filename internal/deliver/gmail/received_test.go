package gmail

import (
	"net/http"
	"testing"

	"github.com/wellsent/wellsent/internal/deliver/api"
)

// TestReceived_BelievesWhatCanBe: the number comes from the server, and is a place in
// our message.
func TestReceived_BelievesWhatCanBe(t *testing.T) {
	for said, want := range map[string]int{
		"bytes=0-99":                      100,
		"bytes=0-998":                     999,
		"bytes=0-999":                     0, // all of 1000: then it would not be asked for more
		"":                                0,
		"bytes=0--5":                      0,
		"bytes=0-99999999999":             0,
		"bytes=0-9223372036854775807":     0,
		"bytes=0-99999999999999999999999": 0,
	} {
		if got := received(&api.Response{Header: http.Header{"Range": {said}}}, 1000); got != want {
			t.Errorf("%q: %d, want %d", said, got, want)
		}
	}
}
