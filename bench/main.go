// Bench measures the whole way of a message: accepted durably, and relayed to a
// sink, by Wellsent and by Postfix (stock and tuned) in one run on one machine.
//
// A generator sends over a number of connections without login or TLS; the server
// keeps each message and passes it on to a sink. The rate is that of messages that
// have reached the sink, from the first connection on. Servers are measured one
// after another, the rounds interleaved, so that a noisy machine is noisy for all;
// compare ratios, not rates.
package main

import (
	"context"
	"encoding/json"
	"errors"
	"flag"
	"fmt"
	"os"
	"os/signal"
	"slices"
	"text/tabwriter"
	"time"

	"github.com/wellsent/wellsent/test/binary"
	"github.com/wellsent/wellsent/test/peers"
	"github.com/wellsent/wellsent/test/traffic"
)

// settleTime bounds one measurement, so that a server that loses a message ends
// the run instead of hanging it.
const settleTime = 3 * time.Minute

// result is one measurement.
type result struct {
	Server      string  `json:"server"`
	Round       int     `json:"round"`
	Messages    int     `json:"messages"`
	PerSecond   float64 `json:"messages_per_second"`
	CPUPer1000  float64 `json:"cpu_seconds_per_1000"`
	Connections int     `json:"connections"`
	Size        int     `json:"octets"`
}

// server is one server under test.
type server struct {
	name  string
	start func(ctx context.Context, sink string) (address string, pid int, stop func(), err error)
}

func main() {
	messages := flag.Int("messages", 10000, "messages a round and server")
	connections := flag.Int("connections", 50, "connections of the generator")
	size := flag.Int("size", 10<<10, "octets of a message")
	rounds := flag.Int("rounds", 2, "rounds")
	out := flag.String("json", "", "write the results to this `FILE` too")
	flag.Parse()
	ctx, stop := signal.NotifyContext(context.Background(), os.Interrupt)
	defer stop()
	if err := run(ctx, *messages, *connections, *size, *rounds, *out); err != nil {
		fmt.Fprintln(os.Stderr, "bench:", err)
		os.Exit(1)
	}
}

func run(ctx context.Context, messages, connections, size, rounds int, out string) error {
	dir, err := os.MkdirTemp("", "wellsent-bench-")
	if err != nil {
		return err
	}
	defer os.RemoveAll(dir)
	path, err := binary.Build(ctx, dir)
	if err != nil {
		return err
	}
	servers := []server{wellsent(path)}
	tree, err := peers.Open(ctx)
	var missing *peers.UnavailableError
	switch {
	case errors.As(err, &missing):
		fmt.Fprintln(os.Stderr, "bench: measuring Wellsent alone:", err)
	case err != nil:
		return err
	default:
		servers = append(servers, postfix(tree, "postfix stock", nil), postfix(tree, "postfix tuned", peers.Tuned))
	}
	var results []result
	for round := 1; round <= rounds; round++ {
		for _, s := range servers {
			r, err := measure(ctx, s, traffic.Load{Name: fmt.Sprintf("%s-%d", s.name[:1], round), Connections: connections, Messages: messages, Size: size})
			if err != nil {
				return fmt.Errorf("%s: %w", s.name, err)
			}
			r.Round, r.Connections, r.Size = round, connections, size
			results = append(results, r)
			fmt.Fprintf(os.Stderr, "round %d: %s: %.0f messages a second\n", round, r.Server, r.PerSecond)
		}
	}
	report(servers, results)
	if out == "" {
		return nil
	}
	b, err := json.MarshalIndent(results, "", "  ")
	if err != nil {
		return err
	}
	return os.WriteFile(out, append(b, '\n'), 0o644)
}

// wellsent is Wellsent as anybody would set it up as a relay, every write synced.
func wellsent(path string) server {
	return server{"wellsent", func(ctx context.Context, sink string) (string, int, func(), error) {
		dir, err := os.MkdirTemp("", "wellsent-bench-data-")
		if err != nil {
			return "", 0, nil, err
		}
		office, err := binary.New(binary.Options{Dir: dir, Path: path,
			Listeners: []binary.Listener{{Kind: "relay", More: `allow = ["127.0.0.0/8"]`}},
			Tables:    fmt.Sprintf("[[route]]\nname = \"sink\"\nrecipients = [\"*\"]\nvia = [\"smtp://%s\"]\ntls = \"none\"\n", sink)})
		if err == nil {
			err = office.Start(ctx)
		}
		if err != nil {
			os.RemoveAll(dir)
			return "", 0, nil, err
		}
		return office.Address("relay"), office.PID(), func() {
			office.Stop()
			os.RemoveAll(dir)
		}, nil
	}}
}

// postfix is a Postfix unpacked from its package.
func postfix(tree *peers.Tree, name string, settings []string) server {
	return server{name, func(ctx context.Context, sink string) (string, int, func(), error) {
		s, err := tree.StartPostfix(ctx, peers.ServerOptions{Relay: sink, Settings: settings})
		if err != nil {
			return "", 0, nil, err
		}
		return s.Address, s.PID(), s.Stop, nil
	}}
}

// measure sends the load through s into a sink of its own.
func measure(ctx context.Context, s server, load traffic.Load) (result, error) {
	ctx, cancel := context.WithTimeout(ctx, settleTime)
	defer cancel()
	sink, err := traffic.NewSink(traffic.SinkOptions{})
	if err != nil {
		return result{}, err
	}
	defer sink.Close()
	address, pid, stop, err := s.start(ctx, sink.Addr())
	if err != nil {
		return result{}, err
	}
	defer stop()
	before, err := peers.CPU(pid)
	if err != nil {
		return result{}, err
	}
	load.Address = address
	began := time.Now()
	sent, err := load.Run(ctx)
	if err != nil {
		return result{}, err
	}
	if sent.Accepted != load.Messages {
		return result{}, fmt.Errorf("%d of %d messages were accepted", sent.Accepted, load.Messages)
	}
	if err := sink.WaitCount(ctx, load.Messages); err != nil {
		return result{}, fmt.Errorf("%d of %d messages reached the sink: %w", sink.Count(), load.Messages, err)
	}
	took := time.Since(began)
	after, err := peers.CPU(pid)
	if err != nil {
		return result{}, err
	}
	n := float64(load.Messages)
	return result{Server: s.name, Messages: load.Messages, PerSecond: n / took.Seconds(), CPUPer1000: (after - before).Seconds() / n * 1000}, nil
}

// report prints the median of each server, and Wellsent's ratio to it.
func report(servers []server, results []result) {
	median := func(name string, of func(result) float64) float64 {
		var v []float64
		for _, r := range results {
			if r.Server == name {
				v = append(v, of(r))
			}
		}
		slices.Sort(v)
		return (v[(len(v)-1)/2] + v[len(v)/2]) / 2
	}
	rate := func(r result) float64 { return r.PerSecond }
	cpu := func(r result) float64 { return r.CPUPer1000 }
	own, ownCPU := median(servers[0].name, rate), median(servers[0].name, cpu)
	w := tabwriter.NewWriter(os.Stdout, 0, 0, 2, ' ', tabwriter.AlignRight)
	fmt.Fprintln(w, "server\tmessages/s\tCPU s/1,000\twellsent is faster by\tand takes of its CPU\t")
	for _, s := range servers {
		r, c := median(s.name, rate), median(s.name, cpu)
		fmt.Fprintf(w, "%s\t%.0f\t%.2f\t%.1f\t%.0f %%\t\n", s.name, r, c, own/r, 100*ownCPU/c)
	}
	w.Flush()
}
