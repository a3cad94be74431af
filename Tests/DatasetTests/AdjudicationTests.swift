import Base
import Foundation
import Images
import Messages
import RPC
import Storage
import Testing

@testable import DatasetService

/// Rows that people disagree on, and what is decided about them.
struct AdjudicationTests {
    /// Row a: two cats and a dog; row b: all dogs; row c: two dogs and a cat.
    private func disputed() async throws -> DatasetHarness {
        let harness = try DatasetHarness()
        try await harness.createPets()
        try await harness.ingestOpen(["a", "b", "c"])
        try await harness.vote("ann") { $0 == "a" ? "cat" : "dog" }
        try await harness.vote("bob") { $0 == "a" ? "cat" : "dog" }
        try await harness.vote("cyn") { $0 == "c" ? "cat" : "dog" }
        return harness
    }

    private func list(
        _ harness: DatasetHarness, _ change: (inout ListDisagreementsRequest) -> Void = { _ in }
    ) async throws -> ListDisagreementsResponse {
        var request = ListDisagreementsRequest()
        request.parent = "datasets/pets"
        change(&request)
        return try await harness.client.call(Datasets.listDisagreements, request)
    }

    @Test func disagreementsAreListedSideBySide() async throws {
        let harness = try await disputed()
        let page = try await list(harness) { $0.thumbnailSidePixels = 16 }
        #expect(page.openCount == 2)
        #expect(page.disagreements.map(\.example).map { $0.suffix(1) } == ["a", "c"])
        let first = try #require(page.disagreements.first)
        #expect(first.votes.map(\.annotator) == ["ann", "bob", "cyn"])
        #expect(first.votes.map(\.answer) == ["cat", "cat", "dog"])
        #expect(first.majorityAnswer == "cat")
        #expect(abs(first.majorityShare - 2.0 / 3) < 1e-12)
        #expect(first.images.first?.content.isEmpty == false)
        let one = try await list(harness) { $0.pageSize = 1 }
        let rest = try await list(harness) {
            ($0.pageSize, $0.pageToken) = (1, one.nextPageToken)
        }
        #expect(rest.disagreements.first?.example == page.disagreements[1].example)
        #expect(rest.nextPageToken.isEmpty)
        let filtered = try await list(harness) {
            $0.filter = "annotator:cyn AND majority_share > 0.5"
            $0.orderBy = "majority_share desc"
        }
        #expect(filtered.disagreements.count == 2)
        #expect(try await list(harness) { $0.filter = "answer:horse" }.disagreements.isEmpty)
        await harness.close()
    }

    @Test func aDecisionOutranksVotesAndCanBeTakenBack() async throws {
        let harness = try await disputed()
        try await harness.adjudicate("a", .comment)
        let decided = try await harness.adjudicate("a", .decision, answer: "dog") {
            $0.adjudication?.dissenters = ["ann"]
            $0.adjudication?.tags = ["ambiguous"]
        }
        #expect(decided.state == .decided)
        var row = try await harness.example("a")
        #expect(row.answer == "dog" && row.answerOrigin == .adjudicated)
        #expect(row.tags == ["ambiguous"])
        #expect(row.votes.map(\.answer) == ["cat", "cat", "dog"], "votes stay as they were")
        #expect(row.adjudications.map(\.kind) == [.comment, .decision])
        #expect(row.adjudications.last?.dissenters == ["ann"])
        #expect(try await list(harness) { $0.state = .decided }.disagreements.count == 1)
        let name = try #require(decided.adjudication?.name)
        let undone = try await harness.adjudicate("a", .undo) { $0.adjudication?.undone = name }
        #expect(undone.state == .disputed)
        row = try await harness.example("a")
        #expect(row.answer.isEmpty && row.tags.isEmpty)
        #expect(row.adjudications.count == 3)
        let reopened = try await list(harness) { $0.state = .reopened }.disagreements
        #expect(reopened.map(\.state) == [.reopened])
        let twice = try await harness.refusal {
            try await harness.adjudicate("a", .undo) { $0.adjudication?.undone = name }
        }
        #expect(twice == "STATE_INVALID")
        #expect(try await harness.catalogue.verify(cleans: false).faults == [])
        await harness.close()
    }

    @Test func whoMissedARecordIsTold() async throws {
        let harness = try await disputed()
        let first = try await harness.adjudicate("a", .comment).adjudication?.name ?? ""
        try await harness.adjudicate("a", .comment) { $0.lastSeen = first }
        let stale = try await harness.refusal {
            try await harness.adjudicate("a", .decision, answer: "cat") { $0.lastSeen = first }
        }
        #expect(stale == "ETAG_MISMATCH")
        let id = UUID().uuidString
        for _ in 0..<2 {
            try await harness.adjudicate("a", .decision, answer: "cat") { $0.requestID = id }
        }
        #expect(try await harness.example("a").adjudications.count == 3)
        await harness.close()
    }

    @Test func whatDecidesNothingIsRefused() async throws {
        let harness = try await disputed()
        try await harness.ingestOpen(["new"])
        let horse = try await harness.refusal {
            try await harness.adjudicate("a", .decision, answer: "horse")
        }
        #expect(horse == "ANSWER_INVALID")
        let empty = try await harness.refusal { try await harness.adjudicate("a", .decision) }
        #expect(empty == "ANSWER_EMPTY")
        let unvoted = try await harness.refusal {
            try await harness.adjudicate("new", .decision, answer: "cat")
        }
        #expect(unvoted == "STATE_INVALID")
        let silent = try await harness.refusal {
            try await harness.adjudicate("a", .comment) { $0.adjudication?.reason = "" }
        }
        #expect(silent == "FIELD_REQUIRED")
        let mixed = try await harness.refusal {
            try await harness.adjudicate("a", .comment, answer: "cat")
        }
        #expect(mixed == "FIELDS_CONFLICT")
        let rule = try await harness.refusal {
            try await harness.adjudicate("a", .decision, answer: "cat") {
                $0.adjudication?.ruleID = "ears"
            }
        }
        #expect(rule == "FIELD_INVALID")
        #expect(try await harness.example("a").adjudications.isEmpty)
        await harness.close()
    }

    @Test func aDecisionBecomesARuleAndNamesRowsToReview() async throws {
        let harness = try await disputed()
        let response = try await harness.adjudicate("a", .decision, answer: "dog") {
            $0.promoteToRule = .with {
                ($0.ruleID, $0.text) = ("hanging-ears", "Hanging ears are a dog.")
            }
        }
        let guidelines = try #require(response.guidelines)
        #expect(guidelines.revision == 1)
        let rule = try #require(guidelines.rules.first)
        #expect(rule.answer == "dog")
        #expect(rule.examples == ["datasets/pets/examples/a"])
        #expect(rule.adjudication == response.adjudication?.name)
        #expect(response.reviewExamples == ["datasets/pets/examples/b"])
        #expect(response.reviewCount == 1)
        #expect(try await harness.example("a").guidelines == guidelines.name)
        let older = try await harness.client.call(
            Datasets.listExamples,
            .with { ($0.parent, $0.filter) = ("datasets/pets", "guidelines_revision < 1") })
        #expect(older.examples.map(\.rowID) == ["b"])
        let follows = try await harness.adjudicate("c", .decision, answer: "dog") {
            $0.adjudication?.ruleID = "hanging-ears"
        }
        #expect(follows.adjudication?.ruleID == "hanging-ears")
        let frozen = try await harness.client.call(
            Datasets.freezeVersion, .with { $0.parent = "datasets/pets" }
        ).version
        #expect(frozen?.guidelines == guidelines.name)
        let next = try await harness.put(.with { $0.rules = guidelines.rules }, base: 1)
        #expect(next.guidelines?.rules.first?.adjudication == rule.adjudication, "origin is kept")
        await harness.close()
    }

    @Test func goldRowsWatchAnnotatorsUnseen() async throws {
        let harness = try DatasetHarness()
        try await harness.createPets { ($0.annotatorsPerRow, $0.goldFeedback) = (1, true) }
        try await harness.ingestOpen((0..<40).map { "r\($0)" })
        let golds = try (0..<4).map { number in
            var row = Pets.row(
                "gold\(number)", image: try Pets.image(900 + number).png(level: 1), answer: "cat")
            row.gold = true
            return row
        }
        try await harness.ingest(golds)
        var seen = 0
        for task in try await harness.tasks("ann").tasks {
            let row = try #require(task.example)
            #expect(!row.gold && row.answer.isEmpty && row.contentSha256.isEmpty)
            let isGold = row.rowID.hasPrefix("gold")
            let response = try await harness.submit(task, seen == 0 ? "cat" : "dog")
            #expect((response.goldCorrect != nil) == isGold)
            if isGold {
                #expect(response.goldCorrect == (seen == 0))
                #expect(!response.rowComplete)
                seen += 1
            }
        }
        #expect(seen == 4)
        let row = try await harness.example("gold0")
        #expect(row.state == .decided && row.answer == "cat" && row.voteCount == 1)
        await harness.close()
    }

    @Test func annotatorsCannotFindGoldRowsByTheirAnswer() async throws {
        let harness = try DatasetHarness(checksTokens: true)
        try await harness.createPets()
        var gold = Pets.row("gold", image: try Pets.image(1).png(level: 1), answer: "cat")
        gold.gold = true
        try await harness.ingest([gold])
        let ann = try harness.client(of: "ann", .annotator)
        for filter in ["answer = cat", "state = DECIDED", "answer_origin = IMPORTED"] {
            let page = try await ann.call(
                Datasets.listExamples,
                .with { ($0.parent, $0.filter) = ("datasets/pets", filter) })
            #expect(page.examples.isEmpty, "\(filter)")
        }
        await ann.close()
        await harness.close()
    }

    @Test func erasingARowTakesItsDiscussionToo() async throws {
        let harness = try await disputed()
        try await harness.adjudicate("a", .decision, answer: "dog")
        _ = try await harness.client.call(
            Datasets.deleteExample,
            .with { ($0.name, $0.reason) = ("datasets/pets/examples/a", "asked to") })
        #expect(try await list(harness).disagreements.count == 1)
        #expect(try await list(harness) { $0.state = .decided }.disagreements.isEmpty)
        let left = try await harness.catalogue.reader.read { db in
            try db.rows("SELECT count(*) FROM adjudications UNION ALL SELECT count(*) FROM votes") {
                $0.int(0)
            }
        }
        #expect(left == [0, 6])
        await harness.close()
    }

    @Test func rowsReplacedAfterVotesAreOpenAgain() async throws {
        let harness = try await disputed()
        let changed = Pets.row("a", image: try Pets.image(77).png(level: 1), answer: nil)
        try await harness.ingest([changed]) { $0.conflictPolicy = .replace }
        let row = try await harness.example("a")
        #expect(row.state == .unlabelled && row.voteCount == 0)
        #expect(row.votes.count == 3, "votes on the old picture stay on record")
        #expect(try await harness.tasks("ann").tasks.count == 1)
        await harness.close()
    }

    @Test func datasetsGoWithTheirVotesAndRecords() async throws {
        let harness = try await disputed()
        _ = try await harness.tasks("dan")
        try await harness.adjudicate("a", .decision, answer: "dog") {
            $0.promoteToRule = .with { ($0.ruleID, $0.text) = ("ears", "Ears.") }
        }
        let gone = try await harness.client.call(
            Datasets.deleteDataset, .with { ($0.name, $0.force) = ("datasets/pets", true) })
        #expect(gone.exampleCount == 3)
        #expect(try await harness.catalogue.verify(cleans: false).faults == [])
        try await harness.createPets()
        #expect(try await harness.tasks("ann").tasks.isEmpty)
        await harness.close()
    }
}
