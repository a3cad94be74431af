import Base
import Testing

@testable import Operation
@testable import RPC

struct MetricsTests {
    @Test func textEscapesWhatPrometheusReserves() {
        var text = MetricsText()
        text.metric("a_total", .counter, help: "back\\slash\nline \"quoted\"")
        text.sample("a_total", [MetricLabel("p", "x\\y\n\"z\"")], 3)
        text.sample("a_total", [], 0.5)
        text.sample("a_total", [], .infinity)
        #expect(
            text.text == #"""
                # HELP a_total back\\slash\nline "quoted"
                # TYPE a_total counter
                a_total{p="x\\y\n\"z\""} 3
                a_total 0.5
                a_total +Inf

                """#)
    }

    @Test func histogramsAccumulate() {
        let registry = MetricsRegistry()
        let histogram = registry.histogram("h_seconds", help: "H.", bounds: [0.1, 1])
        for value in [0.05, 0.1, 0.5, 7, .nan] { histogram.observe(value) }
        let text = registry.exposition().text
        #expect(
            text == """
                # HELP h_seconds H.
                # TYPE h_seconds histogram
                h_seconds_bucket{le="0.1"} 2
                h_seconds_bucket{le="1"} 3
                h_seconds_bucket{le="+Inf"} 4
                h_seconds_sum 7.65
                h_seconds_count 4

                """)
    }

    @Test func seriesAreKeptApartAndSorted() {
        let registry = MetricsRegistry()
        let family = registry.counters("c_total", help: "C.", labels: ["x", "y"])
        family[["b", "1"]].add()
        family[["a", "2"]].add(2)
        family[["a", "2"]].add(3)
        #expect(
            registry.exposition().text.hasSuffix(
                #"c_total{x="a",y="2"} 5"# + "\n" + #"c_total{x="b",y="1"} 1"# + "\n"))
    }

    @Test func tooManySeriesShareOne() {
        let registry = MetricsRegistry()
        let family = registry.counters("c_total", help: "C.", labels: ["x"])
        for index in 0..<5_000 { family[["v\(index)"]].add() }
        let lines = registry.exposition().text.split(separator: "\n").filter { $0.first == "c" }
        #expect(lines.count == MetricFamily<Counter>.seriesMax)
        #expect(lines.contains { $0.hasPrefix(#"c_total{x="other"} 4001"#) })
    }

    @Test func gaugesGoBothWays() {
        let gauge = Gauge()
        gauge.add(2.5)
        gauge.add(-1)
        #expect(gauge.value == 1.5)
        gauge.set(-3)
        #expect(gauge.value == -3)
    }

    private func record(_ path: MethodPath, _ code: StatusCode, _ message: String = "")
        -> CallRecord
    {
        CallRecord(
            path: path, kind: .unary, code: code, message: message, cause: nil,
            durationSeconds: 0.012_345_6, messagesReceived: 1, messagesSent: 2,
            requestID: "r1", principalName: "ann",
            peer: Peer(address: "tcp:1.2.3.4:5", isUnixSocket: false))
    }

    @Test func callsAreCountedByMethodAndCode() {
        let known = MethodPath(service: "s.S", name: "Get")
        let metrics = CallMetrics(methods: [
            (known, .unary), (MethodPath(service: "s.S", name: "Put"), .clientStream),
        ])
        for code in [StatusCode.ok, .ok, .invalidArgument, .cancelled] {
            metrics.callStarted(known, kind: .unary)
            metrics.callEnded(record(known, code))
        }
        for index in 0..<100 {
            let path = MethodPath(service: "s.S", name: "N\(index)")
            metrics.callStarted(path, kind: .unary)
            metrics.callEnded(record(path, .unimplemented))
        }
        var text = MetricsText()
        metrics.write(to: &text)
        let labels = #"grpc_type="unary",grpc_service="s.S",grpc_method="Get""#
        for line in [
            "grpc_server_started_total{\(labels)} 4",
            "grpc_server_handled_total{\(labels),grpc_code=\"OK\"} 2",
            "grpc_server_handled_total{\(labels),grpc_code=\"InvalidArgument\"} 1",
            "grpc_server_handled_total{\(labels),grpc_code=\"Canceled\"} 1",
            "grpc_server_msg_received_total{\(labels)} 4",
            "grpc_server_msg_sent_total{\(labels)} 8",
            "grpc_server_handling_seconds_bucket{\(labels),le=\"0.01\"} 0",
            "grpc_server_handling_seconds_bucket{\(labels),le=\"0.025\"} 4",
            "grpc_server_handling_seconds_count{\(labels)} 4",
        ] {
            #expect(text.text.contains(line + "\n"), "\(line)")
        }
        #expect(
            text.text.contains(
                #"grpc_server_started_total{grpc_type="unary",grpc_service="unknown","#
                    + #"grpc_method="unknown"} 100"#))
    }

    @Test func codesHaveTheNamesOfGo() {
        #expect(
            StatusCode.allCases.map(\.labelName) == [
                "OK", "Canceled", "Unknown", "InvalidArgument", "DeadlineExceeded", "NotFound",
                "AlreadyExists", "PermissionDenied", "ResourceExhausted", "FailedPrecondition",
                "Aborted", "OutOfRange", "Unimplemented", "Internal", "Unavailable", "DataLoss",
                "Unauthenticated",
            ])
    }

    @Test func theKernelsWordsAreRead() {
        let fields = (4...52).map { String($0) }.joined(separator: " ")
        let reading = ProcessReading(
            stat: "7 (a) b) S \(fields)", systemStat: "cpu 1\nbtime 1000\n", ticksPerSecond: 100,
            pageBytes: 4_096)
        #expect(reading.cpuSeconds == 0.29)
        #expect(reading.threads == 20)
        #expect(reading.startUnixSeconds == 1_000.22)
        #expect(reading.virtualBytes == 23)
        #expect(reading.residentBytes == 98_304)
        #expect(
            ProcessReading(stat: "", systemStat: "", ticksPerSecond: 1, pageBytes: 1).threads
                == nil)
        #expect((ProcessReading.now().filesOpen ?? 0) > 2)
    }

    @Test func theEndpointAnswersItsTwoPathsOnly() {
        func status(_ method: String, _ path: String, healthy: Bool = true) -> UInt32 {
            MetricsEndpoint.answer(
                method: method, path: path,
                content: MetricsEndpoint.Content(
                    metrics: { MetricsText() }, isHealthy: { healthy })
            ).status
        }
        #expect(status("GET", "/metrics") == 200)
        #expect(status("HEAD", "/metrics") == 200)
        #expect(status("GET", "/healthz") == 200)
        #expect(status("GET", "/healthz", healthy: false) == 503)
        #expect(status("POST", "/metrics") == 405)
        #expect(status("GET", "/") == 404)
        #expect(status("DELETE", "/etc/passwd") == 404)
    }

    private final class Capture: LogSink {
        let records = Lock<[Log.Record]>([])
        func accept(_ record: Log.Record) { records.with { $0.append(record) } }
        func flush() {}
    }

    @Test(arguments: [
        (StatusCode.ok, Log.Level.info), (.notFound, .info), (.unauthenticated, .info),
        (.unavailable, .warning), (.resourceExhausted, .warning), (.internalError, .error),
        (.unknown, .error), (.dataLoss, .error),
    ])
    func aCallIsOneLineOfItsWeight(code: StatusCode, level: Log.Level) {
        let capture = Capture()
        let log = CallLog(log: Log(level: .debug, sink: capture), quietServices: [])
        log.callEnded(record(MethodPath(service: "s.S", name: "Get"), code, "why"))
        let records = capture.records.with { $0 }
        #expect(records.map(\.level) == [level])
        let names = records[0].fields.map(\.name)
        #expect(
            names == [
                "request_id", "method", "code", "duration_ms", "received", "sent", "peer",
                "principal",
            ] + (code == .ok ? [] : ["error"]))
        #expect(records[0].fields[3].value == .number(12.346))
    }

    @Test func probesAreQuiet() {
        let capture = Capture()
        let log = CallLog(log: Log(level: .info, sink: capture), quietServices: ["h.H"])
        log.callEnded(record(MethodPath(service: "h.H", name: "Check"), .ok))
        log.callEnded(record(MethodPath(service: "h.H", name: "Check"), .internalError))
        #expect(capture.records.with { $0.map(\.level) } == [.error])
    }
}
