import Quality
import TestSupport
import Testing

@Suite struct SplitTests {
    private struct Row { let id: UInt64, stratum: String, links: [UInt64] }

    private static func shares(_ validation: Int, _ test: Int) throws -> SplitShares {
        try #require(SplitShares(validationPoints: validation, testPoints: test))
    }

    private static func divide(
        _ rows: [Row], seed: UInt64 = 1, _ shares: SplitShares
    ) throws -> [SplitPart] {
        var plan = SplitPlan(seed: seed)
        for row in rows { plan.add(id: row.id, stratum: row.stratum, links: row.links) }
        return try plan.divided(shares)
    }

    /// Rows of skewed classes; `grouped` of them are in groups of two to six.
    private static func rows(_ count: Int, grouped: Double, seed: UInt64) -> [Row] {
        var random = SeededRandom(seed: seed)
        var group: UInt64 = 0
        var left = 0
        return (0..<count).map { number in
            if left == 0 { (group, left) = (group + 1, Int.random(in: 2...6, using: &random)) }
            left -= 1
            let isGrouped = Double.random(in: 0..<1, using: &random) < grouped
            let stratum = Int.random(in: 0..<Int.random(in: 1...12, using: &random), using: &random)
            return Row(
                id: SplitPlan.hash("row \(number)"), stratum: "class \(stratum)",
                links: isGrouped ? [SplitPlan.hash("group \(group)")] : [])
        }
    }

    @Test(arguments: UInt64(0)..<20)
    func withoutGroupsEveryStratumIsWithinOneRowOfItsIdeal(seed: UInt64) throws {
        let shares = try Self.shares(Int(seed) * 137 % 4_000, 1_000 + Int(seed) * 31)
        let rows = Self.rows(50 + Int(seed) * 97, grouped: 0, seed: seed)
        let parts = try Self.divide(rows, seed: seed, shares)
        let spread = SplitSpread.measure(parts, strata: rows.map(\.stratum), shares: shares)
        for part in spread { #expect(part.deviationMax < 1) }
        // The parts as a whole keep their shares too.
        let whole = SplitSpread.measure(parts, strata: rows.map { _ in "" }, shares: shares)
        for part in whole { #expect(part.deviationMax <= 2) }
    }

    @Test func manyTinyStrataStillFillATest() throws {
        let rows = (0..<3_000).map {
            Row(id: UInt64($0), stratum: "class \($0 / 3)", links: [])
        }
        let shares = try Self.shares(1_000, 1_000)
        let parts = try Self.divide(rows, shares)
        #expect(parts.count { $0 == .test } >= 298)
        #expect(parts.count { $0 == .test } <= 302)
    }

    @Test(arguments: UInt64(0)..<20)
    func noGroupIsDividedAndStrataStayClose(seed: UInt64) throws {
        let shares = try Self.shares(1_500, 1_500)
        let rows = Self.rows(2_000, grouped: 0.5, seed: seed)
        let parts = try Self.divide(rows, seed: seed, shares)
        var check = LeakageCheck()
        for (row, part) in zip(rows, parts) {
            let groups = row.links.map { (key: "part", value: $0) }
            check.add(part, LeakageCheck.Contents(images: [row.id], groups: groups))
        }
        let certificate = check.certificate()
        #expect(certificate.isClean)
        #expect(certificate.images == 2_000)
        let spread = SplitSpread.measure(parts, strata: rows.map(\.stratum), shares: shares)
        for part in spread { #expect(part.deviationMax < 1.001) }
    }

    @Test func theOrderOfRowsDoesNotMatterAndTheSeedDoes() throws {
        let rows = Self.rows(1_500, grouped: 0.6, seed: 3)
        let shares = SplitShares.standard(rows: rows.count)
        let parts = try Self.divide(rows, seed: 5, shares)
        var random = SeededRandom(seed: 8)
        let shuffled = rows.indices.shuffled(using: &random)
        let again = try Self.divide(shuffled.map { rows[$0] }, seed: 5, shares)
        #expect(shuffled.map { parts[$0] } == again)
        #expect(try Self.divide(rows, seed: 6, shares) != parts)
    }

    @Test func linksChainRowsThroughDifferentGroups() throws {
        var plan = SplitPlan(seed: 1)
        for row in 0..<100 {
            plan.add(id: UInt64(row), links: [UInt64(row), UInt64(row + 1)])
        }
        let parts = try plan.divided(try Self.shares(1_000, 1_000))
        #expect(Set(parts).count == 1)
    }

    @Test func givenPartsAreKeptAndTakeTheirGroupsAlong() throws {
        var plan = SplitPlan(seed: 1)
        for row in 0..<400 {
            plan.add(
                id: UInt64(row), links: [UInt64(row / 2)],
                part: row < 40 && row % 2 == 0 ? .test : nil)
        }
        let parts = try plan.divided(try Self.shares(1_000, 1_000))
        #expect(parts[0..<40].allSatisfy { $0 == .test })
        #expect(parts[40...].allSatisfy { $0 != .test })
        #expect(parts.count { $0 == .validation } == 40)
    }

    @Test func givenPartsThatLeakAreRefusedWithTheirNumber() throws {
        var plan = SplitPlan(seed: 1)
        plan.add(id: 0xA, links: [1], part: .test)
        plan.add(id: 0xB, links: [1], part: .train)
        plan.add(id: 0xC, links: [2], part: .train)
        let shares = try Self.shares(1_000, 1_000)
        #expect(throws: SplitError.partsConflict(components: 1, firstRow: 0xA)) {
            try plan.divided(shares)
        }
    }

    @Test func theCheckCountsWhatIsOnTwoSides() {
        var check = LeakageCheck()
        check.add(.train, .init(images: [1, 1, 2], clusters: [5], groups: [("part", 1)]))
        check.add(.test, .init(images: [2], clusters: [5], groups: [("part", 1), ("day", 1)]))
        check.add(.test, .init(images: [3], clusters: [6], groups: [("part", 2)]))
        let found = check.certificate()
        #expect(!found.isClean)
        #expect((found.sharedImages, found.sharedClusters, found.sharedGroups) == (1, 1, 1))
        #expect(found.clusters == 1)
        #expect(found.groups.map(\.key) == ["day", "part"])
        #expect(found.groups.map(\.values) == [1, 2])
    }

    @Test func standardSharesWantTwoHundredTestRows() {
        #expect(SplitShares.standard(rows: 999).testPoints == 1_000)
        #expect(SplitShares.standard(rows: 1_000).testPoints == 2_000)
        #expect(SplitShares.standard(rows: 5_000).testPoints == 1_000)
        #expect(SplitShares(validationPoints: 5_001, testPoints: 0) == nil)
    }

    @Test func anEmptyDatasetHasNoParts() throws {
        #expect(try SplitPlan(seed: 1).divided(try Self.shares(1_000, 1_000)).isEmpty)
    }
}
