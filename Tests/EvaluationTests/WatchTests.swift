import Base
import Evaluation
import Quality
import Testing

@Suite struct WatchTests {
    private typealias Point = OverfittingWatch.Point

    private func losses(_ count: Int, every: Int = 1, _ loss: (Double) -> Double) -> [Point] {
        (0..<count).map { Point(step: $0 * every, loss: loss(Double($0 * every))) }
    }

    @Test func risingValidationLossBesideFallingTrainLossIsOverfitting() throws {
        let train = losses(400) { 2 - $0 / 400 + ($0.truncatingRemainder(dividingBy: 2) - 0.5) / 9 }
        let validation = losses(4, every: 130) { 1.5 + $0 / 1_000 }
        let evidence = try #require(OverfittingWatch().check(train: train, validation: validation))
        #expect(isClose(evidence.trainSlope, -2.5, within: 0.02))
        #expect(isClose(evidence.validationSlope, 1))
        #expect(evidence.isRising)
        #expect(evidence.steps == 130...390)
        #expect(evidence.bestStep == 0)
        #expect(evidence.estimates.map(\.name).prefix(2) == ["train.slope", "validation.slope"])
    }

    @Test func lossesThatFallTogetherAreNot() {
        let train = losses(400) { 2 - $0 / 400 }
        #expect(
            OverfittingWatch().check(
                train: train, validation: losses(4, every: 130) { 2 - $0 / 500 }) == nil)
        #expect(
            OverfittingWatch().check(
                train: losses(400) { _ in 2 }, validation: losses(4, every: 130) { $0 }) == nil)
    }

    @Test func fewOrBrokenEvaluationsSayNothing() {
        let train = losses(400) { 2 - $0 / 400 }
        let broken = [.nan, 1, 2].enumerated().map { Point(step: $0.offset * 10, loss: $0.element) }
        #expect(OverfittingWatch().check(train: train, validation: broken) == nil)
        #expect(OverfittingWatch().check(train: [], validation: losses(5) { $0 }) == nil)
    }

    @Test func forgettingStopsAJobOnlyBeyondItsInterval() throws {
        let bootstrap = try Bootstrap(key: RandomKey(seed: 1), draws: 500)
        let before = Array(repeating: 1.0, count: 100)
        func outcome(_ lost: Int, stop: Double? = nil) throws -> ForgettingCheck.Outcome? {
            let now = (0..<100).map { $0 < lost ? 0.0 : 1 }
            return try ForgettingCheck(
                before: before, now: now, stopDrop: stop, bootstrap: bootstrap)?.outcome
        }
        #expect(try outcome(0) == .kept)
        #expect(try outcome(4) == .kept)
        #expect(try outcome(5) == .warn)
        #expect(try outcome(90) == .warn)
        #expect(try outcome(12, stop: 0.1) == .warn)
        #expect(try outcome(30, stop: 0.1) == .stop)
        #expect(try ForgettingCheck(before: [], now: [], bootstrap: bootstrap) == nil)
        let one = try ForgettingCheck(before: [1], now: [0], stopDrop: 0.1, bootstrap: bootstrap)
        #expect(one?.outcome == .warn)
        #expect(one?.drop.value == 1)
    }

    @Test func numbersThatAreNoneAndExplodingGradientsAreSeen() {
        var watch = DivergenceWatch()
        for step in 1...19 {
            #expect(watch.check(step: step, loss: 1, gradientNorm: step == 5 ? 900 : 1) == nil)
        }
        #expect(watch.median == nil)
        #expect(watch.check(step: 20, loss: 1, gradientNorm: 2) == nil)
        #expect(watch.median == 1)
        #expect(watch.check(step: 21, loss: 1, gradientNorm: 10) == nil)
        let exploded = watch.check(step: 22, loss: 1, gradientNorm: 10.5)
        #expect(exploded == .gradientExploded(step: 22, norm: 10.5, median: 1))
        #expect(exploded?.isFatal == false)
        #expect(watch.check(step: 23, loss: .nan, gradientNorm: 1) == .lossNotFinite(step: 23))
        let infinite = watch.check(step: 24, loss: 1, gradientNorm: .infinity)
        #expect(infinite == .gradientNotFinite(step: 24))
        #expect(infinite?.isFatal == true)
        #expect(infinite?.step == 24)
    }

    @Test func gradientsThatSettleHigherBecomeUsual() {
        var watch = DivergenceWatch()
        for step in 0..<100 { _ = watch.check(step: step, loss: 1, gradientNorm: 1) }
        let reported = (100..<300).filter {
            watch.check(step: $0, loss: 1, gradientNorm: 50) != nil
        }
        #expect(reported == Array(100..<150))
    }
}
