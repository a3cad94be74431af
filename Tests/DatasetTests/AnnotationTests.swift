import Base
import Foundation
import Images
import Messages
import RPC
import Testing

@testable import DatasetService

/// Independent, blind votes and what follows from them.
struct AnnotationTests {
    private static let people = ["ann", "bob", "cyn"]

    private func opened(_ ids: [String]) async throws -> DatasetHarness {
        let harness = try DatasetHarness()
        try await harness.createPets()
        try await harness.ingestOpen(ids)
        return harness
    }

    @Test func aRowStaysOpenUntilThreePeopleHaveVoted() async throws {
        let harness = try await opened(["a"])
        for (number, name) in Self.people.enumerated() {
            let page = try await harness.tasks(name)
            #expect(page.remainingCount == 1)
            let task = try #require(page.tasks.first)
            #expect(
                try await harness.example("a").state == (number == 0 ? .unlabelled : .collecting))
            let response = try await harness.submit(task, "cat")
            #expect(response.rowComplete == (number == 2))
            #expect(response.vote?.annotator == name)
            #expect(try await harness.tasks(name).tasks.isEmpty, "the same row twice")
        }
        let row = try await harness.example("a")
        #expect(row.state == .decided)
        #expect(row.answerOrigin == .consensus)
        #expect(row.answer == "cat")
        #expect(row.voteCount == 3)
        #expect(try await harness.tasks("dan").tasks.isEmpty)
        #expect(try await harness.tasks("dan").remainingCount == 0)
        await harness.close()
    }

    @Test func noMoreThanThreePeopleHoldARowAtOnce() async throws {
        let harness = try await opened(["a", "b"])
        for name in Self.people { #expect(try await harness.tasks(name).tasks.count == 2) }
        #expect(try await harness.tasks("dan").tasks.isEmpty)
        #expect(try await harness.tasks("dan").remainingCount == 0)
        let again = try await harness.tasks("bob")
        #expect(again.tasks.count == 2, "what one holds is listed again")
        #expect(again.nextPageToken.isEmpty)
        await harness.close()
    }

    @Test func nobodySeesWhatOthersSaid() async throws {
        let harness = try await opened(["a"])
        let task = try #require(try await harness.tasks("ann").tasks.first)
        try await harness.submit(task, "cat") { $0.vote?.tags = ["ambiguous"] }
        let seen = try #require(try await harness.tasks("bob").tasks.first?.example)
        #expect(seen.answer.isEmpty)
        #expect(seen.votes.isEmpty && seen.tags.isEmpty && seen.voteCount == 0)
        #expect(seen.state == .unlabelled)
        #expect(seen.images.first?.content.isEmpty == false, "the image is sent")
        await harness.close()
    }

    @Test func aLeaseThatRanOutIsWorthNothing() async throws {
        let time = Lock<Int64>(1_000_000_000)
        let harness = try DatasetHarness(clock: { time.with { $0 } })
        try await harness.createPets { $0.annotatorsPerRow = 1 }
        try await harness.ingestOpen(["a"])
        let task = try #require(try await harness.tasks("ann").tasks.first)
        #expect(try await harness.tasks("bob").tasks.isEmpty)
        time.with { $0 += 3_601_000_000_000 }
        let late = try await harness.refusal { try await harness.submit(task, "cat") }
        #expect(late == "LEASE_EXPIRED")
        let next = try #require(try await harness.tasks("bob").tasks.first)
        let forged = try await harness.refusal {
            try await harness.submit(next, "cat") { $0.lease = task.lease }
        }
        #expect(forged == "LEASE_EXPIRED")
        #expect(try await harness.submit(next, "cat").rowComplete)
        await harness.close()
    }

    @Test func aSecondVoteSupersedesAndTheFirstStays() async throws {
        let harness = try await opened(["a"])
        let task = try #require(try await harness.tasks("ann").tasks.first)
        let first = try await harness.submit(task, "cat")
        let twice = try await harness.refusal { try await harness.submit(task, "dog") }
        #expect(twice == "ALREADY_VOTED")
        let second = try await harness.submit(task, "dog") { $0.supersede = true }
        #expect(second.vote?.supersedes == first.vote?.name)
        let row = try await harness.example("a")
        #expect(row.votes.map(\.answer) == ["cat", "dog"])
        #expect(row.voteCount == 1)
        for name in ["bob", "cyn"] { try await harness.vote(name) { _ in "dog" } }
        #expect(try await harness.example("a").answer == "dog")
        await harness.close()
    }

    @Test func aRepeatedRequestVotesOnce() async throws {
        let harness = try await opened(["a"])
        let task = try #require(try await harness.tasks("ann").tasks.first)
        let id = UUID().uuidString
        let first = try await harness.submit(task, "cat") { $0.requestID = id }
        let again = try await harness.submit(task, "cat") { $0.requestID = id }
        #expect(first == again)
        #expect(try await harness.example("a").votes.count == 1)
        let other = try await harness.refusal {
            try await harness.submit(task, "dog") { $0.requestID = id }
        }
        #expect(other == "REQUEST_ID_REUSED")
        await harness.close()
    }

    @Test func votesThatDifferAndSkippedOnesAreDisputed() async throws {
        let harness = try await opened(["a", "b"])
        try await harness.vote("ann") { _ in "cat" }
        try await harness.vote("bob") { $0 == "a" ? "dog" : "cat" }
        for task in try await harness.tasks("cyn").tasks {
            try await harness.submit(task, "") { $0.vote = .with { $0.skipped = true } }
        }
        for id in ["a", "b"] {
            let row = try await harness.example(id)
            #expect(row.state == .disputed)
            #expect(row.answer.isEmpty)
        }
        await harness.close()
    }

    @Test func refusedAnswersSayWhatWasSeenAndAllowed() async throws {
        let harness = try await opened(["a"])
        let task = try #require(try await harness.tasks("ann").tasks.first)
        let cases: [(String, String)] = [("Cat", "ANSWER_INVALID"), (" ", "ANSWER_EMPTY")]
        for (answer, reason) in cases {
            #expect(
                try await harness.refusal { try await harness.submit(task, answer) } == reason)
        }
        do {
            try await harness.submit(task, "horse")
            Issue.record("horse is no class")
        } catch let error as RPCError {
            #expect(error.message.contains("horse"))
        }
        let outside = try await harness.refusal {
            try await harness.submit(task, "cat") {
                $0.vote?.regions = [.with { ($0.xMaxPixels, $0.yMaxPixels) = (9, 8) }]
            }
        }
        #expect(outside == "REGION_INVALID")
        #expect(try await harness.example("a").votes.isEmpty)
        await harness.close()
    }

    @Test func pagesListEachTaskOnce() async throws {
        let harness = try await opened((0..<25).map { "r\($0)" })
        var seen: [String] = []
        var token = ""
        repeat {
            let page = try await harness.tasks("ann") {
                ($0.pageSize, $0.pageToken) = (10, token)
            }
            seen += page.tasks.map(\.name)
            token = page.nextPageToken
        } while !token.isEmpty
        #expect(seen.count == 25)
        #expect(Set(seen).count == 25)
        let peek = try await harness.tasks("bob") { ($0.peek, $0.pageSize) = (true, 10) }
        #expect(peek.tasks.count == 10)
        #expect(peek.tasks.allSatisfy { $0.lease.isEmpty && $0.name.isEmpty })
        #expect(peek.remainingCount == 25)
        await harness.close()
    }

    @Test func rowsNearestToCompleteComeFirst() async throws {
        let harness = try await opened(["a", "b", "c"])
        try await harness.vote("ann") { $0 == "c" ? "cat" : nil }
        try await harness.vote("bob") { $0 == "c" || $0 == "b" ? "cat" : nil }
        let order = try await harness.tasks("cyn").tasks.compactMap(\.example?.rowID)
        #expect(order == ["c", "b", "a"])
        await harness.close()
    }

    @Test func callersMayOnlySpeakForThemselves() async throws {
        let harness = try DatasetHarness(checksTokens: true)
        try await harness.createPets()
        try await harness.ingestOpen(["a"])
        let ann = try harness.client(of: "ann", .annotator)
        let bob = try harness.client(of: "bob", .annotator)
        let tasks = try await ann.call(
            Datasets.listAnnotationTasks, .with { $0.parent = "datasets/pets" }
        ).tasks
        let task = try #require(tasks.first)
        let stolen = SubmitAnnotationRequest.with {
            ($0.task, $0.lease) = (task.name, task.lease)
            $0.vote = .with { $0.answer = "cat" }
        }
        #expect(
            try await harness.refusal { _ = try await bob.call(Datasets.submitAnnotation, stolen) }
                == "LEASE_EXPIRED")
        let spoofed = try await harness.refusal {
            _ = try await bob.call(
                Datasets.listAnnotationTasks,
                .with { ($0.parent, $0.annotator) = ("datasets/pets", "ann") })
        }
        #expect(spoofed == "ROLE_MISSING")
        let vote = try await ann.call(Datasets.submitAnnotation, stolen).vote
        #expect(vote?.annotator == "ann")
        for client in [ann, bob] { await client.close() }
        await harness.close()
    }

    @Test func consensusEntersVersionsAndVersionsStay() async throws {
        let harness = try await opened(["a", "b"])
        for name in Self.people { try await harness.vote(name) { $0 == "a" ? "cat" : "dog" } }
        let freeze = FreezeVersionRequest.with {
            $0.parent = "datasets/pets"
            $0.splitSpec = .with { ($0.validationBasisPoints, $0.testBasisPoints) = (0, 0) }
        }
        let version = try #require(
            try await harness.client.call(Datasets.freezeVersion, freeze).version)
        #expect(version.exampleCount == 2)
        try await harness.adjudicate("a", .decision, answer: "dog")
        #expect(try await harness.example("a").answer == "dog")
        let rows = try await harness.client.call(
            Datasets.listExamples, .with { $0.parent = version.name }
        ).examples
        #expect(rows.map(\.answer) == ["cat", "dog"])
        let second = try #require(
            try await harness.client.call(Datasets.freezeVersion, freeze).version)
        #expect(second.contentSha256 != version.contentSha256)
        #expect(try await harness.catalogue.verify(cleans: false).faults == [])
        await harness.close()
    }

    @Test func fewerVotesWantedSettleWhatWaits() async throws {
        let harness = try await opened(["a"])
        for name in ["ann", "bob"] { try await harness.vote(name) { _ in "cat" } }
        _ = try await harness.client.call(
            Datasets.updateDataset,
            .with {
                $0.dataset = .with { ($0.name, $0.annotatorsPerRow) = ("datasets/pets", 2) }
                $0.updateMask = .with { $0.paths = ["annotators_per_row"] }
            })
        #expect(try await harness.example("a").state == .decided)
        await harness.close()
    }

    @Test func importedVotesSettleRowsToo() async throws {
        let harness = try await opened([])
        let rows = try [("same", "cat"), ("other", "dog")].enumerated().map { number, row in
            var made = Pets.row(
                row.0, image: try Pets.image(number).png(level: 1), answer: nil)
            made.votes = [("ann", "cat"), ("bob", "cat"), ("cyn", row.1)].map { name, answer in
                .with { ($0.annotator, $0.answer) = (name, answer) }
            }
            return made
        }
        #expect(try await harness.ingest(rows).acceptedCount == 2)
        #expect(try await harness.ingest(rows).duplicateCount == 2, "a repeat changes nothing")
        let same = try await harness.example("same")
        #expect(same.answer == "cat" && same.answerOrigin == .consensus)
        #expect(try await harness.example("other").state == .disputed)
        #expect(try await harness.tasks("ann").tasks.isEmpty)
        await harness.close()
    }

    @Test func boxesMustMatchForConsensus() async throws {
        let harness = try await opened(["near", "far"])
        for (number, name) in Self.people.enumerated() {
            for task in try await harness.tasks(name).tasks {
                let shift = task.example?.rowID == "far" ? Double(number) * 2 : Double(number) * 0.1
                try await harness.submit(task, "cat") {
                    $0.vote?.regions = [
                        .with {
                            ($0.xMinPixels, $0.xMaxPixels) = (shift, shift + 4)
                            ($0.yMinPixels, $0.yMaxPixels) = (0, 8)
                        }
                    ]
                }
            }
        }
        let near = try await harness.example("near")
        #expect(near.state == .decided)
        #expect(near.regions.map(\.xMinPixels) == [0])
        #expect(try await harness.example("far").state == .disputed)
        await harness.close()
    }
}
