package import Base
package import RPC

/// The `grpc_server_*` metrics, with the names and labels of go-grpc-prometheus.
///
/// Every known method has its counters before the first call, so that recording is a look-up
/// without hashing text and a few atomic additions. Calls of unknown methods share one series: a
/// caller cannot create series.
package final class CallMetrics: CallObserver {
    private let table: MethodTable
    private let unknown: MethodCounters

    /// - Parameter methods: every method of the router and its kind
    package init(methods: [(path: MethodPath, kind: CallKind)]) {
        table = MethodTable(methods.map { MethodCounters(path: $0.path, kind: $0.kind) })
        unknown = MethodCounters(
            path: MethodPath(service: "unknown", name: "unknown"), kind: .unary)
    }

    package func callStarted(_ path: MethodPath, kind: CallKind) {
        (table[path] ?? unknown).started.add()
    }

    package func callEnded(_ record: CallRecord) {
        let counters = table[record.path] ?? unknown
        counters.handled.add(1, at: record.code.rawValue)
        counters.received.add(UInt64(clamping: record.messagesReceived))
        counters.sent.add(UInt64(clamping: record.messagesSent))
        counters.seconds.observe(record.durationSeconds)
    }
}

extension CallMetrics: MetricsSource {
    package func write(to text: inout MetricsText) {
        let all = table.all + [unknown]
        text.metric("grpc_server_started_total", .counter, help: "Calls begun.")
        for one in all {
            text.sample("grpc_server_started_total", one.labels, one.started.value)
        }
        text.metric("grpc_server_handled_total", .counter, help: "Calls ended, by gRPC code.")
        for one in all { one.writeHandled(to: &text) }
        text.metric("grpc_server_msg_received_total", .counter, help: "Messages received.")
        for one in all {
            text.sample("grpc_server_msg_received_total", one.labels, one.received.value)
        }
        text.metric("grpc_server_msg_sent_total", .counter, help: "Messages sent.")
        for one in all {
            text.sample("grpc_server_msg_sent_total", one.labels, one.sent.value)
        }
        text.metric(
            "grpc_server_handling_seconds", .histogram,
            help: "Seconds from the head of a call to its status.")
        for one in all {
            text.histogram("grpc_server_handling_seconds", one.labels, one.seconds.snapshot)
        }
    }
}

/// What is counted of one method.
final class MethodCounters: Sendable {
    let path: MethodPath
    let labels: [MetricLabel]
    let started = Counter()
    /// By gRPC code.
    let handled = AtomicArray(count: StatusCode.allCases.count)
    let received = Counter()
    let sent = Counter()
    let seconds = Histogram()

    init(path: MethodPath, kind: CallKind) {
        self.path = path
        let type =
            switch kind {
            case .unary: "unary"
            case .clientStream: "client_stream"
            case .serverStream: "server_stream"
            case .bidirectional: "bidi_stream"
            }
        labels = [
            MetricLabel("grpc_type", type), MetricLabel("grpc_service", path.service),
            MetricLabel("grpc_method", path.name),
        ]
    }

    /// OK always, so that rates have a beginning; other codes once they occurred.
    func writeHandled(to text: inout MetricsText) {
        for code in StatusCode.allCases where code == .ok || handled[code.rawValue] > 0 {
            let name = code.labelName
            text.sample(
                "grpc_server_handled_total", labels + [MetricLabel("grpc_code", name)],
                Double(handled[code.rawValue]))
        }
    }
}

extension StatusCode {
    /// The spelling of Go's library, which dashboards use: `InvalidArgument`, but `OK`.
    var labelName: String {
        if self == .ok { return "OK" }
        if self == .cancelled { return "Canceled" }
        return name.split(separator: "_").map { $0.prefix(1) + $0.dropFirst().lowercased() }
            .joined()
    }
}

/// Counters by method, found without hashing text: methods are sorted into buckets by the lengths
/// of their names, and comparing a string with itself compares two words.
struct MethodTable: Sendable {
    private var buckets: [[MethodCounters]]
    let all: [MethodCounters]

    init(_ all: [MethodCounters]) {
        buckets = Array(repeating: [], count: 256)
        self.all = all
        for counters in all { buckets[Self.bucket(of: counters.path)].append(counters) }
    }

    subscript(path: MethodPath) -> MethodCounters? {
        for counters in buckets[Self.bucket(of: path)]
        where counters.path.name == path.name && counters.path.service == path.service {
            return counters
        }
        return nil
    }

    private static func bucket(of path: MethodPath) -> Int {
        (path.service.utf8.count &* 37 &+ path.name.utf8.count) & 255
    }
}
