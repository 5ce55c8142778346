package traffic_test

import (
	"context"
	"testing"

	"github.com/wellsent/wellsent/test/traffic"
)

// BenchmarkLoad_IntoSink says how fast generator and sink are without a server
// between them: the ceiling of every other figure.
func BenchmarkLoad_IntoSink(b *testing.B) {
	s, err := traffic.NewSink(traffic.SinkOptions{})
	if err != nil {
		b.Fatal(err)
	}
	defer s.Close()
	r, err := traffic.Load{Address: s.Addr(), Name: "b", Connections: 50, Messages: b.N, Size: 10 << 10}.Run(context.Background())
	if err != nil {
		b.Fatal(err)
	}
	b.ReportMetric(float64(r.Accepted)/r.Elapsed.Seconds(), "messages/s")
}
