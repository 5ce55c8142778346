package peers

import (
	"fmt"
	"os"
	"path/filepath"
	"strconv"
	"strings"
	"time"
)

// CPU returns the processor time that the process, its present descendants, and
// those that have ended under them have used.
func CPU(pid int) (time.Duration, error) {
	all := map[int]status{}
	for _, s := range processes() {
		all[s.pid] = s
	}
	if _, ok := all[pid]; !ok {
		return 0, fmt.Errorf("no process %d", pid)
	}
	var sum time.Duration
	for _, s := range all {
		for at := s.pid; at != 0; at = all[at].parent {
			if at == pid {
				sum += s.used
				break
			}
		}
	}
	return sum, nil
}

// status is what /proc says of one process.
type status struct {
	pid, parent, group int
	state              string
	used               time.Duration // by it, and by its children that have ended
}

// processes returns all processes of the machine.
func processes() []status {
	paths, _ := filepath.Glob("/proc/[0-9]*/stat") // the pattern is well formed
	var all []status
	for _, p := range paths {
		b, err := os.ReadFile(p)
		if err != nil {
			continue // it has ended; its parent has its time
		}
		if s, ok := parseStatus(string(b)); ok {
			all = append(all, s)
		}
	}
	return all
}

// userHz is the unit of times in /proc on every Linux that Go runs on.
const userHz = 100

// parseStatus reads the line of /proc/PID/stat, proc_pid_stat(5). The name of the
// program stands in brackets and may hold anything.
func parseStatus(line string) (s status, ok bool) {
	open, end := strings.IndexByte(line, '('), strings.LastIndexByte(line, ')')
	if open < 0 || end < open {
		return s, false
	}
	f := strings.Fields(line[end+1:]) // from the third field on
	if len(f) < 15 {
		return s, false
	}
	numbers := make([]int, 0, 7)
	for _, text := range []string{strings.TrimSpace(line[:open]), f[1], f[2], f[11], f[12], f[13], f[14]} {
		n, err := strconv.Atoi(text)
		if err != nil {
			return s, false
		}
		numbers = append(numbers, n)
	}
	ticks := numbers[3] + numbers[4] + numbers[5] + numbers[6] // own user and system, children's user and system
	return status{pid: numbers[0], parent: numbers[1], group: numbers[2], state: f[0], used: time.Duration(ticks) * time.Second / userHz}, true
}
