import Base
import Images
import Messages
import RPC
import Testing

@testable import DatasetService

/// `GetAgreement` over the wire. The coefficients themselves are checked in QualityTests.
struct AgreementCallTests {
    private func agreement(
        _ harness: DatasetHarness, _ change: (inout GetAgreementRequest) -> Void = { _ in }
    ) async throws -> GetAgreementResponse {
        var request = GetAgreementRequest()
        request.name = "datasets/pets"
        change(&request)
        return try await harness.client.call(Datasets.getAgreement, request)
    }

    private func value(
        _ group: AgreementGroup?, _ statistic: AgreementStatistic
    ) -> Measure? {
        group?.coefficients.first { $0.statistic == statistic }?.measure
    }

    /// Twelve rows by four people, in the example of Krippendorff (Computing Krippendorff's
    /// Alpha-Reliability, 2011) and of irrCAC (`cac.raw4raters`), whose results these are.
    @Test func aPublishedExampleGivesThePublishedNumbers() async throws {
        let people = ["ann", "bob", "cyn", "dan"]
        let answers: [[Int?]] = [
            [1, 2, 3, 3, 2, 1, 4, 1, 2, nil, nil, nil],
            [1, 2, 3, 3, 2, 2, 4, 1, 2, 5, nil, 3],
            [nil, 3, 3, 3, 2, 3, 4, 2, 2, 5, 1, nil],
            [1, 2, 3, 3, 2, 4, 4, 1, 2, 5, 1, nil],
        ]
        let harness = try DatasetHarness()
        try await harness.createPets {
            $0.annotatorsPerRow = 4
            $0.answerSchema = .with { schema in
                schema.classes = (1...5).map { number in .with { $0.name = "\(number)" } }
            }
        }
        try await harness.ingestOpen((0..<12).map { "\($0)" })
        for (person, given) in zip(people, answers) {
            try await harness.vote(person) { id in
                Int(id).flatMap { given[$0] }.map { "\($0)" }
            }
        }
        let found = try await agreement(harness)
        let expected: [(AgreementStatistic, Double)] = [
            (.percent, 0.81818), (.fleissKappa, 0.76117), (.krippendorffAlpha, 0.74342),
            (.gwetAc1, 0.77544),
        ]
        for (statistic, number) in expected {
            let measure = try #require(value(found.overall, statistic))
            #expect(abs(measure.value - number) < 5e-6, "\(statistic)")
            let interval = try #require(measure.interval)
            #expect(interval.lower < number && number < interval.upper)
            #expect(interval.level == 0.95)
        }
        #expect(found.overall?.voteCount == 40)
        #expect(found.overall?.rowCount == 11)
        #expect(found.overall?.trusted == .krippendorffAlpha)
        #expect(found.classes.count == 5)
        #expect(found.pairs.count == 6)
        #expect(found.annotators.map(\.annotator) == people)
        #expect(found.annotators.map(\.voteCount) == [9, 11, 10, 11])
        #expect(found.completeCount == 8)
        #expect(found.incompleteCount == 4)
        #expect(abs(found.annotationHours - 82.0 / 3_600) < 1e-9)
        let two = try await agreement(harness) { $0.annotators = ["ann", "bob"] }
        #expect(value(two.overall, .cohenKappa) != nil)
        #expect(two.pairs.map(\.key) == ["ann|bob"])
        await harness.close()
    }

    @Test func prevalenceSaysWhichNumberToTrust() async throws {
        let harness = try DatasetHarness()
        try await harness.createPets { $0.annotatorsPerRow = 2 }
        try await harness.ingestOpen((0..<40).map { "\($0)" })
        try await harness.vote("ann") { $0 == "7" ? "dog" : "cat" }
        try await harness.vote("bob") { $0 == "8" ? "dog" : "cat" }
        let overall = try #require(try await agreement(harness).overall)
        #expect(overall.trusted == .gwetAc1)
        #expect(abs(overall.prevalence - 78.0 / 80) < 1e-12)
        #expect(overall.trustReason.contains("97.5 %"))
        #expect((value(overall, .cohenKappa)?.value ?? 1) < 0)
        #expect((value(overall, .gwetAc1)?.value ?? 0) > 0.9)
        await harness.close()
    }

    @Test func jsonAnswersAreComparedFieldByField() async throws {
        let harness = try DatasetHarness()
        try await harness.createPets {
            ($0.task, $0.annotatorsPerRow) = (.extraction, 2)
            $0.answerSchema = .with {
                $0.jsonSchema = #"{"type":"object"}"#
                $0.fieldRules = [
                    .with { ($0.pointer, $0.normalizer) = ("/total", .money) },
                    .with { ($0.pointer, $0.normalizer) = ("/date", .date) },
                    .with { ($0.pointer, $0.normalizer, $0.tolerance) = ("/size", .number, 0.5) },
                ]
            }
        }
        try await harness.ingestOpen(["a", "b"])
        let first = #"{"total":"12,50 EUR","date":"2026-01-31","size":"3.0","name":"Ann"}"#
        let same = #"{"total":"€ 12.50","date":"31.01.2026","size":"3.4","name":"Ann"}"#
        let other = #"{"total":"€ 12.50","date":"31.01.2026","size":"3.4","name":"ann"}"#
        try await harness.vote("ann") { _ in first }
        try await harness.vote("bob") { $0 == "a" ? same : other }
        #expect(try await harness.example("a").state == .decided)
        #expect(try await harness.example("b").state == .disputed)
        let page = try await harness.client.call(
            Datasets.listDisagreements, .with { $0.parent = "datasets/pets" })
        #expect(page.disagreements.first?.differingPointers == ["/name"])
        let found = try await agreement(harness)
        #expect(found.fields.map(\.key) == ["/date", "/name", "/size", "/total"])
        #expect(
            found.fields.map { value($0, .percent)?.value } == [1, 0.5, 1, 1])
        await harness.close()
    }

    @Test func aPersonWhoDriftsShowsOnGoldRows() async throws {
        let harness = try DatasetHarness()
        try await harness.createPets()
        let picture = try Pets.image(1).png(level: 1)
        let rows = (0..<80).map { number in
            var row = Pets.row("g\(number)", image: picture, answer: "cat")
            row.gold = true
            // Bob is right at first, and then every other time.
            row.votes = [("ann", true), ("bob", number < 30 || number.isMultiple(of: 2))].map {
                (name, isRight) in
                .with { ($0.annotator, $0.answer) = (name, isRight ? "cat" : "dog") }
            }
            return row
        }
        #expect(try await harness.ingest(rows).acceptedCount == 80)
        let people = try await agreement(harness).annotators
        #expect(people.map(\.annotator) == ["ann", "bob"])
        #expect(people.map(\.drifting) == [false, true])
        #expect(people.map { $0.goldAccuracy?.value } == [1, 55.0 / 80])
        #expect(people.map { $0.recentGoldAccuracy?.value } == [1, 0.5])
        #expect(people.map { $0.recentGoldAccuracy?.sampleCount } == [50, 50])
        await harness.close()
    }

    @Test func withoutTwoVotesOnARowThereIsNoAgreement() async throws {
        let harness = try DatasetHarness()
        try await harness.createPets()
        try await harness.ingestOpen(["a"])
        try await harness.vote("ann") { _ in "cat" }
        #expect(
            try await harness.refusal { _ = try await agreement(harness) } == "VOTES_MISSING")
        let level = try await harness.refusal {
            _ = try await agreement(harness) { $0.confidenceLevel = 0.3 }
        }
        #expect(level == "FIELD_INVALID")
        await harness.close()
    }

    @Test func periodsShowHowAgreementMoves() async throws {
        let time = Lock<Int64>(0)
        let harness = try DatasetHarness(clock: { time.with { $0 } })
        try await harness.createPets { $0.annotatorsPerRow = 2 }
        try await harness.ingestOpen((0..<20).map { "\($0)" })
        for half in 0..<2 {
            time.with { $0 += 3_000_000_000_000 }
            for person in ["ann", "bob"] {
                try await harness.vote(person) { id in
                    guard (Int(id) ?? 0) / 10 == half else { return nil }
                    return half == 1 && person == "bob" ? "dog" : "cat"
                }
            }
        }
        let trend = try await agreement(harness) { $0.trendPeriods = 2 }.trend
        #expect(trend.map { value($0.agreement, .percent)?.value } == [1, 0])
        #expect(trend[0].endTime == trend[1].startTime)
        await harness.close()
    }
}
