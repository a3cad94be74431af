import Glibc

/// Takes times of calls in turn until a budget is used up.
struct Stopwatch {
    let budget: Double

    /// - Returns: the median time of one call, seconds
    func median(_ calls: [() -> Void]) -> Double {
        for call in calls { call() }
        var times: [Double] = []
        let end = now() + budget
        while times.count < 3 || now() < end {
            let begin = now()
            calls[times.count % calls.count]()
            times.append(now() - begin)
        }
        return times.sorted()[times.count / 2]
    }

    private func now() -> Double {
        var time = timespec()
        clock_gettime(CLOCK_MONOTONIC, &time)
        return Double(time.tv_sec) + Double(time.tv_nsec) * 1e-9
    }
}
