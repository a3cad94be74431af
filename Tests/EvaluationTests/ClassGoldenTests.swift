import Base
import Evaluation
import Quality
import Testing
import Text

@Suite struct ClassGoldenTests {
    @Test func classesScoreAsWithScikitLearn() throws {
        let goldens = Array(try GoldenFile.read("classes").elements)
        #expect(goldens.count >= 7)
        for golden in goldens { try check(golden) }
    }

    private func check(_ golden: JSONNode) throws {
        let name = golden["name"]?.string ?? ""
        let listed = try golden.needed("listed").whole
        let actual = try golden.needed("actual").whole
        let predicted = try golden.needed("predicted").whole
        let reader = try ClassReader(classes: listed.map { "class \($0)" })
        let report = try ClassificationReport(
            reader: reader, actual: actual, predicted: predicted,
            bootstrap: try Bootstrap(key: RandomKey(seed: 1), draws: 100))
        #expect(isClose(report.accuracy.value, try golden.number("accuracy")), "\(name)")
        #expect(isClose(report.balancedAccuracy, try golden.number("balanced")), "\(name)")
        #expect(isClose(report.correlation, try golden.number("mcc")), "\(name)")
        for (line, expected) in zip(report.classes, try golden.needed("each").elements) {
            let found = [line.precision.value ?? 0, line.recall.value ?? 0, line.f1]
            #expect(areClose(found + [Double(line.recall.trials)], expected.numbers), "\(name)")
        }
        let averages = [
            "macro": report.macro, "micro": report.micro, "weighted": report.weighted,
        ]
        for (kind, found) in averages {
            let expected = try golden.needed(kind).numbers
            #expect(
                areClose([found.precision, found.recall, found.f1], expected), "\(kind) \(name)")
        }
        let table = try golden.needed("confusion").elements.map(\.whole)
        #expect(report.confusions.reduce(0) { $0 + $1.count } == actual.count)
        for cell in report.confusions {
            let row = reader.labels.firstIndex(of: cell.actual ?? "") ?? listed.count
            let column = reader.labels.firstIndex(of: cell.predicted ?? "") ?? listed.count
            #expect(table[row][column] == cell.count, "\(name)")
        }
    }

    @Test func curvesHaveTheAreaAndPrecisionOfScikitLearn() throws {
        let goldens = Array(try GoldenFile.read("rankings").elements)
        #expect(goldens.count >= 3)
        for golden in goldens {
            let curve = try #require(
                RankingCurve(
                    scores: try golden.needed("scores").numbers,
                    isPositive: try golden.needed("positive").truths))
            #expect(isClose(curve.area, try golden.number("auc")))
            #expect(isClose(curve.averagePrecision, try golden.number("precision")))
        }
    }

    @Test func boxesOverlapAsShapelyHasThem() throws {
        let goldens = Array(try GoldenFile.read("boxes").elements)
        #expect(goldens.count >= 20)
        for golden in goldens {
            let parts = Array(golden.elements)
            let first = try #require(AnswerBox(parts[0].numbers, order: .corners))
            let second = try #require(AnswerBox(parts[1].numbers, order: .corners))
            #expect(isClose(first.overlap(second), parts[2].double))
            #expect(first.overlap(second) == second.overlap(first))
        }
    }
}
