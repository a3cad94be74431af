import Quality
import TestSupport
import Testing

@Suite struct InspectionTests {
    private func image(
        _ width: Int, _ height: Int, _ pixel: (Int, Int) -> UInt8
    ) throws -> ImageMeasures {
        let pixels = (0..<width * height).map { pixel($0 % width, $0 / width) }
        let image = GreyImage(width: width, height: height, pixels: pixels)
        return ImageMeasures(try #require(image), rgb: pixels.flatMap { [$0, $0, $0] })
    }

    private func oddities(
        _ image: ImageMeasures, side: Double = 100, coloured: Double = 0.9
    ) -> [ImageOddity] {
        ImageThresholds().findings(image, medianSide: side, colouredShare: coloured)
            .map(\.oddity)
    }

    @Test func oddImagesAreNamed() throws {
        var random = SeededRandom(seed: 2)
        let noise = (0..<10_000).map { _ in UInt8.random(in: 0...255, using: &random) }
        let busy = try image(100, 100) { noise[$1 * 100 + $0] }
        #expect(oddities(busy, coloured: 0.1).isEmpty)
        #expect(oddities(busy) == [.greyscale])
        #expect(oddities(try image(100, 100) { noise[$1 * 100 + $0] / 8 }, coloured: 0) == [.dark])
        let pale = try image(100, 100) { 240 + noise[$1 * 100 + $0] / 16 }
        #expect(oddities(pale, coloured: 0).contains(.light))
        let even = try image(100, 100) { _, _ in 128 }
        #expect(oddities(even, coloured: 0) == [.blurry, .lowInformation])
        #expect(oddities(busy, side: 10, coloured: 0) == [.oddSize])
        #expect(oddities(try image(300, 33) { noise[$1 * 300 + $0] }, coloured: 0) == [.oddAspect])
    }

    @Test func smallestImagesAreMeasuredToo() throws {
        for (width, height) in [(1, 1), (1, 9), (9, 1), (2, 2), (2_000, 1)] {
            let found = try image(width, height) { column, _ in UInt8(column % 200) }
            #expect(found.sharpness.isFinite)
            #expect(found.aspect == Double(width) / Double(height))
        }
    }

    @Test func thresholdsAreSetByName() {
        var thresholds = ImageThresholds()
        let isKnown = thresholds.set("low_information", to: 3)
        #expect(isKnown)
        #expect(thresholds.lowInformation == 3)
        let isUgly = thresholds.set("ugly", to: 3)
        #expect(!isUgly)
    }

    @Test func balanceCountsDistinctRowsAndDeclaredClasses() {
        var count = Balance.Count(declared: ["a", "b"])
        for row in 0..<8 { count.add(["a", "tag:negative"], isRepeat: row > 1) }
        count.add(["c"], isRepeat: false)
        let balance = count.balance { $0 == "a" ? 5 : 0 }
        #expect(balance.rows.map(\.key) == ["b", "c", "a", "tag:negative"])
        #expect(balance.rows[2].distinct == 2)
        #expect(balance.rows[2].missing == 3)
        #expect(balance.imbalanceRatio == .infinity)
        #expect(isClose(balance.rows[2].share, 8.0 / 9))
        #expect(Balance.Count().balance().imbalanceRatio == 0)
    }

    @Test func equalClassesAreAsManyAsTheyAre() {
        var count = Balance.Count()
        for row in 0..<60 { count.add(["class \(row % 5)"], isRepeat: false) }
        let balance = count.balance()
        #expect(isClose(balance.effectiveCount, 5))
        #expect(balance.imbalanceRatio == 1)
    }

    @Test func quotasAreHeldExactly() {
        let quota = TagQuota(tag: "negative", pointsMin: 500, pointsMax: 1_000)
        #expect(!quota.result(tagged: 100, of: 2_001).isMet)
        #expect(quota.result(tagged: 101, of: 2_001).isMet)
        #expect(quota.result(tagged: 200, of: 2_000).isMet)
        #expect(!quota.result(tagged: 201, of: 2_000).isMet)
        #expect(!quota.result(tagged: 0, of: 0).isMet)
        #expect(quota.result(tagged: 101, of: 2_001).points == 504)
        #expect(TagQuota.standard.map(\.tag).contains("flag_for_human"))
    }

    @Test(arguments: [
        (SizeTask.classification, 299, SizeVerdict.doNotTune), (.classification, 300, .low),
        (.classification, 500, .usual), (.classification, 2_000, .usual),
        (.classification, 2_001, .ample), (.extraction, 999, .low), (.extraction, 3_000, .usual),
        (.reasoning, 3_000, .usual), (.domainReasoning, 4_999, .low),
        (.domainReasoning, 20_001, .ample),
    ])
    func sizesAreJudgedByDistinctRows(task: SizeTask, distinct: Int, verdict: SizeVerdict) {
        let guide = SizeGuide(task, rows: distinct + 50, distinct: distinct)
        #expect(guide.verdict == verdict)
        #expect(guide.explanation.contains("\(distinct) distinct rows of \(distinct + 50)"))
    }

    /// Three careful people and one who says "ok" to everything; a tenth of the rows is wrong.
    @Test func wrongAnswersAreSuspectedAndNoiseIsEstimated() throws {
        var random = SeededRandom(seed: 6)
        var votes: [RowVote] = []
        var present: [Int?] = []
        var wrong: Set<Int> = []
        for row in 0..<400 {
            let truth = Int.random(in: 0..<3, using: &random)
            for person in 0..<3 {
                let isRight = Double.random(in: 0..<1, using: &random) < 0.92
                let answer = isRight ? truth : Int.random(in: 0..<3, using: &random)
                votes.append(RowVote(row: row, annotator: "p\(person)", answer: "\(answer)"))
            }
            votes.append(RowVote(row: row, annotator: "lazy", answer: "0"))
            let isWrong = row % 10 == 0
            if isWrong { wrong.insert(row) }
            present.append(isWrong ? (truth + 1) % 3 : truth)
        }
        let table = VoteTable(votes, declared: ["0", "1", "2"])
        let model = try #require(DawidSkene(table))
        let suspects = model.suspects(present)
        let found = Set(suspects.map(\.row))
        #expect(found.intersection(wrong).count >= 38)
        #expect(found.subtracting(wrong).count <= 12)
        #expect(suspects.map(\.quality) == suspects.map(\.quality).sorted())
        let noise = try #require(model.noise(present))
        #expect(noise > 0.08 && noise < 0.13)
        // Lazy says 0 whatever is true.
        let lazy = try #require(table.annotators.firstIndex(of: "lazy"))
        #expect(model.confusions[lazy * 9 + 3] > 0.99)
        #expect(model.rounds < 100)
    }

    @Test func withoutVotesNothingIsSuspected() {
        #expect(DawidSkene(VoteTable([])) == nil)
        #expect(DawidSkene(VoteTable([RowVote(row: 0, annotator: "a", answer: "x")])) == nil)
    }
}
