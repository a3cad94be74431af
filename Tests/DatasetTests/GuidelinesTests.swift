import Base
import Messages
import RPC
import Testing

@testable import DatasetService

/// Guidelines as a versioned resource, with parts that a program checks.
struct GuidelinesTests {
    private func pets() async throws -> DatasetHarness {
        let harness = try DatasetHarness()
        try await harness.createPets()
        return harness
    }

    /// Short texts about parts.
    private func parts() async throws -> DatasetHarness {
        let harness = try DatasetHarness()
        try await harness.createPets {
            ($0.task, $0.answerSchema, $0.annotatorsPerRow) = (.extraction, nil, 1)
        }
        return harness
    }

    @Test func revisionsCountUpAndStay() async throws {
        let harness = try await pets()
        let first = try await harness.put(.with { $0.markdown = "# Pets" })
        #expect(first.guidelines?.name == "datasets/pets/guidelines/1")
        let stale = try await harness.refusal {
            _ = try await harness.put(.with { $0.markdown = "# Other" })
        }
        #expect(stale == "ETAG_MISMATCH")
        let trial = try await harness.put(
            .with { $0.markdown = "# Trial" }, base: 1, validateOnly: true)
        #expect(trial.guidelines?.revision == 2)
        _ = try await harness.put(.with { $0.markdown = "# Animals" }, base: 1)
        func text(_ revision: UInt32) async throws -> String? {
            try await harness.client.call(
                Datasets.getDataset,
                .with { ($0.name, $0.guidelinesRevision) = ("datasets/pets", revision) }
            ).guidelinesContent?.markdown
        }
        #expect(try await text(0) == "# Animals")
        #expect(try await text(1) == "# Pets")
        #expect(try await text(2) == "# Animals")
        #expect(try await harness.refusal { _ = try await text(3) } == "RESOURCE_NOT_FOUND")
        await harness.close()
    }

    @Test func whatDoesNotCompileIsRefused() async throws {
        let harness = try await parts()
        let cases: [(Guidelines, String)] = [
            (.with { $0.jsonSchema = "{" }, "CONSTRAINT_INVALID"),
            (.with { $0.jsonSchema = #"{"if":{}}"# }, "CONSTRAINT_INVALID"),
            (.with { $0.answerPatterns = ["(a"] }, "CONSTRAINT_INVALID"),
            (.with { $0.markdown = "a <script>" }, "FIELD_INVALID"),
            (.with { $0.rules = [.with { $0.ruleID = "Ears" }] }, "FIELD_INVALID"),
            (
                .with {
                    $0.vocabulary = [
                        .with { ($0.term, $0.discouraged) = ("hair crack", ["crack"]) }
                    ]
                }, "CONSTRAINT_INVALID"
            ),
        ]
        for (guidelines, reason) in cases {
            let seen = try await harness.refusal { _ = try await harness.put(guidelines) }
            #expect(seen == reason)
        }
        let fine = try await harness.put(
            .with { $0.markdown = "1 < 2 and <https://example.org>" })
        #expect(fine.guidelines?.revision == 1)
        await harness.close()
    }

    @Test func answersMustMeetThem() async throws {
        let harness = try await parts()
        try await harness.ingestOpen(["a"])
        _ = try await harness.put(
            .with {
                $0.jsonSchema = #"{"type":"object","required":["part"]}"#
                $0.answerPatterns = [#"\{.*\}"#]
                $0.vocabulary = [.with { ($0.term, $0.discouraged) = ("screw", ["bolt"]) }]
            })
        let page = try await harness.tasks("ann")
        #expect(page.guidelines?.revision == 1)
        let task = try #require(page.tasks.first)
        #expect(task.guidelines == "datasets/pets/guidelines/1")
        let refused = [
            (#"{"name":"screw"}"#, "/part"), (#"{"part":"bolt"}"#, "screw"), ("[1]", "match"),
        ]
        for (answer, told) in refused {
            do {
                try await harness.submit(task, answer)
                Issue.record("\(answer) was taken")
            } catch let error as RPCError {
                #expect(error.toldReason == "ANSWER_INVALID")
                #expect(error.message.contains(told), "\(error.message)")
            }
        }
        let vote = try await harness.submit(task, #"{"part":"screw"}"#).vote
        #expect(vote?.guidelines == "datasets/pets/guidelines/1")
        #expect(try await harness.example("a").guidelines == "datasets/pets/guidelines/1")
        await harness.close()
    }

    @Test func newGuidelinesCountTheRowsTheyConcern() async throws {
        let harness = try await pets()
        try await harness.ingest(try Pets.rows(0..<6))
        let response = try await harness.put(.with { $0.answerPatterns = ["cat"] })
        #expect(response.outdatedCount == 6)
        #expect(response.violatingCount == 3)
        #expect(
            response.violatingExamples == [1, 3, 5].map { "datasets/pets/examples/r\($0)" })
        let older = try await harness.client.call(
            Datasets.listExamples,
            .with { ($0.parent, $0.filter) = ("datasets/pets", "guidelines_revision < 1") })
        #expect(older.totalCount == 6)
        await harness.close()
    }
}
