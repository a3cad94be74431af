import Base
import Foundation
import Glibc
import Images
import Messages
import RPC
import Storage
import TestSupport
import Testing

@testable import DatasetService

/// The service as a process that is killed in the middle of its work, again and again.
struct KillTests {
    /// What the service said was done.
    private struct Acknowledged {
        var rows = Set<String>()
        var versions: [String: String] = [:]
        /// Answers of votes, by name.
        var votes: [String: String] = [:]
        var records = Set<String>()
        /// Rounds grow long if each looks at what all rounds before did: only the last one's.
        var freshVotes: [String: String] = [:]
        var freshRecords = Set<String>()
        var freshRows = Set<String>()
        /// Rows with a decision.
        var decided: [String: String] = [:]
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
            let process = try ServiceProcess.start(folder)
            let client = Client(.unix(path: "\(folder)/s.sock"))
            try await Self.begin(client)
            try await Self.check(client, done.with { $0 }, round)
            try await Self.checkVotes(client, done.with { $0 }, round)
            done.with { ($0.freshVotes, $0.freshRecords) = ([:], []) }
            done.with { $0.freshRows = [] }
            let work = Task {
                async let people: Void = Self.annotate(client, round, done)
                await Self.work(client, round, done)
                await people
            }
            try await Task.sleep(for: .milliseconds(Int.random(in: 5...150, using: &random)))
            // On a busy machine a moment may be too short for anything: then it waits for a record.
            let goal = done.with { $0.records.count } + Int.random(in: 0...1, using: &random)
            for _ in 0..<1_000 where done.with({ $0.records.count < goal }) {
                try await Task.sleep(for: .milliseconds(2))
            }
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
        let kept = try await catalogue.reader.read { db in
            try db.rows("SELECT id FROM votes") { "datasets/open/votes/\($0.int64(0))" }
                + (try db.rows("SELECT id FROM adjudications") {
                    "datasets/open/adjudications/\($0.int64(0))"
                })
        }
        #expect(acknowledged.records.union(acknowledged.votes.keys).isSubset(of: kept))
        let tooShort: Comment = "the rounds were too short to mean anything"
        #expect(acknowledged.rows.count > rounds, tooShort)
        #expect(acknowledged.votes.count > rounds, tooShort)
        #expect(acknowledged.records.count > rounds / 5, tooShort)
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
            _ = try await client.call(
                Datasets.createDataset,
                .with {
                    $0.datasetID = "open"
                    $0.dataset = .with { ($0.task, $0.annotatorsPerRow) = (.generation, 2) }
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

    /// Two people vote on rows, one decides between them, and another rule follows now and then,
    /// until the server is gone.
    private static func annotate(
        _ client: Client, _ round: Int, _ done: Lock<Acknowledged>
    ) async {
        for call in 0..<1_000 where !Task.isCancelled {
            do {
                let image = try Pets.image(call, width: 8, height: 8).png(level: 1)
                let id = "\(round)-\(call)"
                _ = try await client.call(Datasets.ingestExamples) { requests in
                    try await requests.write(
                        DatasetHarness.request(.header(.with { $0.parent = "datasets/open" })))
                    try await requests.write(
                        DatasetHarness.request(.row(Pets.row(id, image: image, answer: nil))))
                }
                for (person, answer) in [("ann", "cat"), ("bob", call % 3 == 0 ? "cat" : "dog")] {
                    try await vote(client, person, answer, done)
                }
                guard call % 3 != 0 else { continue }
                let response = try await client.call(
                    Datasets.adjudicate,
                    .with {
                        $0.example = "datasets/open/examples/\(id)"
                        $0.adjudication = .with {
                            ($0.kind, $0.answer, $0.reason) = (.decision, "dog", "seen again")
                        }
                        guard call % 6 == 1 else { return }
                        $0.promoteToRule = .with { ($0.ruleID, $0.text) = ("r\(call)", "Dogs.") }
                    })
                guard let record = response.adjudication else { return }
                done.with {
                    $0.records.insert(record.name)
                    $0.freshRecords.insert(record.name)
                    $0.decided[id] = "dog"
                }
            } catch {
                return
            }
        }
    }

    private static func vote(
        _ client: Client, _ person: String, _ answer: String, _ done: Lock<Acknowledged>
    ) async throws {
        let tasks = try await client.call(
            Datasets.listAnnotationTasks,
            .with { ($0.parent, $0.annotator) = ("datasets/open", person) }
        ).tasks
        for task in tasks {
            let response = try await client.call(
                Datasets.submitAnnotation,
                .with {
                    ($0.task, $0.lease) = (task.name, task.lease)
                    $0.vote = .with { $0.answer = answer }
                })
            guard let vote = response.vote else { continue }
            done.with {
                $0.votes[vote.name] = vote.answer
                $0.freshVotes[vote.name] = vote.answer
                $0.freshRows.insert(vote.example)
            }
        }
    }

    /// All votes and records that were acknowledged are there, and each row's state is what they
    /// come to.
    private static func checkVotes(
        _ client: Client, _ acknowledged: Acknowledged, _ number: Int
    ) async throws {
        var votes: [String: String] = [:]
        var records = Set<String>()
        var token = ""
        repeat {
            let page = try await client.call(
                Datasets.listExamples,
                .with { ($0.parent, $0.pageSize, $0.pageToken) = ("datasets/open", 1_000, token) })
            for name in page.examples.map(\.name)
            where acknowledged.freshRows.contains(name) || number < 10 {
                let row = try await client.call(
                    Datasets.getExample, .with { ($0.name, $0.includeVotes) = (name, true) })
                for vote in row.votes { votes[vote.name] = vote.answer }
                records.formUnion(row.adjudications.map(\.name))
                #expect(isConsistent(row), "round \(number): \(name) is \(row.state)")
                if let answer = acknowledged.decided[row.rowID] { #expect(row.answer == answer) }
            }
            token = page.nextPageToken
        } while !token.isEmpty
        for (name, answer) in acknowledged.freshVotes {
            #expect(votes[name] == answer, "round \(number): \(name)")
        }
        #expect(acknowledged.freshRecords.subtracting(records).isEmpty, "round \(number)")
    }

    private static func isConsistent(_ row: Example) -> Bool {
        let answers = Set(row.votes.map(\.answer))
        if !row.adjudications.isEmpty { return row.state == .decided && row.answer == "dog" }
        switch row.votes.count {
        case 0: return row.state == .unlabelled
        case 1: return row.state == .collecting
        default:
            return answers.count == 1
                ? row.state == .decided && row.answer == answers.first : row.state == .disputed
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
