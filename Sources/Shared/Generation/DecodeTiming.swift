package import Base

/// How fast a model answers one prompt on its own.
package struct DecodeTiming: Sendable {
    /// From the tokens and pixels of the prompt to the first token of the answer, by run.
    package var firstTokenSeconds: [Double] = []
    /// Tokens after the first, by run.
    package var tokensPerSecond: [Double] = []
    /// The first answer.
    package var ids: [Int32] = []

    /// Answers a prompt several times; the first time is not counted.
    /// - Parameters:
    ///   - request: of an answer of at least two tokens, which nothing ends early
    ///   - runs: how many are counted
    ///   - clock: gives the time
    package init(
        _ generator: Generator, _ request: GenerationRequest, runs: Int,
        clock: () -> MonotonicTime = MonotonicTime.now
    ) throws(GenerationError) {
        precondition(
            request.tokensMax > 1 && runs > 0, "timing: \(request.tokensMax) tokens, \(runs) runs")
        for run in 0...runs {
            let start = clock()
            var times: [MonotonicTime] = []
            let results = try generator.results(of: [request]) { _ in times.append(clock()) }
            guard let first = times.first, let last = times.last, run > 0 else { continue }
            firstTokenSeconds.append(first.seconds(since: start))
            tokensPerSecond.append(Double(times.count - 1) / last.seconds(since: first))
            ids = results[0][0].ids
        }
    }
}

extension [Double] {
    /// The middle of the sorted numbers; 0 of none.
    package var median: Double {
        let sorted = sorted()
        guard !isEmpty else { return 0 }
        return (sorted[(count - 1) / 2] + sorted[count / 2]) / 2
    }
}
