import Synchronization

/// A number that only grows. Adding is one atomic instruction, from any thread.
package final class Counter: Sendable {
    private let count = Atomic<UInt64>(0)

    package init() {}

    /// Adds `amount`.
    package func add(_ amount: UInt64 = 1) {
        count.wrappingAdd(amount, ordering: .relaxed)
    }

    /// The sum so far.
    package var value: Double { Double(count.load(ordering: .relaxed)) }
}

/// A number that goes up and down.
package final class Gauge: Sendable {
    private let bits = Atomic<UInt64>(0)

    package init() {}

    /// Sets the value.
    package func set(_ value: Double) {
        bits.store(value.bitPattern, ordering: .relaxed)
    }

    /// Adds `amount`, which may be negative.
    package func add(_ amount: Double) { bits.addDouble(amount) }

    /// The value now.
    package var value: Double { Double(bitPattern: bits.load(ordering: .relaxed)) }
}

/// How often values fell into each of some ranges, and their sum.
package final class Histogram: Sendable {
    /// Upper bounds for durations of calls in seconds, from 100 µs to a minute.
    package static let secondsBounds: [Double] = [
        0.0001, 0.00025, 0.0005, 0.001, 0.0025, 0.005, 0.01, 0.025, 0.05, 0.1, 0.25, 0.5, 1, 2.5,
        5, 10, 30, 60,
    ]

    private let bounds: [Double]
    /// One more than `bounds`: the last has no upper bound.
    private let counts: AtomicArray
    private let sum = Atomic<UInt64>(0)

    /// - Parameter bounds: upper bounds, inclusive, ascending
    package init(bounds: [Double] = Histogram.secondsBounds) {
        precondition(
            zip(bounds, bounds.dropFirst()).allSatisfy { $0 < $1 }, "Histogram: bounds \(bounds)")
        self.bounds = bounds
        counts = AtomicArray(count: bounds.count + 1)
    }

    /// Counts one value. Not a number is not counted.
    package func observe(_ value: Double) {
        guard !value.isNaN else { return }
        counts.add(1, at: bucket(of: value))
        sum.addDouble(value)
    }

    /// The counts now; values that arrive meanwhile may be in one and not yet in the sum.
    package var snapshot: HistogramSnapshot {
        HistogramSnapshot(
            bounds: bounds, counts: counts.values,
            sum: Double(bitPattern: sum.load(ordering: .relaxed)))
    }

    private func bucket(of value: Double) -> Int {
        var (low, high) = (0, bounds.count)
        while low < high {
            let middle = (low + high) / 2
            if value <= bounds[middle] { high = middle } else { low = middle + 1 }
        }
        return low
    }
}

/// A histogram at one moment. `counts` has one more than `bounds`, and does not accumulate.
package struct HistogramSnapshot: Sendable, Hashable {
    package let bounds: [Double]
    package let counts: [UInt64]
    package let sum: Double
}

/// A fixed number of counters side by side.
final class AtomicArray: Sendable {
    // Allocated once and freed by deinit; the elements are atomic.
    nonisolated(unsafe) private let base: UnsafeMutablePointer<Atomic<UInt64>>
    let count: Int

    init(count: Int) {
        self.count = count
        base = .allocate(capacity: count)
        for index in 0..<count { (base + index).initialize(to: Atomic(0)) }
    }

    deinit {
        base.deinitialize(count: count)
        base.deallocate()
    }

    func add(_ amount: UInt64, at index: Int) {
        precondition(index >= 0 && index < count, "AtomicArray[\(index)] of \(count)")
        base[index].wrappingAdd(amount, ordering: .relaxed)
    }

    subscript(index: Int) -> UInt64 {
        precondition(index >= 0 && index < count, "AtomicArray[\(index)] of \(count)")
        return base[index].load(ordering: .relaxed)
    }

    var values: [UInt64] { (0..<count).map { self[$0] } }
}

extension Atomic where Value == UInt64 {
    /// Adds to the double whose bits this holds.
    fileprivate func addDouble(_ amount: Double) {
        var seen = load(ordering: .relaxed)
        while true {
            let next = (Double(bitPattern: seen) + amount).bitPattern
            let (exchanged, original) = weakCompareExchange(
                expected: seen, desired: next, ordering: .relaxed)
            if exchanged { return }
            seen = original
        }
    }
}
