import Base
import Quality
import Testing
import Text

@testable import Evaluation

@Suite struct StatisticsGoldenTests {
    @Test func intervalsAreReadOffDrawsAsSciPyDoes() throws {
        let goldens = Array(try GoldenFile.read("intervals").elements)
        #expect(goldens.count >= 3)
        let bootstrap = try Bootstrap(key: RandomKey(seed: 1), level: 0.9)
        for golden in goldens {
            let values = try golden.needed("values").numbers
            let draws = try golden.needed("draws").numbers
            let total = values.reduce(0, +)
            let count = Double(values.count)
            let leftOut = values.map { (total - $0) / (count - 1) }
            let plain = bootstrap.percentile(draws)
            #expect(areClose([plain.lower, plain.upper], try golden.needed("percentile").numbers))
            let better = bootstrap.accelerated(draws, estimate: total / count, leftOut: leftOut)
            let expected = try golden.needed("accelerated").numbers
            #expect(areClose([better.lower, better.upper], expected))
        }
    }

    @Test func mcNemarIsThatOfStatsmodels() throws {
        let goldens = Array(try GoldenFile.read("tests").needed("mcnemar").elements)
        #expect(goldens.count >= 8)
        for golden in goldens {
            let numbers = golden.numbers
            let test = ChanceTests.McNemar(
                firstOnly: Int(numbers[0]), secondOnly: Int(numbers[1]))
            #expect(isClose(test.exact, numbers[2]), "\(numbers)")
            #expect(isClose(test.corrected, numbers[3]), "\(numbers)")
        }
    }

    @Test func groupsAreComparedAsInSciPy() throws {
        let tests = try GoldenFile.read("tests")
        #expect(try tests.needed("fisher").count >= 4)
        #expect(try tests.needed("welch").count >= 3)
        for golden in try tests.needed("fisher").elements {
            let numbers = golden.numbers
            func sample(_ hits: Double, _ count: Double) -> [Double] {
                (0..<Int(count)).map { Double($0) < hits ? 1 : 0 }
            }
            let found = ChanceTests.isLower(
                sample(numbers[0], numbers[1]), than: sample(numbers[2], numbers[3]))
            #expect(isClose(found, numbers[4]), "\(numbers)")
        }
        for golden in try tests.needed("welch").elements {
            let found = ChanceTests.isLower(
                try golden.needed("group").numbers, than: try golden.needed("rest").numbers)
            #expect(isClose(found, try golden.number("p")))
        }
    }

    @Test func linesAreThoseOfSciPy() throws {
        let goldens = Array(try GoldenFile.read("tests").needed("lines").elements)
        #expect(goldens.count >= 4)
        for golden in goldens {
            let line = try #require(
                LinearTrend(x: try golden.needed("x").numbers, y: try golden.needed("y").numbers))
            #expect(isClose(line.slope, try golden.number("slope")))
            #expect(isClose(line.intercept, try golden.number("intercept")))
            #expect(isClose(line.slopeError, try golden.number("error"), within: 1e-7))
        }
    }

    @Test func correctionsAndSharesAreThoseOfStatsmodels() throws {
        let tests = try GoldenFile.read("tests")
        let holm = try tests.needed("holm")
        let corrected = ChanceTests.holm(try holm.needed("p").numbers)
        #expect(areClose(corrected, try holm.needed("corrected").numbers))
        #expect(try tests.needed("wilson").count >= 4)
        for golden in try tests.needed("wilson").elements {
            let numbers = golden.numbers
            let interval = Share(Int(numbers[0]), of: Int(numbers[1])).interval
            let expected = [numbers[2], numbers[3]]
            #expect(areClose([interval?.lower ?? -1, interval?.upper ?? -1], expected))
        }
    }

    @Test func pairedDrawsHaveTheProbabilityOfSacrebleu() throws {
        let goldens = Array(try GoldenFile.read("tests").needed("paired").elements)
        #expect(goldens.count >= 3)
        for golden in goldens {
            let draws = try golden.needed("draws").numbers
            let found = PairedDraws.probability(of: draws[0], draws: Array(draws.dropFirst()))
            #expect(isClose(found, try golden.number("p")))
        }
    }

    @Test func calibrationIsThatOfTorchmetricsAndScikitLearn() throws {
        let goldens = Array(try GoldenFile.read("calibrations").needed("binary").elements)
        #expect(goldens.count >= 3)
        for golden in goldens {
            let confidences = try golden.needed("confidence").numbers
            let isRight = try golden.needed("right").truths
            let report = try ConfidenceReport(
                confidences: confidences, isRight: isRight,
                binCount: golden.needed("bins").int ?? 0)
            #expect(isClose(report.expectedError, try golden.number("expected")))
            #expect(isClose(report.largestError, try golden.number("largest")))
            #expect(isClose(report.brierScore, try golden.number("brier")))
            let filled = report.bins.filter { $0.count > 0 }
            #expect(areClose(filled.map(\.accuracy), try golden.needed("accuracy").numbers))
            #expect(areClose(filled.map(\.meanConfidence), try golden.needed("mean").numbers))
            let temperature = Temperature.fit(confidences: confidences, isRight: isRight)
            // A minimum is only known to the root of double precision by its height.
            #expect(isClose(temperature, try golden.number("temperature"), within: 1e-6))
        }
        let many = try GoldenFile.read("calibrations").needed("many")
        let temperature = Temperature.fit(
            logits: try many.needed("logits").elements.map(\.numbers),
            classes: try many.needed("classes").whole)
        #expect(isClose(temperature, try many.number("temperature"), within: 1e-6))
    }
}
