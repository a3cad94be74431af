import Base
import Foundation
import Glibc
import Images
import Messages
import RPC
import TestSupport
import Testing

@testable import DatasetService

/// The service as a process that is killed in the middle of its work, again and again.
struct KillTests {
    /// What the service said was done.
    private struct Acknowledged {
        var rows = Set<String>()
        var versions: [String: String] = [:]
    }

    @Test func whatWasAcknowledgedSurvivesEveryKill() async throws {
        let rounds = RunSize.value("FOVEA_KILL_ROUNDS", standard: 20)
        let folder = "/tmp/fovea-kill-\(UUID().uuidString.prefix(8))"
        try FileManager.default.createDirectory(
            atPath: folder, withIntermediateDirectories: false)
        defer { try? FileManager.default.removeItem(atPath: folder) }
        var random = SeededRandom(seed: 1)
        let done = Lock(Acknowledged())
        for round in 0..<rounds {
            let process = try Self.start(folder)
            let client = Client(.unix(path: "\(folder)/s.sock"))
            try await Self.begin(client)
            try await Self.check(client, done.with { $0 }, round)
            let work = Task { await Self.work(client, round, done) }
            try await Task.sleep(for: .milliseconds(Int.random(in: 5...150, using: &random)))
            kill(process.processIdentifier, SIGKILL)
            process.waitUntilExit()
            work.cancel()
            await work.value
            await client.close()
        }
        let catalogue = try Catalogue(folder: "\(folder)/data")
        let report = try await catalogue.verify(cleans: false)
        #expect(report.faults == [])
        let acknowledged = done.with { $0 }
        #expect(report.examples >= acknowledged.rows.count)
        #expect(acknowledged.rows.count > rounds, "the rounds were too short to mean anything")
    }

    private static func start(_ folder: String) throws -> Process {
        let tests = try FileManager.default.destinationOfSymbolicLink(atPath: "/proc/self/exe")
        let process = Process()
        process.executableURL = URL(fileURLWithPath: tests).deletingLastPathComponent()
            .appendingPathComponent("fovea-dataset")
        process.arguments = [
            "serve", "--listen", "unix:\(folder)/s.sock", "--data", "\(folder)/data", "--metrics",
            "off",
        ]
        process.environment = ["XDG_RUNTIME_DIR": folder]
        process.standardError = FileHandle.nullDevice
        process.standardOutput = FileHandle.nullDevice
        try process.run()
        return process
    }

    /// Waits for the server, and makes the dataset the first time.
    private static func begin(_ client: Client) async throws {
        let options = CallOptions(timeoutSeconds: 20, waitsForReady: true)
        do throws(RPCError) {
            _ = try await client.call(
                Datasets.createDataset,
                .with {
                    $0.datasetID = "pets"
                    $0.dataset = .with { $0.task = .generation }
                }, options: options)
        } catch {
            // Made by an earlier round.
            guard error.code == .alreadyExists else { throw error }
        }
    }

    /// Uploads rows and freezes versions until the server is gone.
    private static func work(
        _ client: Client, _ round: Int, _ done: Lock<Acknowledged>
    ) async {
        for call in 0..<1_000 where !Task.isCancelled {
            let ids = (0..<20).map { "\(round)-\(call)-\($0)" }
            do {
                let response = try await client.call(Datasets.ingestExamples) { requests in
                    try await requests.write(
                        DatasetHarness.request(.header(.with { $0.parent = "datasets/pets" })))
                    for (number, id) in ids.enumerated() {
                        let seed = (round << 20) + (call << 8) + number
                        let image = try Pets.image(seed, width: 8, height: 8).png(level: 1)
                        try await requests.write(
                            DatasetHarness.request(.row(Pets.row(id, image: image))))
                    }
                }
                guard response.acceptedCount == 20 else { return }
                done.with { $0.rows.formUnion(ids) }
                guard call % 3 == 2 else { continue }
                let frozen = try await client.call(
                    Datasets.freezeVersion, .with { $0.parent = "datasets/pets" })
                if let version = frozen.version {
                    done.with { $0.versions[version.name] = version.contentSha256 }
                }
            } catch {
                return
            }
        }
    }

    /// Everything acknowledged is there, and no version is half there.
    private static func check(
        _ client: Client, _ acknowledged: Acknowledged, _ round: Int
    ) async throws {
        var found = Set<String>()
        var token = ""
        repeat {
            let page = try await client.call(
                Datasets.listExamples,
                .with { ($0.parent, $0.pageSize, $0.pageToken) = ("datasets/pets", 1_000, token) })
            found.formUnion(page.examples.map(\.rowID))
            token = page.nextPageToken
        } while !token.isEmpty
        #expect(acknowledged.rows.subtracting(found).isEmpty, "round \(round)")
        let versions = try await client.call(
            Datasets.listVersions, .with { ($0.parent, $0.pageSize) = ("datasets/pets", 1_000) }
        ).versions
        let digests = Dictionary(
            uniqueKeysWithValues: versions.map { ($0.name, $0.contentSha256) })
        for (name, digest) in acknowledged.versions {
            #expect(digests[name] == digest, "round \(round): \(name)")
        }
    }
}
