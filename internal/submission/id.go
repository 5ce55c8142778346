package submission

import (
	"crypto/rand"
	"strconv"
	"strings"
	"time"

	"github.com/wellsent/wellsent/internal/spool"
)

// newQueueID returns an id that sorts by time: the microsecond and six random
// letters, in lower case.
func newQueueID() spool.QueueID {
	return spool.QueueID(strconv.FormatInt(time.Now().UnixMicro(), 36) + strings.ToLower(rand.Text()[:6]))
}
