package server

import (
	"net/http"

	"github.com/prometheus/client_golang/prometheus"
	"github.com/prometheus/client_golang/prometheus/collectors"
	"github.com/prometheus/client_golang/prometheus/promhttp"

	"weir"
)

// metrics are what /metrics shows. Labels hold names of kinds only, never what a client sent.
type metrics struct {
	registry *prometheus.Registry
	sessions prometheus.Counter
	commands *prometheus.CounterVec
	allowed  prometheus.Counter // of commands, the one that is counted most
	refusals *prometheus.CounterVec
	masked   *prometheus.CounterVec
	faults   *prometheus.CounterVec
	reloads  *prometheus.CounterVec
	bytes    prometheus.Counter
	recorded prometheus.Counter
	duration prometheus.Histogram
}

func newMetrics(version string, live func() int) *metrics {
	counter := func(name, help string) prometheus.Counter {
		return prometheus.NewCounter(prometheus.CounterOpts{Name: name, Help: help})
	}
	vec := func(name, help, label string) *prometheus.CounterVec {
		return prometheus.NewCounterVec(prometheus.CounterOpts{Name: name, Help: help}, []string{label})
	}
	m := &metrics{
		registry: prometheus.NewRegistry(),
		sessions: counter("weir_sessions_total", "Sessions that were let in."),
		commands: vec("weir_commands_total", "Commands that were let through, by verdict.", "verdict"),
		refusals: vec("weir_refusals_total", "Commands that were refused, by kind.", "kind"),
		masked:   vec("weir_masked_total", "Values that were masked in answers, by kind.", "kind"),
		faults:   vec("weir_control_faults_total", "Controls that failed; what they controlled was refused.", "control"),
		reloads:  vec("weir_reloads_total", "Reloads of the configuration, by outcome.", "outcome"),
		bytes:    counter("weir_answer_bytes_total", "Masked bytes of answers that went to clients."),
		recorded: counter("weir_recorded_bytes_total", "Masked bytes of bodies and messages that were recorded."),
		duration: prometheus.NewHistogram(prometheus.HistogramOpts{
			Name: "weir_command_duration_seconds", Help: "Time from a command's decision to the end of its answer.",
			Buckets: []float64{.0005, .001, .0025, .005, .01, .025, .05, .1, .25, .5, 1, 2.5, 5, 10, 60},
		}),
	}
	build := prometheus.NewGauge(prometheus.GaugeOpts{Name: "weir_build_info", Help: "1, with the version.", ConstLabels: prometheus.Labels{"version": version}})
	build.Set(1)
	alive := prometheus.NewGaugeFunc(prometheus.GaugeOpts{Name: "weir_sessions_live", Help: "Sessions that live now."}, func() float64 { return float64(live()) })
	m.allowed = m.commands.WithLabelValues(weir.Allow.String())
	m.registry.MustRegister(m.sessions, m.commands, m.refusals, m.masked, m.faults, m.reloads, m.bytes, m.recorded, m.duration, build, alive,
		collectors.NewGoCollector(), collectors.NewProcessCollector(collectors.ProcessCollectorOpts{}))
	return m
}

func (m *metrics) handler() http.Handler {
	return promhttp.HandlerFor(m.registry, promhttp.HandlerOpts{})
}
