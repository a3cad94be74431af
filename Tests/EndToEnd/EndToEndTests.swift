import Foundation
import Glibc
import Testing

/// The three executables as processes: what the README promises of starting, answering and ending.
struct EndToEndTests {
    private static let services = ["dataset", "trainer", "inference"]

    private func serve(_ name: String, _ folder: TemporaryFolder, _ more: String...) throws
        -> ServiceRun
    {
        try ServiceRun(
            name,
            ["serve", "--listen", "unix:\(folder.path("s.sock"))", "--metrics", "127.0.0.1:0"]
                + more, in: folder)
    }

    /// The port after the last colon of a field of the ready line.
    private func port(_ line: [String: Any], _ field: String) throws -> Int {
        let text = try #require(line[field] as? String)
        let digits = text.split(separator: ":").last?.prefix { $0.isNumber } ?? ""
        return try #require(Int(digits))
    }

    @Test(arguments: services)
    func aServiceStartsAnswersAndEnds(name: String) async throws {
        let folder = try TemporaryFolder()
        let run = try serve(name, folder, "--listen", "tcp:127.0.0.1:0")
        let ready = try await run.logged("ready")
        let tcp = try port(ready, "listen")
        for server in ["unix:\(folder.path("s.sock"))", "127.0.0.1:\(tcp)"] {
            let health = try ServiceRun(
                name, ["health", "--server", server, "--json"], in: folder)
            #expect(try await health.exitCode() == 0, "\(health.complaints)")
            #expect(health.printed.contains(#""status":"SERVING""#))
        }
        run.send(SIGTERM)
        #expect(try await run.exitCode() == 0)
        #expect(run.log.last?["message"] as? String == "stopped")
        #expect(folder.names == ["fovea-data"])
        let late = try ServiceRun(
            name, ["health", "--server", "unix:\(folder.path("s.sock"))"], in: folder)
        #expect(try await late.exitCode() == 1)
        #expect(late.complaints.count == 1)
    }

    @Test func metricsAreScraped() async throws {
        let folder = try TemporaryFolder()
        let run = try serve("dataset", folder)
        let port = try port(try await run.logged("ready"), "metrics")
        let health = try ServiceRun(
            "dataset", ["health", "--server", "unix:\(folder.path("s.sock"))"], in: folder)
        #expect(try await health.exitCode() == 0)
        let text = httpAnswer(port: port, "GET /metrics")
        #expect(text.hasPrefix("HTTP/1.1 200 OK\r\n"))
        #expect(text.contains("Content-Type: text/plain; version=0.0.4; charset=utf-8\r\n"))
        for line in [
            #"grpc_server_handled_total{grpc_type="unary",grpc_service="grpc.health.v1.Health","#
                + #"grpc_method="Check",grpc_code="OK"} 1"#,
            #"grpc_server_started_total{grpc_type="client_stream","#
                + #"grpc_service="fovea.dataset.v1.Datasets",grpc_method="IngestExamples"} 0"#,
            "process_open_fds ", "process_resident_memory_bytes ", "process_cpu_seconds_total ",
            #"fovea_build_info{version="#,
        ] {
            #expect(text.contains("\n" + line), "\(line)")
        }
        #expect(httpAnswer(port: port, "GET /healthz").hasSuffix("\r\n\r\nok\n"))
        #expect(httpAnswer(port: port, "POST /metrics").hasPrefix("HTTP/1.1 405"))
        #expect(httpAnswer(port: port, "GET /").hasPrefix("HTTP/1.1 404"))
        run.send(SIGINT)
        #expect(try await run.exitCode() == 0)
    }

    @Test func tokensDecideWhoMayCallAndAreReadAgain() async throws {
        let folder = try TemporaryFolder()
        let tokens = try folder.write("tokens", "# nobody yet\n")
        let run = try serve("trainer", folder, "--tokens", tokens)
        _ = try await run.logged("ready")
        _ = try folder.write("tokens", "not a line\n")
        run.send(SIGHUP)
        let refused = try await run.logged("tokens not reloaded")
        #expect((refused["error"] as? String)?.contains("line 1") == true)
        _ = try folder.write("tokens", "# still nobody\n")
        run.send(SIGHUP)
        _ = try await run.logged("reloaded certificates and tokens")
        run.send(SIGTERM)
        #expect(try await run.exitCode() == 0)
    }

    @Test func configurationComesFromFileAndVariables() async throws {
        let folder = try TemporaryFolder()
        let file = try folder.write(
            "c.json",
            """
            {"listen": ["unix:\(folder.path("file.sock"))"], "metrics": "off",
             "data": "\(folder.path("from-file"))", "drain_seconds": 1}
            """)
        let run = try ServiceRun(
            "inference", ["serve", "--config", file], in: folder,
            environment: ["FOVEA_DATA": folder.path("from-variable")])
        let ready = try await run.logged("ready")
        #expect(ready["listen"] as? String == "unix:\(folder.path("file.sock"))")
        #expect(ready["metrics"] == nil)
        #expect(folder.names == ["c.json", "file.sock", "from-variable"])
        run.send(SIGTERM)
        #expect(try await run.exitCode() == 0)
    }

    @Test func theDefaultSocketIsInAFolderOfItsOwn() async throws {
        let folder = try TemporaryFolder()
        let run = try ServiceRun("dataset", ["serve", "--metrics", "off"], in: folder)
        _ = try await run.logged("ready")
        let health = try ServiceRun("dataset", ["health"], in: folder)
        #expect(try await health.exitCode() == 0, "\(health.complaints)")
        let attributes = try FileManager.default.attributesOfItem(atPath: folder.path("fovea"))
        #expect(attributes[.posixPermissions] as? Int == 0o700)
        run.send(SIGTERM)
        #expect(try await run.exitCode() == 0)
    }

    @Test func aSocketLeftByAKilledServerIsTakenOver() async throws {
        let folder = try TemporaryFolder()
        let first = try serve("dataset", folder)
        _ = try await first.logged("ready")
        first.send(SIGKILL)
        #expect(try await first.exitCode() == 1_000 + SIGKILL)
        #expect(folder.names.contains("s.sock"))
        let second = try serve("dataset", folder)
        _ = try await second.logged("ready")
        second.send(SIGTERM)
        #expect(try await second.exitCode() == 0)
    }

    /// Runs `serve` with something wrong and returns its one line.
    private func refusal(
        _ folder: TemporaryFolder, _ arguments: [String], environment: [String: String] = [:]
    ) async throws -> String {
        let before = folder.names
        let run = try ServiceRun(
            "dataset", ["serve", "--metrics", "off"] + arguments, in: folder,
            environment: environment)
        #expect(try await run.exitCode() == 2)
        #expect(run.complaints.count == 1, "\(run.complaints)")
        #expect(run.printed == "")
        #expect(folder.names == before, "nothing is left behind")
        return run.complaints.first ?? ""
    }

    @Test func wrongWordsAreRefused() async throws {
        let folder = try TemporaryFolder()
        #expect(try await refusal(folder, ["--lissten=x"]).contains("did you mean '--listen'"))
        #expect(
            try await refusal(folder, [], environment: ["FOVEA_DTA": "x"]).contains("FOVEA_DATA"))
        let file = try folder.write("c.json", #"{"socket_mod": "0600"}"#)
        #expect(
            try await refusal(folder, ["--config", file]).contains("did you mean 'socket_mode'"))
    }

    @Test func addressesThatCannotBeHadAreRefused() async throws {
        let folder = try TemporaryFolder()
        let good = "--listen=unix:\(folder.path("good.sock"))"
        let taken = TakenPort()
        #expect(
            try await refusal(folder, [good, "--listen=tcp:127.0.0.1:\(taken.port)"])
                .contains("in use"))
        let long = folder.path(String(repeating: "x", count: 120))
        #expect(try await refusal(folder, [good, "--listen=unix:\(long)"]).contains("107"))
        let file = try folder.write("plain", "")
        #expect(
            try await refusal(folder, [good, "--listen=unix:\(file)"]).contains("no socket"))
        #expect(
            try await refusal(folder, [good, "--listen=unix:\(folder.path("no/such"))"])
                .contains("cannot listen"))
        #expect(
            try await refusal(folder, [good, "--listen=tcp:0.0.0.0:0"]).contains("--insecure"))
    }

    @Test func aSocketOfAnotherServerIsLeftAlone() async throws {
        let folder = try TemporaryFolder()
        let first = try serve("dataset", folder)
        _ = try await first.logged("ready")
        let address = "unix:\(folder.path("s.sock"))"
        let other = try TemporaryFolder()
        #expect(try await refusal(other, ["--listen", address]).contains("in use"))
        #expect(
            try await refusal(folder, ["--listen=tcp:127.0.0.1:0"])
                .contains("another program uses this data folder"))
        let health = try ServiceRun("dataset", ["health", "--server", address], in: folder)
        #expect(try await health.exitCode() == 0)
        first.send(SIGTERM)
        #expect(try await first.exitCode() == 0)
    }

    @Test func aMetricsPortInUseIsRefused() async throws {
        let folder = try TemporaryFolder()
        let taken = TakenPort()
        let run = try ServiceRun(
            "dataset", ["serve", "--metrics", "127.0.0.1:\(taken.port)"], in: folder)
        #expect(try await run.exitCode() == 2)
        #expect(run.complaints.count == 1)
        #expect(run.complaints.first?.contains("--metrics off") == true)
    }

    @Test func certificatesAndTokensThatCannotBeReadAreRefused() async throws {
        let folder = try TemporaryFolder()
        let missing = folder.path("missing.pem")
        let tls = ["--listen=tcp:127.0.0.1:0", "--tls-certificate", missing, "--tls-key", missing]
        #expect(try await refusal(folder, tls).contains("missing.pem"))
        let garbage = try folder.write("garbage.pem", "garbage")
        #expect(
            try await refusal(
                folder,
                [
                    "--listen=tcp:127.0.0.1:0", "--tls-certificate", garbage, "--tls-key", garbage,
                ]
            ).contains("PEM"))
        #expect(try await refusal(folder, ["--tokens", missing]).contains("missing.pem"))
        let tokens = try folder.write("tokens", "a\nb\n")
        #expect(try await refusal(folder, ["--tokens", tokens]).contains("line 1"))
    }
}
