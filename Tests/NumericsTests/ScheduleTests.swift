import Foundation
import Numerics
import Testing

@Suite struct ScheduleGoldenTests {
    struct Row: Decodable {
        let curve: String
        let steps, warmup: Int
        let minimum: Double
        let factors: [[Double]]
    }

    @Test func learningRatesAreThoseOfTransformers() throws {
        let metadata = try OptimiserGoldens().file.metadata["schedules"] ?? ""
        let rows = try JSONDecoder().decode([Row].self, from: Data(metadata.utf8))
        #expect(rows.count == 30)
        for row in rows {
            let curve = try #require(Schedule.Curve(rawValue: row.curve))
            let schedule = Schedule(
                curve, peak: 2e-4, steps: row.steps, warmup: .steps(row.warmup),
                minimumRatio: row.minimum)
            for pair in row.factors {
                let found = schedule.learningRate(Int(pair[0]))
                #expect(abs(found - 2e-4 * pair[1]) <= 1e-18, "\(schedule), step \(pair[0])")
            }
        }
    }
}

@Suite struct ScheduleTests {
    @Test func aShareOfWarmUpIsRoundedUpToWholeSteps() {
        #expect(Schedule(.linear, peak: 1, steps: 101, warmup: .share(0.03)).warmupSteps == 4)
        #expect(Schedule(.linear, peak: 1, steps: 100, warmup: .share(0)).warmupSteps == 0)
    }

    @Test(arguments: Schedule.Curve.allCases)
    func theLearningRateRisesToItsPeakAndNeverAboveIt(curve: Schedule.Curve) {
        let schedule = Schedule(curve, peak: 3, steps: 50, warmup: .steps(10))
        let rates = (0...60).map(schedule.learningRate)
        #expect(rates[0] == 0 && rates[10] == 3 && rates.max() == 3)
        #expect(zip(rates[10...], rates[11...]).allSatisfy { $0 >= $1 })
    }

    @Test(arguments: [Schedule.Curve.linear, .cosine])
    func theLearningRateStaysAtItsMinimumAfterTheLastStep(curve: Schedule.Curve) {
        let schedule = Schedule(curve, peak: 2, steps: 10, minimumRatio: 0.25)
        #expect(schedule.learningRate(10) == 0.5 && schedule.learningRate(25) == 0.5)
    }
}
