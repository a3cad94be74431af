import Base

/// A shuffled order of `0..<count` of which any place can be computed by itself: nothing is loaded,
/// and a stream goes on from any place.
///
/// A Feistel network permutes the numbers of the next even count of bits; numbers that fall outside
/// are sent through again until they fall inside (Black and Rogaway, Ciphers with Arbitrary Finite
/// Domains, 2002). Fewer than four rounds through on average.
struct SeededOrder: Sendable {
    private static let rounds: UInt64 = 6

    private let count: UInt64
    private let key: UInt64
    private let halfBits: UInt64
    private let mask: UInt64

    /// The same count, seed and epoch give the same order.
    init(count: Int, seed: UInt64, epoch: UInt32) {
        self.count = UInt64(count)
        key = Philox.mixed(UInt64(epoch), seed: seed)
        let bits = UInt64(64 - UInt64(max(count, 2) - 1).leadingZeroBitCount)
        halfBits = max(1, (bits + 1) / 2)
        mask = (1 << halfBits) - 1
    }

    /// What stands at a place.
    subscript(_ place: Int) -> Int {
        var value = UInt64(place)
        repeat { value = forward(value) } while value >= count
        return Int(value)
    }

    /// The place at which something stands.
    func place(of value: Int) -> Int {
        var place = UInt64(value)
        repeat { place = backward(place) } while place >= count
        return Int(place)
    }

    private func forward(_ value: UInt64) -> UInt64 {
        var (left, right) = (value >> halfBits, value & mask)
        for round in 0..<Self.rounds { (left, right) = (right, left ^ scramble(right, round)) }
        return left << halfBits | right
    }

    private func backward(_ value: UInt64) -> UInt64 {
        var (left, right) = (value >> halfBits, value & mask)
        for round in (0..<Self.rounds).reversed() {
            (left, right) = (right ^ scramble(left, round), left)
        }
        return left << halfBits | right
    }

    private func scramble(_ half: UInt64, _ round: UInt64) -> UInt64 {
        Philox.mixed(half | round << 56, seed: key) & mask
    }
}
