import Base

/// Something that has metrics to show when a scraper asks.
package protocol MetricsSource: Sendable {
    func write(to text: inout MetricsText)
}

/// All metrics of a process, in the order in which they were added.
package final class MetricsRegistry: Sendable {
    private let sources = Lock<[any MetricsSource]>([])

    package init() {}

    /// Adds a source; its text comes after those before it.
    package func add(_ source: any MetricsSource) {
        sources.with { $0.append(source) }
    }

    /// The text a scraper gets.
    package func exposition() -> MetricsText {
        var text = MetricsText()
        for source in sources.with({ $0 }) { source.write(to: &text) }
        return text
    }

    /// Adds a counter without labels.
    package func counter(_ name: String, help: String) -> Counter {
        counters(name, help: help, labels: [])[[]]
    }

    /// Adds a gauge without labels.
    package func gauge(_ name: String, help: String) -> Gauge {
        gauges(name, help: help, labels: [])[[]]
    }

    /// Adds a histogram without labels.
    package func histogram(
        _ name: String, help: String, bounds: [Double] = Histogram.secondsBounds
    ) -> Histogram {
        histograms(name, help: help, labels: [], bounds: bounds)[[]]
    }

    /// Adds a counter with labels.
    package func counters(_ name: String, help: String, labels: [String]) -> MetricFamily<Counter> {
        family(name, .counter, help, labels, { Counter() }) { text, name, labels, counter in
            text.sample(name, labels, counter.value)
        }
    }

    /// Adds a gauge with labels.
    package func gauges(_ name: String, help: String, labels: [String]) -> MetricFamily<Gauge> {
        family(name, .gauge, help, labels, { Gauge() }) { text, name, labels, gauge in
            text.sample(name, labels, gauge.value)
        }
    }

    /// Adds a histogram with labels.
    package func histograms(
        _ name: String, help: String, labels: [String],
        bounds: [Double] = Histogram.secondsBounds
    ) -> MetricFamily<Histogram> {
        family(name, .histogram, help, labels, { Histogram(bounds: bounds) }) {
            text, name, labels, histogram in
            text.histogram(name, labels, histogram.snapshot)
        }
    }

    private func family<Instrument>(
        _ name: String, _ kind: MetricsText.Kind, _ help: String, _ labels: [String],
        _ make: @escaping @Sendable () -> Instrument,
        _ show:
            @escaping @Sendable (inout MetricsText, String, [MetricLabel], Instrument) -> Void
    ) -> MetricFamily<Instrument> {
        let family = MetricFamily(
            name: name, kind: kind, help: help, labels: labels, make: make, show: show)
        add(family)
        return family
    }
}

/// A metric with labels: one instrument for each set of label values, made when first asked for.
///
/// Ask once and keep the instrument where speed matters. The number of series is limited, because
/// each costs memory here and in every Prometheus: once it is reached, new sets of values share one
/// series whose labels all say `other`.
package final class MetricFamily<Instrument: Sendable>: MetricsSource {
    /// The most series of a family.
    package static var seriesMax: Int { 1_000 }

    private let name, help: String
    private let kind: MetricsText.Kind
    private let labels: [String]
    private let make: @Sendable () -> Instrument
    private let show: @Sendable (inout MetricsText, String, [MetricLabel], Instrument) -> Void
    private let series = Lock<[[String]: Instrument]>([:])

    init(
        name: String, kind: MetricsText.Kind, help: String, labels: [String],
        make: @escaping @Sendable () -> Instrument,
        show: @escaping @Sendable (inout MetricsText, String, [MetricLabel], Instrument) -> Void
    ) {
        precondition(
            MetricLabel.isIdentifier(name, alsoAllowing: UInt8(ascii: ":")),
            "'\(name)' is no name of a metric")
        precondition(
            labels.allSatisfy(MetricLabel.isValidName) && !labels.contains("le"),
            "'\(labels)' are no names of labels")
        (self.name, self.kind, self.help, self.labels) = (name, kind, help, labels)
        (self.make, self.show) = (make, show)
    }

    /// The instrument for these label values, in the order of the labels.
    package subscript(values: [String]) -> Instrument {
        precondition(values.count == labels.count, "\(name): \(values) for labels \(labels)")
        return series.with { series in
            if let known = series[values] { return known }
            let isFull = series.count >= MetricFamily.seriesMax - 1
            let key = isFull ? labels.map { _ in "other" } : values
            if let other = series[key] { return other }
            let instrument = make()
            series[key] = instrument
            return instrument
        }
    }

    package func write(to text: inout MetricsText) {
        text.metric(name, kind, help: help)
        let sorted = series.with { $0 }.sorted { $0.key.lexicographicallyPrecedes($1.key) }
        for (values, instrument) in sorted {
            show(&text, name, zip(labels, values).map { MetricLabel($0, $1) }, instrument)
        }
    }
}
